package be

import (
	"fmt"
	"slices"
	"sort"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// deleteSign is the hidden column of UNIQUE tables that marks deleted rows.
const deleteSign = "__DORIS_DELETE_SIGN__"

// merger folds rowsets, oldest first, into the rows that a reader sees
// (doris-sql.md 5.3).
type merger struct {
	schema     *types.Schema
	keys       []int
	compare    []func(a, b types.Value) int // of the key columns
	sequence   int                          // column index, -1 = none
	later      func(a, b types.Value) int   // of the sequence column
	deleteSign int                          // column index, -1 = none

	// rows are sorted by key, or in insertion order for duplicate tables. They
	// keep deleted entries only where a sequence column must remember them, or
	// with keepDeleted.
	rows        []entry
	keepDeleted bool
	// strays are superseded rows whose marks are lost (deletebitmap.go).
	strays []entry
	// touched are the entries of keys that changed since rows was made.
	touched map[string]*touchedEntry
	key     []byte // scratch
	version int64  // of the rowset that is being folded in
}

// touchedEntry is the state of one key on top of rows.
type touchedEntry struct {
	entry
	exists bool
	base   int // position in rows, -1 = a new key
}

// newMerger starts from rows that an earlier merge under the same schema gave.
func newMerger(s *types.Schema, rows []entry) *merger {
	m := &merger{schema: s, rows: rows, sequence: -1, deleteSign: -1}
	if s.Keys == types.DupKeys {
		m.rows = slices.Clip(rows) // appending must not write into shared rows
		return m
	}
	for i := range s.Columns {
		if s.Columns[i].Key {
			m.keys = append(m.keys, i)
			m.compare = append(m.compare, types.Comparator(s.Columns[i].Type))
		}
	}
	if s.Keys == types.UniqueKeys {
		m.deleteSign = s.ColumnIndex(deleteSign)
		if s.Sequence != "" {
			if m.sequence = s.ColumnIndex(s.Sequence); m.sequence >= 0 {
				m.later = types.Comparator(s.Columns[m.sequence].Type)
			}
		}
	}
	m.touched = map[string]*touchedEntry{}
	return m
}

// add folds in the rowset of a version.
func (m *merger) add(rs *rowset, version int64) error {
	m.version = version
	if rs.predicate != nil {
		m.deleteWhere(matcher(rs, m.schema))
	}
	if rs.rows == 0 {
		return nil
	}
	entries, err := rs.entries()
	if err != nil {
		return err
	}
	p := project(rs, m.schema)
	if m.schema.Keys == types.DupKeys {
		for _, e := range entries {
			m.rows = append(m.rows, entry{row: p.apply(e.row, nil), version: version})
		}
		return nil
	}
	for i, e := range entries {
		if err := m.addKeyed(e, &p, rs.isUnmarked(i)); err != nil {
			return fmt.Errorf("rowset %s: %w", rs.id, err)
		}
	}
	return nil
}

func (m *merger) addKeyed(e entry, p *projection, unmarked bool) error {
	plain := p.apply(e.row, nil)
	t, err := m.touch(plain)
	if err != nil {
		return err
	}
	var old types.Row
	if t.exists && !t.deleted {
		old = t.row
	}
	row := plain
	if old != nil && !p.identity {
		row = p.apply(e.row, old)
	}
	if m.schema.Keys == types.AggKeys {
		t.row, t.exists = m.aggregate(old, row), true
		return nil
	}
	deleted := e.deleted || (m.deleteSign >= 0 && row[m.deleteSign] == int64(1))
	if unmarked && !deleted {
		m.strays = append(m.strays, entry{row: row, stray: true, version: m.version})
	}
	if m.sequence >= 0 && t.exists && m.later(row[m.sequence], t.row[m.sequence]) < 0 {
		return nil
	}
	t.row, t.deleted, t.exists, t.version = row, deleted, true, m.version
	return nil
}

// touch finds the entry of the row's key.
func (m *merger) touch(row types.Row) (*touchedEntry, error) {
	if err := m.encodeKey(row); err != nil {
		return nil, err
	}
	if t, ok := m.touched[string(m.key)]; ok {
		return t, nil
	}
	t := &touchedEntry{base: -1}
	at := sort.Search(len(m.rows), func(i int) bool { return m.compareKeys(m.rows[i].row, row) >= 0 })
	if at < len(m.rows) && m.compareKeys(m.rows[at].row, row) == 0 {
		t.entry, t.exists, t.base = m.rows[at], true, at
	}
	m.touched[string(m.key)] = t
	return t, nil
}

// encodeKey writes the row's key into m.key.
func (m *merger) encodeKey(row types.Row) (err error) {
	m.key = m.key[:0]
	for _, k := range m.keys {
		if m.key, err = appendValue(m.key, row[k]); err != nil {
			return err
		}
	}
	return nil
}

func (m *merger) keyOf(row types.Row) (string, error) {
	err := m.encodeKey(row)
	return string(m.key), err
}

func (m *merger) compareKeys(a, b types.Row) int {
	for i, k := range m.keys {
		if c := m.compare[i](a[k], b[k]); c != 0 {
			return c
		}
	}
	return 0
}

func (m *merger) aggregate(old, row types.Row) types.Row {
	if old == nil {
		return row
	}
	out := make(types.Row, len(row))
	for i := range row {
		if m.schema.Columns[i].Key {
			out[i] = old[i]
		} else {
			out[i] = types.Aggregate(old[i], row[i], &m.schema.Columns[i])
		}
	}
	return out
}

// deleteWhere removes the rows seen so far that satisfy the predicate.
func (m *merger) deleteWhere(match func(types.Row) bool) {
	m.flush()
	m.rows, m.strays = without(m.rows, match), without(m.strays, match)
}

// without returns a new slice of the entries that do not match.
func without(entries []entry, match func(types.Row) bool) []entry {
	kept := make([]entry, 0, len(entries))
	for _, e := range entries {
		if !match(e.row) {
			kept = append(kept, e)
		}
	}
	return kept
}

// flush merges the touched entries into rows, making a new slice.
func (m *merger) flush() {
	if len(m.touched) == 0 {
		return
	}
	changed := make([]*touchedEntry, 0, len(m.touched))
	for _, t := range m.touched {
		changed = append(changed, t)
	}
	slices.SortFunc(changed, func(a, b *touchedEntry) int { return m.compareKeys(a.row, b.row) })
	merged := make([]entry, 0, len(m.rows)+len(changed))
	next := 0
	for _, t := range changed {
		at := t.base
		if at < 0 {
			at = next + sort.Search(len(m.rows)-next, func(i int) bool { return m.compareKeys(m.rows[next+i].row, t.row) >= 0 })
		}
		merged = append(merged, m.rows[next:at]...)
		next = at
		if t.base >= 0 {
			next++
		}
		if !t.deleted || m.sequence >= 0 || m.keepDeleted {
			merged = append(merged, t.entry)
		}
	}
	m.rows = append(merged, m.rows[next:]...)
	clear(m.touched)
}

// stored returns what a compaction keeps.
func (m *merger) stored() []entry {
	m.flush()
	return m.rows
}

// visible returns the rows that a reader sees.
func (m *merger) visible() []types.Row {
	m.flush()
	rows := make([]types.Row, 0, len(m.rows)+len(m.strays))
	for _, e := range m.rows {
		if !e.deleted {
			rows = append(rows, e.row)
		}
	}
	if len(m.strays) > 0 {
		for _, e := range m.strays {
			rows = append(rows, e.row)
		}
		slices.SortStableFunc(rows, m.compareKeys)
	}
	return rows
}

// marked returns the rows that a reader sees who does not filter by the delete
// sign, the deleted ones last.
func (m *merger) marked() []MarkedRow {
	m.flush()
	rows := make([]MarkedRow, 0, len(m.rows)+len(m.strays))
	for _, e := range slices.Concat(m.rows, m.strays) {
		rows = append(rows, MarkedRow{Row: e.row, Deleted: e.deleted, Version: e.version})
	}
	slices.SortStableFunc(rows, func(a, b MarkedRow) int {
		switch {
		case a.Deleted != b.Deleted && b.Deleted:
			return -1
		case a.Deleted != b.Deleted:
			return 1
		}
		return m.compareKeys(a.Row, b.Row)
	})
	return rows
}
