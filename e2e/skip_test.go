package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// refuseLoads makes the destination refuse every transaction until the returned
// function is called.
func (e *env) refuseLoads() (healthy func()) {
	e.Helper()
	return e.fault(e.pair.Destination, faults.Rule{Point: "fe.beginTxn", Action: faults.Fail, Message: "refused by the test"}).end
}

// written runs a statement and returns the commit seq of its binlog: that of the
// newest once the source has been asked after the statement.
func (e *env) written(job, statement string) int64 {
	e.Helper()
	e.exec(statement)
	e.pair.Source.Core().FileBinlogs()
	done := time.Now()
	var seq int64
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		lag, err := e.ccr.Call(ctx, "get_lag", map[string]any{"name": job})
		if err != nil {
			return err
		}
		observed, err := time.ParseInLocation(time.DateTime, fmt.Sprint(lag["observed_at"]), time.Local)
		if err == nil && !observed.After(done) {
			err = fmt.Errorf("the lag is of %v, which is before the statement", lag["observed_at"])
		}
		seq = harness.Int(lag, "last_commit_seq")
		return err
	}))
	return seq
}

// stalledAt waits until the job is stalled at a binlog and returns its number.
func (e *env) stalledAt(job string) int64 {
	e.Helper()
	var reply struct {
		Stalled   bool `json:"stalled"`
		LastError struct {
			CommitSeq int64 `json:"commit_seq"`
		} `json:"last_error"`
	}
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		_, text, err := e.ccr.Raw(ctx, "job_status", fmt.Sprintf(`{"name":%q}`, job))
		if err == nil {
			err = json.Unmarshal([]byte(text), &reply)
		}
		if err == nil && (!reply.Stalled || reply.LastError.CommitSeq == 0) {
			err = errors.New("not stalled yet: " + text)
		}
		return err
	}))
	return reply.LastError.CommitSeq
}

func (e *env) skip(body map[string]any) error {
	_, err := e.ccr.Call(e.ctx, "job_skip_binlog", body)
	return err
}

// awaitRows waits until the destination's tables hold exactly these rows.
func (e *env) awaitRows(job, db string, want map[string][]string) {
	e.Helper()
	e.awaitThat(job, func(ctx context.Context) error {
		for table, rows := range want {
			have, err := harness.Content(ctx, e.dst, db, table)
			if err != nil {
				return err
			}
			if fmt.Sprint(have) != fmt.Sprint(rows) {
				return fmt.Errorf("%s has %v, not %v", table, have, rows)
			}
		}
		return nil
	})
}

// One binlog is passed over: that which blocks the job, one behind it that is in
// the same group of UPSERTs, one still ahead. Nothing else is, however often it
// is ordered.
func TestSkipSilence(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d")
	for _, table := range []string{"t", "u", "v"} {
		e.exec(fmt.Sprintf(duplicateTable, "d", table))
	}
	e.enableBinlog("d", "t", "u", "v")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	e.exec("INSERT INTO d.t VALUES (0, 'before')")
	e.awaitEqual(job, "d", "d")

	healthy := e.refuseLoads()
	blocking := e.written(job, "INSERT INTO d.t VALUES (1, 'blocks')")
	inGroup := e.written(job, "INSERT INTO d.u VALUES (2, 'in the group')")
	e.exec("INSERT INTO d.v VALUES (3, 'arrives')")
	require.Equal(t, blocking, e.stalledAt(job))
	e.requirePauseKeepsTheProblem(job, blocking)
	behind := map[string]any{"name": job, "skip_by": "silence", "skip_commit_seq": e.commitSeq(job)}
	require.ErrorContains(t, e.skip(behind), "the job has already passed it and is at")
	order := map[string]any{"name": job, "skip_by": "Silence", "skip_commit_seq": inGroup}
	require.NoError(t, e.skip(order))
	require.NoError(t, e.skip(order), "again changes nothing")
	healthy()
	e.awaitRows(job, "d", map[string][]string{"t": {"0|before", "1|blocks"}, "u": {}, "v": {"3|arrives"}})
	require.ErrorContains(t, e.skip(order), "already passed")

	healthy = e.refuseLoads()
	blocking = e.written(job, "INSERT INTO d.t VALUES (4, 'skipped')")
	e.exec("INSERT INTO d.u VALUES (5, 'arrives')")
	require.Equal(t, blocking, e.stalledAt(job))
	e.requireSeen(job, map[string]any{"name": job}, blocking, "UPSERT", "copies the rows of a load, in one transaction: table t (")
	order["skip_commit_seq"] = blocking
	require.NoError(t, e.skip(order))
	healthy()
	e.awaitRows(job, "d", map[string][]string{"t": {"0|before", "1|blocks"}, "u": {"5|arrives"}, "v": {"3|arrives"}})

	// Ahead of a job that is paused: a DDL between rows.
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec("INSERT INTO d.v VALUES (6, 'arrives')")
	order["skip_commit_seq"] = e.written(job, fmt.Sprintf(duplicateTable, "d", "w"))
	e.exec("INSERT INTO d.v VALUES (7, 'arrives')")
	e.requireSeen(job, map[string]any{"name": job, "commit_seq": order["skip_commit_seq"]}, order["skip_commit_seq"], "CREATE_TABLE", "runs on the destination what is below")
	require.NoError(t, e.skip(order))
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	e.awaitRows(job, "d", map[string][]string{"v": {"3|arrives", "6|arrives", "7|arrives"}})
	tables, err := harness.Tables(e.ctx, e.dst, "d")
	require.NoError(t, err)
	require.NotContains(t, tables, "w")
	e.requireFullSyncs(job, 1)
}

// requirePauseKeepsTheProblem: a job that is paused because it cannot go on tells
// why for as long as it rests, and is stalled at the same binlog when it goes on.
func (e *env) requirePauseKeepsTheProblem(job string, blocking int64) {
	e.Helper()
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
	require.NoError(e, err)
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(e, err)
	require.Equal(e, "paused", s.State)
	require.False(e, s.Stalled)
	require.Contains(e, s.LastError.Text, "refused by the test")
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(e, err)
	require.Equal(e, blocking, e.stalledAt(job))
}

// What was skipped comes back with a snapshot: of one table, or of everything.
// requireSeen looks at the binlog that is to be left out.
func (e *env) requireSeen(job string, request map[string]any, seq any, kind, effect string) {
	e.Helper()
	seen, err := e.ccr.Call(e.ctx, "job_binlogs", request)
	require.NoError(e, err)
	first := seen["binlogs"].([]any)[0].(map[string]any)
	require.Equal(e, fmt.Sprint(seq), fmt.Sprint(first["commit_seq"]), job)
	require.Equal(e, kind, first["type"])
	require.Contains(e, first["effect"], effect)
	require.NotEmpty(e, first["record"])
}

func TestSkipByPartialAndFullSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	skipOne := func(table string, id int) {
		healthy := e.refuseLoads()
		seq := e.written(job, fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'skipped')", table, id))
		require.Equal(t, seq, e.stalledAt(job))
		require.NoError(t, e.skip(map[string]any{"name": job, "skip_by": "silence", "skip_commit_seq": seq}))
		healthy()
		e.awaitRows(job, "d", map[string][]string{table: {}})
	}
	skipOne("t", 1)
	reply, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	var id string
	for source, name := range reply["job_progress"].(map[string]any)["table_name_mapping"].(map[string]any) {
		if name == "t" {
			id = source
		}
	}
	partial := map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "t", "skip_table_id": json.Number(id)}
	require.NoError(t, e.skip(partial))
	e.awaitEqual(job, "d", "d")
	wrong := map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "u", "skip_table_id": json.Number(id)}
	require.ErrorContains(t, e.skip(wrong), "is t")
	wrong = map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "t", "skip_table_id": 99999}
	require.ErrorContains(t, e.skip(wrong), "the job knows it as table id "+id)
	e.requireFullSyncs(job, 1)

	skipOne("u", 2)
	backup := e.fault(e.pair.Source, faults.Rule{Point: "backup.SNAPSHOTING", Action: faults.Hold, Count: 1})
	require.NoError(t, e.skip(map[string]any{"name": job, "skip_by": "fullsync"}))
	backup.struck()
	require.NoError(t, e.skip(map[string]any{"name": job, "skip_by": "fullsync"}), "again while it is under way changes nothing")
	backup.end()
	e.awaitEqual(job, "d", "d")
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(t, err)
	require.Equal(t, int64(2), s.FullSyncs)
	require.Equal(t, int64(1), s.PartialSyncs)
}

// A partial sync that is ordered while the job stands at the DROP of that table has
// nothing to bring: the DROP is still carried out.
func TestPartialSyncOrderedAtTheDrop(t *testing.T) {
	t.Parallel()
	p := &trouble{env: newEnv(t, harness.PairOptions{BEs: 1}), full: 1}
	p.asAccount()
	progress, err := p.ccr.Call(p.ctx, "job_progress", map[string]any{"name": p.job})
	require.NoError(t, err)
	p.execDestination("REVOKE DROP_PRIV ON d.* FROM 'ccr'")
	p.exec("DROP TABLE d.t")
	at := p.stalledAt(p.job)
	p.order("job_skip_binlog", map[string]any{"skip_by": "partialsync", "skip_table": "t", "skip_table_id": p.sourceTable(progress, "t")})
	require.Equal(t, at, p.stalledAt(p.job))
	p.execDestination("GRANT DROP_PRIV ON d.* TO 'ccr'")
	p.awaitEqual(p.job, "d", "d")
	p.exec(fmt.Sprintf(partedTable, "d", "u"))
	p.goesOn("u")
	p.recordHistory(p.job)
}
