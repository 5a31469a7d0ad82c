package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// While loads and DDL run nothing is taken for different. What is written too
// often to be compared is tried again, and is equal once nobody writes it any more.
func TestVerifyUnderLoad(t *testing.T) {
	t.Parallel()
	tables := []planted{{name: "dup"}, {name: "on_write", create: fmt.Sprintf(uniqueRows, true)}, {name: "on_read", create: fmt.Sprintf(uniqueRows, false)}, {name: "ddl"}, {name: "quiet"}, {name: "steady", create: inOneTablet}}
	v := newVerifying(newEnv(t, harness.PairOptions{}), "load", tables)

	ctx, stop := context.WithCancel(v.ctx)
	// Each DDL is a step of the job: it has to keep up.
	paces := []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond, 700 * time.Millisecond}
	var writers errgroup.Group
	for seed, write := range []func(context.Context, *rand.Rand, int) error{v.writeRows("dup"), v.writeRows("on_write"), v.writeRows("on_read"), v.alterTable} {
		writers.Go(func() error {
			r := rand.New(rand.NewPCG(uint64(seed), 7))
			for n := 0; ; n++ {
				if err := write(v.ctx, r, n); err != nil {
					return err
				}
				if !pauseFor(ctx, paces[seed]+time.Duration(r.IntN(100))*time.Millisecond) {
					return nil
				}
			}
		})
	}
	outcomes := map[job.VerifyOutcome]int{}
	// checksum_columns asks no more than checksum unless something differs.
	for _, method := range []job.VerifyMethod{job.VerifyCount, job.VerifyChecksum, job.VerifyRows} {
		report := v.verify(job.VerifyRequest{Method: method})
		require.Zero(t, report.Different, "a false alarm: %s", inText(report))
		require.Equal(t, job.VerifyEqual, tableOf(report, "quiet").Outcome, inText(report))
		for _, table := range report.Tables {
			outcomes[table.Outcome]++
		}
	}
	t.Logf("while loads run: %v", outcomes)
	stop()
	require.NoError(t, writers.Wait())

	v.awaitEqual(v.job, v.srcDB, v.dstDB)
	v.behindIsNotDifferent()
	v.outlastsLoads()
	v.isReadInAHold()
	report := v.verify(job.VerifyRequest{Method: job.VerifyRows})
	require.Equal(t, len(report.Tables), report.Equal, inText(report))
	require.Equal(t, len(tables)+1, report.Equal, inText(report)) // busy, too
	v.requireFullSyncs(v.job, 1)
}

// writeRows loads a few rows into a table, or deletes some.
func (v *verifying) writeRows(table string) func(context.Context, *rand.Rand, int) error {
	return func(ctx context.Context, r *rand.Rand, n int) error {
		statement := fmt.Sprintf("INSERT INTO %s.%s VALUES (%d, 'r%d', %d), (%d, 'r%d', %d)", v.srcDB, table, r.IntN(200), n, n, r.IntN(200), n, n)
		if r.IntN(6) == 0 {
			statement = fmt.Sprintf("DELETE FROM %s.%s PARTITION p%d WHERE id = %d", v.srcDB, table, 1+r.IntN(2), r.IntN(200))
		}
		return run(statement)(ctx, &scene{src: v.src})
	}
}

// alterTable changes what the table ddl is.
func (v *verifying) alterTable(ctx context.Context, r *rand.Rand, n int) error {
	table := v.srcDB + ".ddl"
	statements := []string{
		fmt.Sprintf("ALTER TABLE %s ADD COLUMN c%d INT DEFAULT \"%d\"", table, n, n),
		fmt.Sprintf(`ALTER TABLE %s ADD PARTITION q%d VALUES [("%d"), ("%d"))`, table, n, 1000+10*n, 1010+10*n),
		fmt.Sprintf("INSERT INTO %s (id, v, n) VALUES (%d, 'r', %d)", table, r.IntN(200), n),
		fmt.Sprintf("TRUNCATE TABLE %s PARTITION (p%d)", table, 1+r.IntN(2)),
		fmt.Sprintf(`ALTER TABLE %s MODIFY COMMENT "number %d"`, table, n),
	}
	return run(statements[n%len(statements)])(ctx, &scene{src: v.src})
}

// behindIsNotDifferent verifies a table whose last load is on its way for longer than
// two looks take.
func (v *verifying) behindIsNotDifferent() {
	v.Helper()
	late, err := v.pair.Destination.Faults().Add(faults.Rule{Point: "be.ingest_binlog", Action: faults.Delay, DelayMillis: 4000})
	require.NoError(v, err)
	v.exec("INSERT INTO " + v.srcDB + ".dup VALUES (1, 'on its way', 1), (101, 'on its way', 1)")
	report := v.verify(job.VerifyRequest{Method: job.VerifyCount, Tables: []string{"dup"}})
	require.True(v, v.pair.Destination.Faults().Remove(late))
	require.Equal(v, 1, report.Equal, inText(report))
}

// What a verification is asked for is all that it does; two of a job are one too
// many; one that is cancelled has a report.
func TestVerifyIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	v := newVerifying(newEnv(t, harness.PairOptions{}), "asked", []planted{{name: "t1"}, {name: "t2"}, {name: "u1"}})
	for _, table := range []string{"t1", "u1"} {
		v.plant(&planted{name: table, damage: damages(damaged("drop", "103"))})
	}

	report := v.verify(job.VerifyRequest{Tables: []string{"t*"}})
	require.Len(t, report.Tables, 2)
	require.Equal(t, job.VerifyDifferent, tableOf(report, "t1").Outcome)
	report = v.verify(job.VerifyRequest{Tables: []string{"t1"}, Partitions: []string{"p1"}})
	require.Equal(t, job.VerifyEqual, tableOf(report, "t1").Outcome, inText(report))
	require.Equal(t, 1, tableOf(report, "t1").Partitions)
	require.NoError(t, harness.Await(v.ctx, catchUp, func(ctx context.Context) error {
		reply, err := v.ccr.Call(ctx, "job_status", map[string]any{"name": v.job})
		if err != nil {
			return err
		}
		last, _ := reply["verified"].(map[string]any)
		if last["report"] != report.ID {
			return errors.New("the job has not been told of it")
		}
		require.Equal(v, "equal", last["result"])
		require.Contains(v, fmt.Sprint(last["still_different"]), "table:t1", "another partition of it differs")
		return nil
	}))
	for _, wrong := range []map[string]any{
		{"name": v.job, "method": "guess"},
		{"name": v.job, "partitions": []string{"p1"}},
		{"name": "no such job"},
	} {
		_, err := v.ccr.Call(v.ctx, "verify", wrong)
		require.Error(t, err, "%v", wrong)
	}

	held, err := v.pair.Destination.Faults().Add(faults.Rule{Point: "be.scan", Action: faults.Hold})
	require.NoError(t, err)
	id, err := v.ccr.Verify(v.ctx, v.job, job.VerifyRequest{})
	require.NoError(t, err)
	v.struckBy(v.pair.Destination, held)
	_, err = v.ccr.Verify(v.ctx, v.job, job.VerifyRequest{})
	require.Error(t, err, "another one of the same job")
	_, err = v.ccr.Call(v.ctx, "verify_cancel", map[string]any{"name": v.job})
	require.NoError(t, err)
	require.True(v, v.pair.Destination.Faults().Remove(held))
	report, err = v.ccr.AwaitVerified(v.ctx, v.job, id, catchUp)
	require.NoError(t, err)
	require.Equal(t, job.VerifyCancelled, report.State)

	require.Equal(t, job.VerifyCancelled, v.lastVerified(id))
}

// struckBy waits until a rule has struck.
func (v *verifying) struckBy(c *harness.Cluster, rule int) {
	v.Helper()
	require.NoError(v, harness.Await(v.ctx, catchUp, func(context.Context) error {
		if c.Faults().Hits(rule) == 0 {
			return errors.New("nothing has come to the rule")
		}
		return nil
	}))
}
