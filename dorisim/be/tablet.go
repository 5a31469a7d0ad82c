package be

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Small rowsets are merged into the base once there are compactAt of them; the
// newest keepVersions stay apart, because readers may still ask for a version
// before them (the FE's visible version trails the tablet's).
const (
	compactAt    = 512
	keepVersions = 256
)

// ErrVersionMerged is the failure of a read or snapshot of a version that
// compaction has merged into a later one (doris-sql.md 4.2).
var ErrVersionMerged = errors.New("version already merged")

// tablet is one replica's data.
type tablet struct {
	id int64
	// newID makes rowset ids, perSegment bounds the rows of a segment.
	newID      func() string
	perSegment int

	mu       sync.RWMutex
	spec     TabletSpec
	history  []*schema // every schema so far, newest last
	base     base
	rowsets  []placed // versions base.version+1 .. version, ascending
	binlogs  binlogStore
	lastScan scan
	// generation grows whenever the meaning of a version changes.
	generation int
}

// base is the merge of all versions up to version.
type base struct {
	version int64
	schema  *schema
	rows    []entry
	strays  []entry // see deletebitmap.go
	file    *rowset // rows and strays as files, made when a snapshot asks for them
}

// placed is a published rowset; a transaction that wrote nothing has one
// without rows.
type placed struct {
	version int64
	rs      *rowset
}

// scan is the last answer, kept for readers who poll.
type scan struct {
	version int64
	rows    []types.Row
	valid   bool
}

func newTablet(spec TabletSpec, newID func() string, perSegment int) (*tablet, error) {
	s, err := newSchema(spec.Schema)
	if err != nil {
		return nil, err
	}
	return &tablet{
		id: spec.TabletID, newID: newID, perSegment: perSegment, spec: spec,
		history: []*schema{s}, base: base{version: 1, schema: s}, binlogs: newBinlogStore(),
	}, nil
}

// schema returns the current one. The caller holds mu.
func (t *tablet) schema() *schema { return t.history[len(t.history)-1] }

// version returns the highest contiguous version. The caller holds mu.
func (t *tablet) version() int64 { return t.base.version + int64(len(t.rowsets)) }

func (t *tablet) updateSchema(s types.Schema) error {
	encoded, err := newSchema(s)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if string(encoded.encoded) == string(t.schema().encoded) {
		return nil
	}
	t.history = append(slices.Clip(t.history), encoded)
	t.spec.Schema = s
	t.generation++
	t.lastScan = scan{}
	return nil
}

func (t *tablet) setBinlog(enabled bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spec.BinlogEnabled = enabled
	if !enabled {
		t.binlogs = newBinlogStore()
	}
}

// encode turns written rows into a rowset.
func (t *tablet) encode(txnID, partitionID int64, data RowsetData) (*rowset, error) {
	t.mu.RLock()
	s, indexed := t.schema(), len(t.spec.InvertedIndexes) > 0
	t.mu.RUnlock()
	if data.Columns == nil {
		for i := range s.Columns {
			data.Columns = append(data.Columns, s.Columns[i].Name)
		}
	}
	for _, name := range data.Columns {
		if s.ColumnIndex(name) < 0 {
			return nil, fmt.Errorf("tablet %d has no column %s", t.id, name)
		}
	}
	entries := make([]entry, len(data.Rows))
	for i, row := range data.Rows {
		entries[i] = entry{row: row, deleted: data.Delete[i]}
	}
	rs, err := newRowset(t.newID(), s, data.Columns, entries, t.perSegment)
	if err != nil {
		return nil, fmt.Errorf("tablet %d: %w", t.id, err)
	}
	rs.txnID, rs.partitionID, rs.predicate = txnID, partitionID, data.Predicate
	rs.partial = s.Keys == types.UniqueKeys && len(data.Columns) < len(s.Columns)
	if indexed {
		rs.addIndexFiles()
	}
	return rs, nil
}

// publish adds rs as version. Publishing what is already there is no error.
func (t *tablet) publish(version int64, rs *rowset) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version != t.version()+1 {
		if t.published(version, rs.txnID) {
			return nil
		}
		return fmt.Errorf("tablet %d: cannot publish version %d on version %d", t.id, version, t.version())
	}
	t.rowsets = append(t.rowsets, placed{version: version, rs: rs})
	if t.spec.BinlogEnabled {
		t.binlogs.add(version, rs)
	}
	if len(t.rowsets) >= compactAt {
		return t.compact(t.version() - keepVersions)
	}
	return nil
}

// published tells whether txnID made that version. The caller holds mu.
func (t *tablet) published(version, txnID int64) bool {
	i := version - t.base.version - 1
	return i >= 0 && i < int64(len(t.rowsets)) && t.rowsets[i].rs.txnID == txnID
}

// compact merges everything up to version into the base. The caller holds mu.
func (t *tablet) compact(version int64) error {
	m, err := t.merge(version, false)
	if err != nil {
		return fmt.Errorf("compact tablet %d: %w", t.id, err)
	}
	merged := t.rowsets[:version-t.base.version]
	t.base = base{version: version, schema: t.schema(), rows: m.stored(), strays: m.strays}
	for _, p := range merged {
		p.rs.forget()
	}
	t.rowsets = slices.Clone(t.rowsets[len(merged):])
	return nil
}

// merge folds everything up to version under the current schema; keepDeleted
// for deleted keys too, back to the last compaction. The caller holds mu.
func (t *tablet) merge(version int64, keepDeleted bool) (*merger, error) {
	if version < t.base.version {
		return nil, fmt.Errorf("version %d: %w", version, ErrVersionMerged)
	}
	if version > t.version() {
		return nil, fmt.Errorf("version %d, tablet %d is at %d: %w", version, t.id, t.version(), ErrVersionMissing)
	}
	m := newMerger(&t.schema().Schema, t.base.under(t.schema(), t.base.rows))
	m.strays = slices.Clip(t.base.under(t.schema(), t.base.strays))
	m.keepDeleted = keepDeleted
	for _, p := range t.rowsets[:version-t.base.version] {
		if err := m.add(p.rs, p.version); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// under returns entries of the base in the layout of s.
func (b *base) under(s *schema, entries []entry) []entry {
	if b.schema == s || len(entries) == 0 {
		return entries
	}
	p := project(&rowset{schema: b.schema, columns: columnList(&b.schema.Schema)}, &s.Schema)
	rows := make([]entry, len(entries))
	for i, e := range entries {
		rows[i] = e
		rows[i].row = p.apply(e.row, nil)
	}
	return rows
}

func columnList(s *types.Schema) []string {
	names := make([]string, len(s.Columns))
	for i := range s.Columns {
		names[i] = s.Columns[i].Name
	}
	return names
}

// scan returns the rows visible at version.
func (t *tablet) scan(version int64) ([]types.Row, error) {
	t.mu.RLock()
	if t.lastScan.valid && t.lastScan.version == version {
		defer t.mu.RUnlock()
		return t.lastScan.rows, nil
	}
	m, err := t.merge(version, false)
	generation := t.generation
	t.mu.RUnlock()
	if err != nil {
		return nil, err
	}
	rows := m.visible()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.generation == generation {
		t.lastScan = scan{version: version, rows: rows, valid: true}
	}
	return rows, nil
}

// scanMarked returns the rows at version and what compaction has left of those
// that are deleted, as a reader sees who does not filter by the delete sign.
func (t *tablet) scanMarked(version int64) ([]MarkedRow, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	m, err := t.merge(version, true)
	if err != nil {
		return nil, err
	}
	return m.marked(), nil
}

// baseFile returns the base as files. The caller holds mu for writing.
func (t *tablet) baseFile() (*rowset, error) {
	if t.base.file == nil {
		rs, err := newRowset(t.newID(), t.base.schema, columnList(&t.base.schema.Schema), slices.Concat(t.base.rows, t.base.strays), t.perSegment)
		if err != nil {
			return nil, fmt.Errorf("tablet %d: %w", t.id, err)
		}
		rs.partitionID = t.spec.PartitionID
		if len(t.spec.InvertedIndexes) > 0 {
			rs.addIndexFiles()
		}
		t.base.file = rs
	}
	return t.base.file, nil
}

// content is a tablet's data apart from its binlogs.
type content struct {
	history []*schema
	base    base
	rowsets []placed
}

// copyContent returns the current content for a clone.
func (t *tablet) copyContent() (content, TabletSpec, map[int64]*rowset) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return content{history: slices.Clone(t.history), base: t.base, rowsets: slices.Clone(t.rowsets)}, t.spec, maps.Clone(t.binlogs.byVersion)
}

// adopt takes over the content and the binlogs of a sibling replica. Binlogs of
// versions that were here before are still served.
func (t *tablet) adopt(c content, binlogs map[int64]*rowset) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := c.base.version + int64(len(c.rowsets)); v < t.version() {
		return fmt.Errorf("tablet %d: the sibling is at version %d, this replica at %d", t.id, v, t.version())
	}
	t.set(c)
	for version, rs := range binlogs {
		if _, ok := t.binlogs.byVersion[version]; !ok {
			t.binlogs.insert(version, rs)
		}
	}
	return nil
}

// replace swaps the content by a restored one: versions mean something else
// from now on, so the binlogs go.
func (t *tablet) replace(c content) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(c)
	t.binlogs = newBinlogStore()
}

// set changes the content. The caller holds mu.
func (t *tablet) set(c content) {
	t.history, t.base, t.rowsets = c.history, c.base, c.rowsets
	t.spec.Schema = t.schema().Schema
	t.generation++
	t.lastScan = scan{}
}
