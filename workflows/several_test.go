package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// severalDone is the result of a step that has applied the first n binlogs.
func severalDone(n int) job.ApplySeveralResult {
	var out job.ApplySeveralResult
	for range n {
		out.Outcomes = append(out.Outcomes, job.ApplyResult{Done: true, Summary: "a statement"})
	}
	return out
}

// endsBefore is a shift that ends before ADD_PARTITIONs, which may share a step.
func endsBefore(seqs ...int64) job.StreamResult {
	out := job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: seqs[0] - 1}}
	for i, seq := range seqs {
		b := job.Binlog{CommitSeq: seq, Type: binlog.TypeAddPartition, TableIDs: []int64{11}, Summary: "ADD_PARTITION of orders"}
		if i == 0 {
			out.Binlog = &b
		} else {
			out.Following = append(out.Following, b)
		}
	}
	return out
}

// applySeveral scripts the next step with several binlogs.
func applySeveral(b *bench, takes time.Duration, out job.ApplySeveralResult, err error) {
	once(b, job.ActivityApplySeveral, takes, func(job.ApplySeveralInput) (job.ApplySeveralResult, error) { return out, err })
}

func TestBinlogsThatFollowEachOtherShareAStep(t *testing.T) {
	b := newBench(t)
	b.shift(0, endsBefore(120, 125, 130))
	out := severalDone(3)
	out.Outcomes[0].Tables.Set = map[int64]job.Table{12: {DestID: 22, Name: "new"}}
	out.Outcomes[1].Refused = "an unknown property"
	out.Outcomes[2].Tables.Drop = []int64{11}
	applySeveral(b, time.Second, out, nil)
	b.at(500*time.Millisecond, func() {
		require.Equal(t, "apply ADD_PARTITION of orders, commit seq 120, and 2 more up to 130", b.status().Doing)
	})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Empty(t, b.applies)
	require.Len(t, b.several, 1)
	require.Len(t, b.several[0].Binlogs(), 3)
	require.Equal(t, int64(119), b.several[0].Progress.Position.CommitSeq)
	require.Len(t, b.streams, 2, "no shift in between")
	p := b.streams[1].Progress
	require.Equal(t, int64(130), p.Position.CommitSeq)
	require.Equal(t, map[int64]job.Table{12: {DestID: 22, Name: "new"}}, p.Tables)
	require.Nil(t, p.Pending)
	for _, want := range []string{
		"info applied a statement, commit seq 120", "info applied a statement, commit seq 125", "info applied a statement, commit seq 130",
		"warn the destination refused ADD_PARTITION of orders, commit seq 125: an unknown property",
	} {
		require.Contains(t, b.events(), want)
	}
}

// A run that began with a version that gave each binlog a step goes on to do so.
func TestARunOfBeforeTakesOneBinlogAStep(t *testing.T) {
	b := newBench(t)
	b.OnGetVersion(string(changeSeveral), workflow.DefaultVersion, workflow.Version(1)).Return(workflow.DefaultVersion)
	b.shift(0, endsBefore(120, 125))
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Empty(t, b.several)
	require.Len(t, b.applies, 1)
	require.Equal(t, int64(120), b.streams[1].Progress.Position.CommitSeq)
}

func TestSeveralBinlogsOfAJobWithManyTables(t *testing.T) {
	b := newBench(t)
	b.input = job.WorkflowInput{Spec: b.spec, Progress: streaming(leanAbove + 1)}
	once(b, job.LeanName(job.ActivityStream), 0, func(job.Lean[job.StreamInput]) (job.StreamResult, error) {
		return endsBefore(120, 125), nil
	})
	b.idle()
	b.at(time.Minute, func() { require.Equal(t, int64(125), b.status().Position.CommitSeq) })
	b.deleteAt(time.Hour)
	b.mustRun()
	require.Contains(t, b.steps, job.LeanName(job.ActivityApplySeveral))
	require.NotContains(t, b.steps, job.ActivityApplySeveral, "a worker of before must not be asked")
}

// What was applied before a failure is kept; the problem is that of the binlog that
// failed, which is tried again alone.
func TestAFailureAmongSeveralBinlogs(t *testing.T) {
	refusal := severalDone(1)
	refusal.Outcomes = append(refusal.Outcomes, job.ApplyResult{Problem: &job.Problem{Text: "refused", Kind: job.KindDB, CommitSeq: 125}})
	trouble := severalDone(1)
	trouble.Failed, trouble.Unknown = &job.Problem{Text: "connection lost", Kind: job.KindRPC, CommitSeq: 125}, true
	for name, c := range map[string]struct {
		out     job.ApplySeveralResult
		unknown bool
	}{
		"a refusal is an answer":     {refusal, false},
		"a lost connection is none":  {trouble, true},
		"a step that was cut off":    {job.ApplySeveralResult{Outcomes: severalDone(1).Outcomes, Unknown: true}, true},
		"a failure before the first": {job.ApplySeveralResult{Failed: &job.Problem{Text: "connection lost", Kind: job.KindRPC, CommitSeq: 120}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.shift(0, endsBefore(120, 125, 130))
			applySeveral(b, 0, c.out, nil)
			standing := int64(125)
			if len(c.out.Outcomes) == 0 {
				standing = 120
			}
			b.at(500*time.Millisecond, func() {
				if c.out.Failed == nil && len(c.out.Outcomes) == 1 {
					return
				}
				require.Equal(t, standing, b.status().Problem.CommitSeq)
				require.Less(t, b.status().Position.CommitSeq, standing)
				require.Equal(t, standing, b.progress().Pending.CommitSeq)
			})
			b.idle()
			b.deleteAt(time.Minute)
			b.mustRun()
			require.Len(t, b.several, 1)
			require.Len(t, b.applies, 1)
			require.Equal(t, standing, b.applies[0].Progress.Pending.CommitSeq)
			require.Equal(t, c.unknown, b.applies[0].OutcomeUnknown)
			require.Equal(t, standing, b.streams[1].Progress.Position.CommitSeq, "the stream brings the rest again")
		})
	}
}

// A snapshot takes the place of the binlog that wants it, and of none after it.
func TestASnapshotAmongSeveralBinlogs(t *testing.T) {
	b := newBench(t)
	b.shift(0, endsBefore(120, 125, 130))
	out := severalDone(1)
	out.Outcomes = append(out.Outcomes, job.ApplyResult{Wanted: &job.SnapshotWanted{Reason: "it does not fit", Partial: &job.PartialSync{TableID: 11, Table: "orders", Replace: true}}})
	applySeveral(b, 0, out, nil)
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Equal(t, 1, b.streams[1].Progress.PartialSyncs)
	require.Equal(t, int64(125), b.streams[1].Progress.PartialSyncInfo.CommitSeq)
	require.Equal(t, int64(125), b.streams[1].Progress.Position.CommitSeq)
}

// Each binlog can be skipped by its own number, and what was applied before it is not
// applied again.
func TestTheBinlogThatFailsAmongSeveralIsSkipped(t *testing.T) {
	b := newBench(t)
	b.shift(0, endsBefore(120, 125, 130))
	out := severalDone(1)
	out.Outcomes = append(out.Outcomes, job.ApplyResult{Problem: &job.Problem{Text: "refused", Kind: job.KindDB, CommitSeq: 125}})
	applySeveral(b, 0, out, nil)
	always(b, job.ActivityApply, 0, func(in job.ApplyInput) (job.ApplyResult, error) { return out.Outcomes[1], nil })
	b.signal(10*time.Second, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 120}})
	b.at(11*time.Second, func() { require.Contains(t, b.outcome("skip_binlog@10s").Refused, "already passed") })
	b.signal(20*time.Second, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 125}})
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn binlog 125 was skipped as ordered")
	require.Len(t, b.several, 1)
	require.Equal(t, int64(125), b.streams[1].Progress.Position.CommitSeq)
	require.Nil(t, b.streams[1].Progress.Problem)
}

// A command does not wait for all binlogs of a step: the step is told to stop at once.
func TestACommandDoesNotWaitForSeveralBinlogs(t *testing.T) {
	b := newBench(t)
	b.shift(0, endsBefore(120, 125, 130))
	applySeveral(b, time.Hour, severalDone(3), nil)
	b.signal(10*time.Second, job.SignalPause, job.Command{})
	b.at(11*time.Second, func() {
		require.False(t, b.status().Running)
		require.Equal(t, int64(130), b.progress().Unconfirmed.Through, "there was no result")
	})
	b.deleteAt(time.Minute)
	b.mustRun()
}

// A step may end without a result. What it has told counts; all the others may have been
// applied, also those that it has not told of.
func TestAStepWithSeveralBinlogsThatIsLost(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		told int
	}{
		"workers die":                    {temporal.NewHeartbeatTimeoutError(job.Heartbeat{Outcomes: severalDone(2).Outcomes}.Details()...), 2},
		"workers die before they tell":   {temporal.NewHeartbeatTimeoutError(), 0},
		"it is cancelled before a retry": {temporal.NewCanceledError(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			seqs := []int64{120, 125, 130, 135}
			b.shift(0, endsBefore(seqs...))
			always(b, job.ActivityApplySeveral, 0, func(in job.ApplySeveralInput) (job.ApplySeveralResult, error) {
				if in.Progress.Pending.CommitSeq == 140 {
					return severalDone(2), nil
				}
				return job.ApplySeveralResult{}, c.err
			})
			for _, seq := range append(seqs[c.told+1:], 140) {
				b.shift(0, endsBefore(seq, seq+1))
			}
			b.idle()
			b.deleteAt(time.Hour)
			b.mustRun()
			var looked []int64
			for _, in := range b.applies {
				require.True(t, in.OutcomeUnknown)
				looked = append(looked, in.Progress.Pending.CommitSeq)
			}
			require.Equal(t, seqs[c.told:], looked, "each has a step of its own, which looks")
			last := b.several[len(b.several)-1]
			require.Equal(t, int64(140), last.Progress.Pending.CommitSeq, "the next ones share a step again")
			require.False(t, last.OutcomeUnknown)
		})
	}
}

// An imported job may have been followed by another tool up to some moment.
func TestBinlogsInDoubtDoNotShareAStep(t *testing.T) {
	b := newBench(t)
	doubt := time.Unix(1_700_000_100, 0).UTC()
	b.input = job.WorkflowInput{Spec: b.spec, Progress: streaming(1)}
	b.input.Progress.Unconfirmed.ImportedUntil = doubt
	first, second := endsBefore(120, 125), endsBefore(130, 135)
	first.Binlog.Timestamp = doubt.UnixMilli() - 1
	second.Binlog.Timestamp, second.Following[0].Timestamp = doubt.UnixMilli()+1, doubt.UnixMilli()+1
	b.shift(0, first)
	b.shift(0, second)
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Len(t, b.applies, 1)
	require.True(t, b.applies[0].OutcomeUnknown)
	require.Len(t, b.several, 1)
}
