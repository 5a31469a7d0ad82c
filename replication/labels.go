package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"golang.org/x/sync/errgroup"
)

// SHOW TRANSACTION tells what became of all transactions of a job. Since April
// 2024 Doris answers it to administrators only (doris-sql.md 2.13). Any other
// account asks label by label: waitingTxnStatus answers at once for a label that
// is free, finished or aborted, and beginTxn names the transaction that has a
// label in use (doris-rpc.md 3.7, 3.10).

const (
	// labelWait is how long one question for a running transaction may take: the
	// server looks once a second, and would go on for half a minute.
	labelWait = 1500 * time.Millisecond
	// labelsAsked bounds the questions in flight.
	labelsAsked = 32
	// probeTimeout is when the destination aborts a transaction that was begun
	// only to see whether its label is free.
	probeTimeout = time.Minute
)

// transaction tells what became of a transaction. ErrNotExist: the destination
// does not know it, or has forgotten it.
func (j *Job) transaction(ctx context.Context, label string, id int64) (sqlclient.Transaction, error) {
	tx, err := j.destination.sql.TransactionByID(ctx, j.spec.Destination.Database, id)
	if !lacksPrivilege(err) {
		return tx, err
	}
	if err := j.destination.findMaster(ctx); err != nil {
		return tx, err
	}
	tx, used, err := j.holderOf(ctx, label)
	if err != nil || used && tx.ID == id {
		return tx, err
	}
	state, err := j.stateOf(ctx, fe.TxnQuestion{TxnID: id, Within: labelWait})
	return sqlclient.Transaction{ID: id, Label: label, Status: state.String()}, err
}

// stateOf asks the destination's master. ErrNotExist: it does not know the
// transaction.
func (j *Job) stateOf(ctx context.Context, q fe.TxnQuestion) (fe.TxnStatus, error) {
	q.DatabaseID = j.spec.Destination.DatabaseID
	state, err := j.destination.fe.WaitTxn(ctx, q)
	if errors.Is(err, fe.ErrTxnNotFound) {
		return state, fmt.Errorf("transaction %d: %w: %w", q.TxnID, sqlclient.ErrNotExist, err)
	}
	return state, err
}

// knows tells whether the destination remembers a transaction that is over.
func (j *Job) knows(ctx context.Context, id int64) (bool, error) {
	_, err := j.destination.sql.TransactionByID(ctx, j.spec.Destination.Database, id)
	if lacksPrivilege(err) {
		if err := j.destination.findMaster(ctx); err != nil {
			return false, err
		}
		_, err = j.stateOf(ctx, fe.TxnQuestion{TxnID: id}) // one that is being published takes its time
	}
	switch {
	case errors.Is(err, sqlclient.ErrNotExist):
		return false, nil
	case errors.Is(err, fe.ErrTxnPending):
		return true, nil
	}
	return err == nil, err
}

// byLabel finds the transaction that has a label. used is false for a label that
// is free: never used, its transaction aborted, or forgotten. Of an aborted one,
// which was a member of a group or has failed, only the state is known.
func (j *Job) byLabel(ctx context.Context, label string) (tx sqlclient.Transaction, used bool, err error) {
	state, err := j.stateOf(ctx, fe.TxnQuestion{Label: label, Within: labelWait})
	switch {
	case err == nil && state == fe.TxnUnknown:
		return tx, false, nil
	case err == nil && state == fe.TxnAborted:
		return sqlclient.Transaction{Label: label, Status: sqlclient.TxnAborted}, false, nil
	}
	var lost *fe.TransportError // no answer in time: it is running
	if err != nil && !errors.As(err, &lost) && !errors.Is(err, fe.ErrTxnPending) {
		return tx, false, fmt.Errorf("ask for label %s: %w", label, err)
	}
	tx, used, err = j.holderOf(ctx, label)
	if err == nil && !used && state == fe.TxnVisible {
		err = fmt.Errorf("label %s: %w", label, errForgetting)
	}
	return tx, used, err
}

// errForgetting: a label was known a moment ago.
var errForgetting = errors.New("the destination forgets it just now")

// holderOf finds the transaction that has a label by beginning another one with
// it. If that succeeds the label was free, and is free again.
func (j *Job) holderOf(ctx context.Context, label string) (tx sqlclient.Transaction, used bool, err error) {
	begun, err := j.destination.fe.BeginTxn(ctx, fe.BeginRequest{
		Database: j.spec.Destination.Database, Label: label, Timeout: probeTimeout, // and no request id: it would be given the other's transaction
	})
	var exists *fe.LabelExistsError
	switch {
	case errors.As(err, &exists):
		return holder(label, exists)
	case err != nil:
		return tx, false, fmt.Errorf("ask for label %s: %w", label, err)
	}
	if err := j.rollback(ctx, begun.ID, "it was only asked whether the label is free"); err != nil {
		return tx, false, err
	}
	return tx, false, nil
}

// holder is the transaction that a refusal of a label names.
func holder(label string, exists *fe.LabelExistsError) (tx sqlclient.Transaction, used bool, err error) {
	if exists.TxnID == 0 {
		return tx, true, fmt.Errorf("ask for label %s: the transaction is not named: %w: %w", label, fe.ErrIncomplete, exists)
	}
	tx = sqlclient.Transaction{ID: exists.TxnID, Label: label, Status: exists.TxnStatus}
	if tx.Status == "" {
		switch exists.JobStatus {
		case fe.JobFinished:
			tx.Status = sqlclient.TxnCommitted
		case fe.JobPrecommitted:
			tx.Status = sqlclient.TxnPrecommitted
		default:
			tx.Status = sqlclient.TxnPrepare
		}
	}
	return tx, true, nil
}

// byLabels finds the transactions that have one of the labels, or had it until
// they were aborted, in no order.
func (j *Job) byLabels(ctx context.Context, labels []string) ([]sqlclient.Transaction, error) {
	var mu sync.Mutex
	var list []sqlclient.Transaction
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(labelsAsked)
	for _, label := range labels {
		g.Go(func() error {
			tx, _, err := j.byLabel(ctx, label)
			if err == nil && tx.Label != "" {
				mu.Lock()
				defer mu.Unlock()
				list = append(list, tx)
			}
			return err
		})
	}
	return list, g.Wait()
}

// earlier lists the transactions that attempts before this one have left or
// committed: as far as this account may ask, all of them, else those beyond the
// position.
func (s *shift) earlier(ctx context.Context, position job.Position) ([]sqlclient.Transaction, error) {
	list, err := s.job.transactions(ctx, job.LabelPrefix(s.in.Spec.UID)+":")
	if !lacksPrivilege(err) {
		return list, err
	}
	s.byLabel = true
	if s.alone {
		return nil, nil // the shift before this one has told how far it came
	}
	labels, err := s.labelsAfter(ctx, position, firstUnheardEpoch(&s.in.Progress))
	if err != nil {
		return nil, err
	}
	return s.job.byLabels(ctx, labels)
}

// labelsAfter are the labels that attempts before this one may have used beyond
// the position, from an epoch on.
func (s *shift) labelsAfter(ctx context.Context, position job.Position, first int64) ([]string, error) {
	var labels []string
	err := s.unknownUpserts(ctx, position, func(u unknownUpsert) {
		labels = append(labels, s.job.labelsOf(&s.in.Progress, u.seq, first)...)
	})
	return labels, err
}

// anchor makes sure that the position names a transaction that the destination
// remembers: as long as it does, it has forgotten nothing that ended later. An
// account that may not list transactions, or not read how many are remembered, has
// no other way to know (mayHaveForgotten). Where the position has none, one is begun and rolled back; the
// position is recorded before and after.
func (s *shift) anchor(ctx context.Context) error {
	position, _ := s.tracker.now()
	if !s.byLabel && s.memory.told {
		return nil
	}
	if position.TxnID != 0 {
		if known, err := s.job.knows(ctx, position.TxnID); known || err != nil {
			return err
		}
	}
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	spec := &s.in.Spec
	label := job.TxnLabel(spec.UID, s.in.Progress.Epoch, spec.Source.DatabaseID, 0)
	begun, err := s.job.destination.fe.BeginTxn(ctx, fe.BeginRequest{
		Database: spec.Destination.Database, Label: label, RequestID: requestID(label), Timeout: probeTimeout,
	})
	if err != nil {
		return fmt.Errorf("begin transaction %s, which marks what the destination remembers: %w", label, err)
	}
	if err := s.job.rollback(ctx, begun.ID, "it only marks what the destination remembers"); err != nil {
		return err
	}
	position.TxnID = begun.ID
	s.tracker.reach(position)
	return s.checkpoint(ctx)
}
