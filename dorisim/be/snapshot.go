package be

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// header is the .hdr file of a snapshot: what belongs to the tablet and how to
// read it.
type header struct {
	TabletID   int64             `json:"tablet_id"`
	SchemaHash int32             `json:"schema_hash"`
	Version    int64             `json:"version"`
	History    []json.RawMessage `json:"schemas"` // oldest first
	Rowsets    []headerRowset    `json:"rowsets"` // ascending versions
}

// headerRowset is one rowset; the first may cover all versions up to End.
type headerRowset struct {
	End  int64           `json:"end_version"`
	Base bool            `json:"base,omitempty"`
	Meta json.RawMessage `json:"meta"`
	// Unmarked are rows without their marks in the delete bitmap, which is the
	// tablet's affair and no part of the rowset's meta.
	Unmarked []int `json:"unmarked,omitempty"`
}

func headerName(tabletID int64) string { return fmt.Sprintf("%d.hdr", tabletID) }

// MakeSnapshot implements Tasks. A version that compaction has passed fails with
// ErrVersionMerged.
func (b *Backend) MakeSnapshot(tabletID, version int64, timeout time.Duration) (string, []string, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return "", nil, err
	}
	files, hash, err := t.snapshot(version)
	if err != nil {
		return "", nil, fmt.Errorf("make snapshot of tablet %d: %w", tabletID, err)
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return b.files.addSnapshot(snapshotDir(tabletID, hash), files, timeout), names, nil
}

// ReleaseSnapshot implements Tasks.
func (b *Backend) ReleaseSnapshot(root string) { b.files.remove(root) }

// snapshot collects the files that make up the tablet at version.
func (t *tablet) snapshot(version int64) (files map[string][]byte, schemaHash int32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if version < t.base.version {
		return nil, 0, fmt.Errorf("version %d: %w", version, ErrVersionMerged)
	}
	if version > t.version() {
		return nil, 0, fmt.Errorf("version %d, tablet is at %d: %w", version, t.version(), ErrVersionMissing)
	}
	h := header{TabletID: t.id, SchemaHash: t.schema().Hash, Version: version}
	for _, s := range t.history {
		h.History = append(h.History, s.encoded)
	}
	files = map[string][]byte{}
	baseFile, err := t.baseFile()
	if err != nil {
		return nil, 0, err
	}
	if err := h.add(files, t.id, t.base.version, true, baseFile); err != nil {
		return nil, 0, err
	}
	for _, p := range t.rowsets[:version-t.base.version] {
		if err := h.add(files, t.id, p.version, false, p.rs); err != nil {
			return nil, 0, err
		}
	}
	encoded, err := json.Marshal(h)
	if err != nil {
		return nil, 0, fmt.Errorf("encode header: %w", err)
	}
	files[headerName(t.id)] = encoded
	return files, h.SchemaHash, nil
}

// add puts one rowset into the header and its files beside it.
func (h *header) add(files map[string][]byte, tabletID, end int64, base bool, rs *rowset) error {
	meta, err := rs.encodeMeta(tabletID, end)
	if err != nil {
		return err
	}
	h.Rowsets = append(h.Rowsets, headerRowset{End: end, Base: base, Meta: meta, Unmarked: rs.unmarked})
	for i, segment := range rs.segments {
		files[rs.segmentName(i)] = segment
	}
	for i, index := range rs.indexFiles {
		files[rs.indexName(i)] = index
	}
	return nil
}
