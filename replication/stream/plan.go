package stream

import (
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// plan is an UPSERT translated to the destination: which tablets get which
// version of which source tablet.
type plan struct {
	tables []tablePlan // by ascending source id, UPSERT after UPSERT
	// subs is how many sub-transactions UPSERTs that share a transaction need: one
	// for each of tables. 0: none, each table is there once.
	subs int
}

// together makes one plan of those of UPSERTs that share a transaction.
func together(plans []*plan) *plan {
	all, seen := &plan{}, map[int64]bool{}
	for _, p := range plans {
		for _, table := range p.tables {
			if seen[table.destination] {
				all.subs = 1
			}
			seen[table.destination] = true
			all.tables = append(all.tables, table)
		}
	}
	if all.subs == 0 {
		return all
	}
	all.subs = len(all.tables)
	for i := range all.tables {
		pieces := slices.Clone(all.tables[i].pieces)
		for n := range pieces {
			pieces[n].sub = int64(i)
		}
		all.tables[i].pieces = pieces
	}
	return all
}

// subDestinations are the destination tables of the sub-transactions, in order.
func (p *plan) subDestinations() (ids []int64) {
	if p.subs == 0 {
		return nil
	}
	for _, t := range p.tables {
		ids = append(ids, t.destination)
	}
	return ids
}

// empty tells that there is nothing to do.
func (p *plan) empty() bool { return len(p.tables) == 0 }

// destinations are the ids of the destination tables.
func (p *plan) destinations() []int64 {
	ids := make([]int64, 0, len(p.tables))
	for _, t := range p.tables {
		ids = append(ids, t.destination)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

type tablePlan struct {
	source, destination int64
	pieces              []piece
}

// piece is one tablet's share.
type piece struct {
	sub       int64 // source sub-transaction, or that of a group; -1 for none
	version   int64 // source partition version to ingest
	partition int64 // destination partition
	from, to  *meta.Tablet
}

// dropped is what the source reports as gone (doris-binlogs.md 1.8).
type dropped struct {
	partitions, tables, indexes map[int64]int64
}

// mapRecord pairs the tablets of one table record (doris-binlogs.md 3.3-3.5).
// It returns no pieces when everything the record names is gone. shadows are
// the indexes under construction.
func mapRecord(record binlog.TableRecord, source, destination *tableMeta, gone dropped, shadows map[int64]int64) ([]piece, error) {
	fail := &problem.Mismatch{Table: source.ID}
	var pieces []piece
	for _, part := range record.PartitionRecords {
		from := source.byID[part.PartitionID]
		if from == nil {
			if _, isGone := gone.partitions[part.PartitionID]; isGone {
				continue
			}
			return nil, fail.Untoldf("partition range: %s not in src cluster (partition id %d of table %s)", part.Range, part.PartitionID, source.Name)
		}
		if from.Temporary {
			continue
		}
		key := from.Key
		if part.Range != "" {
			key = meta.NormalizeRange(part.Range)
		}
		to := destination.byKey[key]
		if to == nil {
			return nil, fail.Errorf("partition range: %s not in dest cluster (partition %s of table %s)", key, from.Name, source.Name)
		}
		more, err := mapPartition(record.IndexIDs, part, source, destination, from, to, gone, shadows)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, more...)
	}
	return pieces, nil
}

// mapPartition pairs the indexes of one partition. Every index that the
// destination has in the partition must get its share, or none: else the
// commit would fail for want of a quorum.
func mapPartition(ids []int64, part binlog.PartitionRecord, source, destination *tableMeta, from, to *meta.Partition, gone dropped, shadows map[int64]int64) ([]piece, error) {
	fail := &problem.Mismatch{Table: source.ID}
	// A rollup that is being built comes by the snapshot at its end, whichever of the
	// indexes it is; that all of the destination's get their share is looked at below.
	building := pair.BuildsRollup(shadows, source.ID)
	if len(ids) == 0 { // sources before indexIds: every visible index
		for _, index := range from.Indexes {
			if !index.Shadow() {
				ids = append(ids, index.ID)
			}
		}
	}
	var pieces []piece
	covered := map[int64]bool{}
	var missing string
	for _, id := range ids {
		if origin, isShadow := shadows[id]; isShadow && !(origin == pair.ExcludedRollup && arrived(from, to, id)) {
			continue
		}
		if _, isGone := gone.indexes[id]; isGone {
			missing = fmt.Sprintf("index %d of table %s was dropped on the source after this load", id, source.Name)
			continue
		}
		index := from.IndexByID(id)
		if index == nil && building {
			continue // it was cancelled since
		}
		if index == nil {
			return nil, fail.Untoldf("index id %d not found in src meta (table %s)", id, source.Name)
		}
		if index.Shadow() {
			continue
		}
		base := source.IsBase(index)
		target := to.IndexByName(index.Name)
		if base {
			target = to.IndexByName(destination.Name)
		}
		if target == nil && building && !base {
			continue
		}
		if target == nil {
			return nil, fail.Errorf("index name %s not found in dest meta, is base index: %t, src index id: %d", index.Name, base, id)
		}
		if len(index.Tablets) != len(target.Tablets) || len(index.Tablets) == 0 {
			return nil, fail.Errorf("src tablets length: %d not equal to dest tablets length: %d (index %s, partition %s, table %s)",
				len(index.Tablets), len(target.Tablets), index.Name, from.Name, source.Name)
		}
		covered[target.ID] = true
		for i := range index.Tablets {
			pieces = append(pieces, piece{
				sub: part.SubTxnID, version: part.Version, partition: to.ID,
				from: index.Tablets[i], to: target.Tablets[i],
			})
		}
	}
	for _, index := range to.Indexes {
		switch {
		case index.Shadow() || covered[index.ID]:
		case missing != "":
			return nil, fail.Errorf("%s, and the destination's table %s still has index %s", missing, destination.Name, index.Name)
		default:
			return nil, fail.Errorf("the load does not cover index %s of the destination's table %s", index.Name, destination.Name)
		}
	}
	return pieces, nil
}

// arrived tells whether a rollup that was left out has come to the destination
// by a snapshot all the same.
func arrived(from, to *meta.Partition, id int64) bool {
	index := from.IndexByID(id)
	return index != nil && to.IndexByName(index.Name) != nil
}

// quorum is how many replicas of a tablet must have the data before a commit
// can succeed: Doris' majority.
func quorum(replicas int) int { return replicas/2 + 1 }
