package core

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// limits are the binlog properties of a database or table (doris-binlogs.md 1.1).
type limits struct {
	ttl        time.Duration
	maxBytes   int64
	maxHistory int64
	enabled    bool
}

func limitsOf(properties map[string]string, enabled bool) limits {
	number := func(key string, fallback int64) int64 {
		if n, err := strconv.ParseInt(properties[key], 10, 64); err == nil {
			return n
		}
		return fallback
	}
	ttl := min(number("binlog.ttl_seconds", 86400), int64(math.MaxInt64/time.Second))
	return limits{
		ttl: time.Duration(ttl) * time.Second, enabled: enabled,
		maxBytes: number("binlog.max_bytes", math.MaxInt64), maxHistory: number("binlog.max_history_nums", math.MaxInt64),
	}
}

// CollectExpiredBinlogs is one pass of the collector over all databases
// (doris-binlogs.md 1.6). It takes the locks itself: do not hold any.
func (c *Core) CollectExpiredBinlogs() {
	c.RLock()
	ids := make([]int64, 0, len(c.databases))
	for id := range c.databases {
		ids = append(ids, id)
	}
	c.RUnlock()
	for _, id := range ids {
		c.collectDatabase(id)
	}
}

// CollectBinlogs removes every binlog of the database up to and including seq
// (math.MaxInt64: all), as an expired ttl would. It takes the locks itself: do
// not hold any.
func (c *Core) CollectBinlogs(db, seq int64) {
	c.collect(db, func(logs *dbBinlogs) []*Binlog { return logs.cutAll(seq) })
}

func (c *Core) collectDatabase(id int64) {
	c.RLock()
	db, ok := c.databases[id]
	if !ok {
		c.RUnlock()
		return
	}
	whole := limitsOf(db.Properties, c.BinlogEnabled(db, nil))
	tables := map[int64]limits{}
	for _, t := range db.Tables {
		tables[t.ID] = limitsOf(t.Properties, c.BinlogEnabled(db, t))
	}
	c.RUnlock()
	now := c.Now()
	c.collect(id, func(logs *dbBinlogs) []*Binlog {
		if whole.enabled {
			return logs.cutAll(logs.list.expired(whole, logs.lowestLock(), now))
		}
		return logs.cutTables(tables, now)
	})
}

// collect runs cut under the store's lock and lets backends release the files
// of the UPSERTs that it removed.
func (c *Core) collect(db int64, cut func(*dbBinlogs) []*Binlog) {
	c.binlogs.mu.Lock()
	var gone []*Binlog
	if logs, ok := c.binlogs.dbs[db]; ok {
		gone = cut(logs)
	}
	c.binlogs.mu.Unlock()
	latest := map[*catalog.Partition]int64{}
	for _, b := range gone {
		for _, v := range b.upsert {
			latest[v.partition] = max(latest[v.partition], v.version)
		}
	}
	for p, version := range latest {
		c.releaseBinlogs(p, version)
	}
}

func (c *Core) releaseBinlogs(p *catalog.Partition, version int64) {
	c.RLock()
	var tasks []func()
	for _, tablets := range p.Tablets {
		for _, tablet := range tablets {
			for _, r := range tablet.Replicas {
				if backend, ok := c.Backend(r.BackendID); ok {
					tasks = append(tasks, func() { backend.ReleaseBinlogs(tablet.ID, version) })
				}
			}
		}
	}
	c.RUnlock()
	for _, release := range tasks {
		release()
	}
}

// expired returns the number up to which the list must be cut; what lies below
// the lowest lock is of no use to any job. The DUMMY's number means nothing.
func (l *binlogList) expired(limit limits, lowestLock int64, now time.Time) int64 {
	deadline := now.Add(-limit.ttl).UnixMilli()
	old := int64(math.MinInt64)
	for _, b := range l.entries[1:] {
		if b.Timestamp >= 0 && b.Timestamp <= deadline {
			old = b.CommitSeq
		}
	}
	old = max(old, lowestLock-1)
	cut, bytes, count := l.first().CommitSeq, l.bytes, int64(len(l.entries))
	for _, b := range l.entries[1:] {
		if b.CommitSeq > old && bytes <= limit.maxBytes && count <= limit.maxHistory {
			break
		}
		cut = b.CommitSeq
		bytes -= b.size()
		count--
	}
	return cut
}

// noLock is the lowest lock where there is none.
const noLock = math.MinInt64 + 1

// lowestLock returns the lowest locked number, or noLock (doris-binlogs.md 1.7).
func (l *binlogList) lowestLock() int64 {
	lowest := int64(noLock)
	for _, seq := range l.locks {
		lowest = lower(lowest, seq)
	}
	return lowest
}

// lowestLock is the lowest lock of all lockers, those of single tables included
// (doris-rpc.md 3.6): the lists of the tables are cut together with the
// database's.
func (logs *dbBinlogs) lowestLock() int64 {
	lowest := logs.list.lowestLock()
	for _, l := range logs.tables {
		lowest = lower(lowest, l.lowestLock())
	}
	return lowest
}

// lower returns the lower one of two locks.
func lower(a, b int64) int64 {
	switch {
	case a == noLock:
		return b
	case b == noLock:
		return a
	}
	return min(a, b)
}

// cut removes the entries up to seq and moves the DUMMY.
func (l *binlogList) cut(seq int64) []*Binlog {
	to := l.after(seq)
	if to <= 1 {
		return nil
	}
	gone := slices.Clone(l.entries[1:to])
	for _, b := range gone {
		l.bytes -= b.size()
	}
	last := gone[len(gone)-1]
	l.moveDummy(last.CommitSeq, last.Timestamp)
	rest := make([]*Binlog, 0, len(l.entries)-len(gone))
	rest = append(rest, l.entries[0])
	l.entries = append(rest, l.entries[to:]...)
	for job, locked := range l.locks {
		if locked < l.first().CommitSeq {
			delete(l.locks, job)
		}
	}
	return gone
}

// moveDummy replaces the DUMMY; readers may still hold the old one. In `new` it
// gets the timestamp of the last entry that is gone (doris-binlogs.md 1.4).
func (l *binlogList) moveDummy(seq, timestamp int64) {
	old := l.first()
	if !l.stamped {
		timestamp = old.Timestamp
	}
	l.entries[0] = &Binlog{CommitSeq: seq, Timestamp: timestamp, Type: binlog.TypeDummy, DB: old.DB, Belong: old.Belong}
}

// cutAll cuts the db list and every table list at seq.
func (logs *dbBinlogs) cutAll(seq int64) []*Binlog {
	gone := logs.list.cut(seq)
	if len(gone) == 0 {
		return nil
	}
	dummy := logs.list.first()
	position := dummy.CommitSeq
	for _, l := range logs.tables {
		l.cut(position)
		if l.first().CommitSeq < position {
			l.moveDummy(position, dummy.Timestamp)
		}
	}
	logs.dropped.trim(position)
	return gone
}

// cutTables collects a database that is not enabled itself: every table list by
// the table's limits, then the entries of the db list that no table needs.
func (logs *dbBinlogs) cutTables(tables map[int64]limits, now time.Time) []*Binlog {
	highest, stamp := int64(-1), int64(-1)
	var unused []*Binlog
	for id, l := range logs.tables {
		seq := l.last().CommitSeq
		if limit, ok := tables[id]; ok && limit.enabled {
			seq = l.expired(limit, l.lowestLock(), now)
		}
		for _, b := range l.cut(seq) {
			b.refs--
			if b.CommitSeq > highest {
				highest, stamp = b.CommitSeq, b.Timestamp
			}
			if b.refs == 0 {
				unused = append(unused, b)
			}
		}
	}
	if highest < 0 {
		return nil
	}
	kept := logs.list.entries[:1:1]
	for _, b := range logs.list.entries[1:] {
		if b.CommitSeq > highest || b.refs > 0 {
			kept = append(kept, b)
			continue
		}
		logs.list.bytes -= b.size()
	}
	logs.list.entries = kept
	position := highest
	if len(kept) > 1 {
		position = min(position, kept[1].CommitSeq-1)
	}
	if position > logs.list.first().CommitSeq {
		logs.list.moveDummy(position, stamp)
	}
	logs.dropped.trim(position)
	return unused
}
