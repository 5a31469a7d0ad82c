package binlog

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// One binlog that has waited for an hour is an hour behind, though it is the newest, too.
func TestBehind(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	hourAgo := now.Add(-time.Hour).UnixMilli()
	stalled := Lag{Binlogs: 1, NextTimestamp: hourAgo, LastTimestamp: hourAgo, ObservedAt: now.Add(-time.Minute)}
	require.Zero(t, stalled.Seconds())
	age, known := stalled.Behind(now)
	require.True(t, known)
	require.Equal(t, time.Hour, age)

	age, known = Lag{NextTimestamp: hourAgo, LastTimestamp: hourAgo, ObservedAt: now}.Behind(now)
	require.True(t, known)
	require.Zero(t, age, "nothing is left")
	age, known = Lag{Binlogs: 1, NextTimestamp: now.Add(time.Minute).UnixMilli(), ObservedAt: now}.Behind(now)
	require.True(t, known)
	require.Zero(t, age, "the source's clock is ahead")
	_, known = Lag{Binlogs: 1, NextTimestamp: -1, ObservedAt: now}.Behind(now)
	require.False(t, known)
	_, known = Lag{}.Behind(now)
	require.False(t, known, "the source has not been asked")
}
