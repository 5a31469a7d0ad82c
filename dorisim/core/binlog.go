package core

import (
	"bytes"
	"encoding/json"
	"slices"
	"sync"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// Event is offered to the binlog lists by Record (doris-binlogs.md 1.3).
type Event struct {
	DB     int64
	Tables []int64
	Type   binlog.Type
	// Timestamp in ms; 0 stands for what the imitated version gives to events
	// that are no UPSERT: the wall clock (new) or -1.
	Timestamp         int64
	RemoveEnableCache bool
	// SwitchedOff is the record of binlogs being switched off: it is judged by the
	// setting that was in force until then (doris-binlogs.md 1.1).
	SwitchedOff bool
	// Payload makes the value that is printed as the binlog's data; it gets the
	// commit seq. Data is used instead when Payload is nil.
	Payload func(commitSeq int64) any
	Data    string

	upsert []publishedVersion
}

// publishedVersion is a version that an UPSERT made: backends may release its
// binlog files once the UPSERT is collected.
type publishedVersion struct {
	partition *catalog.Partition
	version   int64
}

// Binlog is one entry of a list (doris-binlogs.md 2.1).
type Binlog struct {
	CommitSeq         int64
	Timestamp         int64 // ms, -1 unknown
	Type              binlog.Type
	DB                int64
	Tables            []int64
	Data              string
	Belong            int64 // DUMMY: table id, or -1 for the db list
	TableRef          int64 // table lists that got it
	RemoveEnableCache bool

	upsert []publishedVersion
	refs   int // table lists that hold it
}

// size is the FE's estimate in bytes (doris-binlogs.md 1.6).
func (b *Binlog) size() int64 { return 80 + 8*int64(len(b.Tables)) + int64(len(b.Data)) }

// binlogList is a sorted list; its first entry is the DUMMY.
type binlogList struct {
	entries []*Binlog
	bytes   int64
	locks   map[string]int64 // job unique id -> commit seq
	stamped bool             // the DUMMY has a timestamp once it has moved
}

func (s *binlogStore) newList(db, belong int64) *binlogList {
	dummy := &Binlog{CommitSeq: -1, Timestamp: -1, Type: binlog.TypeDummy, DB: db, Belong: belong}
	return &binlogList{entries: []*Binlog{dummy}, locks: map[string]int64{}, stamped: s.stampDummies}
}

// insert puts an entry in its place, which is not the last one where it is filed
// late. What the collector has passed already is as good as collected.
func (l *binlogList) insert(b *Binlog) bool {
	at := l.after(b.CommitSeq)
	if at == 0 {
		return false
	}
	l.entries = slices.Insert(l.entries, at, b)
	l.bytes += b.size()
	return true
}

// after returns the position of the first entry with a number above seq.
func (l *binlogList) after(seq int64) int {
	i, found := slices.BinarySearchFunc(l.entries, seq, func(b *Binlog, seq int64) int {
		switch {
		case b.CommitSeq < seq:
			return -1
		case b.CommitSeq > seq:
			return 1
		}
		return 0
	})
	if found {
		return i + 1
	}
	return i
}

func (l *binlogList) first() *Binlog { return l.entries[0] }
func (l *binlogList) last() *Binlog  { return l.entries[len(l.entries)-1] }

// dbBinlogs are the lists of one database.
type dbBinlogs struct {
	list    *binlogList
	tables  map[int64]*binlogList
	dropped droppedResources
}

type binlogStore struct {
	mu  sync.RWMutex
	dbs map[int64]*dbBinlogs
	// stampDummies is what `new` does when it moves a DUMMY.
	stampDummies bool
	unfiled      unfiled
}

func (s *binlogStore) init(v Version) {
	s.dbs = map[int64]*dbBinlogs{}
	s.stampDummies = v == VersionNew
	s.unfiled.init()
}

func (s *binlogStore) drop(db int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dbs, db)
	s.unfiled.forget(db)
}

func (s *binlogStore) loseLocks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, db := range s.dbs {
		clear(db.list.locks)
		for _, l := range db.tables {
			clear(l.locks)
		}
	}
}

// Record consumes a journal id for the event, files it into the lists by the
// rules of doris-binlogs.md 1.3 and 1.4, at once or late (LateFiling), and
// returns the id: the commit seq. It needs the lock.
func (c *Core) Record(e Event) int64 {
	seq := c.NextJournal()
	db := c.databases[e.DB]
	if !c.recorded(db, e) {
		return seq
	}
	b := &Binlog{
		CommitSeq: seq, Timestamp: e.Timestamp, Type: e.Type, DB: e.DB, Tables: slices.Clone(e.Tables),
		Data: e.Data, RemoveEnableCache: e.RemoveEnableCache, upsert: e.upsert,
	}
	if b.Timestamp == 0 {
		b.Timestamp = -1
		if c.cfg.Version == VersionNew {
			b.Timestamp = c.Now().UnixMilli()
		}
	}
	if e.Payload != nil {
		b.Data = Gson(e.Payload(seq))
	}
	known := false
	if b.Type, b.Data, known = c.dialect(&e, b.Type, b.Data); !known {
		return seq
	}
	c.binlogs.file(b, c.enabledTables(db, e), c.LateFiling())
	return seq
}

// recorded applies the rules of doris-binlogs.md 1.3: in `new` the setting of a
// single table alone counts, before that the database's is enough, also for
// materialized views. Views, and tables that are dropped already, follow their
// database.
func (c *Core) recorded(db *catalog.Database, e Event) bool {
	if c.FEConfig("enable_feature_binlog") != "true" || db == nil {
		return false
	}
	if e.SwitchedOff {
		return true
	}
	tables := e.Tables
	database := c.BinlogEnabled(db, nil)
	if len(tables) == 0 {
		return database
	}
	if len(tables) == 1 && c.cfg.Version == VersionNew {
		if _, t, ok := c.TableByID(tables[0]); ok {
			return c.BinlogEnabled(db, t)
		}
		return database
	}
	return database || slices.ContainsFunc(tables, func(id int64) bool {
		_, t, ok := c.TableByID(id)
		return ok && c.BinlogEnabled(db, t)
	})
}

// enabledTables are those in whose lists the event goes (doris-binlogs.md 1.4).
func (c *Core) enabledTables(db *catalog.Database, e Event) []int64 {
	if e.Type == binlog.TypeCreateTable || e.Type == binlog.TypeDropTable {
		return nil
	}
	database := c.BinlogEnabled(db, nil)
	var ids []int64
	for _, id := range e.Tables {
		if database || e.SwitchedOff {
			ids = append(ids, id)
		} else if _, t, ok := c.TableByID(id); ok && c.BinlogEnabled(db, t) {
			ids = append(ids, id)
		}
	}
	return ids
}

// add puts a binlog into the lists. The caller holds mu.
func (s *binlogStore) add(b *Binlog, tables []int64) {
	db, ok := s.dbs[b.DB]
	if !ok {
		db = &dbBinlogs{list: s.newList(b.DB, -1), tables: map[int64]*binlogList{}}
		s.dbs[b.DB] = db
	}
	b.TableRef = int64(len(tables))
	if !db.list.insert(b) {
		return
	}
	db.dropped.note(b)
	for _, id := range tables {
		list, ok := db.tables[id]
		if !ok {
			list = s.newList(b.DB, id)
			db.tables[id] = list
		}
		if list.insert(b) {
			b.refs++
		}
	}
}

// Gson prints a payload as the FE's JSON library does: the characters &, <, >,
// = and ' are escaped (doris-binlogs.md 2.1). A value that cannot be printed is
// a programming error and gives "null".
func Gson(v any) string {
	text, err := json.Marshal(v) // escapes <, > and &
	if err != nil {
		return "null"
	}
	// Both characters can only stand inside of JSON strings.
	text = bytes.ReplaceAll(text, []byte("="), []byte(`\u003d`))
	return string(bytes.ReplaceAll(text, []byte("'"), []byte(`\u0027`)))
}
