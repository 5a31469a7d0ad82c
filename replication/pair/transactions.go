package pair

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Rollback rolls a destination transaction back. It is content when the
// transaction is over, in whichever way.
func (j *Job) Rollback(ctx context.Context, id int64, reason string) error {
	err := j.Abort(ctx, id, reason)
	if IsOver(err) {
		return nil
	}
	return err
}

// IsOver tells whether a transaction could not be rolled back because it is over.
func IsOver(err error) bool {
	return errors.Is(err, fe.ErrTxnNotFound) || errors.Is(err, fe.ErrTxnCommitted) || errors.Is(err, fe.ErrTxnVisible)
}

// Abort rolls a destination transaction back and is content only if it is
// aborted now: one that has been committed meanwhile is an error, and so is one
// that is not found, for that may mean visible (architecture.md 4.1).
func (j *Job) Abort(ctx context.Context, id int64, reason string) error {
	dst := &j.Spec.Destination
	err := j.Destination.FE.RollbackTxn(ctx, fe.RollbackRequest{Database: dst.Database, DatabaseID: dst.DatabaseID, TxnID: id, Reason: reason})
	switch {
	case err == nil || errors.Is(err, fe.ErrTxnAborted):
		return nil
	case errors.Is(err, fe.ErrTableNotFound):
		return fmt.Errorf("roll back transaction %d: %w: %w", id, problem.ErrStuck, err)
	}
	return fmt.Errorf("roll back transaction %d: %w", id, err)
}

// ContainsTransaction tells whether a transaction is in the list; 0 is in none.
func ContainsTransaction(list []sqlclient.Transaction, id int64) bool {
	return id != 0 && slices.ContainsFunc(list, func(tx sqlclient.Transaction) bool { return tx.ID == id })
}

// Transactions lists the destination's transactions whose labels begin with
// prefix.
func (j *Job) Transactions(ctx context.Context, prefix string) ([]sqlclient.Transaction, error) {
	list, err := j.Destination.SQL.Transactions(ctx, j.Spec.Destination.Database, prefix)
	if errors.Is(err, sqlclient.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

// Label is a transaction label taken apart; see job.TxnLabel.
type Label struct {
	UID            string
	Epoch, DB, Seq int64
}

// ParseLabel takes a label apart; false: it is none of ours.
func ParseLabel(text string) (Label, bool) {
	rest, ok := strings.CutPrefix(text, job.LabelPrefix(""))
	if !ok {
		return Label{}, false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 4 {
		return Label{}, false
	}
	l := Label{UID: parts[0]}
	for i, to := range []*int64{&l.Epoch, &l.DB, &l.Seq} {
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil {
			return Label{}, false
		}
		*to = n
	}
	return l, true
}

// RequestID is derived from the label alone: every attempt sends the same.
func RequestID(label string) fe.UniqueID {
	sum := sha256.Sum256([]byte(label))
	return fe.UniqueID{Hi: int64(binary.BigEndian.Uint64(sum[:8])), Lo: int64(binary.BigEndian.Uint64(sum[8:16]))}
}
