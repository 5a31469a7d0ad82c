package stream

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
)

// Whatever happens to tables, those of which something may have to be told are found
// without a look at all of them.
func TestWhatMayHaveToBeToldIsKnown(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tables := map[int64]job.Table{}
	for id := range int64(8) {
		tables[id] = job.Table{Name: string(rune('a' + id)), DestID: 100 + id}
	}
	now := time.Unix(1_700_000_000, 0)
	b := &book{}
	b.seed([]job.Difference{{Table: "a", Kind: job.DifferentRows, Text: "x"}}, tables, now, time.Second)
	told := 0
	for range 2000 {
		now = now.Add(time.Minute)
		id, what := random.Int64N(8), compare.What{Rows: random.IntN(2) == 0, Busy: random.IntN(2) == 0}
		switch random.IntN(5) {
		case 0:
			b.uncomparable(id, now, what, errors.New("no answer"))
		case 1:
			b.compared(id, compare.Comparison{Moved: true}, what, mark{}, now)
		case 2:
			c := compare.Comparison{}
			c.Differ(job.DifferentRows, "more")
			b.compared(id, c, what, mark{}, now)
		case 3:
			b.compared(id, compare.Comparison{}, what, mark{}, now)
		case 4:
			without := map[int64]job.Table{}
			for other, table := range tables {
				if other != id {
					without[other] = table
				}
			}
			b.seed(nil, without, now, time.Second)
		}
		want := map[int64]*tableState{}
		for id, state := range b.contents.tables {
			if len(state.reported) > 0 || state.failed != "" || !state.busy.IsZero() {
				want[id] = state
			}
		}
		told += len(want)
		require.Len(t, b.contents.notable, len(want))
		for id, state := range want {
			require.Same(t, state, b.contents.notable[id])
		}
	}
	require.Greater(t, told, 1000)
}
