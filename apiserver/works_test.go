package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// stalledFake has a job that was stalled, and whose step is tried again.
func stalledFake() (*fakeTemporal, *fakeJob) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.status.Stalled, j.status.Problem = true, &job.Problem{Text: "no route", Since: time.Now().Add(-time.Hour), Tries: 9}
		j.status.Position.CommitSeq = 100
		j.progress.Position.CommitSeq = 100
	})
	return f, j
}

// runs has the job's step run, with a report of before or after the attempt began.
func (j *fakeJob) runs(activity string, beat job.Heartbeat, current bool) {
	j.activity, j.beat = activity, &beat
	j.held = func(d *workflowservice.DescribeWorkflowExecutionResponse) {
		a := d.PendingActivities[0]
		a.State = enumspb.PENDING_ACTIVITY_STATE_STARTED
		a.LastStartedTime = timestamppb.New(time.Unix(1700000000, 0))
		at := time.Unix(1700000001, 0)
		if !current {
			at = time.Unix(1699999999, 0)
		}
		a.LastHeartbeatTime = timestamppb.New(at)
	}
}

func TestAJobIsStalledUntilItsStepWorks(t *testing.T) {
	works := job.Heartbeat{Works: true, Note: "backup x: UPLOADING"}
	moved := job.Heartbeat{Position: job.Position{CommitSeq: 104}}
	for name, c := range map[string]struct {
		activity string
		beat     job.Heartbeat
		problem  job.Problem
		old      bool
		stalled  bool
	}{
		"nothing told":                {activity: job.ActivityTakeSnapshot, beat: job.Heartbeat{Note: "waiting"}, stalled: true},
		"Doris works":                 {activity: job.ActivityTakeSnapshot, beat: works},
		"an attempt of before worked": {activity: job.ActivityTakeSnapshot, beat: works, old: true, stalled: true},
		"the restore failed, later":   {activity: job.ActivityRestoreSnapshot, beat: works, problem: job.Problem{Recurs: true}, stalled: true},
		"the position has moved":      {activity: job.ActivityStream, beat: moved, problem: job.Problem{CommitSeq: 102}},
		"it stands before the binlog": {activity: job.ActivityStream, beat: moved, problem: job.Problem{CommitSeq: 108}, stalled: true},
		"of a binlog filed late":      {activity: job.ActivityStream, beat: moved, problem: job.Problem{CommitSeq: 98, Late: true}, stalled: true},
		"it does not move": {activity: job.ActivityStream, beat: job.Heartbeat{Position: job.Position{CommitSeq: 100}}, problem: job.Problem{CommitSeq: 102},
			stalled: true},
	} {
		t.Run(name, func(t *testing.T) {
			f, j := stalledFake()
			c.problem.Text = "no route"
			j.status.Problem = &c.problem
			j.runs(c.activity, c.beat, !c.old)
			got := ask(newServer(t, f, nil), "/job_status", `{"name":"j1"}`).Body.String()
			if c.stalled {
				require.Contains(t, got, `"stalled":true,"last_error":{"text":"no route"`)
				return
			}
			require.Contains(t, got, `"next_step":"nothing: the job is running","stalled":false,`)
			require.NotContains(t, got, "last_error")
		})
	}
}

// Scripts give last_commit_seq to job_skip_binlog.
func TestTheBinlogInHand(t *testing.T) {
	f, j := stalledFake()
	s := newServer(t, f, nil)
	expect := func(seq string) {
		t.Helper()
		require.Contains(t, ask(s, "/job_progress", `{"name":"j1"}`).Body.String(), `"last_commit_seq":`+seq+`,`)
	}
	expect("100")
	f.with(func() { j.progress.Problem = &job.Problem{CommitSeq: 102} })
	expect("102")
	f.with(func() {
		j.runs(job.ActivityStream, job.Heartbeat{Problem: &job.Problem{CommitSeq: 104}, Tried: 110}, true)
	})
	expect("104")
	f.with(func() {
		j.runs(job.ActivityStream, job.Heartbeat{Position: job.Position{CommitSeq: 106}, Tried: 110}, true)
	})
	expect("110")
	f.with(func() { j.progress.Pending = &job.Binlog{CommitSeq: 112} })
	expect("112")
	f.with(func() { j.runs(job.ActivityApplySeveral, job.Heartbeat{Tried: 116}, true) })
	expect("116")
}

// A source does not tell when a DDL was written. A job that stands at one has met it.
func TestBehindAtADDL(t *testing.T) {
	f, j := stalledFake()
	j.status.Problem.CommitSeq = 102
	j.status.Lag = binlog.Lag{Binlogs: 1, ObservedAt: time.Now()}
	s := newServer(t, f, nil)
	require.Regexp(t, `"behind_secs":36\d\d,`, ask(s, "/job_status", `{"name":"j1"}`).Body.String())
	require.Regexp(t, `"behind_secs":36\d\d}`, ask(s, "/get_lag", `{"name":"j1"}`).Body.String())
	f.with(func() { j.status.Lag.NextBefore = time.Now().Add(-2 * time.Hour).UnixMilli() })
	require.Regexp(t, `"behind_secs":72\d\d,`, ask(s, "/job_status", `{"name":"j1"}`).Body.String())
}
