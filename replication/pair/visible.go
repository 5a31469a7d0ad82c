package pair

import (
	"context"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// AwaitVisible waits until everything this job has committed can be read: the
// fence before anything but an UPSERT (architecture.md 4.3).
func (j *Job) AwaitVisible(ctx context.Context, rec binlog.Record, p *job.Progress) error {
	// A follower may not know yet that they are committed.
	if err := j.Destination.FindMaster(ctx); err != nil {
		return fmt.Errorf("wait until earlier transactions are visible: %w", err)
	}
	for delay := FirstDelay / 4; ; delay = min(2*delay, MaxDelay/4) {
		pending, err := j.unpublished(ctx, p.Position.TxnID)
		if problem.LacksPrivilege(err) {
			pending, err = j.unpublishedFor(ctx, rec, p)
		}
		if err != nil {
			return fmt.Errorf("wait until earlier transactions are visible: %w", err)
		}
		if pending == "" {
			return nil
		}
		if !Sleep(ctx, delay) {
			return fmt.Errorf("wait until %s is visible: %w", pending, ctx.Err())
		}
	}
}

// unpublished names a committed transaction that is not visible yet, "" if there
// is none.
func (j *Job) unpublished(ctx context.Context, last int64) (string, error) {
	if j.Spec.ReuseBinlogLabel {
		if last == 0 {
			return "", nil
		}
		tx, err := j.Destination.SQL.TransactionByID(ctx, j.Spec.Destination.Database, last)
		if errors.Is(err, sqlclient.ErrNotExist) || err == nil && tx.Status != sqlclient.TxnCommitted {
			return "", nil
		}
		return fmt.Sprintf("transaction %d", last), err
	}
	list, err := j.Destination.SQL.CommittedTransactions(ctx, j.Spec.Destination.Database, job.LabelPrefix(j.Spec.UID)+":")
	if errors.Is(err, sqlclient.ErrNotExist) { // the database: what is to be done tells
		return "", nil
	}
	if err != nil || len(list) == 0 {
		return "", err
	}
	return fmt.Sprintf("transaction %d", list[0].ID), nil
}

// unpublishedFor is unpublished for an account that may not list transactions: it
// looks at the last one, and whether the tables that the binlog is about show all
// that was committed to them. Those that a new partition or a new table joins need
// not.
func (j *Job) unpublishedFor(ctx context.Context, rec binlog.Record, p *job.Progress) (string, error) {
	if last := p.Position.TxnID; last != 0 {
		state, err := j.stateOf(ctx, fe.TxnQuestion{TxnID: last})
		switch {
		case errors.Is(err, fe.ErrTxnPending), err == nil && state == fe.TxnCommitted:
			return fmt.Sprintf("transaction %d", last), nil
		case err != nil && !errors.Is(err, sqlclient.ErrNotExist):
			return "", err
		}
	}
	if rec.Type == binlog.TypeAddPartition || rec.Type == binlog.TypeCreateTable {
		return "", nil
	}
	for _, id := range rec.TableIDs {
		t, mapped := p.Tables[id]
		if !mapped || t.View || t.External {
			continue
		}
		table := j.DestinationName(t.Name)
		pending, err := j.Destination.SQL.Unpublished(ctx, j.Spec.Destination.Database, table)
		var refused *sqlclient.Error
		switch {
		case errors.As(err, &refused) && !errors.Is(err, sqlclient.ErrAccessDenied):
			continue // it is gone, or none that is loaded: what is to be done will tell
		case err != nil:
			return "", err
		case pending != "":
			return fmt.Sprintf("what was committed to partition %s of %s", pending, table), nil
		}
	}
	return "", nil
}
