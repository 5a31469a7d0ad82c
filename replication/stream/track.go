package stream

import (
	"slices"
	"sync"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// tracker follows how far a shift is. Its position is the end of the unbroken row
// of finished binlogs, in the order in which they were met. A binlog can be filed
// after one with a greater commit seq (doris-binlogs.md 1.2), so the position is
// not durable: see durable.
type tracker struct {
	mu       sync.Mutex
	position job.Position
	entries  []*entry      // unfinished or behind an unfinished one, as they were met
	changed  chan struct{} // for the reporter: the position has moved
	moved    chan struct{} // the same for the loop

	// inOrder: the log is one that files binlogs in order, a table's.
	inOrder bool
	// settled: up to here the log has been read again after a settling time.
	settled int64
	// met are the binlogs beyond the durable position that have been dealt with, or
	// are being dealt with; front is the last of them.
	met   map[int64]touch
	front int64
}

// touch is what a binlog was about.
type touch struct {
	tables []int64 // source ids; of one met by an earlier attempt they may be unknown
	upsert bool
}

// entry is one binlog on its way.
type entry struct {
	seq       int64
	tables    []int64 // source ids
	timestamp int64
	upsert    bool
	txn       int64 // destination transaction, 0 if none was needed
	partition int64 // see job.Position
	finished  bool
}

// newTracker goes on at a position; durable and ahead are those that its shift
// before told.
func newTracker(p job.Position, inOrder bool, durable int64, ahead []int64) *tracker {
	t := &tracker{
		position: p, inOrder: inOrder, settled: durable, met: map[int64]touch{}, front: p.CommitSeq,
		changed: make(chan struct{}, 1), moved: make(chan struct{}, 1),
	}
	for _, seq := range ahead {
		t.note(seq, touch{})
	}
	return t
}

// note keeps that a binlog has been met. The caller holds the lock.
func (t *tracker) note(seq int64, what touch) {
	t.met[seq] = what
	t.front = max(t.front, seq)
}

// meet notes a binlog that an earlier attempt has dealt with, or what it was
// about.
func (t *tracker) meet(seq int64, what touch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.note(seq, what)
}

// has tells whether the binlog needs nothing any more.
func (t *tracker) has(seq int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, met := t.met[seq]
	return met || seq <= t.settled
}

// begun returns the last binlog that has been begun with, and when the first that is
// not done with was written, in ms since the epoch, 0 unknown.
func (t *tracker) begun() (last, oldest int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if !e.finished {
			oldest = e.timestamp
			break
		}
	}
	return t.front, oldest
}

// touchedAfter returns the first binlog after seq that was met and is about the
// table, 0 if there is none. ddl leaves out UPSERTs.
func (t *tracker) touchedAfter(seq, table int64, ddl bool) (first int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for later, what := range t.met {
		if later > seq && (first == 0 || later < first) && !(ddl && what.upsert) && slices.Contains(what.tables, table) {
			first = later
		}
	}
	return first
}

// add appends a binlog that is being worked on.
func (t *tracker) add(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, e)
	t.note(e.seq, touch{tables: e.tables, upsert: true})
}

// passed appends a binlog that needed nothing.
func (t *tracker) passed(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, &entry{seq: seq, finished: true})
	t.note(seq, touch{})
	t.advance()
}

// known appends an UPSERT that an earlier attempt has applied.
func (t *tracker) known(seq, timestamp int64, tables []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, &entry{seq: seq, timestamp: timestamp, upsert: true, finished: true})
	t.note(seq, touch{tables: tables, upsert: true})
	t.advance()
}

// finish marks the binlog as applied by txn (0: there was nothing to apply).
func (t *tracker) finish(e *entry, txn int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.finished, e.txn = true, txn
	t.advance()
}

func (t *tracker) advance() {
	n := 0
	for _, e := range t.entries {
		if !e.finished {
			break
		}
		t.position.CommitSeq = max(t.position.CommitSeq, e.seq)
		if e.upsert {
			t.position.Applied++
			t.position.Timestamp = max(t.position.Timestamp, e.timestamp)
			t.position.Partition = max(t.position.Partition, e.partition)
		}
		if e.txn != 0 {
			t.position.TxnID = e.txn
		}
		if t.inOrder { // nothing before it will ever be met
			t.settled = max(t.settled, e.seq)
			delete(t.met, e.seq)
		}
		n++
	}
	if n == 0 {
		return
	}
	clear(t.entries[:n])
	t.entries = t.entries[n:]
	for _, waiting := range []chan struct{}{t.changed, t.moved} {
		select {
		case waiting <- struct{}{}:
		default:
		}
	}
}

// settle notes that the log has been read again up to seq, after a settling time,
// and that what was found has been appended.
func (t *tracker) settle(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settled = max(t.settled, seq)
	durable := t.durableSeq()
	for seq := range t.met {
		if seq <= durable {
			delete(t.met, seq)
		}
	}
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// durableSeq: no binlog up to here is ever needed again. The caller holds the
// lock.
func (t *tracker) durableSeq() int64 {
	d := t.position.CommitSeq
	if !t.inOrder {
		d = min(d, t.settled)
	}
	for _, e := range t.entries {
		if !e.finished {
			d = min(d, e.seq-1)
		}
	}
	return d
}

// durable returns the position at which whoever comes next has to go on reading,
// and the binlogs beyond it that are dealt with already, sorted.
func (t *tracker) durable() (seq int64, ahead []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seq = t.durableSeq()
	open := map[int64]bool{}
	for _, e := range t.entries {
		if !e.finished {
			open[e.seq] = true
		}
	}
	for met := range t.met {
		if met > seq && !open[met] {
			ahead = append(ahead, met)
		}
	}
	slices.Sort(ahead)
	return seq, ahead
}

// unsettled tells whether the log is still to be read again, and from where up to
// where.
func (t *tracker) unsettled() (from, to int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settled, t.front
}

// reached tells how far the shift is, and how much of what may be filed late is
// dealt with.
func (t *tracker) reached() pair.Reached {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := pair.Reached{Position: t.position.CommitSeq, Settled: t.settled}
	if t.inOrder {
		r.Settled = r.Position
	}
	for seq := range t.met {
		if seq > r.Settled {
			r.Dealt++
		}
	}
	for _, e := range t.entries {
		if !e.finished && e.seq > r.Settled {
			r.Dealt--
		}
	}
	return r
}

// open tells whether the binlog is being worked on.
func (t *tracker) open(seq int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.entries, func(e *entry) bool { return e.seq == seq && !e.finished })
}

// now returns the position and the number of binlogs behind it that are being
// worked on.
func (t *tracker) now() (job.Position, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position, len(t.entries)
}

// before is how many binlogs behind the position come before an unfinished one.
func (t *tracker) before(e *entry) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(0, slices.Index(t.entries, e))
}

// reach moves the position before anything is open.
func (t *tracker) reach(p job.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.position = p
	t.front = max(t.front, p.CommitSeq)
}
