package replication

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// grouped is a bench whose UPSERTs go to random tables and may share
// transactions.
func grouped(t *testing.T, n int) (*bench, []int64) {
	b := newBench(t)
	b.opts.Group = 8
	r := rand.New(rand.NewPCG(1, uint64(n)))
	var want []int64
	for i := range n {
		seq := int64(102 + 2*i)
		b.upsert(seq, 10+r.Int64N(4))
		want = append(want, seq)
	}
	return b, want
}

func TestGroupsKeepTheOrder(t *testing.T) {
	b, want := grouped(t, 300)
	b.dst.onIngest = randomDelay
	got := b.stream(want[299], StreamHooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.dst.visible(), "each once, in order")
	require.Equal(t, want[299], got.Position.CommitSeq)
	require.Equal(t, int64(300), got.Position.Applied)
	require.Zero(t, b.dst.open())

	b.dst.mu.Lock()
	defer b.dst.mu.Unlock()
	withRows := 0
	for _, tx := range b.dst.txns {
		if len(tx.ingested) > 0 {
			withRows++
		}
	}
	require.Less(t, withRows, 200, "UPSERTs share transactions")
	for _, seq := range want {
		require.NotNil(t, b.dst.byLabel(b.label(seq)), "the label of %d is taken, so no other attempt can apply it", seq)
	}
}

func TestGroupsDoNotMixATable(t *testing.T) {
	b := newBench(t)
	b.opts.Group = 8
	for i := range int64(20) {
		b.upsert(102+2*i, 10)
	}
	b.stream(140, StreamHooks{})
	b.dst.mu.Lock()
	defer b.dst.mu.Unlock()
	for _, tx := range b.dst.txns {
		require.LessOrEqual(t, len(tx.ingested), 1, "two versions of one tablet in one transaction")
	}
}

func TestGroupCommitOutcomeUnknown(t *testing.T) {
	for name, effect := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			b, want := grouped(t, 40)
			b.opts.RetryBudget = time.Minute
			var mu sync.Mutex
			left := 2
			fail := func(int64) error {
				mu.Lock()
				defer mu.Unlock()
				if left--; left >= 0 {
					return lostReply()
				}
				return nil
			}
			if effect {
				b.dst.afterCommit = fail
			} else {
				b.dst.beforeCommit = fail
			}
			got := b.stream(want[39], StreamHooks{})
			require.Nil(t, got.Problem)
			require.Equal(t, want, b.dst.visible())
		})
	}
}

// A worker that grouped the binlogs differently holds one of the labels: they
// collide, and the shift ends before anything is applied twice.
func TestGroupMeetsAnotherAttempt(t *testing.T) {
	b := newBench(t)
	foreign := b.label(104)
	b.dst.put(foreign, sqlclient.TxnVisible)
	s := &shift{job: b.job(), in: job.StreamInput{StepInput: job.StepInput{Spec: b.spec, Progress: b.p}}, tracker: newTracker(b.p.Position, false, 100, nil)}
	tx := &txn{s: s}
	err := tx.beginMember(t.Context(), &member{label: foreign, tables: []int64{11}}, []int64{21})
	require.ErrorIs(t, err, errForeign)
	_, retryable := Classify(errForeign)
	require.False(t, retryable, "the shift ends, and the next one asks what is applied")
}

func TestAProbeAppliesOneByOne(t *testing.T) {
	b, _ := grouped(t, 1)
	s := &shift{in: job.StreamInput{StepInput: job.StepInput{Spec: b.spec, Progress: b.p}, Probe: true}}
	require.False(t, s.mayGroup(&txn{}))
}
