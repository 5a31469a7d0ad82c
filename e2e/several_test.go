package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// TestDDLsShareAStep: DDLs that follow each other are applied in one step, without a shift
// between them. An order takes effect between two, and what was applied is not again.
func TestDDLsShareAStep(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	name := e.followForDDLs()
	e.whileBehind(name, 0)
	slow := e.slowDDLs()
	e.call("resume", name)
	e.awaitDDL(name, 3)
	e.call("pause", name)
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Equal(t, "paused", s.State)
	applied := len(e.appliedBinlogs(name))
	require.GreaterOrEqual(t, applied, 2, "what it had done is kept")
	require.Less(t, applied, 20, "it does not do all before it pauses")
	require.True(t, e.pair.Destination.Faults().Remove(slow))
	e.call("resume", name)
	e.requireEachOnce(name, 1)
	e.requireFullSyncs(name, 1)
}

// TestDDLsShareAStepThatDies: the process is killed in the middle of a step with several
// DDLs. The next attempt goes on behind what was recorded. If an order to the job comes
// before it, Temporal forgets what was recorded, and all are looked at.
func TestDDLsShareAStepThatDies(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	name := e.followForDDLs()
	e.dieAmongDDLs(name, 0)
	e.requireEachOnce(name, 1)
	s, err := e.ccr.Status(e.ctx, name)
	require.NoError(t, err)
	require.Zero(t, s.PartialSyncs)

	e.dieAmongDDLs(name, 1)
	e.awaitStepAttempt(name, job.ActivityApplySeveral, 2) // which begins a second later
	e.call("pause", name)
	e.call("resume", name)
	e.awaitEqual(name, "d", "d")
	e.requireFullSyncs(name, 1)
}

// followForDDLs makes a database with a table and a partitioned one, and a job that has
// caught up.
func (e *env) followForDDLs() string {
	e.Helper()
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"),
		`CREATE TABLE d.p (id INT) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p0 VALUES LESS THAN ("0"))
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`)
	e.enableBinlog("d", "t", "p")
	name := e.createJob("d", "", "d", "")
	e.awaitEqual(name, "d", "d")
	return name
}

// whileBehind pauses the job and runs 30 DDLs, with loads among them.
func (e *env) whileBehind(name string, round int) {
	e.Helper()
	e.call("pause", name)
	for i := range 10 {
		at := 10*round + i
		e.exec(fmt.Sprintf(`ALTER TABLE d.p ADD PARTITION p%d VALUES LESS THAN ("%d")`, at+1, at+1))
	}
	e.exec(fmt.Sprintf("INSERT INTO d.p VALUES (%d), (%d)", 10*round, 10*round+5))
	for i := range 10 {
		at := 10*round + i
		e.exec(fmt.Sprintf("ALTER TABLE d.t ADD COLUMN c%d INT NULL DEFAULT '%d'", at, at))
	}
	e.exec(fmt.Sprintf("INSERT INTO d.t (id, v) VALUES (%d, 'x')", round))
	for i := range 10 {
		e.exec(fmt.Sprintf(duplicateTable, "d", fmt.Sprintf("n%d", 10*round+i)))
	}
	e.exec(fmt.Sprintf("INSERT INTO d.n%d VALUES (1, 'y'), (1, 'y')", 10*round))
	require.NoError(e, harness.Await(e.ctx, catchUp, func(context.Context) error { return e.pair.Source.AllFiled() }))
}

// slowDDLs makes each DDL on the destination take long enough to be met in the middle.
func (e *env) slowDDLs() int {
	e.Helper()
	id, err := e.pair.Destination.Faults().Add(faults.Rule{Point: "fe.getMeta", Action: faults.Delay, DelayMillis: 150})
	require.NoError(e, err)
	return id
}

var ddlInHand = regexp.MustCompile(`apply .*, commit seq \d+ \((\d+) of \d+\)`)

// awaitDDL waits until job_status shows that the step has come to its n-th DDL.
func (e *env) awaitDDL(name string, n int) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		_, text, err := e.ccr.Raw(ctx, "job_status", fmt.Sprintf(`{"name":%q}`, name))
		if err != nil {
			return err
		}
		at, shown := 0, ddlInHand.FindStringSubmatch(text)
		if shown != nil {
			_, _ = fmt.Sscan(shown[1], &at)
		}
		if at < n {
			return fmt.Errorf("not there yet: %s", text)
		}
		return nil
	}))
}

// dieAmongDDLs kills the process in the middle of a step, and starts it again.
func (e *env) dieAmongDDLs(name string, round int) {
	e.Helper()
	e.whileBehind(name, round)
	slow := e.slowDDLs()
	e.call("resume", name)
	e.awaitDDL(name, 3)
	e.ccr.Kill()
	require.True(e, e.pair.Destination.Faults().Remove(slow))
	require.NoError(e, e.ccr.Start(e.ctx))
}

// awaitStepAttempt waits until Temporal has given an attempt at a step up, and is about to
// order the n-th.
func (e *env) awaitStepAttempt(name, step string, n int32) {
	e.Helper()
	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(e, err)
	defer c.Close()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		d, err := c.DescribeWorkflowExecution(ctx, job.WorkflowID(name), "")
		if err != nil {
			return err
		}
		for _, a := range d.GetPendingActivities() {
			if a.GetActivityType().GetName() == step && a.GetAttempt() >= n {
				return nil
			}
		}
		return fmt.Errorf("no attempt %d at %s: %v", n, step, d.GetPendingActivities())
	}))
}

// requireEachOnce waits until both sides are equal, and looks that each of 30 DDLs a round
// is an event once.
func (e *env) requireEachOnce(name string, rounds int) {
	e.Helper()
	e.awaitEqual(name, "d", "d")
	applied := e.appliedBinlogs(name)
	require.Len(e, applied, 30*rounds, "%v", applied)
	for seq, times := range applied {
		require.Equal(e, 1, times, "commit seq %s", seq)
	}
}

var appliedEvent = regexp.MustCompile(`^applied .*, commit seq (\d+)$`)

// appliedBinlogs counts the events of each binlog that is no UPSERT.
func (e *env) appliedBinlogs(name string) map[string]int {
	e.Helper()
	c, err := client.Dial(client.Options{HostPort: e.ccr.Temporal})
	require.NoError(e, err)
	defer c.Close()
	value, err := c.QueryWorkflow(e.ctx, job.WorkflowID(name), "", job.QueryEvents)
	require.NoError(e, err)
	var events []job.Event
	require.NoError(e, value.Get(&events))
	applied := map[string]int{}
	for _, event := range events {
		if m := appliedEvent.FindStringSubmatch(strings.TrimSpace(event.Text)); m != nil {
			applied[m[1]]++
		}
	}
	return applied
}
