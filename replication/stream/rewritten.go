package stream

import (
	"context"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// rewritten tells whether a schema change that the job knows nothing of has
// rewritten the table since the load: it began before a snapshot that did not
// tell of it, and ended before the load is applied. The load then names the index
// of before, which is gone, and the one that took its name and was its shadow
// (doris-binlogs.md 2.7). Its rows do not fit the destination's, which is still
// the one of before: a snapshot brings the table (3.8).
func (s *shift) rewritten(ctx context.Context, record binlog.TableRecord, source *tableMeta, gone dropped) (bool, error) {
	for _, old := range record.IndexIDs {
		seq, isGone := gone.indexes[old]
		if !isGone || !s.hasNewer(record, source, gone, old) {
			continue
		}
		if seq <= 0 {
			return true, nil // those servers tell of schema changes only (1.8)
		}
		by, err := s.job.schemaChange(ctx, seq)
		if err != nil {
			return false, err
		}
		for shadow, origin := range by {
			if origin == old && slices.Contains(record.IndexIDs, shadow) {
				return true, nil
			}
		}
	}
	return false, nil
}

// hasNewer tells whether the load names an index of the source that was made
// after old and that is not known as its shadow.
func (s *shift) hasNewer(record binlog.TableRecord, source *tableMeta, gone dropped, old int64) bool {
	return slices.ContainsFunc(record.IndexIDs, func(id int64) bool {
		_, isGone := gone.indexes[id]
		_, isShadow := s.in.Progress.ShadowIndexes[id]
		if id <= old || isGone || isShadow || len(source.Partitions) == 0 {
			return false
		}
		index := source.Partitions[0].IndexByID(id)
		return index != nil && !index.Shadow()
	})
}

// schemaChange reads which index took the place of which at a commit seq; nil if
// it was not a schema change that finished there.
func (j *Job) schemaChange(ctx context.Context, seq int64) (map[int64]int64, error) {
	rec, err := j.readAhead(ctx, seq)
	if err != nil || rec.Type != binlog.TypeAlterJob {
		return nil, err
	}
	alter, err := binlog.DecodeAlterJob(rec.Data)
	if err != nil || alter.State != binlog.StateFinished {
		return nil, nil
	}
	return alter.Origins(), nil
}
