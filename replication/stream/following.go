package stream

import (
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// following are the binlogs right behind one that ends the shift which may be applied in
// the same step: of those that have been read already, up to the first that is anything
// else. The next shift reads again what was left out.
func (s *shift) following(first *job.Binlog, rest []binlog.Record) (list []job.Binlog) {
	if !pair.Repeatable(first.Type) {
		return nil
	}
	created := map[int64]bool{}
	noteCreated(created, first.Type, first.Data)
	var together pair.Together
	together.Add(len(first.Data))
	for _, rec := range rest {
		if s.tracker.has(rec.CommitSeq) {
			continue
		}
		inner, ok := s.joins(rec, created)
		if !ok {
			return list
		}
		if inner.Type == binlog.TypeBarrier || inner.Type == binlog.TypeModifyPartitions {
			continue // it asks for nothing: the next shift passes over it
		}
		b := pair.Carried(inner, &s.in.Progress)
		if !together.Add(len(b.Data)) {
			return list
		}
		list = append(list, *b)
		noteCreated(created, inner.Type, inner.Data)
	}
	return list
}

// joins tells whether a binlog may be applied behind others in one step. One about a table
// that nobody knows waits for its turn: its CREATE_TABLE may be filed late.
func (s *shift) joins(rec binlog.Record, created map[int64]bool) (inner binlog.Record, ok bool) {
	if id := s.in.Spec.Source.DatabaseID; rec.DBID != 0 && id != 0 && rec.DBID != id {
		return rec, false
	}
	inner, err := rec.Unwrap()
	if err != nil {
		return rec, false
	}
	switch inner.Type {
	case binlog.TypeBarrier, binlog.TypeModifyPartitions:
		return inner, true
	}
	action, err := pair.ClassifyBinlog(inner, &s.in.Spec, &s.in.Progress)
	if err != nil || action != pair.ActionHandOver || !pair.Repeatable(inner.Type) {
		return inner, false
	}
	return inner, inner.Type == binlog.TypeCreateTable || s.knowsAll(inner.TableIDs, created)
}

// knowsAll tells whether the job has all tables, or will have when those are created.
func (s *shift) knowsAll(tables []int64, created map[int64]bool) bool {
	for _, id := range tables {
		_, known := s.in.Progress.Tables[id]
		if !known && !created[id] && (s.in.Spec.Type() != job.TableSync || id != s.in.Spec.Source.TableID) {
			return false
		}
	}
	return len(tables) > 0
}

// noteCreated notes the table that a binlog creates.
func noteCreated(created map[int64]bool, t binlog.Type, data string) {
	if t != binlog.TypeCreateTable {
		return
	}
	if create, err := binlog.DecodeCreateTable(data); err == nil {
		created[create.TableID] = true
	}
}
