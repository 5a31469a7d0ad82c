package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// planAll translates the UPSERTs of a transaction to the destination. misfit says
// which could not be.
func (t *txn) planAll(ctx context.Context) (*plan, error) {
	plans := make([]*plan, 0, len(t.parts))
	for i, p := range t.parts {
		got, err := t.s.planFor(ctx, p.records, t.fresh)
		if err != nil {
			t.misfit = i
			return nil, err
		}
		p.plan = got
		plans = append(plans, got)
	}
	t.misfit = 0
	if len(plans) == 1 {
		return plans[0], nil
	}
	return together(plans), nil
}

// planFor translates records to the destination with metadata younger than
// fresh. A mismatch is checked against metadata of this moment before it is
// believed, and one that a binlog may explain is given the time in which that is
// filed; then the table needs a snapshot, unless it is about rollups that the
// source has dropped since.
func (s *shift) planFor(ctx context.Context, records map[int64]binlog.TableRecord, fresh time.Time) (*plan, error) {
	asked := time.Now()
	p, err := s.planOnce(ctx, records, fresh)
	var wrong *problem.Mismatch
	if !errors.As(err, &wrong) {
		return p, err
	}
	p, err = s.planOnce(ctx, records, asked)
	for tried := time.Now(); errors.As(err, &wrong) && wrong.Untold && time.Since(asked) < s.job.Options.SettleTime; tried = time.Now() {
		if !pair.Sleep(ctx, s.job.Options.SettleTime/10) {
			return nil, context.Cause(ctx)
		}
		p, err = s.planOnce(ctx, records, tried)
	}
	if errors.As(err, &wrong) {
		return s.fitAgain(ctx, records, wrong)
	}
	return p, err
}

func (s *shift) planOnce(ctx context.Context, records map[int64]binlog.TableRecord, fresh time.Time) (*plan, error) {
	ids := slices.Sorted(maps.Keys(records))
	sources, gone, err := s.source.get(ctx, ids, fresh)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	for _, id := range ids {
		from := sources[id]
		if from.Table == nil {
			if _, isGone := gone.tables[id]; isGone {
				continue
			}
			return nil, &problem.Mismatch{Table: id, Untold: true, Text: fmt.Sprintf("source table %s does not exist and is not known as dropped", s.nameOf(id))}
		}
		if from.AsyncView() {
			continue
		}
		destination := s.destinationOf(id)
		if s.excludes(id, from.Name, destination != 0) {
			continue
		}
		if s.in.Progress.Tables[id].Unconfirmed {
			return nil, &problem.Mismatch{Table: id, Text: fmt.Sprintf("it is unknown which loads of table %s (id %d) the destination has", from.Name, id)}
		}
		if destination == 0 {
			return nil, &problem.Mismatch{Table: id, Text: fmt.Sprintf("not found dest mapping table id for source table %s (id %d)", from.Name, id)}
		}
		found, _, err := s.destination.get(ctx, []int64{destination}, fresh)
		if err != nil {
			return nil, err
		}
		to := found[destination]
		if to.Table == nil {
			return nil, &problem.Mismatch{Table: id, Text: fmt.Sprintf("the destination of table %s (id %d) does not exist any more", from.Name, destination)}
		}
		if rewritten, err := s.rewritten(ctx, records[id], from, gone); err != nil || rewritten {
			if err == nil {
				err = &problem.Mismatch{Table: id, Text: fmt.Sprintf("a schema change of table %s (id %d) has finished on the source after this load", from.Name, id)}
			}
			return nil, err
		}
		pieces, err := mapRecord(records[id], from, to, gone, s.in.Progress.ShadowIndexes)
		if err != nil {
			return nil, err
		}
		if len(pieces) > 0 {
			p.tables = append(p.tables, tablePlan{source: id, destination: destination, pieces: pieces})
		}
	}
	return p, nil
}

// destinationOf is the destination table of a source table, 0 if unknown.
// Names are never used to guess it (doris-binlogs.md 3.7).
func (s *shift) destinationOf(id int64) int64 {
	if t, known := s.in.Progress.Tables[id]; known {
		return t.DestID
	}
	if s.in.Spec.Type() == job.TableSync && id == s.in.Spec.Source.TableID {
		return s.in.Spec.Destination.TableID
	}
	return 0
}

func (s *shift) nameOf(id int64) string {
	if t, known := s.in.Progress.Tables[id]; known {
		return fmt.Sprintf("%s (id %d)", t.Name, id)
	}
	return fmt.Sprintf("with id %d", id)
}

// wantVanished deals with a table that the source does not have and does not report
// as dropped. An answer that lacks it is no fact. But where the source has stopped
// recording later in the log it may have been dropped then: the workflow finds out
// (tableGone), the log is followed up to the gap, and closing the gap compares what
// is there.
func (s *shift) wantVanished(ctx context.Context, wrong *problem.Mismatch) error {
	vanished := problem.MetaErrorf("%s", wrong.Text)
	known, mapped := s.in.Progress.Tables[wrong.Table]
	if !mapped || s.in.Spec.Type() != job.DatabaseSync {
		return vanished
	}
	position, _ := s.tracker.now()
	if ahead, err := s.job.GapAhead(ctx, position.CommitSeq, &s.in.Progress); err != nil || !ahead {
		return errors.Join(vanished, err)
	}
	return &problem.WantSnapshot{Wanted: job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: wrong.Table, Table: known.Name, Replace: true},
		Reason:  wrong.Text + ", and the source has not recorded everything since",
	}}
}

// wantPartial asks for a snapshot of the one table that does not fit. If the
// source does not have that table either, a snapshot would not help.
func (s *shift) wantPartial(ctx context.Context, wrong *problem.Mismatch) error {
	found, _, err := s.source.get(ctx, []int64{wrong.Table}, time.Time{})
	if err != nil {
		return err
	}
	table := found[wrong.Table]
	switch {
	case table.Table == nil:
		return s.wantVanished(ctx, wrong)
	case s.job.Excludes(table.Name):
		// It has got a name that is left out; the binlog that says so comes later.
		s.exclude(wrong.Table)
		return errAgain
	}
	return &problem.WantSnapshot{Wanted: job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: table.ID, Table: table.Name, Replace: true},
		Reason:  wrong.Text,
	}}
}
