package stream

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// grouped is a bench whose UPSERTs go to random tables and may share
// transactions.
func grouped(t *testing.T, n int) (*bench, []int64) {
	b := newBench(t)
	b.Options.Group = 8
	r := rand.New(rand.NewPCG(1, uint64(n)))
	want := seqs(n)
	for _, seq := range want {
		b.Upsert(seq, 10+r.Int64N(4))
	}
	return b, want
}

func TestGroupsKeepTheOrder(t *testing.T) {
	b, want := grouped(t, 300)
	b.Dst.OnIngest = scatteredDelay
	got := b.stream(want[299], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible(), "each once, in order")
	require.Equal(t, want[299], got.Position.CommitSeq)
	require.Equal(t, int64(300), got.Position.Applied)
	require.Zero(t, b.Dst.Open())

	b.Dst.Mu.Lock()
	defer b.Dst.Mu.Unlock()
	withRows := 0
	for _, tx := range b.Dst.Txns {
		if len(tx.Ingested) > 0 {
			withRows++
		}
	}
	require.Less(t, withRows, 200, "UPSERTs share transactions")
	for _, seq := range want {
		require.NotNil(t, b.Dst.ByLabel(b.Label(seq)), "the label of %d is taken, so no other attempt can apply it", seq)
	}
}

func TestGroupCommitOutcomeUnknown(t *testing.T) {
	for name, effect := range map[string]bool{"before the effect": false, "after the effect": true} {
		t.Run(name, func(t *testing.T) {
			b, want := grouped(t, 40)
			b.Options.RetryBudget = time.Minute
			b.loseReplies(2, effect)
			got := b.stream(want[39], Hooks{})
			require.Nil(t, got.Problem)
			require.Equal(t, want, b.Dst.Visible())
		})
	}
}

// A worker that grouped the binlogs differently holds one of the labels: they
// collide, and the shift ends before anything is applied twice.
func TestGroupMeetsAnotherAttempt(t *testing.T) {
	b := newBench(t)
	foreign := b.Label(104)
	b.Dst.Put(foreign, sqlclient.TxnVisible)
	s := &shift{job: b.job(), in: job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}}, tracker: newTracker(b.Progress.Position, false, 100, nil)}
	err := newTxn(s, nil).claimLabel(t.Context(), &part{label: foreign, plan: &plan{tables: []tablePlan{{destination: 21}}}})
	require.ErrorIs(t, err, problem.ErrOtherAttempt)
	_, retryable := problem.Classify(problem.ErrOtherAttempt)
	require.False(t, retryable, "the shift ends, and the next one asks what is applied")
}

func TestAProbeAppliesOneByOne(t *testing.T) {
	b, _ := grouped(t, 1)
	s := &shift{in: job.StreamInput{StepInput: job.StepInput{Spec: b.Spec, Progress: b.Progress}, Probe: true}}
	require.False(t, s.mayGroup(&part{upsert: &binlog.Upsert{}}))
}

// loseReplies has the replies to the next n commits lost, which have had their effect
// or have none.
func (b *bench) loseReplies(n int64, effect bool) {
	var left atomic.Int64
	left.Store(n)
	fail := func(int64) error {
		if left.Add(-1) >= 0 {
			return pairtest.LostReply()
		}
		return nil
	}
	if effect {
		b.Dst.AfterCommit = fail
	} else {
		b.Dst.BeforeCommit = fail
	}
}
