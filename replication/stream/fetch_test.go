package stream

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Shifts of an idle job follow each other for ever: none of them may take its source for
// one that has just had a binlog.
func TestAShiftKnowsHowLongTheSourceHasBeenSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, opts := &book{}, &pair.Options{IdlePollMin: time.Millisecond, IdlePollMax: time.Second}
		pace := b.takePacer(opts)
		pace.Found(time.Now(), []time.Time{time.Now()}, false)
		b.keepPacer(pace)
		time.Sleep(2 * time.Minute)
		pace = b.takePacer(opts)
		require.Equal(t, pair.Active, pace.Activity(time.Now()), "its first poll does not wait for a turn")
		pace.Found(time.Now(), nil, false)
		require.Equal(t, pair.Silent, pace.Activity(time.Now()))
		require.NotSame(t, pace, b.takePacer(opts), "an attempt that was given up may still be ending")
	})
}

func TestStampsOfBinlogsWithoutOneAreZero(t *testing.T) {
	stamps := stampsOf([]binlog.Record{{Timestamp: 1745419250589}, {Timestamp: -1}, {}})
	require.Equal(t, time.UnixMilli(1745419250589), stamps[0])
	require.Zero(t, stamps[1])
	require.Zero(t, stamps[2])
}
