package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// sized gives payloads a size.
type sized struct {
	converter.DataConverter
	size *int
}

func (s sized) ToPayload(any) (*commonpb.Payload, error) {
	return &commonpb.Payload{Data: make([]byte, *s.size)}, nil
}

// A state that Temporal would not take stops the job, which says why; it goes on
// when that is over, and can be deleted.
func TestAStateThatIsTooLarge(t *testing.T) {
	streaming := func(b *bench, tables int) {
		p := job.Progress{Phase: job.PhaseStream, FullSyncs: 1, State: job.DBIncrementalSync, Epoch: 1, CreatedAt: time.Now(), Tables: map[int64]job.Table{}}
		for i := range int64(tables) {
			p.Tables[i] = job.Table{DestID: i, Name: fmt.Sprintf("t%d", i)}
		}
		b.input = job.WorkflowInput{Spec: b.spec, Progress: &p}
		b.workflow = "limited"
	}
	t.Run("above the limit", func(t *testing.T) {
		b := newBench(t)
		large := 100_001
		w := Workflow{DataConverter: sized{converter.GetDefaultDataConverter(), &large}, PayloadLimit: 100_000}
		b.RegisterWorkflowWithOptions(w.ReplicationJob, workflow.RegisterOptions{Name: "limited"})
		streaming(b, measureAbove)
		b.at(time.Hour, func() {
			s := b.status()
			require.True(t, s.Stalled)
			require.Contains(t, s.Problem.Text, "more than the 100000 that Temporal takes")
			require.Contains(t, s.Problem.Remedy, "limit.blobSize.error")
			require.Empty(t, b.steps, "nothing is scheduled with it")
			_, err := b.QueryWorkflow(job.QueryProgress)
			require.ErrorContains(t, err, "the answer has 100005 bytes, more than the 100000 that Temporal takes; raise limit.blobSize.error")
			large = 10
		})
		b.signal(2*time.Hour, job.SignalResume, job.Command{})
		b.idle()
		b.at(3*time.Hour, func() { require.False(t, b.status().Stalled, "after tables have gone") })
		b.at(4*time.Hour, func() { large = 100_001 })
		b.deleteAt(5 * time.Hour)
		b.mustRun()
		require.Empty(t, b.cleans[0].Progress.Tables, "the clean-up does not need them")
	})
	t.Run("few tables are not measured", func(t *testing.T) {
		b := newBench(t)
		w := Workflow{DataConverter: converter.GetDefaultDataConverter(), PayloadLimit: 1500}
		b.RegisterWorkflowWithOptions(w.ReplicationJob, workflow.RegisterOptions{Name: "limited"})
		streaming(b, 100)
		b.idle()
		b.at(time.Hour, func() { require.False(t, b.status().Stalled) })
		b.deleteAt(2 * time.Hour)
		b.mustRun()
	})
}
