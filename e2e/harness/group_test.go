package harness

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAGroupIsMeasuredAndStoppedAsAWhole: a child that does not heed SIGTERM counts, and
// is killed when its parent has ended.
func TestAGroupIsMeasuredAndStoppedAsAWhole(t *testing.T) {
	t.Parallel()
	p, err := StartProcess("parent", "/bin/sh", filepath.Join(t.TempDir(), "log"), nil, "-c", `(trap '' TERM; echo ready; sleep 600) & sleep 600`)
	require.NoError(t, err)
	require.NoError(t, Await(context.Background(), 20*time.Second, func(context.Context) error {
		members, err := groupMembers(p.PID())
		if err == nil && (len(members) < 3 || p.Tail(1) != "ready") {
			err = context.DeadlineExceeded // any error: not yet
		}
		return err
	}))
	own, err := p.RSS()
	require.NoError(t, err)
	usage, err := p.GroupUsage()
	require.NoError(t, err)
	require.Greater(t, usage.RSS, own, "the children count")

	require.NoError(t, p.StopGroup(20*time.Second))
	members, err := groupMembers(p.PID())
	require.NoError(t, err)
	require.Empty(t, members)
	_, err = p.GroupUsage()
	require.Error(t, err)
}

// TestAProcessThatIgnoresTheSignalIsKilled after its grace time.
func TestAProcessThatIgnoresTheSignalIsKilled(t *testing.T) {
	t.Parallel()
	p, err := StartProcess("stubborn", "/bin/sh", filepath.Join(t.TempDir(), "log"), nil, "-c", `trap '' TERM; echo ready; sleep 600; sleep 600`)
	require.NoError(t, err)
	require.NoError(t, Await(context.Background(), 20*time.Second, func(context.Context) error {
		if p.Tail(1) != "ready" {
			return context.DeadlineExceeded
		}
		return nil
	}))
	require.NoError(t, p.StopGroup(10*time.Millisecond))
	require.True(t, p.Exited())
}

func TestProcessStatus(t *testing.T) {
	t.Parallel()
	s, err := parseStat([]byte("42 (a (strange) name) S 1 40 40 0 -1 4194560 100 200 0 0 150 50 30 20 20 0 5 0 1000 2000000 3 18446744073709551615 1 1 0"))
	require.NoError(t, err)
	require.Equal(t, "S", s.state)
	require.Equal(t, 40, s.group)
	require.Equal(t, 2*time.Second, s.cpu)
	require.Equal(t, 500*time.Millisecond, s.childrenCPU)
	require.Positive(t, s.rss)
	_, err = parseStat([]byte("42 (short) S 1"))
	require.Error(t, err)
}
