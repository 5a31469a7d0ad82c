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
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

const (
	// boardsMaxAge is how old the list of worker processes may be.
	boardsMaxAge = 3 * time.Second
	// boardGather is how long a question waits for others to the same process: one
	// query then answers all of them.
	boardGather = 50 * time.Millisecond
	// boardTimeout bounds one query; a process that does not answer is not asked
	// for boardRest, since it has probably died.
	boardTimeout = 2 * time.Second
	boardRest    = 10 * time.Second
	// boardPatience bounds how long a lag is waited for that a process has to ask
	// the source for.
	boardPatience = 3 * time.Second
)

// errNoBoard: no worker process knows the lag of the job.
var errNoBoard = errors.New("no worker process knows the lag of the job")

// boards reaches the worker processes for what they know of lags
// (job.WorkflowTypeWorker).
type boards struct {
	client client.Client
	log    *slog.Logger

	listing sync.Mutex // held while listing, so that callers share one call

	mu   sync.Mutex
	all  map[string]*board // by workflow id
	home map[string]*board // where the shift of a job was found last, by its name
	read time.Time
}

// board is one worker process.
type board struct {
	id string

	mu        sync.Mutex
	next      *boardRound // gathers questions, nil if nobody waits
	restUntil time.Time
}

// boardRound is one query with what several callers want to know.
type boardRound struct {
	wanted job.LagsWanted
	done   chan struct{} // closed when the rest is set
	known  job.LagsKnown
	err    error
}

// shiftLag returns what the process tells that has run the shift of the job
// lately; errNoBoard if there is none or it does not any more.
func (b *boards) shiftLag(ctx context.Context, name string) (binlog.Lag, error) {
	b.mu.Lock()
	home := b.home[name]
	b.mu.Unlock()
	if home == nil {
		return binlog.Lag{}, errNoBoard
	}
	return b.await(ctx, name, nil, func() []*board { return []*board{home} })
}

// lag looks for the job among all processes. in is what the source can be asked
// with if no shift of it runs, nil for a job that should be streaming.
func (b *boards) lag(ctx context.Context, name string, in *job.StepInput) (binlog.Lag, error) {
	list, err := b.list(ctx)
	if err != nil {
		return binlog.Lag{}, err
	}
	return b.await(ctx, name, in, func() []*board { return list })
}

// await asks until the answer is fresh.
func (b *boards) await(ctx context.Context, name string, in *job.StepInput, among func() []*board) (binlog.Lag, error) {
	ctx, cancel := context.WithTimeout(ctx, boardPatience)
	defer cancel()
	var lag binlog.Lag
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		told, err := b.ask(ctx, name, in, among())
		switch {
		case errors.Is(err, errNoBoard) && in != nil:
			return false, nil // the process looks at the source now
		case err != nil:
			return false, err
		case told.Error != "":
			return false, &refusedError{told.Error}
		}
		lag = told.Lag
		lag.ObservedAt = time.Now().Add(-told.Age)
		return told.Age < lagMaxAge, nil
	})
	if err != nil {
		b.forget(name)
	}
	return lag, err
}

// ask asks processes about a job: all of them for its shift, the first one that
// answers for a look at the source.
func (b *boards) ask(ctx context.Context, name string, in *job.StepInput, among []*board) (job.ToldLag, error) {
	for _, board := range among {
		if board.resting() {
			continue
		}
		known, err := b.query(ctx, board, name, in)
		if err != nil {
			if ctx.Err() != nil {
				return job.ToldLag{}, ctx.Err()
			}
			b.log.Debug("worker process does not answer", "workflow", board.id, "error", err)
			continue
		}
		if told, found := known[name]; found {
			if in == nil {
				b.note(name, board)
			}
			return told, nil
		}
		if in != nil {
			break
		}
	}
	return job.ToldLag{}, errNoBoard
}

// query asks one process, together with whoever else asks it now.
func (b *boards) query(ctx context.Context, to *board, name string, in *job.StepInput) (job.LagsKnown, error) {
	round, first := to.join(name, in)
	if first {
		// The first one asks for all, and finishes that even if its own caller leaves.
		time.Sleep(boardGather)
		to.begin()
		queryCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardTimeout)
		defer cancel()
		round.known, round.err = b.queryNow(queryCtx, to.id, round.wanted)
		if round.err != nil {
			to.rest()
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

func (b *boards) queryNow(ctx context.Context, id string, wanted job.LagsWanted) (known job.LagsKnown, err error) {
	resp, err := b.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
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

func (b *board) join(name string, in *job.StepInput) (round *boardRound, first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if first = b.next == nil; first {
		b.next = &boardRound{done: make(chan struct{})}
	}
	if in != nil {
		b.next.wanted.Watch = append(b.next.wanted.Watch, *in)
	} else {
		b.next.wanted.Jobs = append(b.next.wanted.Jobs, name)
	}
	return b.next, first
}

// begin ends the gathering: who comes now waits for the next round.
func (b *board) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = nil
}

func (b *board) rest() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restUntil = time.Now().Add(boardRest)
}

func (b *board) resting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.restUntil)
}

func (b *boards) note(name string, at *board) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.home == nil {
		b.home = map[string]*board{}
	}
	b.home[name] = at
}

func (b *boards) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.home, name)
}

// list returns the worker processes that run, or have died only lately, always in
// the same order: what a process has looked at is asked of it again.
func (b *boards) list(ctx context.Context) ([]*board, error) {
	b.listing.Lock()
	defer b.listing.Unlock()
	b.mu.Lock()
	all, read := b.all, b.read
	b.mu.Unlock()
	if time.Since(read) >= boardsMaxAge {
		var err error
		if all, err = b.listNow(ctx, all); err != nil {
			return nil, err
		}
		b.mu.Lock()
		b.all, b.read = all, time.Now()
		b.mu.Unlock()
	}
	return slices.SortedFunc(maps.Values(all), func(x, y *board) int { return cmp.Compare(x.id, y.id) }), nil
}

// listNow asks the server; processes that are known stay what they are.
func (b *boards) listNow(ctx context.Context, known map[string]*board) (map[string]*board, error) {
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	page, err := b.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		PageSize: listPageSize,
		Query:    fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", job.WorkflowTypeWorker),
	})
	if err != nil {
		return nil, fmt.Errorf("list worker processes: %w", err)
	}
	all := map[string]*board{}
	for _, w := range page.GetExecutions() {
		id := w.GetExecution().GetWorkflowId()
		if !strings.HasPrefix(id, job.WorkerWorkflowIDPrefix) {
			continue
		}
		if all[id] = known[id]; all[id] == nil {
			all[id] = &board{id: id}
		}
	}
	return all, nil
}
