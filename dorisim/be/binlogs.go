package be

// binlogStore keeps the rowsets that made a tablet's versions until the FE
// releases them (doris-rpc.md 4.3). The tablet's lock guards it.
type binlogStore struct {
	byVersion map[int64]*rowset
	versions  map[string]int64 // by rowset id
	oldest    int64            // nothing is below this version
}

func newBinlogStore() binlogStore {
	return binlogStore{byVersion: map[int64]*rowset{}, versions: map[string]int64{}}
}

func (b *binlogStore) add(version int64, rs *rowset) {
	if len(b.byVersion) == 0 {
		b.oldest = version
	}
	b.byVersion[version] = rs
	b.versions[rs.id] = version
}

// insert is add for a version that need not be the newest.
func (b *binlogStore) insert(version int64, rs *rowset) {
	oldest := version
	if len(b.byVersion) > 0 {
		oldest = min(oldest, b.oldest)
	}
	b.add(version, rs)
	b.oldest = oldest
}

// release forgets everything up to version.
func (b *binlogStore) release(version int64) {
	for v := b.oldest; v <= version && len(b.byVersion) > 0; v++ {
		if rs, ok := b.byVersion[v]; ok {
			delete(b.versions, rs.id)
			delete(b.byVersion, v)
		}
	}
	b.oldest = max(b.oldest, version+1)
}

// binlog returns the rowset that made version.
func (t *tablet) binlog(version int64) (*rowset, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	rs, ok := t.binlogs.byVersion[version]
	return rs, ok
}

// binlogByID returns a kept rowset and its version by the rowset's id.
func (t *tablet) binlogByID(id string) (*rowset, int64, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.binlogs.versions[id]
	return t.binlogs.byVersion[v], v, ok
}

func (t *tablet) releaseBinlogs(version int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.binlogs.release(min(version, t.version()))
}
