package core

// ReadStatus is the outcome of a binlog read, named as on the wire
// (doris-rpc.md 3.4).
type ReadStatus string

const (
	ReadOK            ReadStatus = "OK"
	ReadTooOld        ReadStatus = "BINLOG_TOO_OLD_COMMIT_SEQ"
	ReadTooNew        ReadStatus = "BINLOG_TOO_NEW_COMMIT_SEQ"
	ReadNotFoundDB    ReadStatus = "BINLOG_NOT_FOUND_DB"
	ReadNotFoundTable ReadStatus = "BINLOG_NOT_FOUND_TABLE"
)

// MaxBinlogBatch is the most that one read returns.
const MaxBinlogBatch = 255

// list finds the db list (table < 0) or a table's list.
func (s *binlogStore) list(db, table int64) (*binlogList, ReadStatus) {
	logs, ok := s.dbs[db]
	if !ok {
		return nil, ReadNotFoundDB
	}
	if table < 0 {
		return logs.list, ReadOK
	}
	if l, ok := logs.tables[table]; ok {
		return l, ReadOK
	}
	return nil, ReadNotFoundTable
}

// ReadBinlogs returns up to n entries with numbers above prev of the db list
// (table < 0) or of a table's list; with ReadTooOld it returns the DUMMY alone.
// n is brought into 1..MaxBinlogBatch. It needs no lock. Entries are shared:
// do not change them.
func (c *Core) ReadBinlogs(db, table, prev int64, n int) ([]*Binlog, ReadStatus) {
	n = min(max(n, 1), MaxBinlogBatch)
	c.binlogs.mu.RLock()
	defer c.binlogs.mu.RUnlock()
	l, status := c.binlogs.list(db, table)
	if status != ReadOK {
		return nil, status
	}
	if l.first().CommitSeq > prev {
		return []*Binlog{l.first()}, ReadTooOld
	}
	from := l.after(prev)
	if from == len(l.entries) {
		return nil, ReadTooNew
	}
	to := min(from+n, len(l.entries))
	return append([]*Binlog(nil), l.entries[from:to]...), ReadOK
}

// BinlogLag is the answer of getBinlogLag (doris-rpc.md 3.5).
type BinlogLag struct {
	Lag                           int64
	FirstCommitSeq, LastCommitSeq int64
	FirstTimestamp, LastTimestamp int64
	NextCommitSeq, NextTimestamp  int64
}

// Lag counts the entries above prev. It needs no lock.
func (c *Core) Lag(db, table, prev int64) (BinlogLag, ReadStatus) {
	c.binlogs.mu.RLock()
	defer c.binlogs.mu.RUnlock()
	l, status := c.binlogs.list(db, table)
	if status != ReadOK {
		return BinlogLag{}, status
	}
	first, last := l.first(), l.last()
	lag := BinlogLag{
		FirstCommitSeq: first.CommitSeq, FirstTimestamp: first.Timestamp,
		LastCommitSeq: last.CommitSeq, LastTimestamp: last.Timestamp,
	}
	from := 0
	if first.CommitSeq <= prev {
		from = l.after(prev)
	}
	lag.Lag = int64(len(l.entries) - from)
	if from < len(l.entries) {
		lag.NextCommitSeq, lag.NextTimestamp = l.entries[from].CommitSeq, l.entries[from].Timestamp
	}
	return lag, ReadOK
}

// LockBinlogs notes that the job does not need entries below seq any more
// (doris-rpc.md 3.6); seq < 0 locks the newest entry. It returns the effective
// number, -1 with a status other than ReadOK. It needs no lock.
func (c *Core) LockBinlogs(db, table int64, jobID string, seq int64) (int64, ReadStatus) {
	c.binlogs.mu.Lock()
	defer c.binlogs.mu.Unlock()
	l, status := c.binlogs.list(db, table)
	if status != ReadOK {
		return -1, status
	}
	switch {
	case seq < 0:
		seq = l.last().CommitSeq
	case seq < l.first().CommitSeq:
		seq = l.first().CommitSeq
	case seq > l.last().CommitSeq:
		return -1, ReadTooNew
	}
	if old, ok := l.locks[jobID]; ok && old >= seq {
		return old, ReadOK
	}
	l.locks[jobID] = seq
	return seq, ReadOK
}
