package pair

import (
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// ExcludedRollup stands in Progress.ShadowIndexes for the origin of a rollup that
// the destination does without.
const ExcludedRollup = 0

// RunningRollup is the key in Progress.ShadowIndexes of a rollup under construction whose
// index the source does not name: sources before the fields of doris-binlogs.md 2.7 tell
// the job only. Its origin is the table. No index has such an id.
func RunningRollup(jobID int64) int64 { return -jobID }

// BuildsRollup tells whether a rollup of the table is under construction whose index is
// not known.
func BuildsRollup(shadows map[int64]int64, table int64) bool {
	for key, origin := range shadows {
		if key < 0 && origin == table {
			return true
		}
	}
	return false
}

// Action is what a shift does with one binlog.
type Action int

const (
	ActionPass     Action = iota // nothing to do on the destination
	ActionApply                  // an UPSERT, for the pipeline
	ActionHandOver               // a fence: ApplyBinlog's
	ActionLost                   // a DUMMY: earlier binlogs are gone
	ActionSkip                   // an operator ordered it to be passed over
	ActionGap                    // the source has not recorded everything around it
)

// ClassifyBinlog decides what a shift does with a binlog. It knows the rules that need
// nothing but the record and the job's progress (docs/binlogs.md, doris-binlogs.md 4.4):
// records that a snapshot already contains, and those that mean nothing to a
// destination, are passed; UPSERTs go into the pipeline; all others end the
// shift, so that each becomes a step of the workflow.
func ClassifyBinlog(rec binlog.Record, spec *job.Spec, p *job.Progress) (Action, error) {
	if p.Skip != nil && p.Skip.SkipBy == job.SkipSilence && p.Skip.SkipCommitSeq == rec.CommitSeq {
		return ActionSkip, nil
	}
	switch rec.Type {
	case binlog.TypeUpsert:
		return ActionApply, nil
	case binlog.TypeDummy:
		if rec.CommitSeq <= p.GapTo {
			return ActionPass, nil // what was collected is older than the comparison of all tables
		}
		return ActionLost, nil
	case binlog.TypeAlterDatabaseProperty, binlog.TypeModifyTableProperty:
		switch {
		case opensGap(rec, spec, p):
			return ActionGap, nil
		case rec.Type == binlog.TypeAlterDatabaseProperty:
			return ActionPass, nil
		}
	case binlog.TypeModifyPartitions, binlog.TypeBarrier:
		return ActionPass, nil // a BARRIER that wraps something has been unwrapped
	case binlog.TypeCreateTable, binlog.TypeDropTable:
		if leftOut(rec, spec, p) {
			return ActionPass, nil
		}
	case binlog.TypeAddPartition:
		if add, err := binlog.DecodeAddPartition(rec.Data); err == nil && add.Temporary {
			return ActionPass, nil
		}
	case binlog.TypeDropPartition:
		if drop, err := binlog.DecodeDropPartition(rec.Data); err == nil && drop.Temporary {
			return ActionPass, nil
		}
	}
	if Contained(rec, spec, p) {
		return ActionPass, nil
	}
	return ActionHandOver, nil
}

// opensGap tells whether the record says that binlogs were switched off, or on
// after they were off (doris-binlogs.md 2.10, 2.11). A database's record has what
// was typed, and none is made of what was so already: on means that it was off. A
// table's repeats all four properties at every change of one: only off says
// something. Where that is not recorded the versions of its partitions tell.
func opensGap(rec binlog.Record, spec *job.Spec, p *job.Progress) bool {
	if rec.CommitSeq <= p.GapTo || Contained(rec, spec, p) {
		return false
	}
	if rec.Type == binlog.TypeAlterDatabaseProperty {
		// Where tables came one by one, others may have been created unrecorded.
		if p.PartialSyncs == 0 && inAllSnapshots(rec.CommitSeq, p) {
			return false
		}
		set, err := binlog.DecodeDatabaseProperty(rec.Data)
		_, switched := set.Properties[binlogSwitch]
		return err == nil && switched
	}
	set, err := binlog.DecodeTableProperty(rec.Data)
	if err != nil || !strings.EqualFold(set.Properties[binlogSwitch], "false") {
		return false
	}
	if spec.Type() == job.TableSync {
		return set.TableID == spec.Source.TableID
	}
	_, known := p.Tables[set.TableID]
	return known
}

// inAllSnapshots tells whether every table came by a snapshot after a commit seq.
// A source that cannot say which binlog is the newest has its log read from the
// beginning when the first snapshot is done, and that is when it was switched on.
func inAllSnapshots(seq int64, p *job.Progress) bool {
	tables := 0
	for _, t := range p.Tables {
		if t.View || t.External {
			continue
		}
		if !t.Contains(seq) {
			return false
		}
		tables++
	}
	return tables > 0
}

// binlogSwitch is the property that has a table or database record binlogs.
const binlogSwitch = "binlog.enable"

// leftOut tells whether the binlog creates or drops a table that the job's
// filter does not select: temporary tables come and go often, and a step of the
// workflow for each would be dear. A table that has got a selected name since
// comes when its RENAME_TABLE does.
func leftOut(rec binlog.Record, spec *job.Spec, p *job.Progress) bool {
	if spec.Everything() {
		return false
	}
	if rec.Type == binlog.TypeCreateTable {
		create, err := binlog.DecodeCreateTable(rec.Data)
		return err == nil && create.TableName != "" && !spec.Selects(create.TableName)
	}
	drop, err := binlog.DecodeDropTable(rec.Data)
	_, known := p.Tables[drop.TableID]
	return err == nil && !known && drop.TableName != "" && !spec.Selects(drop.TableName)
}

// Contained tells whether a snapshot already holds what the record did. Types
// that keep the books of later records, or that concern two tables, are never
// decided here.
func Contained(rec binlog.Record, spec *job.Spec, p *job.Progress) bool {
	switch rec.Type {
	case binlog.TypeAlterJob, binlog.TypeReplaceTable:
		return false
	}
	if spec.Type() != job.DatabaseSync {
		return false
	}
	ids := rec.TableIDs
	if len(ids) != 1 {
		return false
	}
	table, known := p.Tables[ids[0]]
	if !known {
		// A view that is gone was left on the destination: its DROP, if it is recorded,
		// is what drops it. A table that the comparison found was dropped and recovered
		// before it, if both are recorded: its DROP has just been applied.
		return beforeComparison(rec.CommitSeq, p) && rec.Type != binlog.TypeDropTable && rec.Type != binlog.TypeRecoverInfo
	}
	if !table.Contains(rec.CommitSeq) {
		return false
	}
	if !table.Gone {
		return true
	}
	// The drop of a table that was found gone ends its entry, and its recovery
	// brings it back: both are a step's work.
	return rec.Type != binlog.TypeDropTable && rec.Type != binlog.TypeRecoverInfo
}

// beforeComparison tells whether a binlog about a table that the job does not have
// means nothing: all tables have been compared since it was filed. So the source does
// not have the table any more, which no binlog needs to say, or a snapshot brings it.
func beforeComparison(seq int64, p *job.Progress) bool { return seq <= p.GapTo }

// Carried is the record as it travels through the workflow.
func Carried(rec binlog.Record, p *job.Progress) *job.Binlog {
	name := func(id int64) string { return p.Tables[id].Name }
	b := &job.Binlog{
		CommitSeq: rec.CommitSeq,
		Type:      rec.Type,
		Timestamp: rec.Timestamp,
		DBID:      rec.DBID,
		TableIDs:  rec.TableIDs,
		Data:      rec.Data,
		Summary:   rec.SummaryWith(name),
	}
	if len(b.Data) > job.MaxCarriedData {
		b.Data, b.Truncated = "", true
	}
	return b
}

// RecordsOf selects the part of an UPSERT that is still to be applied: without
// what snapshots contain and without temporary partitions, whose rows arrive
// with the snapshot that replaces them. A record without partitions is passed
// over: what was loaded vanished before it was published (doris-binlogs.md 3.1).
// Nothing left: the binlog is done.
func RecordsOf(u *binlog.Upsert, seq int64, spec *job.Spec, p *job.Progress) (map[int64]binlog.TableRecord, error) {
	selected := map[int64]binlog.TableRecord{}
	if spec.Type() == job.TableSync {
		record, ok := u.TableRecords[spec.Source.TableID]
		if !ok {
			return nil, problem.MetaErrorf("table record not found, table: %s", spec.Source.Table)
		}
		selected[spec.Source.TableID] = record
	} else {
		for id, record := range u.TableRecords {
			if table, known := p.Tables[id]; known && table.Contains(seq) || !known && beforeComparison(seq, p) {
				continue
			}
			selected[id] = record
		}
	}
	for id, record := range selected {
		var kept []binlog.PartitionRecord
		for _, part := range record.PartitionRecords {
			if part.Temporary || seq <= p.Partitions[part.PartitionID] {
				continue
			}
			kept = append(kept, part)
		}
		if len(kept) == 0 {
			delete(selected, id)
			continue
		}
		record.PartitionRecords = kept
		selected[id] = record
	}
	return selected, nil
}

// LostReason explains a full sync to people.
func LostReason(position, dummy int64) string {
	return fmt.Sprintf("binlogs after commit seq %d are lost: the source has collected everything up to %d", position, dummy)
}
