package stream

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// bench runs the shifts of a job between two fakes.
type bench struct{ *pairtest.Bench }

func newBench(t *testing.T) *bench { return &bench{pairtest.NewBench(t)} }

func (b *bench) job() *Job { return newJob(b.PairJob()) }

func newJob(j *pair.Job) *Job { return New(j, NewBooks(j.Options)) }

// stream runs a shift until it ends by itself or has reached the commit seq.
func (b *bench) stream(until int64, h Hooks) job.StreamResult {
	b.T.Helper()
	return b.streamContext(context.Background(), until, h)
}

func (b *bench) streamContext(ctx context.Context, until int64, h Hooks) job.StreamResult {
	b.T.Helper()
	b.Dst.Mu.Lock()
	b.Dst.MasterKnown = false
	b.Dst.Mu.Unlock()
	stop := make(chan struct{})
	var once sync.Once
	given := h.Heartbeat
	h.Stop = stop
	h.Heartbeat = func(hb job.Heartbeat) {
		if given != nil {
			given(hb)
		}
		if until > 0 && hb.Position.CommitSeq >= until {
			once.Do(func() { close(stop) })
		}
	}
	in := job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 20 * time.Second}
	result, err := b.job().Stream(ctx, in, h)
	require.NoError(b.T, err)
	return result
}
