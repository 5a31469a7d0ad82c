package ddl

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Steps connects a step with several binlogs with whoever runs it.
type Steps struct {
	// Done are the outcomes that an earlier attempt has recorded.
	Done []job.ApplyResult
	// Unsure is set if an earlier attempt may have come further than that.
	Unsure bool
	// Next is called before each binlog, with the outcomes of all before it. It records
	// them before it returns, and tells whether the binlog may be begun.
	Next func(ctx context.Context, done []job.ApplyResult, next *job.Binlog) (bool, error)
}

// ApplySeveral carries out the binlog that is pending, and then those behind it, each as
// Apply does, as long as each means what the stream took it for. What it returns beside an error is what was carried out until then.
func (j *Job) ApplySeveral(ctx context.Context, in job.ApplySeveralInput, s Steps) ([]job.ApplyResult, error) {
	p := in.Progress
	p.Tables = maps.Clone(p.Tables) // others share it
	all, done := in.Binlogs(), slices.Clone(s.Done)
	for i := range done {
		if done[i].Ends() {
			return done, nil
		}
		p.Applied(all[i], &done[i])
	}
	if len(done) < len(all) {
		if err := j.awaitVisible(ctx, all[len(done):], &p); err != nil {
			return done, err
		}
	}
	for n := len(done); n < len(all); n++ {
		b := all[n]
		if may, err := s.Next(ctx, done, b); err != nil || !may {
			return done, err
		}
		one := job.ApplyInput{StepInput: job.StepInput{Spec: in.Spec, Progress: p}, OutcomeUnknown: s.Unsure || n == 0 && in.OutcomeUnknown}
		one.Progress.Pending = b
		out, ok, err := j.applyNext(ctx, one)
		if err != nil || !ok {
			return done, err
		}
		done = append(done, out)
		if out.Ends() {
			return done, nil
		}
		p.Applied(b, &out)
	}
	return done, nil
}

// awaitVisible waits until everything that was committed can be read, for all binlogs of
// the step: nothing is committed while it runs. An account that may not list transactions
// looks at the tables that the binlogs are about.
func (j *Job) awaitVisible(ctx context.Context, all []*job.Binlog, p *job.Progress) error {
	fence := binlog.Record{Type: binlog.TypeAddPartition}
	for _, b := range all {
		if b.Type != binlog.TypeAddPartition && b.Type != binlog.TypeCreateTable { // these need not wait for a table
			fence.Type, fence.TableIDs = b.Type, append(fence.TableIDs, b.TableIDs...)
		}
	}
	return j.AwaitVisible(ctx, fence, p)
}

// applyNext applies one of several binlogs. It may mean something else since those before
// it are applied: ok is false if the stream has to look at it again.
func (j *Job) applyNext(ctx context.Context, in job.ApplyInput) (out job.ApplyResult, ok bool, err error) {
	started := time.Now()
	rec, err := j.pending(ctx, in.Progress.Pending)
	if err != nil {
		out, err = j.resultOf(job.ApplyResult{}, err, in.Progress.Pending)
		return out, err == nil, err
	}
	if action, err := pair.ClassifyBinlog(rec, &j.Spec, &in.Progress); err != nil || action != pair.ActionHandOver {
		return job.ApplyResult{}, false, nil
	}
	out, err = j.apply(ctx, rec, in, started)
	return out, true, err
}
