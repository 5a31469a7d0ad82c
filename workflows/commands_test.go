package workflows

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func TestPauseAndResume(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.signal(time.Minute, job.SignalPause, job.Command{By: "10.0.0.9"})
	b.at(time.Minute+time.Second, func() {
		require.False(t, b.status().Running)
		require.Empty(t, b.outcome("pause@1m0s").Refused)
		require.Contains(t, b.events(), "info command pause by 10.0.0.9 carried out")
	})
	b.signal(2*time.Minute, job.SignalPause, job.Command{}) // again: no error
	b.at(time.Hour, func() { require.Len(t, b.streams, 1, "no shift during the pause") })
	b.signal(time.Hour+time.Minute, job.SignalResume, job.Command{})
	b.signal(time.Hour+2*time.Minute, job.SignalResume, job.Command{}) // runs already: does not disturb the shift
	b.deleteAt(time.Hour + 3*time.Minute)
	b.mustRun()
	require.Empty(t, b.outcome("pause@2m0s").Refused)
	require.Empty(t, b.outcome("resume@1h2m0s").Refused)
	require.Len(t, b.streams, 2)
}

func TestCommandsAreObeyedInTheOrderOfArrival(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() {
		// In one workflow task, as after a time without workers.
		b.SignalWorkflowSkippingWorkflowTask(job.SignalResume, job.Command{})
		b.SignalWorkflow(job.SignalPause, job.Command{})
	})
	b.at(2*time.Minute, func() { require.False(t, b.status().Running, "resume, then pause: paused") })
	b.at(3*time.Minute, func() {
		b.SignalWorkflowSkippingWorkflowTask(job.SignalPause, job.Command{})
		b.SignalWorkflow(job.SignalResume, job.Command{})
	})
	b.at(4*time.Minute, func() { require.True(t, b.status().Running, "pause, then resume: running") })
	b.deleteAt(5 * time.Minute)
	b.mustRun()
}

func TestBadPayloadsAreAnsweredAndChangeNothing(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityStream, 30*time.Minute, func(in job.StreamInput) (job.StreamResult, error) {
		return job.StreamResult{End: job.EndShiftOver, Position: in.Progress.Position}, nil
	})
	b.at(time.Minute, func() {
		b.SignalWorkflow(job.SignalPause, "a string")
		b.SignalWorkflow(job.SignalSkipBinlog, map[string]any{"request_id": "r1", "skip_by": "silence", "skip_commit_seq": "many"})
		b.SignalWorkflow(job.SignalSkipBinlog, map[string]any{"request_id": "r2", "skip_by": "somehow"})
		b.SignalWorkflow(job.SignalSkipBinlog, map[string]any{"request_id": "r3", "skip_by": "SILENCE"})
		b.SignalWorkflow(job.SignalSkipBinlog, map[string]any{"request_id": "r4", "skip_by": "partialsync", "skip_table": "t"})
		b.SignalWorkflow(job.SignalUpdateHostMapping, map[string]any{"request_id": "r5"})
		b.SignalWorkflow(job.SignalSkipBinlog, map[string]any{"request_id": "r6", "skip_by": "fullsync", "skip_tabel": "t"})
		b.SignalWorkflow(job.SignalUpdateHostMapping, map[string]any{"request_id": "r7", "source_host_mapping": map[string]string{"a": "b"}})
		b.SignalWorkflow(job.SignalPause, []byte{1, 2, 3})
		b.SignalWorkflow("explode", nil)
	})
	b.at(2*time.Minute, func() {
		require.True(t, b.status().Running)
		require.Equal(t, `bad payload: "skip_commit_seq" has to be a whole number, not a string`, b.outcome("r1").Refused)
		require.Equal(t, "[normal] invalid skip method: somehow: skip_by is silence, partialsync or fullsync", b.outcome("r2").Refused)
		require.Equal(t, "[normal] invalid skip commit seq: 0: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again", b.outcome("r3").Refused)
		require.Equal(t, "[normal] invalid skip table: t, table id: 0: partialsync needs skip_table and skip_table_id (table_name_mapping of job_progress)", b.outcome("r4").Refused)
		require.Equal(t, "host_mapping is empty", b.outcome("r5").Refused)
		require.Equal(t, `unknown field "skip_tabel"`, b.outcome("r6").Refused)
		require.Equal(t, `host_mapping is empty (unknown field "source_host_mapping")`, b.outcome("r7").Refused)
		events := b.events()
		require.Contains(t, events, `warn command pause refused: bad payload: it has to be a JSON object such as {"by": "me"}, not a string`)
		require.Contains(t, events, `warn command pause refused: the payload is "binary/plain", not JSON`)
		require.Contains(t, events, "warn command explode refused: there is no such command")
	})
	b.deleteAt(time.Hour)
	b.idle()
	b.mustRun()
	require.Len(t, b.streams, 4, "one of 30 minutes, undisturbed, and three of 10")
}

func TestWhatACommandWithoutArgumentsBringsIsIgnoredAndSaid(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() { b.SignalWorkflow(job.SignalPause, map[string]any{"reason": "maintenance"}) })
	b.at(2*time.Minute, func() {
		require.False(t, b.status().Running)
		require.Contains(t, b.events(), `warn command pause: ignored unknown field "reason"`)
	})
	b.deleteAt(time.Hour)
	b.mustRun()
}

func TestAnEmptyPayloadIsEnough(t *testing.T) {
	b := newBench(t)
	b.idle()
	b.at(time.Minute, func() { b.SignalWorkflow(job.SignalPause, nil) })
	b.at(2*time.Minute, func() { require.False(t, b.status().Running) })
	b.at(3*time.Minute, func() { b.SignalWorkflow(job.SignalDelete, nil) })
	b.mustRun()
}

func TestDeleteCleansUpAndRefusesWhatFollows(t *testing.T) {
	b := newBench(t)
	b.idle()
	once(b, job.ActivityCleanUp, 3*time.Second, func(in job.CleanUpInput) (job.CleanedUp, error) {
		require.False(t, in.Desync)
		require.False(t, in.KeepJob)
		return job.CleanedUp{Failed: []string{"backup ccrs_j1 is still running"}}, nil
	})
	b.deleteAt(time.Minute)
	b.signal(time.Minute+time.Second, job.SignalPause, job.Command{})
	b.mustRun()
	require.Len(t, b.cleans, 1)
	require.Contains(t, b.events(), "left behind: backup ccrs_j1 is still running")
	require.Equal(t, errDeleting.Error(), b.outcome("pause@1m1s").Refused)
}

func TestDeleteEndsWhenACleanUpCannot(t *testing.T) {
	b := newBench(t)
	b.idle()
	always(b, job.ActivityCleanUp, 0, func(job.CleanUpInput) (job.CleanedUp, error) {
		return job.CleanedUp{}, failed(job.Problem{Text: "no route to host", Kind: job.KindRPC})
	})
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "left behind: no route to host")
}

func TestCancellingTheWorkflowDeletesTheJob(t *testing.T) {
	b := newBench(t)
	b.idle()
	cleaned := false
	once(b, job.ActivityCleanUp, 0, func(job.CleanUpInput) (job.CleanedUp, error) {
		cleaned = true
		return job.CleanedUp{}, nil
	})
	b.at(time.Minute, b.CancelWorkflow)
	b.mustRun()
	require.True(t, cleaned)
}

func TestDeleteBeforeTheChecksHasNothingToCleanUp(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityCheck, time.Hour, func(in job.StepInput) (job.Checked, error) { return job.Checked{Spec: in.Spec}, nil })
	b.deleteAt(time.Minute)
	b.mustRun()
	require.Empty(t, b.cleans)
}

func TestForceFullSync(t *testing.T) {
	b := newBench(t)
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 130}})
	b.idle()
	b.signal(2*time.Minute, job.SignalForceFullSync, job.Command{})
	b.at(3*time.Minute, func() {
		p := b.progress()
		require.Equal(t, 2, p.FullSyncs)
		require.Equal(t, job.FullSyncInfo{CommitSeq: 130, Info: "the user required skipping the binlog, commit seq 130"}, p.FullSyncInfo)
		require.Equal(t, b.spec.CreatedAt.Unix()+2, p.Epoch)
		require.Equal(t, job.PhaseStream, p.Phase)
	})
	b.signal(4*time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: "FullSync"}})
	b.at(5*time.Minute, func() { require.Equal(t, 3, b.progress().FullSyncs) })
	b.deleteAt(6 * time.Minute)
	b.mustRun()
}

func TestForceFullSyncInterruptsASnapshot(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityTakeSnapshot, time.Hour, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{}, nil })
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "s2"}, nil })
	b.idle()
	b.signal(time.Minute, job.SignalForceFullSync, job.Command{})
	b.at(2*time.Minute, func() {
		require.Equal(t, 2, b.progress().FullSyncs)
		require.Equal(t, job.PhaseStream, b.progress().Phase)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestSkipSilenceOfTheBinlogThatBlocksTheJob(t *testing.T) {
	b := newBench(t)
	b.shift(time.Second, job.StreamResult{End: job.EndBinlog, Position: job.Position{CommitSeq: 119}, Binlog: &job.Binlog{CommitSeq: 120, Type: binlog.TypeModifyComment}})
	always(b, job.ActivityApply, 0, func(job.ApplyInput) (job.ApplyResult, error) {
		return job.ApplyResult{Problem: &job.Problem{Text: "not supported", Kind: job.KindNormal, CommitSeq: 120}}, nil
	})
	b.idle()
	b.signal(time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 119}})
	b.at(61*time.Second, func() { require.Contains(t, b.outcome("skip_binlog@1m0s").Refused, "already passed") })
	b.signal(2*time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 120}})
	b.at(3*time.Minute, func() {
		p := b.progress()
		require.Equal(t, int64(120), p.Position.CommitSeq)
		require.Nil(t, p.Skip)
		require.Nil(t, p.Problem)
		require.Equal(t, job.PhaseStream, p.Phase)
	})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
	require.Contains(t, b.events(), "warn binlog 120 was skipped as ordered")
}

func TestSkipSilenceReachesTheShift(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityStream, time.Hour, func(job.StreamInput) (job.StreamResult, error) { return job.StreamResult{}, nil })
	once(b, job.ActivityStream, time.Second, func(in job.StreamInput) (job.StreamResult, error) {
		require.Equal(t, int64(140), in.Progress.Skip.SkipCommitSeq)
		return job.StreamResult{End: job.EndSkipped, Position: job.Position{CommitSeq: 140}}, nil
	})
	b.idle()
	b.signal(time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 140}})
	b.at(2*time.Minute, func() {
		require.Nil(t, b.progress().Skip)
		require.Equal(t, int64(140), b.progress().Position.CommitSeq)
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}

func TestSkipByPartialSync(t *testing.T) {
	b := newBench(t)
	b.idle()
	var part *job.PartialSync
	skip := job.SkipBinlog{SkipBy: job.SkipPartialSync, SkipTable: "orders", SkipTableID: 11}
	once(b, job.ActivityTakeSnapshot, 0, func(job.StepInput) (job.SnapshotTaken, error) { return job.SnapshotTaken{Name: "s"}, nil })
	always(b, job.ActivityTakeSnapshot, 0, func(in job.StepInput) (job.SnapshotTaken, error) {
		part = in.Progress.Snapshot.Partial
		return job.SnapshotTaken{Name: "s2"}, nil
	})
	wrong := skip
	wrong.SkipTable = "customers"
	b.signal(time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: wrong})
	unknown := skip
	unknown.SkipTableID = 99
	b.signal(90*time.Second, job.SignalSkipBinlog, job.Command{SkipBinlog: unknown})
	b.signal(2*time.Minute, job.SignalSkipBinlog, job.Command{SkipBinlog: skip})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
	require.Contains(t, b.outcome("skip_binlog@1m0s").Refused, "table id: 11 is orders")
	require.Contains(t, b.outcome("skip_binlog@1m30s").Refused, "orders, table id: 99, the job knows it as table id 11")
	require.Equal(t, &job.PartialSync{TableID: 11, Table: "orders", Replace: true}, part)
	require.Equal(t, 1, b.progress().PartialSyncs)
	require.Equal(t, 1, b.progress().FullSyncs)
}

func TestUpdateHostMapping(t *testing.T) {
	b := newBench(t)
	b.spec.Source.HostMapping = map[string]string{"10.0.0.1": "1.1.1.1", "10.0.0.2": "1.1.1.2"}
	b.idle()
	b.signal(time.Minute, job.SignalUpdateHostMapping, job.Command{HostMappings: job.HostMappings{
		Source:      map[string]string{"10.0.0.1": "", "10.0.0.3": "1.1.1.3"},
		Destination: map[string]string{"10.1.0.1": "2.1.1.1"},
	}})
	b.at(2*time.Minute, func() {
		spec := query[job.Spec](b, job.QueryDetail)
		require.Equal(t, map[string]string{"10.0.0.2": "1.1.1.2", "10.0.0.3": "1.1.1.3"}, spec.Source.HostMapping)
		require.Equal(t, map[string]string{"10.1.0.1": "2.1.1.1"}, spec.Destination.HostMapping)
	})
	b.deleteAt(30 * time.Minute)
	b.mustRun()
	require.Equal(t, "1.1.1.3", b.streams[1].Spec.Source.HostMapping["10.0.0.3"], "the next shift uses it")
	require.Contains(t, b.events(), "info command update_host_mapping carried out: src 10.0.0.1 is not mapped any more, src 10.0.0.3 is reached at 1.1.1.3, dest 10.1.0.1 is reached at 2.1.1.1")
}

func TestDesyncAndSync(t *testing.T) {
	b := newBench(t)
	b.idle()
	always(b, job.ActivityCleanUp, 0, func(in job.CleanUpInput) (job.CleanedUp, error) {
		if in.Desync && in.DesyncTo {
			return job.CleanedUp{Failed: []string{"shop_copy.orders: access denied"}}, nil
		}
		return job.CleanedUp{}, nil
	})
	b.signal(time.Minute, job.SignalPause, job.Command{})
	b.signal(2*time.Minute, job.SignalDesync, job.Command{})
	b.signal(3*time.Minute, job.SignalSync, job.Command{})
	b.deleteAt(4 * time.Minute)
	b.mustRun()
	require.Empty(t, b.outcome("desync@2m0s").Refused)
	require.Contains(t, b.outcome("sync@3m0s").Refused, "access denied")
	require.True(t, b.cleans[0].KeepJob)
	require.True(t, b.cleans[0].Desync)
	require.False(t, b.cleans[0].DesyncTo)
}

func TestObserveLag(t *testing.T) {
	b := newBench(t)
	lags := 0
	b.OnActivity(job.ActivityObserveLag, mock.Anything, mock.Anything).Return(func(context.Context, job.StepInput) (binlog.Lag, error) {
		if lags++; lags > 1 {
			return binlog.Lag{}, failed(job.Problem{Text: "source is down", Kind: job.KindRPC})
		}
		return binlog.Lag{Binlogs: 42, ObservedAt: b.Now()}, nil
	})
	b.idle()
	b.signal(time.Minute, job.SignalObserveLag, job.Command{})
	b.at(61*time.Second, func() {
		require.Empty(t, b.outcome("observe_lag@1m0s").Refused)
		require.Zero(t, lags, "a shift that is doing well reports the lag itself")
	})
	b.signal(2*time.Minute, job.SignalPause, job.Command{})
	b.signal(3*time.Minute, job.SignalObserveLag, job.Command{})
	b.at(200*time.Second, func() {
		require.Equal(t, 1, lags)
		require.Equal(t, int64(42), query[binlog.Lag](b, job.QueryLag).Binlogs)
		require.Empty(t, b.outcome("observe_lag@3m0s").Refused)
		require.False(t, b.status().Running)
	})
	b.signal(4*time.Minute, job.SignalObserveLag, job.Command{})
	b.at(5*time.Minute, func() {
		require.Contains(t, b.outcome("observe_lag@4m0s").Refused, "source is down")
		require.Nil(t, b.status().Problem, "a lag that cannot be observed is no problem of the job")
	})
	b.deleteAt(6 * time.Minute)
	b.mustRun()
}

func TestLagIsObservedWhileASnapshotRuns(t *testing.T) {
	b := newBench(t)
	once(b, job.ActivityRestoreSnapshot, time.Hour, func(job.StepInput) (job.SnapshotRestored, error) {
		return job.SnapshotRestored{Restored: &job.Restored{}}, nil
	})
	b.idle()
	b.signal(time.Minute, job.SignalObserveLag, job.Command{})
	b.at(2*time.Minute, func() {
		require.Equal(t, int64(7), b.status().Lag.Binlogs)
		require.Equal(t, job.PhaseRestore, b.status().Phase)
	})
	b.at(61*time.Minute, func() { require.Equal(t, job.PhaseStream, b.status().Phase, "the restore was not interrupted") })
	b.deleteAt(62 * time.Minute)
	b.mustRun()
}

func TestPasswordsThatAShiftSealedAnewStay(t *testing.T) {
	b := newBench(t)
	anew := &job.Resealed{Source: "ccr1:newkey:a", Destination: "ccr1:newkey:b"}
	b.shift(time.Minute, job.StreamResult{End: job.EndShiftOver, Position: job.Position{CommitSeq: 130}, Resealed: anew})
	b.idle()
	b.at(2*time.Minute, func() {
		require.Equal(t, anew.Source, b.streams[len(b.streams)-1].Spec.Source.Password)
		require.Equal(t, anew.Destination, b.streams[len(b.streams)-1].Spec.Destination.Password)
		require.Contains(t, b.progress().Events[len(b.progress().Events)-1].Text, "sealed with the key newkey now")
	})
	b.deleteAt(3 * time.Minute)
	b.mustRun()
}
