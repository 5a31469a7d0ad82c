package workflows

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func TestABlockedStreamStallsTheJobUntilAProbeSucceeds(t *testing.T) {
	b := newBench(t)
	down := job.Problem{Text: "FE 127.0.0.2 does not answer", Kind: job.KindRPC, CommitSeq: 131, Remedy: "start it"}
	const tries = 8
	for range tries {
		b.shift(time.Second, job.StreamResult{End: job.EndBlocked, Position: job.Position{CommitSeq: 130}, Problem: &down})
	}
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 131}})
	b.idle()
	b.at(20*time.Second, func() {
		s := b.status()
		require.True(t, s.Running, "the interface knows no failed state")
		require.True(t, s.Stalled)
		require.Equal(t, down.Text, s.Problem.Text)
		require.Equal(t, "start it", s.Problem.Remedy)
		require.Equal(t, int64(131), s.Problem.CommitSeq)
		require.Greater(t, s.Problem.Tries, 1)
		require.Equal(t, int64(130), s.Position.CommitSeq)
	})
	b.at(5*time.Minute, func() {
		require.False(t, b.status().Stalled)
		require.Equal(t, int64(131), b.status().Position.CommitSeq)
		require.Equal(t, 1, b.status().FullSyncs, "a problem is no reason for a full sync")
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
	for i, in := range b.streams[:tries+2] {
		require.Equal(t, i > 0 && i <= tries, in.Probe, "shift %d", i)
	}
	events := b.events()
	require.Equal(t, 1, strings.Count(events, "cannot go on"), "one event for one problem: %s", events)
	require.Contains(t, events, "info going on after 8 tries")
}

// A worker that stops is no reason to call a job stalled that was about to try
// again: the next worker will see.
func TestAWorkerThatStopsLeavesNoProblem(t *testing.T) {
	b := newBench(t)
	b.shift(time.Minute, job.StreamResult{End: job.EndStopped, Problem: &job.Problem{Text: "once", Tries: 1}})
	b.idle()
	b.at(2*time.Minute, func() { require.Nil(t, b.status().Problem) })
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestTriesAreFarApartButNotMoreThanHalfAMinute(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 30, 7: 30, 1000: 30} {
		require.Equal(t, want*time.Second, backoff(n), "failure %d", n)
	}
}

func TestResumeTriesAgainAtOnce(t *testing.T) {
	b := newBench(t)
	for range 6 {
		b.shift(0, job.StreamResult{End: job.EndBlocked, Problem: &job.Problem{Text: "no"}})
	}
	b.idle()
	var before int
	b.at(33*time.Second, func() { before = len(b.streams); require.True(t, b.status().Stalled) }) // the next try is at 61 s
	b.signal(34*time.Second, job.SignalResume, job.Command{})
	b.at(35*time.Second, func() { require.Len(t, b.streams, before+1) })
	b.deleteAt(time.Minute)
	b.mustRun()
}

func TestASnapshotStepThatFailsIsAProblemAndTriedAgain(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) {
		return job.SnapshotTaken{}, failed(job.Problem{Text: "access denied", Kind: job.KindDB, Remedy: "grant it"})
	})
	once(b, job.ActivityTakeSnapshot, time.Minute, func(in job.StepInput) (job.SnapshotTaken, error) {
		require.Equal(t, "access denied", in.Progress.Problem.Text)
		return job.SnapshotTaken{Name: "s"}, nil
	})
	b.idle()
	b.at(10*time.Second, func() {
		s := b.status()
		require.True(t, s.Stalled)
		require.Equal(t, job.KindDB, s.Problem.Kind)
		require.Equal(t, "grant it", s.Problem.Remedy)
	})
	b.at(2*time.Minute, func() { require.False(t, b.status().Stalled) })
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestWorkersThatDieAreAProblemInTheEnd(t *testing.T) {
	b := newBench(t)
	for range crashRetries.MaximumAttempts {
		once(b, job.ActivityRestoreSnapshot, 0, func(job.StepInput) (job.SnapshotRestored, error) {
			return job.SnapshotRestored{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_HEARTBEAT, nil)
		})
	}
	once(b, job.ActivityRestoreSnapshot, time.Hour, func(job.StepInput) (job.SnapshotRestored, error) { return job.SnapshotRestored{}, nil })
	b.at(50*time.Second, func() {
		require.True(t, b.status().Stalled)
		require.Contains(t, b.status().Problem.Text, "no worker finished it in time")
	})
	b.deleteAt(time.Minute)
	b.mustRun()
}

func TestApplyLooksForTheOutcomeOfAnEarlierAttempt(t *testing.T) {
	b := newBench(t)
	ddl := &job.Binlog{CommitSeq: 120, Type: binlog.TypeRenameColumn}
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: ddl})
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &job.Problem{Text: "refused", Kind: job.KindDB}}, nil
	})
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{}, failed(job.Problem{Text: "connection lost", Kind: job.KindRPC})
	})
	b.idle()
	b.at(time.Minute, func() { require.Equal(t, int64(120), b.status().Position.CommitSeq) })
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	b.deleteAt(2 * time.Minute)
	b.mustRun()
	require.Len(t, b.applies, 3)
	require.False(t, b.applies[0].OutcomeUnknown)
	require.False(t, b.applies[1].OutcomeUnknown, "a refusal is an answer")
	require.True(t, b.applies[2].OutcomeUnknown, "a lost connection is none")
}

// A partial sync of another table does not make a half known binlog a new one.
func TestApplyLooksForTheOutcomeAfterAPartialSync(t *testing.T) {
	b := newBench(t)
	end := job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119},
		Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeRenameColumn, TableIDs: []int64{12}}}
	b.shift(0, end)
	once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{}, failed(job.Problem{Text: "connection lost", Kind: job.KindRPC})
	})
	always(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	b.signal(500*time.Millisecond, job.SignalSkipBinlog, order(job.SkipPartialSync)) // of table 11
	b.shift(0, end)
	next := end
	next.Position.CommitSeq, next.Binlog = 120, &job.Binlog{CommitSeq: 121, Type: binlog.TypeRenameColumn, TableIDs: []int64{12}}
	b.shift(0, next)
	b.idle()
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Len(t, b.applies, 3)
	require.Equal(t, int64(120), b.applies[1].Progress.Pending.CommitSeq)
	require.True(t, b.applies[1].OutcomeUnknown)
	require.False(t, b.applies[2].OutcomeUnknown)
}

// A REPLACE is about two tables: the snapshot of one does not make it done. And no
// snapshot makes a DROP done.
func TestAPartialSyncDoesNotTakeThePlaceOf(t *testing.T) {
	for typ, position := range map[binlog.Type]int64{binlog.TypeReplaceTable: 119, binlog.TypeDropTable: 119, binlog.TypeTruncateTable: 120} {
		t.Run(typ.String(), func(t *testing.T) {
			b := newBench(t)
			b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119},
				Binlog: &job.Binlog{CommitSeq: 120, Type: typ, TableIDs: []int64{11}}})
			once(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
				return job.ApplyResult{Problem: &job.Problem{Text: "refused", Kind: job.KindDB}}, nil
			})
			b.signal(500*time.Millisecond, job.SignalSkipBinlog, order(job.SkipPartialSync))
			b.idle()
			b.deleteAt(time.Minute)
			b.mustRun()
			require.Equal(t, position, b.streams[len(b.streams)-1].Progress.Position.CommitSeq)
		})
	}
}

func TestACommandWaitsForABinlogThatIsBeingApplied(t *testing.T) {
	b := newBench(t)
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeReplaceTable}})
	b.shift(0, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 129}, Binlog: &job.Binlog{CommitSeq: 130, Type: binlog.TypeReplaceTable}})
	once(b, job.ActivityApply, 5*time.Second, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	once(b, job.ActivityApply, time.Hour, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	always(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) { return job.ApplyResult{Done: true}, nil })
	b.idle()
	b.signal(time.Second, job.SignalPause, job.Command{})
	b.at(time.Minute, func() {
		require.Equal(t, int64(120), b.status().Position.CommitSeq, "it was let finish")
		require.False(t, b.progress().Unconfirmed.Pending)
	})
	b.signal(2*time.Minute, job.SignalResume, job.Command{})
	b.signal(3*time.Minute, job.SignalPause, job.Command{})
	b.at(4*time.Minute, func() {
		require.False(t, b.status().Running, "but not for ever")
		require.True(t, b.progress().Unconfirmed.Pending)
		require.Equal(t, job.PhaseApply, b.status().Phase)
	})
	b.signal(5*time.Minute, job.SignalResume, job.Command{})
	b.at(6*time.Minute, func() { require.Equal(t, int64(130), b.status().Position.CommitSeq) })
	b.deleteAt(7 * time.Minute)
	b.mustRun()
	require.True(t, b.applies[2].OutcomeUnknown)
}

func TestAStreamThatStopsUnaskedDoesNotRunHot(t *testing.T) {
	b := newBench(t)
	always(b, job.ActivityStream, 0, func(in job.StreamInput) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndStopped, Position: in.Progress.Position}, nil
	})
	b.deleteAt(10 * time.Minute)
	b.mustRun()
	require.Less(t, len(b.streams), 40)
}

func TestResultsThatMakeNoSenseAreProblems(t *testing.T) {
	for name, result := range map[string]job.StreamResult{
		"unknown end":               {End: "levitated"},
		"binlog without binlog":     {End: job.EndBinlog},
		"snapshot without snapshot": {End: job.EndSnapshot},
		"blocked without problem":   {End: job.EndBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.shift(0, result)
			b.shift(time.Hour, job.StreamResult{End: job.EndShiftOver})
			b.at(30*time.Second, func() { require.True(t, b.status().Stalled) })
			b.deleteAt(time.Minute)
			b.mustRun()
		})
	}
}

func TestAPositionNeverGoesBack(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 500, Applied: 9}})
	b.shift(time.Second, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 400, Applied: 8}})
	b.idle()
	b.at(time.Minute, func() { require.Equal(t, job.Position{CommitSeq: 500, Applied: 9}, b.status().Position) })
	b.deleteAt(2 * time.Minute)
	b.mustRun()
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	require.Equal(t, "kurz", limit("kurz", 10))
	require.Equal(t, "ab…", limit("abcdefg", 5))
	require.Equal(t, "ä…", limit("äöüäöü", 6))
	require.Equal(t, "a b", oneLine(" a \n\t b ", 10))
}

func TestSummariesStayBelowTheServersLimit(t *testing.T) {
	require.Equal(t, "apply ADD_PARTITION p5 of orders, seq 1234", summaryOf("apply ADD_PARTITION p5 of orders, seq 1234"))
	for _, text := range []string{strings.Repeat("<", 1000), strings.Repeat("\xff", 1000), strings.Repeat("ü", 1000)} {
		encoded, err := json.Marshal(summaryOf(text))
		require.NoError(t, err)
		require.LessOrEqual(t, len(encoded), encodedSummaryLimit)
	}
}
