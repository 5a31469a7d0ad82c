package replication

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// bench runs the shifts of a job between two fakes.
type bench struct{ *Bench }

func newBench(t *testing.T) *bench { return &bench{NewBench(t)} }

func (b *bench) job() *Job { return b.PairJob() }

// stream runs a shift until it ends by itself or has reached the commit seq.
func (b *bench) stream(until int64, h StreamHooks) job.StreamResult {
	b.t.Helper()
	return b.streamContext(context.Background(), until, h)
}

func (b *bench) streamContext(ctx context.Context, until int64, h StreamHooks) job.StreamResult {
	b.t.Helper()
	b.dst.mu.Lock()
	b.dst.masterKnown = false
	b.dst.mu.Unlock()
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
	in := job.StreamInput{StepInput: job.StepInput{Spec: b.spec, Progress: b.p}, Shift: 20 * time.Second}
	result, err := b.job().Stream(ctx, in, h)
	require.NoError(b.t, err)
	return result
}
