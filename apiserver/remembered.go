package apiserver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// jobsAQuery is how many jobs a process is asked for at once: its answer has to fit into
// one payload, and some thousand bytes of it are a job's.
const jobsAQuery = 500

// shownLookTime is what sources of paused jobs get to answer before a list of jobs is
// shown without.
const shownLookTime = 100 * time.Millisecond

// remembered is what worker processes have of jobs in their memory, by the job's name.
type remembered map[string]memories

// memories are what all processes together have of one job.
type memories struct {
	runs  []job.RunKnown
	shift *job.ShiftKnown
	// lag is that of a job that does not stream; looked: a process finds it out.
	lag    binlog.Lag
	looked bool
}

// remembered asks all processes for these jobs. Who does not answer is passed over. The
// sources of paused jobs are asked by the processes meanwhile; remembered waits for that
// for a moment.
func (w *workerClients) remembered(ctx context.Context, names []string) remembered {
	list, err := w.list(ctx)
	if err != nil {
		w.log.Debug("worker processes are not known", "error", err)
		return nil
	}
	all := remembered{}
	w.rememberedBy(ctx, list, names, all)
	if looked := all.looked(); len(looked) > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(shownLookTime):
			again := remembered{}
			w.rememberedBy(ctx, list, looked, again)
			maps.Copy(all, again)
		}
	}
	return all
}

func (w *workerClients) rememberedBy(ctx context.Context, list []*workerClient, names []string, all remembered) {
	var (
		mu    sync.Mutex // guards all
		asked sync.WaitGroup
	)
	for _, c := range list {
		if c.silent() {
			continue
		}
		asked.Go(func() {
			for some := range slices.Chunk(names, jobsAQuery) {
				known, err := w.jobsOf(ctx, c, some)
				if err != nil {
					w.log.Debug("worker process does not tell of its jobs", "workflow", c.id, "error", err)
					return
				}
				mu.Lock()
				all.add(known)
				mu.Unlock()
			}
		})
	}
	asked.Wait()
}

func (w *workerClients) jobsOf(ctx context.Context, c *workerClient, names []string) (known job.JobsKnown, err error) {
	one, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	resp, err := w.client.QueryWorkflowWithOptions(one, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: c.id, QueryType: job.QueryJobs, Args: []any{job.JobsWanted{Jobs: names, LagAge: shownLagMaxAge}},
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case timedOut(err) && ctx.Err() == nil:
		c.noteSilence()
		return nil, fmt.Errorf("ask %s for jobs: %w", c.id, err)
	case err != nil:
		return nil, fmt.Errorf("ask %s for jobs: %w", c.id, err)
	case resp.QueryRejected != nil:
		return nil, fmt.Errorf("ask %s for jobs: the process has ended", c.id)
	}
	return known, resp.QueryResult.Get(&known)
}

func (r remembered) add(known job.JobsKnown) {
	for name, k := range known {
		m := r[name]
		if k.Run != nil {
			m.runs = append(m.runs, *k.Run)
		}
		switch {
		case k.Shift != nil:
			m.shift = k.Shift
		case k.Lag != nil && k.Lag.Error == "":
			lag := k.Lag.Lag
			lag.ObservedAt = time.Now().Add(-k.Lag.Age)
			m.lag = newerLag(m.lag, lag)
		case k.Lag == nil && k.Run != nil && !k.Run.Status.Running:
			m.looked = true
		}
		r[name] = m
	}
}

// row is the row of a job if what is remembered of it is surely how the job is now:
//
//   - It streams, and a process that may do so runs just the shift that the workflow has
//     asked for and waits for. A memory of before that would name another shift.
//   - Or it is paused, and Temporal's list says so, too.
//
// Of all others more has to be known, and they are asked themselves: what their steps
// have met, and what holds them up in Temporal.
func (r remembered) row(name string, listed listed) (overviewRow, bool) {
	m := r[name]
	runID := listed.runID
	if m.shift != nil {
		runID = m.shift.RunID // the list may be late
	}
	run := m.latest(runID)
	if run == nil || listed.held {
		return overviewRow{}, false
	}
	s := run.Status
	switch {
	case s.Phase == job.PhaseDeleting || s.Problem != nil:
		return overviewRow{}, false
	case m.shift != nil:
		if !s.Running || m.shift.Shift == 0 || m.shift.Shift != run.Shift {
			return overviewRow{}, false
		}
		pendingStep{activity: job.ActivityStream, report: m.shift.Report}.merge(&s)
	case s.Running || run.Shift != 0 || listed.state != "paused":
		return overviewRow{}, false
	default:
		s.Lag = newerLag(s.Lag, m.lag)
	}
	return overviewRow{name: name, status: s, spec: run.Spec}, true
}

// latest is the newest memory of a run of the job's workflow, nil if there is none.
func (m memories) latest(runID string) (latest *job.RunKnown) {
	for i, k := range m.runs {
		if k.RunID == runID && (latest == nil || k.Events > latest.Events) {
			latest = &m.runs[i]
		}
	}
	return latest
}

// looked are the jobs whose sources are being asked: their lags are known in a moment.
func (r remembered) looked() (names []string) {
	for name, m := range r {
		if m.looked {
			names = append(names, name)
		}
	}
	return names
}
