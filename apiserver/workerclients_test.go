package apiserver

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// shiftsOf is a worker process that runs the shifts of jobs.
func shiftsOf(age time.Duration, names ...string) func(job.LagsWanted) (job.LagsKnown, error) {
	runs := map[string]bool{}
	for _, name := range names {
		runs[name] = true
	}
	return func(wanted job.LagsWanted) (job.LagsKnown, error) {
		known := job.LagsKnown{}
		for _, name := range wanted.Jobs {
			if runs[name] {
				known[name] = job.LagAnswer{Lag: binlog.Lag{Binlogs: 5, NextTimestamp: 1}, Age: age}
			}
		}
		return known, nil
	}
}

// streamsLately is a job whose heartbeats are too old to answer.
func streamsLately(j *fakeJob) {
	j.activity = job.ActivityStream
	j.beat = &job.Heartbeat{Lag: binlog.Lag{ObservedAt: time.Now().Add(-2 * freshLagAge)}}
}

// Hundreds of jobs that are asked for at once cost a few questions, nothing in
// their histories, and no answer is old: a dashboard, or a script in a loop.
func TestGetLagOfHundredsOfJobs(t *testing.T) {
	const jobs = 500
	f := newFake()
	var names []string
	for i := range jobs {
		names = append(names, fmt.Sprintf("j%d", i))
		f.add(names[i], streamsLately)
	}
	f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){
		"ccr-worker-a": shiftsOf(time.Second, names[:jobs/2]...),
		"ccr-worker-b": shiftsOf(time.Second, names[jobs/2:]...),
	}
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 20 * time.Second })
	round := func() (queries int) {
		f.with(func() { queries = f.queries })
		var all sync.WaitGroup
		for _, name := range names {
			all.Go(func() {
				reply := ask(s, "/get_lag", `{"name":"`+name+`"}`).Body.Bytes()
				var lag lagReply
				if err := json.Unmarshal(reply, &lag); err != nil || !lag.Success || lag.Lag != 5 {
					t.Errorf("%s: %s", name, reply)
				}
				observed, err := time.ParseInLocation(time.DateTime, lag.ObservedAt, time.Local)
				if err != nil || time.Since(observed) > freshLagAge+time.Second { // observed_at is cut to seconds
					t.Errorf("%s is old: %s", name, reply)
				}
			})
		}
		all.Wait()
		f.with(func() { queries = f.queries - queries })
		return queries
	}
	require.LessOrEqual(t, round(), jobs/4, "many share a question")
	var describes int
	f.with(func() { describes = f.jobs[job.WorkflowID("j1")].describes })
	require.LessOrEqual(t, round(), jobs/4)
	f.with(func() {
		require.Equal(t, describes, f.jobs[job.WorkflowID("j1")].describes, "it is known where the shift runs")
		for id, j := range f.jobs {
			require.Empty(t, j.signals, id)
		}
	})
}

func TestGetLagOfAPausedJobLeavesItsHistoryAlone(t *testing.T) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.status.Running = false
		j.status.Position.CommitSeq = 77
		j.status.Lag = binlog.Lag{Binlogs: 1, ObservedAt: time.Now().Add(-time.Hour)}
		j.spec.Source.Password = "sealed"
	})
	asked := 0
	var answer job.LagAnswer
	f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){"ccr-worker-a": func(wanted job.LagsWanted) (job.LagsKnown, error) {
		require.Len(t, wanted.Watch, 1)
		require.Equal(t, int64(77), wanted.Watch[0].Progress.Position.CommitSeq)
		require.Equal(t, job.Sealed("sealed"), wanted.Watch[0].Spec.Source.Password)
		if asked++; asked == 1 {
			return nil, nil // it begins to look
		}
		return job.LagsKnown{"j1": answer}, nil
	}}
	answer = job.LagAnswer{Lag: binlog.Lag{Binlogs: 7}}
	require.Contains(t, ask(newServer(t, f, nil), "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":7,`)
	require.Empty(t, j.signals)

	answer = job.LagAnswer{Error: "observe the lag: connection refused"}
	require.Contains(t, ask(newServer(t, f, nil), "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":1,`, "the last that is known")
	require.Empty(t, j.signals)
}

// A process that has died is in the list for minutes. Others answer for it, and
// if there is none the job itself does.
func TestGetLagWithDeadWorkers(t *testing.T) {
	dead := func(job.LagsWanted) (job.LagsKnown, error) { return nil, serviceerror.NewDeadlineExceeded("no poller") }
	f := newFake()
	j := f.add("j1", streamsLately)
	j.onSignal = func(j *fakeJob, _ string, cmd job.Command) {
		j.status.Lag = binlog.Lag{Binlogs: 3, ObservedAt: time.Now()}
		j.conclude(cmd, "")
	}
	f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){"ccr-worker-a": dead, "ccr-worker-b": shiftsOf(0, "j1")}
	require.Contains(t, ask(newServer(t, f, nil), "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":5,`)
	require.Empty(t, j.signals)
	f.with(func() { f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){"ccr-worker-a": dead} })
	require.Contains(t, ask(newServer(t, f, nil), "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":3,`)
	require.Len(t, j.signals, 1)
}

// A stalled job's step is tried again by the server alone: what it says and how
// often it has tried is in the job's status all the same.
func TestStatusHasWhatTheRetriedStepReportedLast(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.status.Stalled = true
		j.status.Problem = &job.Problem{Text: "FE is down", Kind: job.KindRPC, Since: since, Tries: 6}
		j.activity, j.attempt, j.failed = job.ActivityApply, 41, &job.Problem{Text: "FE is starting", Kind: job.KindRPC}
	})
	require.Contains(t, ask(newServer(t, f, nil), "/job_status", `{"name":"j1"}`).Body.String(),
		`"stalled":true,"last_error":{"text":"FE is starting","kind":"rpc","since":"2026-01-02T03:04:05Z","tries":46}`)
}

// Temporal counts dead workers among those that poll for two more minutes.
func TestAllWorkersAreDead(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	j.silent = 1000
	dead := func(job.LagsWanted) (job.LagsKnown, error) {
		return nil, serviceerror.NewDeadlineExceeded("nobody answers")
	}
	f.workers = map[string]func(job.LagsWanted) (job.LagsKnown, error){"ccr-worker-a": dead, "ccr-worker-b": dead}
	s := newServer(t, f, nil)
	s.jobs.try = 50 * time.Millisecond
	require.Equal(t, `{"success":false,"error_msg":"ask job j1 for job_status: no worker is running: all that polled the task queue \"ccr\" of namespace \"default\" lately, 2 of them, are dead or hang; `+
		`start one with \"ccr worker\" or \"ccr server\""}`, ask(s, "/job_status", `{"name":"j1"}`).Body.String())

	f.with(func() {
		f.workers["ccr-worker-b"] = func(job.LagsWanted) (job.LagsKnown, error) { return nil, nil }
	})
	require.Zero(t, s.jobs.workers.dead(t.Context()), "one answers")
}
