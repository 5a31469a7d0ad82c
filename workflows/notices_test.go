package workflows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// told runs a job whose workers have a webhook and returns what that hears.
func told(b *bench, fail func(n job.Notice, try int) error) *[]string {
	heard := &[]string{}
	tries := map[string]int{}
	b.RegisterWorkflowWithOptions(Workflow{Webhook: true}.ReplicationJob, workflow.RegisterOptions{Name: "with webhook"})
	b.workflow = "with webhook"
	register(b, job.ActivityNotify, func(n job.Notice) (struct{}, error) {
		tries[n.ID]++
		if err := fail(n, tries[n.ID]); err != nil {
			return struct{}{}, err
		}
		*heard = append(*heard, fmt.Sprintf("%s %s %s", n.Event, n.State, n.Reason))
		return struct{}{}, nil
	})
	return heard
}

func TestTheWebhookHearsOfEachChange(t *testing.T) {
	b := newBench(t)
	heard := told(b, func(_ job.Notice, try int) error {
		if try == 1 {
			return fmt.Errorf("not listening yet")
		}
		return nil
	})
	b.shift(time.Minute, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no", CommitSeq: 100}})
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver})
	b.idle()
	b.signal(10*time.Minute, job.SignalPause, job.Command{})
	b.signal(11*time.Minute, job.SignalResume, job.Command{})
	b.signal(12*time.Minute, job.SignalForceFullSync, job.Command{})
	b.signal(13*time.Minute, job.SignalSkipBinlog, order(job.SkipPartialSync))
	b.at(14*time.Minute, func() { require.Empty(t, b.progress().Notices, "all are delivered") })
	b.deleteAt(15 * time.Minute)
	b.mustRun()
	require.Equal(t, []string{
		"created running ", "full_sync running new job", "stalled stalled ", "recovered running ",
		"paused paused ", "running running ", "full_sync running the user required skipping the binlog, commit seq 100",
		"partial_sync running the user required a partial sync of orders", "deleted deleting ",
	}, *heard)
}

// A new difference is told, and that there is none any more.
func TestTheWebhookHearsOfDifferences(t *testing.T) {
	b := newBench(t)
	heard := told(b, func(job.Notice, int) error { return nil })
	one := job.Difference{Table: "orders", Kind: job.DifferentRows, Text: "2 rows and 3"}
	two := job.Difference{Table: "lines", Kind: job.DifferentDefinition, Text: "a column"}
	for _, list := range [][]job.Difference{{one}, {one}, {two, one}, {two}, {}, {}} {
		b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Differences: &list})
	}
	b.idle()
	b.deleteAt(5 * time.Minute)
	b.mustRun()
	require.Equal(t, []string{"created running ", "full_sync running new job", "differs running orders: 2 rows and 3", "differs running lines: a column",
		"differs_no_more running lines: a column", "deleted deleting "}, *heard)
}

// A receiver that is down for ever delays neither the job nor its end.
func TestADeafWebhookDelaysNothing(t *testing.T) {
	b := newBench(t)
	told(b, func(job.Notice, int) error { return fmt.Errorf("connection refused") })
	b.idle()
	for i := range 30 {
		b.signal(time.Duration(2*i+1)*time.Minute, job.SignalPause, job.Command{})
		b.signal(time.Duration(2*i+2)*time.Minute, job.SignalResume, job.Command{})
	}
	b.at(59*time.Minute+30*time.Second, func() {
		require.Len(t, b.progress().Notices, job.MaxNotices)
		require.Contains(t, b.events(), "the webhook does not keep up")
	})
	var end time.Time
	b.at(70*time.Minute, func() { end = b.Now() })
	b.deleteAt(70 * time.Minute)
	b.mustRun()
	require.Less(t, b.Now().Sub(end), time.Minute)
}

func TestWithoutAWebhookNobodyIsTold(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalPause, job.Command{})
	b.deleteAt(2 * time.Minute)
	b.mustRun()
	require.False(t, slices.Contains(b.steps, job.ActivityNotify))
}
