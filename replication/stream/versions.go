package stream

import (
	"context"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// Each transaction raises the version of a partition by one, and nothing else
// does but a RESTORE on the source or an administrator, which leave no binlog
// either. So a version that no binlog was met for is a load that the destination
// does not have (doris-binlogs.md 1.2). This is the second net below readAgain.

// versions remembers the last version of each source partition that was met. Only
// the loop of a shift uses it.
type versions struct {
	met  map[int64]int64
	gaps []versionGap
}

// versionGap is where versions of a partition are missing.
type versionGap struct {
	seq, table, partition int64 // of the binlog after it
	after, before         int64 // the versions that were met
}

func (g versionGap) String() string {
	return fmt.Sprintf("no binlog was met for the versions between %d and %d of its partition %d, the latter of which is that of commit seq %d",
		g.after, g.before, g.partition, g.seq)
}

// meet notes the versions of an UPSERT.
func (v *versions) meet(seq int64, u *binlog.Upsert) {
	if v.met == nil {
		v.met = map[int64]int64{}
	}
	for table, record := range u.TableRecords {
		least := map[int64]int64{}
		for _, part := range record.PartitionRecords {
			if first, more := least[part.PartitionID]; !more || part.Version < first {
				least[part.PartitionID] = part.Version
			}
		}
		for id, first := range least {
			if last, known := v.met[id]; known && first > last+1 {
				v.gaps = append(v.gaps, versionGap{seq: seq, table: table, partition: id, after: last, before: first})
			}
		}
		for _, part := range record.PartitionRecords {
			v.met[part.PartitionID] = max(v.met[part.PartitionID], part.Version)
		}
	}
}

// gap takes out a gap of a binlog up to a commit seq.
func (v *versions) gap(upTo int64) (versionGap, bool) {
	at := slices.IndexFunc(v.gaps, func(g versionGap) bool { return g.seq <= upTo })
	if at < 0 {
		return versionGap{}, false
	}
	g := v.gaps[at]
	v.gaps = slices.Delete(v.gaps, at, at+1)
	return g, true
}

// snapshotUnmet orders the snapshot of a table of which a load was not met, now that
// the log has been read again up to a commit seq.
func (s *shift) snapshotUnmet(ctx context.Context, upTo int64) *ending {
	for {
		g, found := s.versions.gap(upTo)
		if !found {
			return nil
		}
		if known := s.in.Progress.Tables[g.table]; known.DestID == 0 || known.Contains(g.seq) {
			continue // it is not replicated, or in its snapshot
		}
		table, _, err := s.job.Source.TableByID(ctx, g.table)
		switch {
		case err != nil && ctx.Err() != nil:
			return &ending{end: job.EndStopped}
		case err != nil:
			return s.blocked(err, g.seq, binlog.TypeUpsert)
		case table == nil || table.AsyncView() || s.job.Excludes(table.Name):
			continue
		}
		return &ending{end: job.EndSnapshot, wanted: &job.SnapshotWanted{
			Partial: &job.PartialSync{TableID: g.table, Table: table.Name, Replace: true},
			Reason:  fmt.Sprintf("table %s lacks a load: %s", table.Name, g),
		}}
	}
}
