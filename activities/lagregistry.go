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
	// lagFresh is how old a lag may be before a question for it has the source
	// asked again.
	lagFresh = time.Second
	// watchedFor is how long a job is remembered that nobody asks for.
	watchedFor = time.Minute
	// looksPerSource bounds the looks under way at one source cluster.
	looksPerSource = 8
	// lookTimeout bounds one such look, its wait for others included.
	lookTimeout = 5 * time.Second
)

// lagRegistry is what this process knows of the lags of jobs. Of a job that it
// streams it knows the last report of the shift. Of a job that nobody streams it
// asks the source, when somebody asks for the lag.
type lagRegistry struct {
	observe func(context.Context, job.StepInput) (binlog.Lag, error)
	looks   sync.WaitGroup // looks at sources under way

	mu      sync.Mutex // guards the fields below, and those of the watched jobs
	shifts  map[string]*registeredShift
	watched map[string]*watchedJob
	sources map[string]chan struct{} // slots for looks, by source cluster
	closed  bool
}

// watchedJob is a job that nobody streams and somebody has asked for. Its registry's
// lock guards it.
type watchedJob struct {
	position int64
	answer   job.LagAnswer
	at       time.Time // of answer
	looking  bool      // the source is being asked
	asked    time.Time // when somebody last asked for the job
}

func newLagRegistry(observe func(context.Context, job.StepInput) (binlog.Lag, error)) *lagRegistry {
	return &lagRegistry{observe: observe, shifts: map[string]*registeredShift{}, watched: map[string]*watchedJob{}, sources: map[string]chan struct{}{}}
}

// register enters a shift until unregister is called.
func (r *lagRegistry) register(name string, s *registeredShift) (unregister func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shifts[name] = s
	delete(r.watched, name)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.shifts[name] == s {
			delete(r.shifts, name)
		}
	}
}

// hold answers job.QueryHold.
func (r *lagRegistry) hold(o job.Hold) job.Held {
	r.mu.Lock()
	s := r.shifts[o.Job]
	r.mu.Unlock()
	if s == nil {
		return job.Held{}
	}
	held := s.holds.Order(o)
	held.Here = true
	return held
}

// lags answers job.QueryLags. What is too old is looked at in the background and
// found by the next question.
func (r *lagRegistry) lags(wanted job.LagsWanted) job.LagsKnown {
	known := job.LagsKnown{}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range wanted.Jobs {
		if s := r.shifts[name]; s != nil {
			known[name] = s.lagAt(now)
		}
	}
	for _, in := range wanted.Watch {
		if s := r.shifts[in.Spec.Name]; s != nil {
			known[in.Spec.Name] = s.lagAt(now)
		} else if answer, ok := r.watchedLag(in, now, lagFresh); ok {
			known[in.Spec.Name] = answer
		}
	}
	return known
}

func (s *registeredShift) lagAt(now time.Time) job.LagAnswer {
	lag := s.last().Lag
	age := now.Sub(lag.ObservedAt)
	if age > lagFresh {
		select {
		case s.look <- struct{}{}:
		default: // it knows already
		}
	}
	return job.LagAnswer{Lag: lag, Age: age}
}

// watchedLag returns a lag that is not older than maxAge. If there is none it has the
// source asked. It is called with the lock held.
func (r *lagRegistry) watchedLag(in job.StepInput, now time.Time, maxAge time.Duration) (job.LagAnswer, bool) {
	name := in.Spec.Name
	w := r.watched[name]
	if w == nil || w.position != in.Progress.Position.CommitSeq {
		r.forgetUnasked(now)
		w = &watchedJob{position: in.Progress.Position.CommitSeq}
		r.watched[name] = w
	}
	w.asked = now
	answer := w.answer
	answer.Age = now.Sub(w.at)
	fresh := !w.at.IsZero() && answer.Age <= maxAge
	if !fresh && !w.looking && !r.closed {
		w.looking = true
		r.looks.Go(func() { r.observeInBackground(w, in) })
	}
	return answer, fresh
}

// forgetUnasked drops what nobody asks for any more.
func (r *lagRegistry) forgetUnasked(now time.Time) {
	for name, w := range r.watched {
		if !w.looking && now.Sub(w.asked) > watchedFor {
			delete(r.watched, name)
		}
	}
}

// observeInBackground asks the source of a job.
func (r *lagRegistry) observeInBackground(w *watchedJob, in job.StepInput) {
	ctx, cancel := context.WithTimeout(context.Background(), lookTimeout)
	defer cancel()
	var answer job.LagAnswer
	slots := r.sourceSlots(in.Spec.Source)
	select {
	case slots <- struct{}{}:
		lag, err := r.observe(ctx, in)
		<-slots
		if answer.Lag = lag; err != nil {
			answer = job.LagAnswer{Error: "observe the lag: " + err.Error()}
		}
	case <-ctx.Done():
		answer.Error = "observe the lag: too many jobs are asked for the lag to this source at once"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w.answer, w.at, w.looking = answer, time.Now(), false
}

func (r *lagRegistry) sourceSlots(source job.Cluster) chan struct{} {
	key := net.JoinHostPort(source.Host, strconv.Itoa(source.ThriftPort))
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sources[key] == nil {
		r.sources[key] = make(chan struct{}, looksPerSource)
	}
	return r.sources[key]
}

// close waits for the looks under way; none begins any more.
func (r *lagRegistry) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.looks.Wait()
}

// Lags answers job.QueryLags from what this process knows at the moment.
func (a *Activities) Lags(wanted job.LagsWanted) job.LagsKnown { return a.registry.lags(wanted) }

// Watch returns the lag of a job that does not stream if this process knows one that is
// not older than maxAge. If not, it has the source asked, and knows it the next time.
func (a *Activities) Watch(in job.StepInput, maxAge time.Duration) (job.LagAnswer, bool) {
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	return a.registry.watchedLag(in, time.Now(), maxAge)
}

// Hold answers job.QueryHold: it has the job's shift hold a partition back, if that
// runs in this process.
func (a *Activities) Hold(o job.Hold) job.Held { return a.registry.hold(o) }

// Close waits for looks at sources that questions have begun.
func (a *Activities) Close() { a.registry.close() }

// Lag asks the source of a job for its lag, now.
func (a *Activities) Lag(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	return guard(a.log.With("job", in.Spec.Name), job.ActivityObserveLag, func() (binlog.Lag, error) {
		r, err := a.connect(in.Spec)
		if err != nil {
			return binlog.Lag{}, err
		}
		defer r.Close()
		return r.stream.Lag(ctx, in)
	})
}
