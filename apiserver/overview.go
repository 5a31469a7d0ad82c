package apiserver

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

const (
	// overviewMaxAge is how old an overview of all jobs may be, and overviewCost what
	// each job adds to that which had to be asked itself: a page that is reloaded all
	// the time costs a bounded number of queries a second.
	overviewMaxAge = time.Second
	overviewCost   = 20 * time.Millisecond
	// overviewTimeout bounds one job's answer: a job without an answer must not
	// hold up the page.
	overviewTimeout = 3 * time.Second
	// overviewConcurrency bounds the queries in flight.
	overviewConcurrency = 8
)

// overviewRow is what an overview has of one job. With err nothing else is known
// but the name.
type overviewRow struct {
	name   string
	status job.Status
	spec   job.Spec
	err    error
}

// overview tells how all jobs are. The worker processes answer for those that are well
// or paused, all with one query for each process; the others are asked themselves.
type overview struct {
	jobs    *jobs
	list    *jobList
	answers *answers

	// mu guards the fields below. It is held while asking, so that callers share one
	// round.
	mu   sync.Mutex
	rows []overviewRow
	// asked is how many of the jobs had to be asked themselves.
	asked int
	read  time.Time
	// commands is answers.commands when the round began.
	commands uint64
}

// all returns one row a job, sorted by name. An error means that not even the
// names are known.
func (o *overview) all(ctx context.Context) ([]overviewRow, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	commands := o.answers.commands.Load()
	maxAge := overviewMaxAge + time.Duration(o.asked)*overviewCost
	if time.Since(o.read) < maxAge && commands == o.commands {
		return o.rows, nil
	}
	names, listed, err := o.list.listing(ctx)
	if err != nil {
		return nil, o.jobs.explain(ctx, err)
	}
	rows := make([]overviewRow, len(names))
	var group errgroup.Group
	group.SetLimit(overviewConcurrency)
	asked := 0
	remembered := o.jobs.workers.remembered(ctx, names)
	for i, name := range names {
		r, found := remembered.row(name, listed[name])
		if !found {
			asked++
			group.Go(func() error {
				rows[i] = o.ask(ctx, name)
				return nil
			})
			continue
		}
		r.status.Lag = newerLag(r.status.Lag, o.jobs.lags.latest(name))
		rows[i] = r
	}
	_ = group.Wait() // no function above fails
	if ctx.Err() == nil {
		o.rows, o.asked, o.read, o.commands = rows, asked, time.Now(), commands
	}
	return rows, nil
}

// ask asks the job itself.
func (o *overview) ask(ctx context.Context, name string) overviewRow {
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	r := overviewRow{name: name}
	if r.status, r.err = o.jobs.status(ctx, name); r.err == nil {
		o.jobs.lookAgain(ctx, name, &r.status)
		r.err = o.jobs.query(ctx, name, job.QueryDetail, &r.spec)
	}
	return r
}
