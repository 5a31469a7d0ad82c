package apiserver

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

const (
	// overviewMaxAge is how old an overview of all jobs may be, and
	// overviewCost what each job adds to that: a page that is reloaded all the
	// time costs a bounded number of queries a second.
	overviewMaxAge = time.Second
	overviewCost   = 20 * time.Millisecond
	// overviewTimeout bounds one job's answer: a job without an answer must not
	// hold up the page.
	overviewTimeout = 3 * time.Second
	// overviewConcurrency bounds the queries in flight.
	overviewConcurrency = 16
)

// overviewRow is what an overview has of one job. With err nothing else is known
// but the name.
type overviewRow struct {
	name   string
	status job.Status
	spec   job.Spec
	err    error
}

// overview asks all jobs how they are.
type overview struct {
	jobs *jobs
	list *jobList

	// mu guards the fields below. It is held while asking, so that callers share one
	// round.
	mu   sync.Mutex
	rows []overviewRow
	read time.Time
}

// forget drops the cache: after a command the page has to tell the truth.
func (o *overview) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read = time.Time{}
}

// all returns one row a job, sorted by name. An error means that not even the
// names are known.
func (o *overview) all(ctx context.Context) ([]overviewRow, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maxAge := overviewMaxAge + time.Duration(len(o.rows))*overviewCost
	if time.Since(o.read) < maxAge {
		return o.rows, nil
	}
	names, err := o.list.all(ctx)
	if err != nil {
		return nil, o.jobs.explain(ctx, err)
	}
	rows := make([]overviewRow, len(names))
	var group errgroup.Group
	group.SetLimit(overviewConcurrency)
	for i, name := range names {
		group.Go(func() error {
			rows[i] = o.row(ctx, name)
			return nil
		})
	}
	_ = group.Wait() // no function above fails
	if ctx.Err() == nil {
		o.rows, o.read = rows, time.Now()
	}
	return rows, nil
}

func (o *overview) row(ctx context.Context, name string) overviewRow {
	ctx, cancel := context.WithTimeout(ctx, overviewTimeout)
	defer cancel()
	r := overviewRow{name: name}
	if r.status, r.err = o.jobs.status(ctx, name); r.err == nil {
		o.jobs.lookAgain(ctx, name, &r.status)
		r.err = o.jobs.query(ctx, name, job.QueryDetail, &r.spec)
	}
	return r
}
