package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// writeForever inserts rows with ever new values into the tables until the
// returned function is called, which waits and returns how many were accepted.
func (e *env) writeForever(database string, tables ...string) (stop func() int) {
	var done atomic.Bool
	var rows atomic.Int64
	var g errgroup.Group
	for _, table := range tables {
		g.Go(func() error {
			for i := 0; !done.Load(); i++ {
				_, err := e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO %s.%s VALUES (%d, 'row %d of %s')", database, table, i, i, table))
				if err != nil {
					// A statement may fail while the source's master changes.
					// Whether it was applied is the source's business: what
					// counts is that both sides agree.
					if e.ctx.Err() != nil {
						return e.ctx.Err()
					}
				} else {
					rows.Add(1)
				}
				time.Sleep(2 * time.Millisecond) // a bound on the rate, not a wait
			}
			return nil
		})
	}
	return sync.OnceValue(func() int {
		done.Store(true)
		require.NoError(e, g.Wait())
		require.Positive(e, rows.Load(), "no row was written: nothing has been tested")
		return int(rows.Load())
	})
}

// random draws the test's random moments, by the seed that clusters prints when it
// fails.
func (e *env) random() *rand.Rand {
	e.Helper()
	r, err := harness.Random(e.Name())
	require.NoError(e, err)
	return r
}

// The process is killed ten times: in each step of the full sync, whose calls are
// held until then, and at random moments while it streams. The tables are
// DUPLICATE: a row applied twice would be seen.
func TestKilledTenTimes(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{BEs: 2, Realistic: true})
	random := e.random()
	e.exec("CREATE DATABASE d")
	tables := []string{"t0", "t1", "t2", "t3"}
	for _, name := range tables {
		e.exec(fmt.Sprintf(duplicateTable, "d", name))
	}
	e.enableBinlog("d", tables...)
	e.exec("INSERT INTO d.t0 VALUES (-1, 'before the job')")
	backup := e.fault(e.pair.Source, faults.Rule{Point: "backup.SNAPSHOTING", Action: faults.Hold, Count: 1})
	job := e.createJob("d", "", "d", "")
	stop := e.writeForever("d", tables...)
	e.killedInFullSync(job, backup)
	for i := range 7 {
		e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond) // the random moment itself
		e.ccr.Kill()
		require.NoError(t, e.ccr.Start(e.ctx), "start %d", i)
	}
	t.Logf("%d rows written", stop())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

// killedInFullSync kills the process while each step of the first sync is under
// way, and starts it again. The rule given holds the backup.
func (e *env) killedInFullSync(job string, backup *fault) {
	e.Helper()
	killed := func(in string) {
		e.Helper()
		s, err := e.ccr.Status(e.ctx, job)
		require.NoError(e, err)
		require.Equal(e, in, s.Phase)
		e.ccr.Kill()
	}
	backup.struck()
	killed("take_snapshot")
	restore := e.fault(e.pair.Destination, faults.Rule{Point: "restore.DOWNLOADING", Action: faults.Hold, Count: 1})
	backup.end()
	require.NoError(e, e.ccr.Start(e.ctx))
	restore.struck()
	killed("restore")
	// FinishSnapshot reads metadata of the destination. So may the step before: each
	// of its calls is let go when the next one is sure to be held.
	read := faults.Rule{Point: "fe.getMeta", Action: faults.Hold, Count: 1}
	held := e.fault(e.pair.Destination, read)
	restore.end()
	require.NoError(e, e.ccr.Start(e.ctx))
	for {
		held.struck()
		// An answer may be 200 ms old, of the step before.
		finishing := harness.Await(e.ctx, time.Second, func(ctx context.Context) error {
			s, err := e.ccr.Status(ctx, job)
			if err == nil && s.Phase != "finish_snapshot" {
				err = fmt.Errorf("the job is at %s", s.Phase)
			}
			return err
		})
		if finishing == nil {
			break
		}
		e.Logf("not yet: %v", finishing)
		next := e.fault(e.pair.Destination, read)
		held.end()
		held = next
	}
	killed("finish_snapshot")
	held.end()
	require.NoError(e, e.ccr.Start(e.ctx))
}

// Stopped gracefully and started again, every job goes on.
func TestStopAndStartContinuesEveryJob(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	job := e.createJob("d", "", "d", "")
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": "second",
		"src": e.pair.Source.Spec("d", "t"), "dest": e.pair.Destination.Spec("other", "t_copy")})
	require.NoError(t, err)
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(job, "d", "d")
	require.NoError(t, e.ccr.Stop())
	e.exec("INSERT INTO d.t VALUES (2, 'while stopped')", "INSERT INTO d.u VALUES (3, 'while stopped')")
	require.NoError(t, e.ccr.Start(e.ctx))
	e.awaitEqual(job, "d", "d")
	e.awaitThat("second", func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, "d", "t", e.dst, "other", "t_copy")
	})
	e.requireFullSyncs(job, 1)
	e.requireFullSyncs("second", 1)
}

func TestSourceMasterSwitch(t *testing.T) {
	t.Parallel()
	testMasterSwitch(t, func(p *harness.Pair) *harness.Cluster { return p.Source })
}

func TestDestinationMasterSwitch(t *testing.T) {
	t.Parallel()
	testMasterSwitch(t, func(p *harness.Pair) *harness.Cluster { return p.Destination })
}

func testMasterSwitch(t *testing.T, side func(*harness.Pair) *harness.Cluster) {
	e := newEnv(t, harness.PairOptions{FEs: 3, BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	stop := e.writeForever("d", "t", "u")
	progressed := func() {
		before := e.commitSeq(job)
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if now := e.commitSeq(job); now < before+20 {
				return fmt.Errorf("at %d, was at %d", now, before)
			}
			return nil
		}))
	}
	progressed()
	require.NoError(t, side(e.pair).SwitchMaster(1))
	progressed()
	require.NoError(t, side(e.pair).SwitchMaster(2))
	progressed()
	t.Logf("%d rows written", stop())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

func (e *env) commitSeq(job string) int64 {
	s, err := e.ccr.Status(e.ctx, job)
	if err != nil {
		return 0
	}
	return s.CommitSeq
}

func TestDestinationBackendKilledAndRestarted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 3})
	e.exec("CREATE DATABASE d", `CREATE TABLE d.t (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES ("replication_num" = "3")`, fmt.Sprintf(duplicateTable, "d", "single"))
	e.enableBinlog("d", "t", "single")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	stop := e.writeForever("d", "t")
	e.exec("INSERT INTO d.single VALUES (1, 'one replica')")
	require.NoError(t, e.pair.Destination.KillBE(1))
	before := e.commitSeq(job)
	e.exec("INSERT INTO d.single VALUES (2, 'while a backend is down')")
	// Down until the job has either gone on with the others or said that it cannot.
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && !s.Stalled && s.CommitSeq < before+20 {
			err = fmt.Errorf("at %d, was at %d", s.CommitSeq, before)
		}
		return err
	}))
	require.NoError(t, e.pair.Destination.RestartBE(1))
	t.Logf("%d rows written; commit seq %d before", stop(), before)
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

// Calls fail before and after their effect, replies get lost, ingests break: all
// of it at once, while rows are written. Rows must arrive once each.
func TestLostCallsAndReplies(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"), fmt.Sprintf(duplicateTable, "d", "v"))
	e.enableBinlog("d", "t", "u", "v")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	stop := e.writeForever("d", "t", "u", "v")
	for round := range 6 {
		var added []*fault
		for _, point := range []string{"fe.beginTxn", "fe.commitTxn", "fe.rollbackTxn", "be.ingest_binlog"} {
			for _, action := range []faults.Action{faults.DropBefore, faults.DropAfter} {
				added = append(added, e.fault(e.pair.Destination, faults.Rule{Point: point, Action: action, Count: 2}))
			}
		}
		added = append(added, e.fault(e.pair.Source, faults.Rule{Point: "fe.getBinlog", Action: faults.DropAfter, Count: 2}),
			e.fault(e.pair.Source, faults.Rule{Point: "fe.getMeta", Action: faults.DropBefore, Count: 1}))
		before := e.commitSeq(job)
		require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
			if now := e.commitSeq(job); now < before+20 {
				return fmt.Errorf("round %d: at %d, was at %d", round, now, before)
			}
			return nil
		}))
		for _, f := range added {
			f.struck()
		}
	}
	t.Logf("%d rows written", stop())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}
