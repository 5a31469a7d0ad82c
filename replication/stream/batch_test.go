package stream

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// A source whose binlogs are too much for one answer is asked for fewer.
func TestStreamAsksForLess(t *testing.T) {
	b := newBench(t)
	want := b.upserts(40)
	b.Src.Refuse = func(req fe.BinlogRequest) error {
		if (req.MaxBytes > 0) != (req.Limit > 1) {
			return fmt.Errorf("%d binlogs may have %d bytes", req.Limit, req.MaxBytes)
		}
		if req.Limit > 3 {
			return &fe.TransportError{Method: "getBinlog", Sent: true, Err: fmt.Errorf("read: %w", os.ErrDeadlineExceeded)}
		}
		return nil
	}
	got := b.stream(want[39], Hooks{})
	require.Equal(t, job.EndStopped, got.End, "%+v", got.Problem) // it may be trying a larger one just then
	require.Equal(t, want, b.Dst.Visible())

	b = newBench(t)
	b.upserts(1)
	b.Src.Refuse = func(fe.BinlogRequest) error {
		return &fe.TransportError{Method: "getBinlog", Sent: true, Err: fe.ErrTooLarge}
	}
	got = b.stream(0, Hooks{})
	require.Equal(t, job.EndBlocked, got.End)
	require.Contains(t, got.Problem.Text, "the next binlog is larger than the 1024 MiB")
	require.Contains(t, got.Problem.Remedy, "force_fullsync")
}
