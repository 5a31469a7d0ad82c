package apiserver

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// streaming is what a process has of a job that streams there.
func streaming(name string) job.JobKnown {
	return job.JobKnown{
		Run: &job.RunKnown{
			RunID: "run", Events: 40, Shift: 3, Spec: job.Spec{Name: name},
			Status: job.Status{Name: name, Running: true, Checked: true, Phase: job.PhaseStream, ProgressState: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}},
		},
		Shift: &job.ShiftKnown{RunID: "run", Shift: 3, Report: job.Heartbeat{Position: job.Position{CommitSeq: 150}, Lag: binlog.Lag{Binlogs: 5, ObservedAt: time.Now()}}},
	}
}

// remembering is a process that has these jobs in memory.
func remembering(f *fakeTemporal, id string, jobs job.JobsKnown) {
	if f.workers == nil {
		f.workers, f.memories = map[string]func(job.LagsWanted) (job.LagsKnown, error){}, map[string]func(job.JobsWanted) job.JobsKnown{}
	}
	f.workers[id] = shiftsOf(0)
	f.memories[id] = func(wanted job.JobsWanted) job.JobsKnown {
		known := job.JobsKnown{}
		for _, name := range wanted.Jobs {
			if k, ok := jobs[name]; ok {
				known[name] = k
			}
		}
		return known
	}
}

// Overviews of hundreds of jobs are a few questions to processes, none to the jobs.
func TestOverviewsComeFromMemory(t *testing.T) {
	const jobs = 600
	f := newFake()
	halves := []job.JobsKnown{{}, {}}
	for i := range jobs {
		name := fmt.Sprintf("j%d", i)
		f.add(name, func(j *fakeJob) {
			for range 100 {
				j.queriesFail = append(j.queriesFail, fmt.Errorf("somebody has asked"))
			}
		})
		k := streaming(name)
		run, shift := 0, i%2 // the workflow may be in another process than the shift
		halves[shift][name] = job.JobKnown{Shift: k.Shift}
		if run != shift {
			halves[run][name] = job.JobKnown{Run: k.Run}
		} else {
			halves[run][name] = k
		}
	}
	remembering(f, "ccr-worker-a", halves[0])
	remembering(f, "ccr-worker-b", halves[1])
	s := newServer(t, f, nil)
	var rows []viewRow
	require.NoError(t, json.Unmarshal(askBy(s, "GET", "/view?type=json", "").Body.Bytes(), &rows))
	require.Len(t, rows, jobs)
	for _, r := range rows {
		require.Equal(t, "running", r.State, r.Error)
		require.Equal(t, "5", r.Lag)
	}
	metrics := askBy(s, "GET", "/metrics", "").Body.String()
	require.Equal(t, jobs, strings.Count(metrics, "\nccr_job_position_commit_seq{"))
	require.Contains(t, metrics, `ccr_job_position_commit_seq{name="j7"} 150`)
	require.Contains(t, askBy(s, "GET", "/jobs", "").Body.String(), `"name":"j7","type":"db_sync","status":{"name":"j7","state":"running"`)
	f.with(func() {
		require.LessOrEqual(t, f.queries, 2*(jobs/jobsAQuery+1))
		for _, j := range f.jobs {
			require.Zero(t, j.describes)
			require.Len(t, j.queriesFail, 100)
		}
	})
}

// What is remembered is shown only where it is surely how the job is now. All others
// are asked.
func TestWhatIsRememberedIsTrueOrNotShown(t *testing.T) {
	pausedJob := func() job.JobKnown {
		k := streaming("j1")
		k.Run.Status.Running, k.Run.Shift, k.Shift = false, 0, nil
		return k
	}
	for name, c := range map[string]struct {
		known  []job.JobKnown
		listed listed
		want   bool
	}{
		"streams":                           {[]job.JobKnown{streaming("j1")}, listed{runID: "run"}, true},
		"nobody knows it":                   {nil, listed{runID: "run"}, false},
		"its workflow is in no memory":      {[]job.JobKnown{{Shift: streaming("j1").Shift}}, listed{runID: "run"}, false},
		"no process streams":                {[]job.JobKnown{{Run: streaming("j1").Run}}, listed{runID: "run", state: "running"}, false},
		"the list is of the run before":     {[]job.JobKnown{streaming("j1")}, listed{runID: "before"}, true},
		"the memory is of the run before":   {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.RunID = "before" })}, listed{runID: "run"}, false},
		"the memory is of an earlier shift": {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Shift = 2 })}, listed{runID: "run"}, false},
		"of before the shift":               {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Shift = 0 })}, listed{runID: "run"}, false},
		"a shift of an old version":         {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Shift, k.Shift.Shift = 0, 0 })}, listed{runID: "run"}, false},
		"it is being paused":                {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Status.Running = false })}, listed{runID: "run"}, false},
		"it has a problem":                  {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Status.Problem = &job.Problem{} })}, listed{runID: "run"}, false},
		"its workflow is paused":            {[]job.JobKnown{streaming("j1")}, listed{runID: "run", held: true}, false},
		"it is being deleted":               {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Status.Phase = job.PhaseDeleting })}, listed{runID: "run"}, false},
		"paused":                            {[]job.JobKnown{pausedJob()}, listed{runID: "run", state: "paused"}, true},
		"paused, the list does not say so":  {[]job.JobKnown{pausedJob()}, listed{runID: "run", state: "running"}, false},
		"paused in another run":             {[]job.JobKnown{pausedJob()}, listed{runID: "next", state: "paused"}, false},
		"a snapshot":                        {[]job.JobKnown{changed(func(k *job.JobKnown) { k.Run.Shift, k.Shift = 0, nil })}, listed{runID: "run", state: "running"}, false},
	} {
		r := remembered{}
		for _, k := range c.known {
			r.add(job.JobsKnown{"j1": k})
		}
		_, shown := r.row("j1", c.listed)
		require.Equal(t, c.want, shown, name)
	}
}

func changed(change func(*job.JobKnown)) job.JobKnown {
	k := streaming("j1")
	change(&k)
	return k
}

// Of two processes that have a workflow in memory, the one with more history has it as
// it is.
func TestTheLatestMemoryCounts(t *testing.T) {
	older := changed(func(k *job.JobKnown) { k.Run.Events, k.Run.Status.FullSyncs, k.Shift = 39, 1, nil })
	newer := changed(func(k *job.JobKnown) { k.Run.Status.FullSyncs = 2 })
	for _, order := range [][]job.JobKnown{{older, newer}, {newer, older}} {
		r := remembered{}
		for _, k := range order {
			r.add(job.JobsKnown{"j1": k})
		}
		row, shown := r.row("j1", listed{runID: "run"})
		require.True(t, shown)
		require.Equal(t, 2, row.status.FullSyncs)
	}
}

// A problem that the shift has met, and not told the workflow, is shown.
func TestTheReportOfAShiftIsMerged(t *testing.T) {
	r := remembered{}
	r.add(job.JobsKnown{"j1": changed(func(k *job.JobKnown) { k.Shift.Report.Problem = &job.Problem{Text: "be down"} })})
	row, shown := r.row("j1", listed{runID: "run"})
	require.True(t, shown)
	require.True(t, row.status.Stalled)
	require.Equal(t, "be down", row.status.Problem.Text)
	require.Equal(t, int64(150), row.status.Position.CommitSeq)
}

// After a command nobody is shown what was before: /view asks again, and the list may
// not know of the pause yet.
func TestAnOverviewAfterACommandShowsIt(t *testing.T) {
	f := newFake()
	known := job.JobsKnown{"j1": streaming("j1")}
	j := f.add("j1", nil)
	remembering(f, "ccr-worker-a", known)
	s := keeping(t, f)
	view := func() string { return askBy(s, "GET", "/view?type=json", "").Body.String() }
	require.Contains(t, view(), `"state":"running"`)
	j.onSignal = func(j *fakeJob, _ string, cmd job.Command) {
		j.status.Running = false
		j.conclude(cmd, "")
		k := streaming("j1")
		k.Run.Status.Running, k.Run.Shift, k.Shift = false, 0, nil
		known["j1"] = k
	}
	require.Contains(t, ask(s, "/pause", `{"name":"j1"}`).Body.String(), `"success":true`)
	require.Contains(t, view(), `"state":"paused"`)
	require.Contains(t, askBy(s, "GET", "/metrics", "").Body.String(), `ccr_job_paused{name="j1"} 1`)
}

// The lag of a paused job is asked for by the process that has the job in memory, and is
// there a moment later.
func TestLagsOfPausedJobsInOverviews(t *testing.T) {
	f := newFake()
	f.add("j1", nil)
	looks := 0
	remembering(f, "ccr-worker-a", nil)
	f.memories["ccr-worker-a"] = func(wanted job.JobsWanted) job.JobsKnown {
		require.Equal(t, shownLagMaxAge, wanted.LagAge)
		if !slices.Contains(wanted.Jobs, "j1") {
			return nil
		}
		k := streaming("j1")
		k.Run.Status.Running, k.Run.Shift, k.Shift = false, 0, nil
		if looks++; looks > 1 {
			k.Lag = &job.LagAnswer{Lag: binlog.Lag{Binlogs: 9}, Age: 4 * time.Second}
		}
		return job.JobsKnown{"j1": k}
	}
	s := newServer(t, f, nil)
	rows := s.jobs.workers.remembered(t.Context(), []string{"j1"})
	require.Equal(t, 2, looks)
	row, shown := rows.row("j1", listed{runID: "run", state: "paused"})
	require.True(t, shown)
	require.Equal(t, int64(9), row.status.Lag.Binlogs)
	require.WithinDuration(t, time.Now().Add(-4*time.Second), row.status.Lag.ObservedAt, time.Second)
}
