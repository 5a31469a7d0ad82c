package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// An idle shift knows its lag from its polls, which are seconds apart when there
// are many jobs. Who wants to know it sooner has the source asked, each time.
func TestStreamLooksAtItsSourceWhenItIsAsked(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	look, reports := make(chan struct{}), make(chan binlog.Lag, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		b.streamContext(ctx, 0, Hooks{Look: look, Heartbeat: func(hb job.Heartbeat) {
			select {
			case reports <- hb.Lag:
			default:
			}
		}})
	}()
	asked := func() int {
		b.Src.Mu.Lock()
		defer b.Src.Mu.Unlock()
		return b.Src.Asked["getBinlogLag"]
	}
	for range 3 {
		before := asked()
		look <- struct{}{}
		require.Eventually(t, func() bool { return asked() > before }, 5*time.Second, time.Millisecond)
	}
	require.False(t, (<-reports).ObservedAt.IsZero())
	cancel()
	<-over
}
