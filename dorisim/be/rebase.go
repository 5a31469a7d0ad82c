package be

import "fmt"

// rebase puts the merge of data in the place of all versions up to version: a
// schema change fills its shadow tablets that way while loads go on.
func (t *tablet) rebase(version int64, data RowsetData) error {
	rs, err := t.encode(0, t.spec.PartitionID, data)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.base.version > version {
		return fmt.Errorf("tablet %d: rebase to version %d, it is compacted up to %d", t.id, version, t.base.version)
	}
	s := t.schema()
	m := newMerger(&s.Schema, nil)
	if err := m.add(rs, version); err != nil {
		return fmt.Errorf("tablet %d: %w", t.id, err)
	}
	later := t.rowsets[min(version-t.base.version, int64(len(t.rowsets))):]
	t.base = base{version: version, schema: s, rows: m.stored()}
	t.rowsets = append([]placed(nil), later...)
	t.generation++
	t.lastScan = scan{}
	return nil
}
