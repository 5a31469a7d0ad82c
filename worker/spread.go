package worker

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// A job goes on where a worker takes its next shift, and a worker that joins is asked
// for minutes only by what ends meanwhile. So a process that streams far more jobs than
// others gives some of its shifts away: they end with their positions, as when a worker
// stops, and whoever polls takes them. Some come back, and fewer are too many the next
// time.

const (
	// spreadPause is the time between two looks at what the others do, a little more
	// or less: processes that were started together do not look together.
	spreadPause = 8 * time.Second
	// spreadAgain is the same for a process that has just given shifts away.
	spreadAgain = 3 * time.Second
	// yieldPause is the time between two shifts that are given away. Each hand-over is
	// a dozen writes of the Temporal server.
	yieldPause = 100 * time.Millisecond
	// loadTimeout bounds a question to another process. One that is dead answers to
	// none, and what it had is nobody's share.
	loadTimeout = 2 * time.Second
	// loadsAtOnce bounds the questions under way.
	loadsAtOnce = 4
	// A process is far above its share with a quarter more, and spreadSlack shifts. It
	// then goes on until it is near its share, a twentieth more and one shift.
	spreadSlack = 3
)

// spread gives shifts of this process away while others have far fewer.
type spread struct {
	own    string // id of the process' workflow
	log    *slog.Logger
	load   func() job.Load
	others func(ctx context.Context) ([]job.Load, error)
	yield  func() bool
}

// run looks from time to time until ctx is done.
func (s *spread) run(ctx context.Context) {
	giving := false
	for {
		pause := spreadPause
		if giving {
			pause = spreadAgain
		}
		pause = pause*3/4 + rand.N(pause/2)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if s.load().Shifts <= spreadSlack {
			continue // nobody has to be asked
		}
		others, err := s.others(ctx)
		if err != nil {
			s.log.Debug("It is not known what other worker processes do.", "error", err)
			continue
		}
		n := tooMany(s.load(), others, giving)
		giving = n > 0
		s.giveAway(ctx, n)
	}
}

// tooMany is how many shifts a process has above its share, 0 if it is not far above, or
// near it while it is giving. Others that have no slots left take none.
func tooMany(own job.Load, others []job.Load, giving bool) int {
	total, processes, room := own.Shifts, 1, 0
	for _, l := range others {
		total, processes, room = total+l.Shifts, processes+1, room+max(0, l.Slots-l.Shifts)
	}
	share := (total + processes - 1) / processes
	slack := share/4 + spreadSlack
	if giving {
		slack = share/20 + 1
	}
	if own.Shifts <= share+slack {
		return 0
	}
	return min(own.Shifts-share, room)
}

// giveAway ends n shifts, one after the other.
func (s *spread) giveAway(ctx context.Context, n int) {
	given := 0
	for given < n && s.yield() {
		given++
		select {
		case <-ctx.Done():
			return
		case <-time.After(yieldPause):
		}
	}
	if given > 0 {
		s.log.Info("Other worker processes stream far fewer jobs: some go on there.", "given_away", given)
	}
}

// loads asks the other processes what they have to do. Those that do not answer are left
// out: they are dead, or of an earlier version.
func (p *processWorker) loads(ctx context.Context) ([]job.Load, error) {
	ids, err := runningProcesses(ctx, p.client)
	if err != nil {
		return nil, err
	}
	var (
		mu    sync.Mutex // guards loads
		loads []job.Load
		asked sync.WaitGroup
		slots = make(chan struct{}, loadsAtOnce)
	)
	for _, id := range ids {
		if id == p.id {
			continue
		}
		slots <- struct{}{}
		asked.Go(func() {
			defer func() { <-slots }()
			load, err := p.loadOf(ctx, id)
			if err != nil {
				p.log.Debug("A worker process does not tell its load.", "workflow", id, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			loads = append(loads, load)
		})
	}
	asked.Wait()
	return loads, nil
}

func (p *processWorker) loadOf(ctx context.Context, id string) (load job.Load, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	resp, err := p.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
		WorkflowID: id, QueryType: job.QueryLoad, QueryRejectCondition: enumspb.QUERY_REJECT_CONDITION_NOT_OPEN,
	})
	switch {
	case err != nil:
		return load, fmt.Errorf("ask %s for its load: %w", id, err)
	case resp.QueryRejected != nil:
		return load, fmt.Errorf("ask %s for its load: the process has ended", id)
	}
	return load, resp.QueryResult.Get(&load)
}
