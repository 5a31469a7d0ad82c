package replication

import (
	"sync"

	"github.com/doris-ccr/ccr/job"
)

// tracker follows how far a shift is: its position is the end of the unbroken
// row of finished binlogs.
type tracker struct {
	mu       sync.Mutex
	position job.Position
	entries  []*entry      // unfinished or behind an unfinished one, by commit seq
	changed  chan struct{} // for the reporter: the position has moved
	moved    chan struct{} // the same for the loop
}

// entry is one binlog on its way.
type entry struct {
	seq       int64
	timestamp int64
	upsert    bool
	txn       int64 // destination transaction, 0 if none was needed
	finished  bool
}

func newTracker(p job.Position) *tracker {
	return &tracker{position: p, changed: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
}

// add appends a binlog that is being worked on.
func (t *tracker) add(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, e)
}

// passed appends a binlog that needed nothing.
func (t *tracker) passed(seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, &entry{seq: seq, finished: true})
	t.advance()
}

// known appends an UPSERT that an earlier attempt has applied.
func (t *tracker) known(seq, timestamp int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = append(t.entries, &entry{seq: seq, timestamp: timestamp, upsert: true, finished: true})
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
		t.position.CommitSeq = e.seq
		if e.upsert {
			t.position.Applied++
			if e.timestamp > 0 {
				t.position.Timestamp = e.timestamp
			}
		}
		if e.txn != 0 {
			t.position.TxnID = e.txn
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

// ahead returns the UPSERTs that are applied although one before them is not.
func (t *tracker) ahead() (seqs []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.entries {
		if e.finished && e.upsert {
			seqs = append(seqs, e.seq)
		}
	}
	return seqs
}

// now returns the position and the number of binlogs behind it that are being
// worked on.
func (t *tracker) now() (job.Position, int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position, len(t.entries)
}

// reset moves the position before anything has been added.
func (t *tracker) reset(p job.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.position = p
}
