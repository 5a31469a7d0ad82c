package replication

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

func TestBatchSize(t *testing.T) {
	b := newBatchSize(255)
	require.Equal(t, int64(firstBatch), b.next())
	full := func() []binlog.Record { return make([]binlog.Record, b.next()) }
	b.got(nil)
	b.got(make([]binlog.Record, 3))
	require.Equal(t, int64(firstBatch), b.next(), "nothing is known of more")
	for range 3 {
		b.got(full())
	}
	require.Equal(t, int64(255), b.next())
	small := []binlog.Record{{Data: "x"}, {Data: "y"}}
	b.got([]binlog.Record{{Data: strings.Repeat("x", 4<<20)}})
	require.LessOrEqual(t, b.next(), int64(2), "one large binlog counts at once")
	for range 60 {
		b.got(small)
	}
	require.Equal(t, int64(255), b.next())

	late := &fe.TransportError{Sent: true, Err: os.ErrDeadlineExceeded}
	asked := b.next()
	for range 4 {
		require.True(t, b.less(asked, late))
		require.Less(t, b.next(), asked)
		asked = b.next()
	}
	require.Equal(t, int64(1), asked)
	require.False(t, b.less(asked, late))
	calls := 0
	for ; b.next() == 1 && calls < 1000; calls++ {
		b.got(full())
	}
	require.Greater(t, calls, 50, "what has been too much four times is not tried again soon")
	for b.next() < 255 {
		b.got(full())
	}
	require.True(t, b.less(255, late))
	require.Equal(t, leastWait, b.calm, "it went well in between")
	require.False(t, b.less(100, &fe.TransportError{Err: os.ErrDeadlineExceeded}), "not even asked")
	require.False(t, b.less(100, nil))
}

// A source whose binlogs are too much for one answer is asked for fewer.
func TestStreamAsksForLess(t *testing.T) {
	b := newBench(t)
	want := b.upserts(40)
	b.src.refuse = func(req fe.BinlogRequest) error {
		if (req.MaxBytes > 0) != (req.Limit > 1) {
			return fmt.Errorf("%d binlogs may have %d bytes", req.Limit, req.MaxBytes)
		}
		if req.Limit > 3 {
			return &fe.TransportError{Method: "getBinlog", Sent: true, Err: fmt.Errorf("read: %w", os.ErrDeadlineExceeded)}
		}
		return nil
	}
	got := b.stream(want[39], StreamHooks{})
	require.Equal(t, job.EndStopped, got.End, "%+v", got.Problem) // it may be trying a larger one just then
	require.Equal(t, want, b.dst.visible())

	b = newBench(t)
	b.upserts(1)
	b.src.refuse = func(fe.BinlogRequest) error {
		return &fe.TransportError{Method: "getBinlog", Sent: true, Err: fe.ErrTooLarge}
	}
	got = b.stream(0, StreamHooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "the next binlog is larger than the 1024 MiB")
	require.Contains(t, got.Problem.Remedy, "force_fullsync")
}
