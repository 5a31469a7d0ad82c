package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// txn applies one UPSERT, or a group of them (group.go), as one destination
// transaction. Its label has no random part, so that whoever tries again, in
// whatever process, meets the same transaction (architecture.md 4.1).
type txn struct {
	s     *shift
	parts []*part // by commit seq; the label is that of the last
	after []*txn  // to commit before this one
	// awaits: its commit waits until the rows are visible, for a table that does not
	// bear many versions under way (group.go).
	awaits bool

	// done is closed when the next one may commit; err is set before.
	done     chan struct{}
	released bool // only run's goroutine looks
	err      error

	// What earlier tries have reached.
	fresh  time.Time // metadata must be younger than this
	plan   *plan
	misfit int // the part that could not be planned, 0 if none or the first
	begun  *fe.Txn
	opened time.Time  // when it was begun
	dirty  bool       // something may have been ingested into it
	filled *commitSet // all of it has been
	served servings
	// sent is when a commit was sent that nobody knows the outcome of.
	sent time.Time
}

// errOvertaken: a transaction that had to come first has failed.
var errOvertaken = errors.New("an earlier transaction has failed")

func newTxn(s *shift, parts []*part) *txn {
	return &txn{s: s, parts: parts, done: make(chan struct{})}
}

func newPart(s *shift, rec binlog.Record, u *binlog.Upsert, records map[int64]binlog.TableRecord, fetched time.Time) *part {
	spec := &s.in.Spec
	label := job.TxnLabel(spec.UID, s.in.Progress.Epoch, spec.Source.DatabaseID, rec.CommitSeq)
	if spec.ReuseBinlogLabel && u.Label != "" {
		label = u.Label
	}
	e := &entry{seq: rec.CommitSeq, tables: tablesIn(u), timestamp: rec.Timestamp, upsert: true, partition: newestPartition(u)}
	return &part{entry: e, upsert: u, records: records, fetched: fetched, label: label}
}

// last is the UPSERT whose label the transaction has.
func (t *txn) last() *part { return t.parts[len(t.parts)-1] }

// run tries until the UPSERT is applied, the retry budget is used up, or an
// error does not go away by trying again.
func (t *txn) run(ctx context.Context) {
	defer t.release()
	retry := pair.Backoff{Budget: t.s.job.Options.RetryBudget}
	for {
		id, err := t.try(ctx)
		if err == nil {
			t.finish(id, retry.Tries > 0)
			return
		}
		if errors.Is(err, errOvertaken) || errors.Is(err, errSuperseded) || ctx.Err() != nil {
			t.giveUp(err)
			return
		}
		t.s.faltered.Store(true)
		err = fmt.Errorf("apply %s: %w", t, err)
		if first, rest, ok := t.divide(err); ok {
			t.runBoth(ctx, first, rest)
			return
		}
		var want *problem.WantSnapshot
		_, retryable := problem.Classify(err)
		if !errors.As(err, &want) {
			t.s.reportProblem(err, t.first(), binlog.TypeUpsert)
		}
		t.fresh = time.Now()
		if errors.As(err, &want) || !retryable || !retry.Failed(t.s.stop) {
			if want == nil && t.s.stop.Err() != nil {
				t.giveUp(err) // no time left to try again: not a verdict
				return
			}
			t.s.fail(t.first(), err)
			t.giveUp(err)
			return
		}
	}
}

// release lets the next transaction commit: commits one after the other are
// what bounds the throughput of the global order, so it comes before the books.
func (t *txn) release() {
	if !t.released {
		t.released = true
		close(t.done)
	}
}

// String names the transaction for people.
func (t *txn) String() string {
	if len(t.parts) > 1 {
		return fmt.Sprintf("%d UPSERTs at commit seqs %d to %d", len(t.parts), t.first(), t.last().entry.seq)
	}
	return fmt.Sprintf("UPSERT at commit seq %d", t.first())
}

// first is the commit seq of the first UPSERT.
func (t *txn) first() int64 { return t.parts[0].entry.seq }

func (t *txn) finish(id int64, afterTrouble bool) {
	m, name := t.s.job.Options.Metrics, t.s.job.Spec.Name
	for _, p := range t.parts {
		t.s.tracker.finish(p.entry, id)
		m.Handled(name, p.fetched)
	}
	if afterTrouble {
		t.s.clearProblem(t.first())
	}
	t.concludeClaims()
	t.after, t.plan, t.parts = nil, nil, nil // successors hold on to t
}

// giveUp ends without success: what has been begun is rolled back, unless
// another attempt owns it now.
func (t *txn) giveUp(err error) {
	t.err = err
	defer func() {
		if !t.sent.IsZero() {
			t.s.noteUnconfirmed(t.sent)
		}
	}()
	if t.s.superseded.Load() {
		return
	}
	defer t.abandonClaims()
	if t.begun == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.s.work), rollbackTimeout)
	defer cancel()
	err = t.s.job.Abort(ctx, t.begun.ID, "replication stops here for now")
	switch {
	case err == nil:
		t.sent = time.Time{}
	case errors.Is(err, problem.ErrStuck):
		t.s.noteStuck(t.begun.ID, err)
	case !pair.IsOver(err):
		t.s.log.Warn("rollback failed; the next attempt will do it", "label", t.last().label, "txn", t.begun.ID, "error", err)
	}
}

// rollbackTimeout bounds a rollback on the way out.
const rollbackTimeout = 5 * time.Second

// try makes one attempt, going on from what earlier ones have reached. It
// returns the transaction that holds the rows, 0 if there is nothing to apply.
// Even then it waits for its predecessors: its successors rely on that.
func (t *txn) try(ctx context.Context) (int64, error) {
	p, err := t.planAll(ctx)
	if err != nil {
		return 0, err
	}
	if p.subs > 0 && t.s.job.Destination.LacksSubTxns() {
		return 0, errNoSubTxns
	}
	if t.begun != nil {
		if reason := t.spoiled(p); reason != "" {
			if err := t.restart(ctx, reason); err != nil {
				return 0, err
			}
		}
	}
	t.plan = p
	if p.empty() {
		return 0, t.awaitTurn(ctx)
	}
	var claim errgroup.Group // of the other labels, beside the ingest
	claim.Go(func() error { return t.claimLabels(ctx) })
	id, commits, err := t.fill(ctx)
	claimed := claim.Wait()
	var wrong *problem.Mismatch
	if errors.As(err, &wrong) {
		err = t.s.wantPartial(ctx, wrong)
	}
	if err != nil {
		return 0, err
	}
	if commits == nil {
		return id, t.awaitTurn(ctx)
	}
	if claimed != nil {
		return 0, claimed
	}
	request := t.commitRequest(commits) // so that nothing is left to do when the turn comes
	if err := t.awaitTurn(ctx); err != nil {
		return 0, err
	}
	t.hold(ctx)
	if t.tooOld(time.Now()) {
		return 0, errTooOld
	}
	if err := t.s.mayCommit(ctx); err != nil {
		return 0, err
	}
	return t.commit(ctx, request)
}

// spoiled says why the transaction that is open cannot be used for the plan. A
// replica's share is ingested once: a backend that does it twice, or that still
// does it for a call that was given up, damages merge-on-write tables
// (doris-rpc.md 4.1). So after a failure nothing more goes into a transaction.
func (t *txn) spoiled(p *plan) string {
	switch {
	case p.empty() || !slices.Equal(p.destinations(), t.plan.destinations()) || !slices.Equal(p.subDestinations(), t.plan.subDestinations()):
		return "the tables concerned have changed"
	case t.dirty && t.filled == nil:
		return "an ingest has failed, or its outcome is unknown"
	}
	return ""
}

// fill begins the transaction and puts the rows into it. No commits means that
// the rows are there already, by transaction id.
func (t *txn) fill(ctx context.Context) (id int64, commits *commitSet, err error) {
	id, applied, err := t.begin(ctx)
	if err != nil || applied {
		return id, nil, err
	}
	if t.filled == nil {
		t.dirty = true
		t.filled, err = t.ingest(ctx)
		if err == nil {
			t.s.size.filled(len(t.parts), time.Since(t.opened))
		}
	}
	return 0, t.filled, err
}

// awaitTurn waits until everything that has to be committed first is.
func (t *txn) awaitTurn(ctx context.Context) error {
	for _, earlier := range t.after {
		select {
		case <-earlier.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if earlier.err != nil {
			return errOvertaken
		}
	}
	return nil
}

// begin opens the transaction. One that is open already, of whichever attempt, is
// rolled back: it may hold rows. applied tells that the rows are there already, by
// transaction id.
func (t *txn) begin(ctx context.Context) (id int64, applied bool, err error) {
	if t.begun != nil {
		return 0, false, nil
	}
	dst := &t.s.in.Spec.Destination
	label, subs := t.last().label, t.subTxns()
	got, err := t.s.job.Destination.FE.BeginTxn(ctx, fe.BeginRequest{
		Database:  dst.Database,
		TableIDs:  t.plan.destinations(),
		Label:     label,
		RequestID: pair.RequestID(label),
		Timeout:   t.s.job.abandonedAfter(),
		SubTxnNum: int64(subs),
	})
	var exists *fe.LabelExistsError
	switch {
	case errors.As(err, &exists):
		return t.meet(ctx, exists)
	case err != nil:
		return 0, false, fmt.Errorf("begin transaction %s: %w", label, err)
	}
	if got.Existing {
		if err := t.s.clear(ctx, got.ID); err != nil {
			return 0, false, err
		}
		return 0, false, errAgain
	}
	t.begun, t.opened, t.dirty, t.filled = &got, time.Now(), false, nil
	t.sent = time.Time{} // the label was free: nothing of before is applied
	if len(got.SubIDs) != subs {
		return 0, false, t.lacksSubTxns(subs)
	}
	return 0, false, nil
}

// subTxns is how many sub-transactions the transaction needs.
func (t *txn) subTxns() int { return max(t.plan.subs, len(t.last().upsert.SubTxnIDs)) }

// lacksSubTxns notes that the destination has given out other than the
// sub-transactions that were asked for: servers before 3.0 give out none
// (doris-rpc.md 3.7). UPSERTs that share a transaction can do without.
func (t *txn) lacksSubTxns(asked int) error {
	err := fmt.Errorf("begin transaction %s: %d sub-transactions asked for, %d given", t.last().label, asked, len(t.begun.SubIDs))
	if t.plan.subs > 0 {
		t.s.job.Destination.NoteLacksSubTxns()
		return errors.Join(errNoSubTxns, err)
	}
	return problem.WithRemedy(err, "the destination must support transactional inserts (3.0 or later); or job_skip_binlog with skip_by fullsync brings what they did")
}

// clear rolls a transaction back that has one of our labels. An earlier attempt
// left it, or a living one is working on it: only whoever may still report is
// allowed to go on (architecture.md 4.5).
func (s *shift) clear(ctx context.Context, id int64) error {
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	return s.job.Rollback(ctx, id, "left by an earlier attempt")
}

// errAgain asks for another try.
var errAgain = errors.New("the transaction has to begin again")

// abandonedAfter is when the destination itself aborts a transaction that
// nobody commits: later than an ingest takes, and not much, for one whose table
// is dropped cannot be ended in another way (doris-rpc.md 3.9).
func (j *Job) abandonedAfter() time.Duration { return j.Options.IngestTimeout + 5*time.Minute }

// meet handles a label in use by a transaction that is not ours to continue.
func (t *txn) meet(ctx context.Context, exists *fe.LabelExistsError) (id int64, applied bool, err error) {
	if exists.JobStatus == fe.JobFinished {
		if t.s.in.Spec.ReuseBinlogLabel && t.last().entry.seq > t.s.maxMaybeApplied && t.sent.IsZero() {
			return 0, false, t.collision(exists, "has been used by another load")
		}
		if exists.TxnID != 0 {
			return exists.TxnID, true, nil
		}
		p, _ := t.s.tracker.now()
		return p.TxnID, true, nil
	}
	if t.s.in.Spec.ReuseBinlogLabel {
		if err := t.s.checkpoint(ctx); err != nil {
			return 0, false, err
		}
		return 0, false, t.collision(exists, "is in use by a running load")
	}
	if err := t.s.clear(ctx, exists.TxnID); err != nil {
		return 0, false, err
	}
	return 0, false, errAgain
}

// collision: with reuse_binlog_label somebody else's load may have the label.
// Taking it for ours would lose the rows. It is ours only if an earlier attempt
// can have come so far (findMaxMaybeApplied): in global order none has come beyond the
// position of a shift that ended normally.
func (t *txn) collision(exists *fe.LabelExistsError, how string) error {
	return problem.WithRemedy(fmt.Errorf("label %s of the source %s of the destination (transaction %d): %w", t.last().label, how, exists.TxnID, exists),
		"wait until the destination has forgotten or aborted that load, or bring the tables with job_skip_binlog, skip_by partialsync; the job uses the source's labels because of reuse_binlog_label")
}

// restart rolls the transaction back so that the next begin opens a new one.
// A transaction that turns out to be applied is left: begin will tell.
func (t *txn) restart(ctx context.Context, reason string) error {
	err := t.s.job.Rollback(ctx, t.begun.ID, reason)
	if err == nil {
		t.begun = nil
	}
	return err
}
