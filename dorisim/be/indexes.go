package be

// BuildIndexes implements Tasks.
func (b *Backend) BuildIndexes(id int64) error {
	t, err := b.tablet(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	wanted := len(t.spec.InvertedIndexes) > 0
	for i := range t.rowsets {
		if rs := t.rowsets[i].rs; (len(rs.indexFiles) > 0) != wanted && len(rs.segments) > 0 {
			t.rowsets[i].rs = rs.reindexed(t.newID(), wanted)
		}
	}
	t.base.file = nil // made again, with or without index files
	return nil
}

// reindexed is the rowset under a new id, with index files or without.
func (rs *rowset) reindexed(id string, indexed bool) *rowset {
	made := &rowset{
		id: id, partitionID: rs.partitionID, txnID: rs.txnID, loadID: rs.loadID, rows: rs.rows, schema: rs.schema, columns: rs.columns,
		partial: rs.partial, predicate: rs.predicate, segments: rs.segments, unmarked: rs.unmarked,
	}
	if indexed {
		made.addIndexFiles()
	}
	return made
}

// Stats implements Tasks.
func (b *Backend) Stats(id int64) (rows, bytes int64, versions int) {
	t, err := b.tablet(id)
	if err != nil {
		return 0, 0, 0
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	// The files of the base are only made when somebody wants them.
	rows = int64(len(t.base.rows))
	bytes = rows * int64(len(t.base.schema.Columns)) * cellEstimate
	for _, p := range t.rowsets {
		rs := p.rs
		rows += int64(rs.rows)
		for _, f := range rs.segments {
			bytes += int64(len(f))
		}
		for _, f := range rs.indexFiles {
			bytes += int64(len(f))
		}
	}
	return rows, bytes, 1 + len(t.rowsets)
}

// cellEstimate is how many bytes Stats counts for a cell that is in no file.
const cellEstimate = 8
