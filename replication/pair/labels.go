package pair

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/problem"
)

// SHOW TRANSACTION tells what became of all transactions of a job. Since April
// 2024 Doris answers it to administrators only (doris-sql.md 2.13). Any other
// account asks label by label: waitingTxnStatus answers at once for a label that
// is free, finished or aborted, and beginTxn names the transaction that has a
// label in use (doris-rpc.md 3.7, 3.10).

const (
	// LabelWait is how long one question for a running transaction may take: the
	// server looks once a second, and would go on for half a minute.
	LabelWait = 1500 * time.Millisecond
	// labelsAsked bounds the questions in flight.
	labelsAsked = 32
	// ProbeTimeout is when the destination aborts a transaction that was begun
	// only to see whether its label is free.
	ProbeTimeout = time.Minute
)

// Transaction tells what became of a transaction. ErrNotExist: the destination
// does not know it, or has forgotten it.
func (j *Job) Transaction(ctx context.Context, label string, id int64) (sqlclient.Transaction, error) {
	tx, err := j.Destination.SQL.TransactionByID(ctx, j.Spec.Destination.Database, id)
	if !problem.LacksPrivilege(err) {
		return tx, err
	}
	if err := j.Destination.FindMaster(ctx); err != nil {
		return tx, err
	}
	tx, used, err := j.holderOf(ctx, label)
	if err != nil || used && tx.ID == id {
		return tx, err
	}
	state, err := j.stateOf(ctx, fe.TxnQuestion{TxnID: id, Within: LabelWait})
	return sqlclient.Transaction{ID: id, Label: label, Status: state.String()}, err
}

// stateOf asks the destination's master. ErrNotExist: it does not know the
// transaction.
func (j *Job) stateOf(ctx context.Context, q fe.TxnQuestion) (fe.TxnStatus, error) {
	q.DatabaseID = j.Spec.Destination.DatabaseID
	state, err := j.Destination.FE.WaitTxn(ctx, q)
	if errors.Is(err, fe.ErrTxnNotFound) {
		return state, fmt.Errorf("transaction %d: %w: %w", q.TxnID, sqlclient.ErrNotExist, err)
	}
	return state, err
}

// KnowsTransaction tells whether the destination remembers a transaction that is over.
func (j *Job) KnowsTransaction(ctx context.Context, id int64) (bool, error) {
	_, err := j.Destination.SQL.TransactionByID(ctx, j.Spec.Destination.Database, id)
	if problem.LacksPrivilege(err) {
		if err := j.Destination.FindMaster(ctx); err != nil {
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

// ByLabel finds the transaction that has a label. used is false for a label that
// is free: never used, its transaction aborted, or forgotten. Of an aborted one,
// which was a member of a group or has failed, only the state is known.
func (j *Job) byLabel(ctx context.Context, label string) (tx sqlclient.Transaction, used bool, err error) {
	state, err := j.stateOf(ctx, fe.TxnQuestion{Label: label, Within: LabelWait})
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
	begun, err := j.Destination.FE.BeginTxn(ctx, fe.BeginRequest{
		Database: j.Spec.Destination.Database, Label: label, Timeout: ProbeTimeout, // and no request id: it would be given the other's transaction
	})
	var exists *fe.LabelExistsError
	switch {
	case errors.As(err, &exists):
		return holder(label, exists)
	case err != nil:
		return tx, false, fmt.Errorf("ask for label %s: %w", label, err)
	}
	if err := j.Rollback(ctx, begun.ID, "it was only asked whether the label is free"); err != nil {
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

// ByLabels finds the transactions that have one of the labels, or had it until
// they were aborted, in no order.
func (j *Job) ByLabels(ctx context.Context, labels []string) ([]sqlclient.Transaction, error) {
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
