package sql

import (
	"context"
	"fmt"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
)

// openTxn collects what the statements between BEGIN and COMMIT write. They
// become one transaction, with a sub-transaction for each statement
// (doris-binlogs.md 3.1). Nothing of it is visible before COMMIT, to nobody.
type openTxn struct {
	label string
	parts []writeRequest
}

// begin is BEGIN and START TRANSACTION, WITH LABEL or without.
func (s *session) begin(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	_ = c.keyword("TRANSACTION") || c.keyword("WORK")
	label := newTxnLabel()
	if c.keyword("WITH", "LABEL") {
		var err error
		if label, err = c.ident(); err != nil {
			return nil, err
		}
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if s.txn != nil {
		return nil, core.Errorf("Nested transaction is not supported, label: %s", s.txn.label)
	}
	s.txn = &openTxn{label: label}
	return &sqltypes.Result{Info: fmt.Sprintf("{'label':'%s', 'status':'%s', 'txnId':''}", label, core.TxnPrepare)}, nil
}

func newTxnLabel() string { return "txn_insert_" + newLabel()[len("label_"):] }

// add checks a statement's rows now, so that its error is its own, and keeps
// them.
func (x *openTxn) add(ctx context.Context, s *session, w writeRequest) (*sqltypes.Result, error) {
	if len(x.parts) > 0 && x.parts[0].batch.DB != w.batch.DB {
		return nil, core.Errorf("Transaction insert must be in the same database, expect db_id=%d", x.parts[0].batch.DB)
	}
	if s.server.core.Version() == core.Version21 { // sub-transactions came with 3.0
		switch {
		case !w.values:
			return nil, core.Errorf("This is in a transaction, only insert, commit, rollback is acceptable.")
		case len(x.parts) > 0 && x.parts[0].batch.Table != w.batch.Table:
			return nil, core.Errorf("Only one table can be inserted in one transaction.")
		}
	}
	if len(w.batch.Rows) > 0 || w.batch.Predicate != nil {
		if _, err := s.server.loader.Route(ctx, &w.batch); err != nil {
			return nil, err
		}
		x.parts = append(x.parts, w)
	}
	return &sqltypes.Result{
		RowsAffected: uint64(len(w.batch.Rows)),
		Info:         fmt.Sprintf("{'label':'%s', 'status':'%s', 'txnId':''}", x.label, core.TxnPrepare),
	}, nil
}

// commit is COMMIT; without BEGIN it does nothing.
func (s *session) commit(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	c.keyword("WORK")
	if err := c.finish(); err != nil {
		return nil, err
	}
	txn := s.txn
	s.txn = nil
	if txn == nil || len(txn.parts) == 0 {
		return done(), nil
	}
	if err := s.mayWrite(); err != nil {
		return nil, err
	}
	batches := txn.batches()
	out, err := s.server.loader.Load(ctx, s.loadOptions(txn.label), batches...)
	if err != nil {
		return nil, err
	}
	return loaded(out, 0), nil
}

// batches are the statements in order. INSERT VALUES into one and the same table
// are one batch, as Doris streams them into one plain transaction.
func (x *openTxn) batches() []load.Batch {
	merged := x.parts[0].batch
	same := true
	for _, p := range x.parts {
		same = same && p.values && p.batch.Table == merged.Table && !p.batch.Partial && p.batch.DeleteRows == nil && p.batch.Partitions == nil
	}
	if same {
		merged.Rows = nil
		for _, p := range x.parts {
			merged.Rows = append(merged.Rows, p.batch.Rows...)
		}
		return []load.Batch{merged}
	}
	list := make([]load.Batch, len(x.parts))
	for i, p := range x.parts {
		list[i] = p.batch
	}
	return list
}

// rollback is ROLLBACK.
func (s *session) rollback(_ context.Context, c *cursor) (*sqltypes.Result, error) {
	c.keyword("WORK")
	if err := c.finish(); err != nil {
		return nil, err
	}
	s.txn = nil
	return done(), nil
}
