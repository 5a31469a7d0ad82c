package pair

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
)

func TestBatchSize(t *testing.T) {
	b := NewBatchSize(255)
	require.Equal(t, int64(firstBatch), b.next())
	full := func() []binlog.Record { return make([]binlog.Record, b.next()) }
	b.Got(nil)
	b.Got(make([]binlog.Record, 3))
	require.Equal(t, int64(firstBatch), b.next(), "nothing is known of more")
	for range 3 {
		b.Got(full())
	}
	require.Equal(t, int64(255), b.next())
	small := []binlog.Record{{Data: "x"}, {Data: "y"}}
	b.Got([]binlog.Record{{Data: strings.Repeat("x", 4<<20)}})
	require.LessOrEqual(t, b.next(), int64(2), "one large binlog counts at once")
	for range 60 {
		b.Got(small)
	}
	require.Equal(t, int64(255), b.next())

	late := &fe.TransportError{Sent: true, Err: os.ErrDeadlineExceeded}
	asked := b.next()
	for range 4 {
		require.True(t, b.Less(asked, late))
		require.Less(t, b.next(), asked)
		asked = b.next()
	}
	require.Equal(t, int64(1), asked)
	require.False(t, b.Less(asked, late))
	calls := 0
	for ; b.next() == 1 && calls < 1000; calls++ {
		b.Got(full())
	}
	require.Greater(t, calls, 50, "what has been too much four times is not tried again soon")
	for b.next() < 255 {
		b.Got(full())
	}
	require.True(t, b.Less(255, late))
	require.Equal(t, leastWait, b.calm, "it went well in between")
	require.False(t, b.Less(100, &fe.TransportError{Err: os.ErrDeadlineExceeded}), "not even asked")
	require.False(t, b.Less(100, nil))
}
