package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

const (
	// workersMaxAge is how old the list of worker processes may be.
	workersMaxAge = 3 * time.Second
	// gatherTime is how long a question waits for others to the same process: one
	// query then answers all of them.
	gatherTime = 50 * time.Millisecond
	// workerTimeout bounds one query. A process that does not answer has probably
	// died, and is not asked for workerBackOff.
	workerTimeout = 2 * time.Second
	workerBackOff = 10 * time.Second
	// workerLagTimeout bounds the wait for a lag that a process has to ask the source
	// for.
	workerLagTimeout = 3 * time.Second
)

// errNoWorkerKnows: no worker process knows the lag of the job.
var errNoWorkerKnows = errors.New("no worker process knows the lag of the job")

// workerClients asks the worker processes what they know of lags
// (job.WorkflowTypeWorker).
type workerClients struct {
	client client.Client
	log    *slog.Logger

	// listing is held while listing, so that callers share one call. It guards all
	// and listed.
	listing sync.Mutex
	all     map[string]*workerClient // by workflow id
	listed  time.Time

	mu      sync.Mutex               // guards shiftAt
	shiftAt map[string]*workerClient // where the shift of a job was found last, by the job's name
}

// workerClient is one worker process.
type workerClient struct {
	id string // of its workflow

	mu          sync.Mutex // guards the fields below, and next.wanted
	next        *lagRound  // gathers questions, nil if nobody waits
	silentUntil time.Time  // it is not asked before, since it did not answer
}

// lagRound is one query with what several callers want to know.
type lagRound struct {
	wanted job.LagsWanted
	done   chan struct{} // closed when known and err are set
	known  job.LagsKnown
	err    error
}

// shiftLag asks the process where the shift of the job was found last. Its error is
// errNoWorkerKnows if it was found nowhere, or is not there any more.
func (w *workerClients) shiftLag(ctx context.Context, name string) (binlog.Lag, error) {
	w.mu.Lock()
	at := w.shiftAt[name]
	w.mu.Unlock()
	if at == nil {
		return binlog.Lag{}, errNoWorkerKnows
	}
	return w.freshLag(ctx, name, nil, []*workerClient{at})
}

// signOfLife is how long a process that lives needs at most to say so.
const signOfLife = time.Second

// dead is how many worker processes there are if none of them gives a sign of life, else
// 0: Temporal counts one that has died among those that poll for two more minutes.
func (w *workerClients) dead(ctx context.Context) int {
	list, err := w.list(ctx)
	if err != nil {
		return 0
	}
	ctx, cancel := context.WithTimeout(ctx, signOfLife)
	defer cancel()
	var (
		asked sync.WaitGroup
		alive atomic.Bool
	)
	for _, c := range list {
		asked.Go(func() {
			_, err := w.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
				WorkflowID: c.id, QueryType: job.QueryLags, Args: []any{job.LagsWanted{}},
				QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
			})
			if !timedOut(err) && !noPoller(err) {
				alive.Store(true)
				cancel()
			}
		})
	}
	asked.Wait()
	if alive.Load() {
		return 0
	}
	return len(list)
}

// noPoller tells the refusal of a server that has not seen a worker poll for a while.
func noPoller(err error) bool {
	var precondition *serviceerror.FailedPrecondition
	return errors.As(err, &precondition)
}

// lag asks all processes. in is what the source can be asked with if no shift of
// the job runs, nil for a job that should be streaming.
func (w *workerClients) lag(ctx context.Context, name string, in *job.StepInput) (binlog.Lag, error) {
	list, err := w.list(ctx)
	if err != nil {
		return binlog.Lag{}, err
	}
	return w.freshLag(ctx, name, in, list)
}

// freshLag asks until the answer is fresh.
func (w *workerClients) freshLag(ctx context.Context, name string, in *job.StepInput, among []*workerClient) (binlog.Lag, error) {
	ctx, cancel := context.WithTimeout(ctx, workerLagTimeout)
	defer cancel()
	var lag binlog.Lag
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		answer, err := w.ask(ctx, name, in, among)
		switch {
		case errors.Is(err, errNoWorkerKnows) && in != nil:
			return false, nil // the process looks at the source now
		case err != nil:
			return false, err
		case answer.Error != "":
			return false, &refusedError{answer.Error}
		}
		lag = answer.Lag
		lag.ObservedAt = time.Now().Add(-answer.Age)
		return answer.Age < freshLagAge, nil
	})
	if err != nil {
		w.forget(name)
	}
	return lag, err
}

// ask asks processes about a job. For the shift of the job it asks one after the
// other until one has it. For a look at the source it asks the first one that
// answers.
func (w *workerClients) ask(ctx context.Context, name string, in *job.StepInput, among []*workerClient) (job.LagAnswer, error) {
	for _, c := range among {
		if c.silent() {
			continue
		}
		known, err := w.query(ctx, c, name, in)
		if err != nil {
			if ctx.Err() != nil {
				return job.LagAnswer{}, ctx.Err()
			}
			w.log.Debug("worker process does not answer", "workflow", c.id, "error", err)
			continue
		}
		if answer, found := known[name]; found {
			if in == nil {
				w.found(name, c)
			}
			return answer, nil
		}
		if in != nil {
			break
		}
	}
	return job.LagAnswer{}, errNoWorkerKnows
}

// query asks one process, together with all other callers that ask it now.
func (w *workerClients) query(ctx context.Context, to *workerClient, name string, in *job.StepInput) (job.LagsKnown, error) {
	round, first := to.join(name, in)
	if first {
		// The first caller asks for all. It does so even if it does not wait any more.
		time.Sleep(gatherTime)
		to.closeRound()
		queryCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workerTimeout)
		defer cancel()
		round.known, round.err = w.queryNow(queryCtx, to.id, round.wanted)
		if round.err != nil {
			to.noteSilence()
		}
		close(round.done)
	}
	select {
	case <-round.done:
		return round.known, round.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w *workerClients) queryNow(ctx context.Context, id string, wanted job.LagsWanted) (known job.LagsKnown, err error) {
	resp, err := w.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: id, QueryType: job.QueryLags, Args: []any{wanted},
		QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask %s for lags: %w", id, err)
	case resp.QueryRejected != nil:
		return nil, fmt.Errorf("ask %s for lags: the process has ended", id)
	}
	return known, resp.QueryResult.Get(&known)
}

func (c *workerClient) join(name string, in *job.StepInput) (round *lagRound, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first = c.next == nil; first {
		c.next = &lagRound{done: make(chan struct{})}
	}
	if in != nil {
		c.next.wanted.Watch = append(c.next.wanted.Watch, *in)
	} else {
		c.next.wanted.Jobs = append(c.next.wanted.Jobs, name)
	}
	return c.next, first
}

// closeRound ends the gathering: who comes now waits for the next round.
func (c *workerClient) closeRound() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = nil
}

func (c *workerClient) noteSilence() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silentUntil = time.Now().Add(workerBackOff)
}

func (c *workerClient) silent() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Before(c.silentUntil)
}

func (w *workerClients) found(name string, at *workerClient) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shiftAt == nil {
		w.shiftAt = map[string]*workerClient{}
	}
	w.shiftAt[name] = at
}

func (w *workerClients) forget(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.shiftAt, name)
}

// list returns the worker processes that run, or have died only lately, always in
// the same order: what a process has looked at is asked of it again.
func (w *workerClients) list(ctx context.Context) ([]*workerClient, error) {
	w.listing.Lock()
	defer w.listing.Unlock()
	if time.Since(w.listed) >= workersMaxAge {
		if err := w.refresh(ctx); err != nil {
			return nil, err
		}
	}
	return slices.SortedFunc(maps.Values(w.all), func(x, y *workerClient) int { return cmp.Compare(x.id, y.id) }), nil
}

// refresh asks the server which processes there are; those that are known stay what
// they are. It needs listing.
func (w *workerClients) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, workerTimeout)
	defer cancel()
	page, err := w.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: listPageSize,
		Query:    job.RunningWorkersQuery,
	})
	if err != nil {
		return fmt.Errorf("list worker processes: %w", err)
	}
	all := map[string]*workerClient{}
	for _, p := range page.GetExecutions() {
		id := p.GetExecution().GetWorkflowId()
		if !strings.HasPrefix(id, job.WorkerWorkflowIDPrefix) {
			continue
		}
		if all[id] = w.all[id]; all[id] == nil {
			all[id] = &workerClient{id: id}
		}
	}
	w.all, w.listed = all, time.Now()
	return nil
}
