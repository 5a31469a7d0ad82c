package be

import (
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Merge-on-write tablets of Doris mark superseded rows in a delete bitmap when
// they are loaded. The simulator merges on read, which gives the same rows, as
// long as every rowset has its own bitmap. It has not after a repeated ingest:
// each call computes a bitmap under a rowset id of its own, the transaction
// keeps the first call's rowset and the last call's bitmap, and publish
// recomputes nothing but what newer rowsets require (doris-rpc.md 4.1). The
// marks on the load's own rows are lost then: those rows stay visible beside
// what supersedes them. They are the rowset's unmarked rows.

// ownMarks are the positions of the rows in rs that its delete bitmap marks
// when it is ingested now: a later segment of rs has the key, too, or the tablet
// has it with a larger sequence value.
func (t *tablet) ownMarks(rs *rowset) ([]int, error) {
	t.mu.RLock()
	m, err := t.merge(t.version(), true)
	t.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	p := project(rs, m.schema)
	b := ownBitmap{merger: m, newest: map[string]int{}}
	for i, file := range rs.segments {
		entries, err := decodeSegment(file, len(rs.columns))
		if err != nil {
			return nil, fmt.Errorf("rowset %s segment %d: %w", rs.id, i, err)
		}
		rows := make([]types.Row, len(entries))
		for j, e := range entries {
			rows[j] = p.apply(e.row, nil)
		}
		if err := b.addSegment(rows); err != nil {
			return nil, fmt.Errorf("rowset %s segment %d: %w", rs.id, i, err)
		}
	}
	if err := b.compareWithTablet(); err != nil {
		return nil, fmt.Errorf("rowset %s: %w", rs.id, err)
	}
	slices.Sort(b.marked)
	return b.marked, nil
}

// ownBitmap collects the marks on the rows of one rowset.
type ownBitmap struct {
	merger *merger
	rows   []types.Row
	newest map[string]int // by key: the row that counts, so far
	marked []int
}

// older tells whether row a has a smaller sequence value than row b.
func (b *ownBitmap) older(a, than types.Row) bool {
	s := b.merger.sequence
	return s >= 0 && b.merger.later(a[s], than[s]) < 0
}

// addSegment marks rows of earlier segments, or of this one where sequence
// values say so. Equal keys within a segment are no rows of their own: a load
// merges them before it writes the segment.
func (b *ownBitmap) addSegment(rows []types.Row) error {
	first := len(b.rows)
	b.rows = append(b.rows, rows...)
	inSegment := map[string]int{}
	for i, row := range rows {
		key, err := b.merger.keyOf(row)
		if err != nil {
			return err
		}
		if before, ok := inSegment[key]; !ok || !b.older(row, b.rows[before]) {
			inSegment[key] = first + i
		}
	}
	for key, i := range inSegment {
		before, ok := b.newest[key]
		switch {
		case !ok:
			b.newest[key] = i
		case b.older(b.rows[i], b.rows[before]):
			b.marked = append(b.marked, i)
		default:
			b.marked = append(b.marked, before)
			b.newest[key] = i
		}
	}
	return nil
}

// compareWithTablet marks the rows that the tablet has with a larger sequence
// value.
func (b *ownBitmap) compareWithTablet() error {
	if b.merger.sequence < 0 {
		return nil
	}
	b.merger.flush()
	for _, i := range b.newest {
		t, err := b.merger.touch(b.rows[i])
		if err != nil {
			return err
		}
		if t.exists && b.older(b.rows[i], t.row) {
			b.marked = append(b.marked, i)
		}
	}
	return nil
}

// withUnmarked returns the rowset with the marks on its own rows lost.
func (rs *rowset) withUnmarked(rows []int) *rowset {
	return &rowset{
		id: rs.id, partitionID: rs.partitionID, txnID: rs.txnID, loadID: rs.loadID, rows: rs.rows, schema: rs.schema,
		columns: rs.columns, partial: rs.partial, predicate: rs.predicate, segments: rs.segments, indexFiles: rs.indexFiles,
		unmarked: rows,
	}
}

// isUnmarked tells whether the i-th row is visible whatever supersedes it.
func (rs *rowset) isUnmarked(i int) bool {
	_, found := slices.BinarySearch(rs.unmarked, i)
	return found
}
