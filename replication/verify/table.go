package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// verification is that of one table.
type verification struct {
	job      *Job
	in       job.VerifyTableInput
	input    job.StepInput
	hooks    Hooks
	limits   limits
	settings sqlclient.Setting
	timeout  time.Duration // of a session

	from, to   *side
	hasRollups bool
	hash       string
	columnsOf  []column
	gone       bool                            // neither side has what the job does not have
	behindAt   time.Time                       // when the job was seen to be behind
	listed     int                             // keys so far
	holds      int                             // how often partitions were held back
	done       map[int64]job.VerifiedPartition // equal ones, by source id

	doneOf string // the definition that the table had then

	mu     sync.Mutex // guards RowsRead and BytesRead of the result: both sides are asked at once
	result job.VerifiedTable
}

// sessionTimeout bounds a session if the request has no bound for a query.
const sessionTimeout = time.Hour

// Table compares a table or view on both sides.
func (j *Job) Table(ctx context.Context, in job.StepInput, what job.VerifyTableInput, h Hooks) (job.VerifiedTable, error) {
	started := time.Now()
	if what.Request.Method == "" {
		what.Request.Method = job.VerifyChecksum
	}
	if what.Request.MaxRows <= 0 {
		what.Request.MaxRows = 100
	}
	v := &verification{job: j, in: what, input: in, hooks: h, limits: j.shared.limits, settings: settings(what.Request), timeout: sessionTimeout, done: map[int64]job.VerifiedPartition{}}
	if what.Request.QueryTimeout > 0 {
		v.timeout = 2*what.Request.QueryTimeout + time.Minute
	}
	v.doneOf = h.Before.Definition
	for _, p := range h.Before.Done {
		v.done[p.ID] = p
	}
	err := v.untilStable(ctx)
	switch {
	case ctx.Err() != nil:
		return job.VerifiedTable{}, ctx.Err()
	case problem.LacksPrivilege(err), errors.Is(err, fe.ErrAccessDenied):
		v.result.Outcome, v.result.Why = job.VerifyNotComparable, fmt.Sprintf("%v (grant the privilege to the account)", err)
	case isRefusal(err):
		v.result.Outcome, v.result.Why = job.VerifyNotComparable, err.Error()
	case err != nil:
		return job.VerifiedTable{}, fmt.Errorf("verify table %s: %w", what.Target.Name, err)
	}
	v.result.At, v.result.Took = time.Now(), time.Since(started)
	return v.result, nil
}

// untilStable verifies the table, from the beginning again when it was changed
// meanwhile, and going on when a connection was lost.
func (v *verification) untilStable(ctx context.Context) error {
	again := pair.Backoff{Budget: v.limits.budget}
	for restarts := 0; ; {
		v.listed = 0
		v.result = job.VerifiedTable{
			Table: v.in.Target.Name, TableID: v.in.Target.ID, View: v.in.Target.View,
			RowsRead: v.result.RowsRead, BytesRead: v.result.BytesRead, Held: v.result.Held, Position: max(v.result.Position, v.input.Progress.Position.CommitSeq),
		}
		err := v.once(ctx)
		kind, retryable := problem.Classify(err)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errMoved) || isAbsence(err):
			if restarts++; restarts > v.limits.restarts {
				v.result.Outcome, v.result.Why = job.VerifyBusy, fmt.Sprintf("it was changed %d times meanwhile: %v", restarts, err)
				return nil
			}
			if !pair.Sleep(ctx, v.limits.pause) {
				return ctx.Err()
			}
			if v.hooks.Input == nil {
				continue
			}
			if v.input, err = v.hooks.Input(ctx); err != nil {
				return fmt.Errorf("ask the job for the table: %w", err)
			}
		case kind == job.KindRPC && retryable && again.Failed(ctx):
		default:
			return err
		}
	}
}

// settings are the session variables of a request.
func settings(r job.VerifyRequest) sqlclient.Setting {
	set := sqlclient.Setting{"enable_unicode_name_support": "true"}
	if r.WorkloadGroup != "" {
		set["workload_group"] = r.WorkloadGroup
	}
	if r.MemLimit > 0 {
		set["exec_mem_limit"] = strconv.FormatInt(r.MemLimit, 10)
	}
	if r.QueryTimeout > 0 {
		set["query_timeout"] = strconv.Itoa(max(1, int(r.QueryTimeout/time.Second)))
	}
	return set
}

// once verifies the table from the beginning.
func (v *verification) once(ctx context.Context) error {
	known, there := v.input.Progress.Tables[v.in.Target.ID]
	switch {
	case !there:
		return v.stranger(ctx)
	case known.Unconfirmed:
		v.result.Outcome, v.result.Why = job.VerifyNotComparable, "the job waits for a snapshot of the table"
		return nil
	case known.View || known.External:
		return v.definitionOnly(ctx, known, v.namedOnly)
	case known.DestID == 0:
		v.result.Outcome, v.result.Why = job.VerifyNotComparable, "the destination does not have the table yet"
		return nil
	}
	v.report("looks at the definition")
	s, uncertain, err := v.confirmed(ctx, known, v.structure)
	if err != nil {
		return err
	}
	v.result.Differences, v.result.Busy = s.differences, uncertain
	if s.from == nil || s.to == nil {
		v.conclude()
		return v.measure(ctx, s)
	}
	v.from, v.to = &side{v.job.Source, s.from, true}, &side{v.job.Destination, s.to, false}
	v.hasRollups = s.hasRollups
	if v.doneOf != s.digest() {
		v.done, v.doneOf = map[int64]job.VerifiedPartition{}, s.digest()
	}
	if err := v.prepare(ctx, s); err != nil {
		return err
	}
	if err := v.content(ctx, s); err != nil {
		return err
	}
	// A change of the definition in between could make the same rows look different.
	again, err := v.structure(ctx, known)
	if err != nil {
		return err
	}
	if again.identity() != s.identity() {
		return errMoved
	}
	if err := v.sameJob(ctx, known); err != nil {
		return err
	}
	v.conclude()
	return v.measure(ctx, s)
}

// prepare decides which columns are compared, and how.
func (v *verification) prepare(ctx context.Context, s *structure) (err error) {
	if v.hash, err = v.job.shared.hashFunction(ctx, v.job.Job); err != nil {
		return err
	}
	v.columnsOf, v.result.NotCompared = compared(s.source, s.destination, s.keys)
	if slices.Contains(s.hidden, sequenceColumn) {
		text := "cast(" + sqlclient.Quote(sequenceColumn) + " AS STRING)"
		v.columnsOf = append(v.columnsOf, column{name: sequenceColumn, text: orNull(text)})
	}
	return nil
}

// definitionOnly compares what has no rows that are compared: a view, or an external
// table, of which nothing else is replicated, or what the job does not have.
func (v *verification) definitionOnly(ctx context.Context, known job.Table, look func(context.Context, job.Table) (*structure, error)) error {
	s, uncertain, err := v.confirmed(ctx, known, look)
	if err != nil {
		return err
	}
	v.result.Differences, v.result.Busy = s.differences, uncertain
	v.conclude()
	return v.measure(ctx, s)
}

// namedOnly is structure of what goes by its name.
func (v *verification) namedOnly(ctx context.Context, known job.Table) (*structure, error) {
	s := &structure{}
	for _, c := range []*pair.Cluster{v.job.Source, v.job.Destination} {
		exists, err := c.SQL.TableExists(ctx, c.Spec.Database, known.Name)
		if err != nil {
			return nil, fmt.Errorf("look for %s %s: %w", c.Side, known.Name, err)
		}
		if !exists {
			s.differ(job.VerifyDifference{Kind: kindObjects}, "the %s does not have %s", c.Side, known.Name)
		}
	}
	if len(s.differences) > 0 {
		return s, nil
	}
	return s, v.definitions(ctx, s, known.Name, known.Name)
}

// conclude gives the table its outcome.
func (v *verification) conclude() {
	switch {
	case len(v.result.Differences) > 0:
		v.result.Outcome = job.VerifyDifferent
	case len(v.result.Busy) > 0:
		v.result.Outcome = job.VerifyBusy
		v.result.Why = v.result.Busy[0].Text
	default:
		v.result.Outcome = job.VerifyEqual
	}
}

// report tells how far the table is.
func (v *verification) report(format string, args ...any) {
	if v.hooks.Report == nil {
		return
	}
	progress := job.Verifying{Table: v.in.Target.Name, Definition: v.doneOf, Of: v.result.Partitions}
	for _, p := range v.done {
		if len(progress.Done) < rememberedPartitions {
			progress.Done = append(progress.Done, p)
		}
	}
	v.hooks.Report(v.in.Target.Name+": "+fmt.Sprintf(format, args...), progress)
}

// rememberedPartitions bounds what a heartbeat carries.
const rememberedPartitions = 5000
