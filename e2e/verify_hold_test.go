package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// inOneTablet makes a table that each query reads once.
const inOneTablet = `(id INT NOT NULL, v VARCHAR(20) NULL, n BIGINT NULL) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`

// outlastsLoads verifies a table that a load reaches during each query of the
// destination: it is tried until the loads are over, and is equal then.
func (v *verifying) outlastsLoads() {
	v.Helper()
	never := time.Duration(0)
	s := v.spoil("steady")
	id, err := v.ccr.Verify(v.ctx, v.job, job.VerifyRequest{Tables: []string{"steady"}, Hold: &never})
	require.NoError(v, err)
	require.NoError(v, harness.Await(v.ctx, catchUp, func(context.Context) error {
		if n := s.queries.Load(); n < 4 {
			return fmt.Errorf("%d queries were spoiled", n)
		}
		return nil
	}))
	now, err := v.ccr.VerifyReport(v.ctx, v.job)
	require.NoError(v, err)
	require.Equal(v, job.VerifyRunning, now.State, inText(now))
	require.NoError(v, s.stop())
	report, err := v.ccr.AwaitVerified(v.ctx, v.job, id, catchUp)
	require.NoError(v, err)
	require.Equal(v, 1, report.Equal, inText(report))
	require.Zero(v, report.Tables[0].Held)
}

// isReadInAHold verifies the same table while the loads go on: the stream holds them
// back.
func (v *verifying) isReadInAHold() {
	v.Helper()
	s := v.spoil("steady")
	report := v.verify(job.VerifyRequest{Tables: []string{"steady"}})
	require.NoError(v, s.stop())
	require.Equal(v, 1, report.Equal, inText(report))
	require.Positive(v, report.Tables[0].Held)
	v.Logf("commits have waited %s", report.Tables[0].Held)
}

// spoiler lets a load reach a table of the destination during each query, unless the
// stream holds it back.
type spoiler struct {
	*verifying
	table   string
	client  client.Client
	workers []string // the workflows of the processes that may stream
	queries atomic.Int64
	stop    func() error
}

// spoil begins.
func (v *verifying) spoil(table string) *spoiler {
	v.Helper()
	c, err := client.Dial(client.Options{HostPort: v.ccr.Temporal, Logger: silent{}})
	require.NoError(v, err)
	v.Cleanup(c.Close)
	s := &spoiler{verifying: v, table: table, client: c}
	running, err := c.ListWorkflow(v.ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = '" + job.WorkflowTypeWorker + "' AND ExecutionStatus = 'Running'"})
	require.NoError(v, err)
	for _, w := range running.GetExecutions() {
		s.workers = append(s.workers, w.GetExecution().GetWorkflowId())
	}
	ctx, cancel := context.WithCancel(v.ctx)
	done := make(chan error, 1)
	s.stop = func() error {
		cancel()
		return <-done
	}
	first, err := s.holdQuery()
	require.NoError(v, err)
	go func() { done <- s.run(ctx, first) }()
	return s
}

// holdQuery has the next query of the destination wait.
func (s *spoiler) holdQuery() (rule int, err error) {
	return s.pair.Destination.Faults().Add(faults.Rule{Point: core.FaultScan, Action: faults.Hold, MayNotStrike: true})
}

// run spoils queries until ctx is done; the first one is held by the rule.
func (s *spoiler) run(ctx context.Context, rule int) error {
	for {
		err := s.spoilNext(ctx, rule)
		next := 0
		if err == nil && ctx.Err() == nil {
			next, err = s.holdQuery() // before this one goes on
		}
		err = errors.Join(err, s.letGo(rule))
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, s.letGo(next))
		}
		s.queries.Add(1)
		rule = next
	}
}

// letGo ends a rule; 0 is none.
func (s *spoiler) letGo(rule int) error {
	if rule != 0 && !s.pair.Destination.Faults().Remove(rule) {
		return fmt.Errorf("there is no rule %d any more", rule)
	}
	return nil
}

// spoilNext waits for a query, and spoils it. The job reads other tables now and then:
// of several queries that are held the last one may be that of the table.
func (s *spoiler) spoilNext(ctx context.Context, rule int) error {
	hits := func() int { return s.pair.Destination.Faults().Hits(rule) }
	err := harness.Await(ctx, catchUp, func(context.Context) error {
		if hits() == 0 {
			return errors.New("nobody reads the destination")
		}
		return nil
	})
	for spoiled := 0; err == nil && ctx.Err() == nil && spoiled < hits(); {
		spoiled = hits()
		err = s.load(ctx)
	}
	return unless(ctx, err)
}

// load loads a row, and waits until the destination has it, or the commit waits for a
// verification.
func (s *spoiler) load(ctx context.Context) error {
	before := s.visibleVersion()
	if _, err := s.src.ExecContext(s.ctx, fmt.Sprintf("INSERT INTO %s.%s VALUES (%d, 'loaded', 1)", s.srcDB, s.table, before)); err != nil {
		return err
	}
	return harness.Await(ctx, catchUp, func(ctx context.Context) error {
		if s.visibleVersion() == before && !s.isHeld(ctx) {
			return errors.New("the destination does not have the load, and nobody holds it back")
		}
		return nil
	})
}

// unless is the error unless ctx is done.
func unless(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// isHeld tells whether a commit of the job waits for a verification, or has. The order
// it asks with is older than any.
func (s *spoiler) isHeld(ctx context.Context) bool {
	for _, worker := range s.workers {
		resp, err := s.client.QueryWorkflow(ctx, worker, "", job.QueryHold, job.Hold{Job: s.job})
		var held job.Held
		if err == nil && resp.Get(&held) == nil && held.Waited > 0 {
			return true
		}
	}
	return false
}

// visibleVersion is that of the table's only partition on the destination.
func (s *spoiler) visibleVersion() int64 {
	c := s.pair.Destination.Core()
	db, _ := c.Database(s.dstDB)
	c.RLock()
	defer c.RUnlock()
	return core.Partitions(db.Tables[s.table])[0].VisibleVersion
}
