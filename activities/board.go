package activities

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

const (
	// boardFresh is how old a lag may be before a question for it has the source
	// asked again.
	boardFresh = time.Second
	// boardForgets is how long a job is remembered that nobody asks for.
	boardForgets = time.Minute
	// boardPerSource bounds the looks under way at one source cluster.
	boardPerSource = 8
	// boardTimeout bounds one such look, its wait for others included.
	boardTimeout = 5 * time.Second
)

// board is what this process knows of the lags of jobs: of its shifts, and of
// jobs that it was asked to look at because no shift does.
type board struct {
	observe func(context.Context, job.StepInput) (binlog.Lag, error)

	mu      sync.Mutex
	shifts  map[string]*boardShift
	watched map[string]*watched
	sources map[string]chan struct{} // slots for looks, by source cluster
	looks   sync.WaitGroup
	closed  bool
}

// boardShift is a shift of this process.
type boardShift struct {
	last func() job.Heartbeat
	look chan struct{} // see stream.Hooks
}

// watched is a job that does not stream.
type watched struct {
	position int64
	told     job.ToldLag
	at       time.Time // of told
	looking  bool
	asked    time.Time
}

func newBoard(observe func(context.Context, job.StepInput) (binlog.Lag, error)) *board {
	return &board{observe: observe, shifts: map[string]*boardShift{}, watched: map[string]*watched{}, sources: map[string]chan struct{}{}}
}

// enter puts a shift on the board until leave is called.
func (b *board) enter(name string, last func() job.Heartbeat) (look <-chan struct{}, leave func()) {
	s := &boardShift{last: last, look: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shifts[name] = s
	delete(b.watched, name)
	return s.look, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.shifts[name] == s {
			delete(b.shifts, name)
		}
	}
}

// lags answers job.QueryLags. What is too old is looked at in the background and
// found by the next question.
func (b *board) lags(wanted job.LagsWanted) job.LagsKnown {
	known := job.LagsKnown{}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range wanted.Jobs {
		if s := b.shifts[name]; s != nil {
			known[name] = s.tell(now)
		}
	}
	for _, in := range wanted.Watch {
		if s := b.shifts[in.Spec.Name]; s != nil {
			known[in.Spec.Name] = s.tell(now)
		} else if told, ok := b.watch(in, now); ok {
			known[in.Spec.Name] = told
		}
	}
	return known
}

func (s *boardShift) tell(now time.Time) job.ToldLag {
	lag := s.last().Lag
	age := now.Sub(lag.ObservedAt)
	if age > boardFresh {
		select {
		case s.look <- struct{}{}:
		default: // it has been told already
		}
	}
	return job.ToldLag{Lag: lag, Age: age}
}

// watch is called with the lock held.
func (b *board) watch(in job.StepInput, now time.Time) (job.ToldLag, bool) {
	name := in.Spec.Name
	w := b.watched[name]
	if w == nil || w.position != in.Progress.Position.CommitSeq {
		b.forget(now)
		w = &watched{position: in.Progress.Position.CommitSeq}
		b.watched[name] = w
	}
	w.asked = now
	told := w.told
	told.Age = now.Sub(w.at)
	fresh := !w.at.IsZero() && told.Age <= boardFresh
	if !fresh && !w.looking && !b.closed {
		w.looking = true
		b.looks.Go(func() { b.lookAt(w, in) })
	}
	return told, fresh
}

// forget drops what nobody asks for any more.
func (b *board) forget(now time.Time) {
	for name, w := range b.watched {
		if !w.looking && now.Sub(w.asked) > boardForgets {
			delete(b.watched, name)
		}
	}
}

// lookAt asks the source of a job.
func (b *board) lookAt(w *watched, in job.StepInput) {
	ctx, cancel := context.WithTimeout(context.Background(), boardTimeout)
	defer cancel()
	var told job.ToldLag
	slots := b.slots(in.Spec.Source)
	select {
	case slots <- struct{}{}:
		lag, err := b.observe(ctx, in)
		<-slots
		if told.Lag = lag; err != nil {
			told = job.ToldLag{Error: "observe the lag: " + err.Error()}
		}
	case <-ctx.Done():
		told.Error = "observe the lag: too many jobs are asked for the lag to this source at once"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.told, w.at, w.looking = told, time.Now(), false
}

func (b *board) slots(source job.Cluster) chan struct{} {
	key := net.JoinHostPort(source.Host, strconv.Itoa(source.ThriftPort))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sources[key] == nil {
		b.sources[key] = make(chan struct{}, boardPerSource)
	}
	return b.sources[key]
}

// close waits for the looks under way; none begins any more.
func (b *board) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.looks.Wait()
}

// Lags answers job.QueryLags from what this process knows at the moment.
func (a *Activities) Lags(wanted job.LagsWanted) job.LagsKnown { return a.board.lags(wanted) }

// Close waits for looks at sources that questions have begun.
func (a *Activities) Close() { a.board.close() }

// observe asks the source of a job for its lag.
func (a *Activities) observe(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	return guard(a.log.With("job", in.Spec.Name), job.ActivityObserveLag, func() (binlog.Lag, error) {
		r, err := a.connect(in.Spec)
		if err != nil {
			return binlog.Lag{}, err
		}
		defer r.Close()
		return r.stream.Lag(ctx, in)
	})
}
