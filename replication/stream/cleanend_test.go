package stream

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// shiftUpToDDL runs a shift of the process that has the books of j, up to the next DDL.
func (b *bench) shiftUpToDDL(j *Job, number int, h Hooks) job.StreamResult {
	b.T.Helper()
	j.Spec = b.Spec
	in := job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Shift: 20 * time.Second, Number: number}
	got, err := j.Stream(context.Background(), in, h)
	require.NoError(b.T, err)
	require.Equal(b.T, job.EndBinlog, got.End, "%+v", got)
	return got
}

// dealtWith is what the workflow notes when the DDL has been applied.
func (b *bench) dealtWith(got job.StreamResult) {
	p := &b.Progress
	p.Position, p.Settling, p.Unconfirmed.Since, p.Unconfirmed.To = got.Position, got.Settling, got.Unconfirmed.Since, got.Unconfirmed.To
	p.Deal(got.Binlog.CommitSeq)
}

// appendDDL adds a binlog that ends a shift.
func (b *bench) appendDDL(seq int64) {
	b.Append(seq, binlog.TypeTruncateTable, map[string]any{"db": "src", "dbId": 1, "table": "t0", "tblId": 10}, 10)
}

// The shift after a DDL does not ask what attempts before it have left, if this process
// knows that there was none. Everything that may mean another attempt makes it ask: what
// that has left open is rolled back then.
func TestNoLookBackAfterACleanEnd(t *testing.T) {
	first := Hooks{Run: "r"}
	for name, c := range map[string]struct {
		during func(*bench)       // what the first shift meets
		change func(*bench, *Job) // between the shifts
		number int                // of the second one, 8 by default
		hooks  *Hooks             // of the second one
		asks   bool
	}{
		"nothing":                  {},
		"another run":              {hooks: &Hooks{Run: "reset"}, asks: true},
		"not the first attempt":    {hooks: &Hooks{}, asks: true},
		"an attempt that reported": {hooks: &Hooks{Run: "r", Resume: &job.Heartbeat{}}, asks: true},
		"a shift in between":       {number: 9, asks: true},
		"the same shift again":     {number: 7, asks: true},
		"a snapshot in between":    {change: func(b *bench, _ *Job) { b.Progress.Epoch, b.Progress.FirstEpoch = b.Progress.Epoch+1, b.Progress.Epoch }, asks: true},
		"a position of before":     {change: func(b *bench, _ *Job) { b.Progress.Position.CommitSeq = 101 }, asks: true},
		"another transaction":      {change: func(b *bench, _ *Job) { b.Progress.Position.TxnID++ }, asks: true},
		"another host mapping":     {change: func(b *bench, _ *Job) { b.Spec.Source.HostMapping = map[string]string{"be": "10.0.0.1"} }, asks: true},
		"another address":          {change: func(b *bench, _ *Job) { b.Spec.Destination.Port++ }, asks: true},
		"another login":            {change: func(b *bench, _ *Job) { b.Spec.Destination.User = "ccr" }},
		"unconfirmed commits":      {change: func(b *bench, _ *Job) { b.Progress.Unconfirmed.Since = time.Now() }, asks: true},
		"asked long ago": {change: func(_ *bench, j *Job) {
			j.books.of(j.Spec.UID).ended.asked = time.Now().Add(-lookBackEvery)
		}, asks: true},
		"a shift that died": {change: func(_ *bench, j *Job) { j.books.of(j.Spec.UID).takeCleanEnd() }, asks: true},
		"an ingest that failed": {during: func(b *bench) {
			failed := false
			b.Dst.OnIngest = func(int64, be.IngestRequest) error {
				if failed {
					return nil
				}
				failed = true
				return pairtest.LostReply()
			}
		}, asks: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Options.RetryBudget = 5 * time.Second
			j := b.job()
			b.Upsert(102, 10)
			b.appendDDL(104)
			if c.during != nil {
				c.during(b)
			}
			b.dealtWith(b.shiftUpToDDL(j, 7, first))
			require.NotZero(t, b.Progress.Position.TxnID)
			if c.change != nil {
				c.change(b, j)
			}
			left := b.Dst.Put(b.Label(777), sqlclient.TxnPrepare)
			asked := b.Dst.Asked["list transactions"]
			b.Upsert(106, 10)
			b.appendDDL(108)
			number, hooks := 8, first
			if c.number != 0 {
				number = c.number
			}
			if c.hooks != nil {
				hooks = *c.hooks
			}
			b.shiftUpToDDL(j, number, hooks)
			require.Equal(t, c.asks, b.Dst.Asked["list transactions"] > asked, "the destination was asked")
			require.Equal(t, c.asks, b.Dst.Txns[left].State == sqlclient.TxnAborted, "what is left open is rolled back")
			require.Contains(t, b.Dst.Visible(), int64(106))
		})
	}
}

// A process that may not list transactions, or not read how many are remembered,
// relies on a transaction that is known, and looks for it each time.
func TestADeniedAccountNeverSkipsItsLook(t *testing.T) {
	b := newDeniedBench(t)
	j := b.job()
	b.appendDDL(104)
	b.shiftUpToDDL(j, 7, Hooks{Run: "r"})
	require.Nil(t, j.books.of(b.Spec.UID).takeCleanEnd())
}

// With the source's labels a shift finds out how far another can have come.
func TestLabelsOfTheSourceAreAlwaysLookedAt(t *testing.T) {
	in := job.StreamInput{Number: 8}
	before := &cleanEnd{run: "r", number: 7, asked: time.Now()}
	none := newMetaCache(nil, 0, 0)
	require.True(t, (&shift{in: in, hooks: Hooks{Run: "r"}, noPredecessor: true, source: none, destination: none}).nothingLeft(before))
	in.Spec.ReuseBinlogLabel = true
	require.False(t, (&shift{in: in, hooks: Hooks{Run: "r"}, noPredecessor: true}).nothingLeft(before))
}

// Whatever may have left something behind is no clean end, such as a transaction without
// rows that holds the label of an UPSERT (claim.go): the next shift ends it.
func TestWhatIsNoCleanEnd(t *testing.T) {
	s := &shift{hooks: Hooks{Run: "r"}, lookedBack: time.Now(), in: job.StreamInput{Number: 3}, source: newMetaCache(nil, 1, 0), destination: newMetaCache(nil, 2, 0)}
	s.memory.Known = true
	end := ending{end: job.EndBinlog}
	require.NotNil(t, s.cleanly(end, job.Position{}, 0, time.Time{}))
	require.Nil(t, s.cleanly(end, job.Position{}, 1, time.Time{}), "something is open")
	require.Nil(t, s.cleanly(end, job.Position{}, 0, time.Now()), "a commit is unconfirmed")
	require.Nil(t, s.cleanly(ending{end: job.EndStopped}, job.Position{}, 0, time.Time{}))
	require.Nil(t, s.cleanly(ending{end: job.EndShiftOver, newEpoch: true}, job.Position{}, 0, time.Time{}))
	s.faltered.Store(true)
	require.Nil(t, s.cleanly(end, job.Position{}, 0, time.Time{}))
	s.faltered.Store(false)
	s.superseded.Store(true)
	require.Nil(t, s.cleanly(end, job.Position{}, 0, time.Time{}))
	s.superseded.Store(false)
	s.problem = &job.Problem{}
	require.Nil(t, s.cleanly(end, job.Position{}, 0, time.Time{}))
	s.problem, s.failure = nil, &failure{}
	require.Nil(t, s.cleanly(end, job.Position{}, 0, time.Time{}))
}
