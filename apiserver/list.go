package apiserver

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/doris-ccr/ccr/job"
)

const (
	// listMaxAge is how long a list is served again: servers limit list calls
	// to ten a second by default (temporal-measured.md 2).
	listMaxAge = time.Second
	// visibilityDelay is how long Temporal's list of workflows may be behind the
	// creation or deletion of a job. If the list disagrees with what this server has
	// done within that time, jobList looks for the job itself: another server may have
	// deleted what this one created, or the other way round.
	visibilityDelay = 3 * time.Second

	listPageSize = 1000
)

// jobList knows the names of all jobs.
type jobList struct {
	jobs *jobs

	// mu guards the fields below. It is held while listing, so that callers share one
	// call.
	mu    sync.Mutex
	names []string
	// found is what the list has of each job.
	found map[string]listed
	read  time.Time
	// recent are the jobs that were created (true) or deleted (false) by this
	// server within visibilityDelay.
	recent map[string]change
}

// listed is what Temporal's list of workflows has of a job, seconds late at most.
type listed struct {
	database string // of the destination, "" if it is not known
	runID    string
	// state is the search attribute CcrJobState, "" if it is not known.
	state string
	// held: somebody has paused the workflow in Temporal.
	held bool
}

type change struct {
	exists bool
	at     time.Time
	// database of the destination, of a job that was created.
	database string
}

func newJobList(j *jobs) *jobList { return &jobList{jobs: j, recent: map[string]change{}} }

// created and deleted record what this server has done, and drop the cache.
func (l *jobList) created(name, database string) {
	l.note(name, change{exists: true, database: database})
}
func (l *jobList) deleted(name string) { l.note(name, change{}) }

func (l *jobList) note(name string, c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.at = time.Now()
	l.recent[name] = c
	l.read = time.Time{}
}

// all returns the names of all jobs, sorted, never nil.
func (l *jobList) all(ctx context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, err
	}
	return l.names, nil
}

// listing returns the names as all does, with what the list has of each job.
func (l *jobList) listing(ctx context.Context) ([]string, map[string]listed, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, nil, err
	}
	return l.names, l.found, nil
}

// into returns the names of the jobs that write to a database of that name, and
// of those whose destination the list does not know.
func (l *jobList) into(ctx context.Context, database string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range l.names {
		if d := l.found[name].database; d == "" || d == database {
			names = append(names, name)
		}
	}
	return names, nil
}

// refresh reads the list if what is known is too old. It needs the lock.
func (l *jobList) refresh(ctx context.Context) error {
	if time.Since(l.read) < listMaxAge {
		return nil
	}
	found, err := l.fetch(ctx)
	if err != nil {
		return err
	}
	l.correct(ctx, found)
	l.found = found
	l.names = slices.AppendSeq([]string{}, maps.Keys(found))
	slices.Sort(l.names)
	l.read = time.Now()
	return nil
}

// correct corrects names that are behind what this server has done.
func (l *jobList) correct(ctx context.Context, found map[string]listed) {
	for name, c := range l.recent {
		if time.Since(c.at) > visibilityDelay {
			delete(l.recent, name)
			continue
		}
		known, isListed := found[name]
		if isListed && c.exists && known.database == "" {
			known.database = c.database
			found[name] = known
		}
		if isListed == c.exists {
			continue
		}
		exists, err := l.jobs.open(ctx, name)
		if err != nil {
			exists = c.exists
		}
		if exists {
			found[name] = listed{database: c.database}
		} else {
			delete(found, name)
		}
	}
}

// fetch returns the jobs that the server lists.
func (l *jobList) fetch(ctx context.Context) (map[string]listed, error) {
	found := map[string]listed{}
	request := &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: listPageSize,
		// Open, not running: a paused workflow is a job, too.
		Query: fmt.Sprintf("WorkflowType IN ('%s', '%s') AND CloseTime IS NULL", job.WorkflowType, job.WorkflowTypeLarge),
	}
	for {
		page, err := l.jobs.client.ListWorkflow(ctx, request)
		if err != nil {
			return nil, fmt.Errorf("list jobs: %w", err)
		}
		for _, w := range page.GetExecutions() {
			if name, ok := strings.CutPrefix(w.GetExecution().GetWorkflowId(), job.WorkflowIDPrefix); ok {
				found[name] = listed{
					database: keyword(w, job.SearchAttributeDestinationDatabase), state: keyword(w, job.SearchAttributeJobState),
					runID: w.GetExecution().GetRunId(), held: w.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED,
				}
			}
		}
		if len(page.GetNextPageToken()) == 0 {
			return found, nil
		}
		request.NextPageToken = page.GetNextPageToken()
	}
}

// keyword reads a search attribute of a job, "" if it has none.
func keyword(w *workflowpb.WorkflowExecutionInfo, attribute string) string {
	payload := w.GetSearchAttributes().GetIndexedFields()[attribute]
	var value string
	if payload == nil || converter.GetDefaultDataConverter().FromPayload(payload, &value) != nil {
		return ""
	}
	return value
}

type listReply struct {
	base
	// Jobs is sent even when it is empty, so that clients need no special case.
	Jobs []string `json:"jobs"`
}

// handleListJobs answers /list_jobs. Its request says nothing and is not read.
func (s *Server) handleListJobs(c echo.Context) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	names, err := s.list.all(ctx)
	if err != nil {
		return send(c, http.StatusOK, listReply{failure(s.jobs.explain(ctx, err)), []string{}})
	}
	return send(c, http.StatusOK, listReply{base{Success: true}, names})
}
