package stream

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// listEarlier lists the transactions that attempts before this one have left or
// committed: as far as this account may ask, all of them, else those beyond the
// position.
func (s *shift) listEarlier(ctx context.Context, position job.Position) ([]sqlclient.Transaction, error) {
	list, err := s.job.Transactions(ctx, job.LabelPrefix(s.in.Spec.UID)+":")
	if !problem.LacksPrivilege(err) {
		return list, err
	}
	s.byLabel = true
	if s.noPredecessor {
		return nil, nil // the shift before this one has told how far it came
	}
	labels, err := s.labelsAfter(ctx, position, pair.FirstUnconfirmedEpoch(&s.in.Progress))
	if err != nil {
		return nil, err
	}
	return s.job.ByLabels(ctx, labels)
}

// labelsAfter are the labels that attempts before this one may have used beyond
// the position, from an epoch on.
func (s *shift) labelsAfter(ctx context.Context, position job.Position, first int64) ([]string, error) {
	var labels []string
	err := s.unconfirmedUpserts(ctx, position, func(u pair.UnconfirmedUpsert) {
		labels = append(labels, s.job.LabelsOf(&s.in.Progress, u.Seq, first)...)
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
	if !s.byLabel && s.memory.Known {
		return nil
	}
	if position.TxnID != 0 {
		if known, err := s.job.KnowsTransaction(ctx, position.TxnID); known || err != nil {
			return err
		}
	}
	if err := s.checkpoint(ctx); err != nil {
		return err
	}
	spec := &s.in.Spec
	label := job.TxnLabel(spec.UID, s.in.Progress.Epoch, spec.Source.DatabaseID, 0)
	begun, err := s.job.Destination.FE.BeginTxn(ctx, fe.BeginRequest{
		Database: spec.Destination.Database, Label: label, RequestID: pair.RequestID(label), Timeout: pair.ProbeTimeout,
	})
	if err != nil {
		return fmt.Errorf("begin transaction %s, which marks what the destination remembers: %w", label, err)
	}
	if err := s.job.Rollback(ctx, begun.ID, "it only marks what the destination remembers"); err != nil {
		return err
	}
	position.TxnID = begun.ID
	s.tracker.reach(position)
	return s.checkpoint(ctx)
}
