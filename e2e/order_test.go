package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// createJobWith creates a job of database d with further options.
func (e *env) createJobWith(options map[string]any) string {
	e.Helper()
	request := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	for key, value := range options {
		request[key] = value
	}
	_, err := e.ccr.Call(e.ctx, "create_ccr", request)
	require.NoError(e, err)
	return e.jobName()
}

// awaitCount waits until a table of the destination has so many rows.
func (e *env) awaitCount(table string, want int) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		if n, err := e.rowsOf(ctx, table); err != nil || n != want {
			return fmt.Errorf("d.%s has %d rows, not %d: %w", table, n, want, err)
		}
		return nil
	}))
}

func (e *env) rowsOf(ctx context.Context, table string) (n int, err error) {
	err = e.dst.QueryRowContext(ctx, "SELECT COUNT(*) FROM d."+table).Scan(&n)
	return n, err
}

// With commit_order per_table independent tables do not wait for each other, a
// transaction over several tables has its place in each of them, and a process
// that dies with some applied and some not doubles none.
func TestCommitOrderPerTable(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	tables := []string{"slow", "fast", "free"}
	e.exec("CREATE DATABASE d")
	for _, name := range tables {
		e.exec(fmt.Sprintf(duplicateTable, "d", name), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'before')", name))
	}
	e.enableBinlog("d", tables...)
	job := e.createJobWith(map[string]any{"commit_order": "per_table"})
	e.awaitEqual(job, "d", "d")

	held := e.fault(e.pair.Destination, faults.Rule{Point: "be.ingest_binlog*", Action: faults.Hold, Count: 1})
	e.exec("INSERT INTO d.slow VALUES (2, 'held')")
	held.struck()
	e.exec("INSERT INTO d.fast VALUES (2, 'overtakes')")
	e.awaitCount("fast", 2)

	// BEGIN and its statements belong to one connection.
	conn, err := e.src.Conn(e.ctx)
	require.NoError(t, err)
	for _, s := range []string{"BEGIN", "INSERT INTO d.slow VALUES (3, 'both')", "INSERT INTO d.fast VALUES (3, 'both')", "COMMIT"} {
		_, err := conn.ExecContext(e.ctx, s)
		require.NoError(t, err, s)
	}
	require.NoError(t, conn.Close())
	e.exec("INSERT INTO d.fast VALUES (4, 'after both')", "INSERT INTO d.free VALUES (2, 'overtakes')")
	e.awaitCount("free", 2)
	n, err := e.rowsOf(e.ctx, "fast")
	require.NoError(t, err)
	require.Equal(t, 2, n, "what is behind the transaction over both tables waits with it")
	n, err = e.rowsOf(e.ctx, "slow")
	require.NoError(t, err)
	require.Equal(t, 1, n)

	e.ccr.Kill()
	require.NoError(t, e.ccr.Start(e.ctx))
	e.awaitEqual(job, "d", "d")

	held.end()
	stop := e.writeForever("d", tables...)
	random := e.random()
	for range 2 {
		time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond) // the random moment itself
		e.ccr.Kill()
		require.NoError(t, e.ccr.Start(e.ctx))
	}
	t.Logf("%d rows written", stop())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

// With reuse_binlog_label the destination's transactions have the source's
// labels: also after the process has died, with no row doubled. A label that
// somebody else has used is told, not taken for ours.
func TestReuseBinlogLabel(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	job := e.createJobWith(map[string]any{"reuse_binlog_label": true})
	e.awaitState(job, "DBIncrementalSync")
	stop := e.writeForever("d", "t", "u")
	random := e.random()
	for range 3 {
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond) // the random moment itself
		e.ccr.Kill()
		require.NoError(t, e.ccr.Start(e.ctx))
	}
	t.Logf("%d rows written", stop())
	e.exec("INSERT INTO d.t WITH LABEL from_the_source VALUES (-1, 'labelled')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
	require.Equal(t, "VISIBLE", e.transactionStatus("from_the_source"))

	_, err := e.dst.ExecContext(e.ctx, fmt.Sprintf(duplicateTable, "d", "local"))
	require.NoError(t, err)
	_, err = e.dst.ExecContext(e.ctx, "INSERT INTO d.local WITH LABEL taken VALUES (1, 'of the destination')")
	require.NoError(t, err)
	e.exec("INSERT INTO d.t WITH LABEL taken VALUES (-2, 'same label')", "INSERT INTO d.t VALUES (-3, 'behind it')")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && !(s.Stalled && strings.Contains(s.LastError.Text, "label taken of the source has been used by another load")) {
			err = fmt.Errorf("stalled: %t, %s", s.Stalled, s.LastError.Text)
		}
		return err
	}))
	require.Contains(t, e.remedy(job), "reuse_binlog_label")
	_, err = e.dst.ExecContext(e.ctx, "DROP TABLE d.local FORCE")
	require.NoError(t, err)
	detail, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "t", "skip_table_id": e.sourceTable(detail, "t")})
	require.NoError(t, err)
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

// A worker dies, and before its shift is known to be lost an operator orders the
// snapshot of another table: what the shift has applied to this one is not applied
// again.
func TestPartialSyncOrderedAfterACrash(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	for n := range 20 {
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'of the shift')", n))
	}
	e.awaitEqual(job, "d", "d")
	detail, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	e.ccr.Kill()
	require.NoError(t, e.ccr.Start(e.ctx))
	// It is carried out once the shift is over, whatever this call waits for.
	_, _ = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "u", "skip_table_id": e.sourceTable(detail, "u")})
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && (s.PartialSyncs != 1 || !strings.Contains(s.ProgressState, "IncrementalSync")) {
			err = fmt.Errorf("%d partial syncs, %s", s.PartialSyncs, s.ProgressState)
		}
		return err
	}))
	e.exec("INSERT INTO d.t VALUES (100, 'after it')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

func (e *env) remedy(job string) string {
	e.Helper()
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(e, err)
	return s.LastError.Remedy
}

// transactionStatus is what the destination says of a label.
func (e *env) transactionStatus(label string) string {
	e.Helper()
	rows, err := e.dst.QueryContext(e.ctx, fmt.Sprintf("SHOW TRANSACTION FROM d WHERE label = '%s'", label))
	require.NoError(e, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(e, err)
	require.True(e, rows.Next(), label)
	cells, into := make([]*string, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	require.NoError(e, rows.Scan(into...))
	return *cells[3]
}

// sourceTable is the id of a source table in a reply of job_progress.
func (e *env) sourceTable(progress map[string]any, name string) int64 {
	e.Helper()
	names, _ := find(progress, "table_name_mapping").(map[string]any)
	for id, n := range names {
		if n == name {
			number, err := strconv.ParseInt(id, 10, 64)
			require.NoError(e, err)
			return number
		}
	}
	require.Fail(e, "not in table_name_mapping", "%s in %v", name, progress)
	return 0
}
