package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// verified starts something and waits for the report of what it started.
func (e *env) verified(operator string, body map[string]any) job.VerifyReport {
	e.Helper()
	started, err := e.ccr.Call(e.ctx, operator, body)
	require.NoError(e, err)
	return e.awaitReport(body["name"].(string), started["report"].(string))
}

// awaitReport waits for the end of a verification. Servers may die meanwhile.
func (e *env) awaitReport(name, id string) (r job.VerifyReport) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		reply, err := e.ccr.Call(ctx, "verify_status", map[string]any{"name": name, "report": id})
		if err != nil {
			return err
		}
		text, err := json.Marshal(reply["report"])
		if err != nil {
			return err
		}
		r = job.VerifyReport{}
		if err := json.Unmarshal(text, &r); err != nil {
			return err
		}
		if r.EndedAt.IsZero() {
			return fmt.Errorf("the verification has not ended: %s", text)
		}
		return nil
	}))
	return r
}

// What somebody has changed on the destination is found where it is, while loads go on,
// and a repair brings just that.
func TestVerifyAndRepair(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(duplicateTable, "a", "busy"), fmt.Sprintf(uniqueTable, "a", "same"),
		`CREATE TABLE a.parts (id INT, v INT) UNIQUE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("10"), PARTITION p2 VALUES LESS THAN ("20"),
			PARTITION p3 VALUES LESS THAN ("30")) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`)
	e.enableBinlog("a", "busy", "same", "parts")
	e.exec("INSERT INTO a.same VALUES (1, 'one', 1)", "INSERT INTO a.parts VALUES (1, 1), (11, 1), (12, 2), (21, 1)")
	name := e.createJob("a", "", "b", "")
	e.awaitEqual(name, "a", "b")

	ctx, stop := context.WithCancel(e.ctx)
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			_, err = e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO a.busy VALUES (%d, 'x')", i))
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		written <- err
	}()
	r := e.verified("verify", map[string]any{"name": name})
	require.Equal(t, "equal", r.Result(), r.Text())
	require.Equal(t, 3, r.Equal)

	// A row that is changed in place: the numbers of rows are the same.
	_, err := e.dst.ExecContext(e.ctx, "INSERT INTO b.parts VALUES (12, 99)")
	require.NoError(t, err)
	r = e.verified("verify", map[string]any{"name": name, "method": "rows", "repair": true, "dry_run": true})
	require.Equal(t, "different", r.Result(), r.Text())
	require.Equal(t, []int{2, 1}, []int{r.Equal, r.Different})
	require.Len(t, r.Repairs, 1)
	require.Equal(t, []string{"p2"}, r.Repairs[0].Partial.Partitions, r.Text())
	require.Equal(t, job.RepairPlanned, r.Repairs[0].State)

	before, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	mended := e.verified("repair", map[string]any{"name": name, "report": r.ID})
	require.Equal(t, "equal", mended.Result(), mended.Text())
	require.Equal(t, job.RepairSuccess, mended.Repairs[0].State)
	stop()
	require.NoError(t, <-written)
	e.awaitEqual(name, "a", "b")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		reply, err := e.ccr.Call(ctx, "job_status", map[string]any{"name": name})
		if err != nil {
			return err
		}
		if v, _ := reply["verified"].(map[string]any); v == nil || fmt.Sprintf("%v %v", v["result"], v["repaired"]) != "equal 1" {
			return fmt.Errorf("the job has not been told of the repair: %v", v)
		}
		return nil
	}))
	after, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, before.PartialSyncs+1, after.PartialSyncs, "one partial sync, and no more")
	e.requireFullSyncs(name, 1)
}

// kill -9 in the middle of verifications and of a repair: they go on, and say what they
// would have said.
func TestVerifyWhileBeingKilled(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(uniqueTable, "a", "t0"), fmt.Sprintf(uniqueTable, "a", "t1"), fmt.Sprintf(uniqueTable, "a", "t2"))
	e.enableBinlog("a", "t0", "t1", "t2")
	for i := range 3 {
		e.exec(fmt.Sprintf("INSERT INTO a.t%d VALUES (1, 'one', 1), (2, 'two', 2)", i))
	}
	name := e.createJob("a", "", "b", "")
	e.awaitEqual(name, "a", "b")
	for _, statement := range []string{"INSERT INTO b.t0 VALUES (1, 'changed', 1)", "INSERT INTO b.t2 VALUES (3, 'more', 3)"} {
		_, err := e.dst.ExecContext(e.ctx, statement)
		require.NoError(t, err, statement)
	}
	started, err := e.ccr.Call(e.ctx, "verify", map[string]any{"name": name, "repair": true})
	require.NoError(t, err)
	for range 3 {
		e.ccr.Kill()
		require.NoError(t, e.ccr.Start(e.ctx))
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			_, err := e.ccr.Call(ctx, "verify_status", map[string]any{"name": name})
			return err
		}))
	}
	r := e.awaitReport(name, started["report"].(string))
	require.Equal(t, "equal", r.Result(), r.Text())
	require.Equal(t, []int{1, 2}, []int{r.Equal, r.Repaired}, r.Text())
	e.awaitEqual(name, "a", "b")
	e.requireFullSyncs(name, 1)
}
