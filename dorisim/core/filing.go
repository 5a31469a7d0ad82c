package core

import (
	"cmp"
	"container/heap"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// LateFiling says how late binlogs are filed. Doris gives a binlog its number
// under the edit log's lock and puts it into the lists afterwards, each thread
// for itself: 106 can be readable before 104 is. What concerns one table is
// filed in order, and so are the UPSERTs of one database
// (doris-binlogs.md 1.2).
//
// Statements do not wait for their binlogs to be filed, as if another client
// had sent each of them: so a program of one statement after the other meets
// what Doris shows under concurrent load.
type LateFiling struct {
	// Percent of the binlogs are filed late; 0: none.
	Percent int
	// Max is the longest delay; delays are even up to it.
	Max time.Duration
	// Seed of what is random; 0: another one each time.
	Seed uint64
}

// FE configuration items that keep the setting; no real frontend has them.
const (
	lateFilingPercent = "dorisim_late_binlogs_percent"
	lateFilingMax     = "dorisim_late_binlogs_max_ms"
	lateFilingSeed    = "dorisim_late_binlogs_seed"
)

// LateFiling returns the setting in force.
func (c *Core) LateFiling() LateFiling {
	seed, err := strconv.ParseUint(c.FEConfig(lateFilingSeed), 10, 64)
	if err != nil {
		seed = 0
	}
	return LateFiling{
		Percent: c.feConfigInt(lateFilingPercent, 0),
		Max:     time.Duration(c.feConfigInt(lateFilingMax, 0)) * time.Millisecond, Seed: seed,
	}
}

// SetLateFiling changes the setting while the cluster runs. Binlogs that wait to
// be filed go on waiting.
func (c *Core) SetLateFiling(l LateFiling) {
	c.SetFEConfig(lateFilingPercent, strconv.Itoa(l.Percent))
	c.SetFEConfig(lateFilingMax, strconv.FormatInt(l.Max.Milliseconds(), 10))
	c.SetFEConfig(lateFilingSeed, strconv.FormatUint(l.Seed, 10))
}

// UnfiledBinlogs counts the binlogs that no reader sees yet.
func (c *Core) UnfiledBinlogs() int {
	c.binlogs.mu.RLock()
	defer c.binlogs.mu.RUnlock()
	return len(c.binlogs.unfiled.queue)
}

// FileBinlogs files at once whatever waits to be filed, in order, as a frontend
// does that builds its lists from the journal.
func (c *Core) FileBinlogs() { c.binlogs.fileUntil(time.Time{}) }

// unfiledBinlog has its number and is in no list yet.
type unfiledBinlog struct {
	*Binlog
	lists []int64 // of these tables
	due   time.Time
}

// unfiled are the binlogs on their way into the lists. The store's lock guards
// it.
type unfiled struct {
	queue filingQueue
	// last is the binlog of a key that is filed last: keys are tables, and
	// databases for their UPSERTs (negative). Those of one key stay in order.
	last   map[int64]*unfiledBinlog
	random *rand.Rand
	seed   uint64
	wake   chan struct{}
}

func (u *unfiled) init() {
	u.last = map[int64]*unfiledBinlog{}
	u.wake = make(chan struct{}, 1)
}

// filingKeys are what the binlog must stay in order with.
func filingKeys(b *Binlog) []int64 {
	keys := slices.Clone(b.Tables)
	if b.Type == binlog.TypeUpsert {
		keys = append(keys, -b.DB)
	}
	return keys
}

// delay draws how long a binlog takes to be filed.
func (u *unfiled) delay(l LateFiling) time.Duration {
	if l.Percent <= 0 || l.Max <= 0 {
		return 0
	}
	if u.random == nil || u.seed != l.Seed {
		u.seed = l.Seed
		seed := l.Seed
		if seed == 0 {
			seed = rand.Uint64()
		}
		u.random = rand.New(rand.NewPCG(seed, seed))
	}
	if u.random.IntN(100) >= l.Percent {
		return 0
	}
	return time.Duration(u.random.Int64N(int64(l.Max)))
}

// file puts the binlog into the lists, at once or after a while.
func (s *binlogStore) file(b *Binlog, lists []int64, l LateFiling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	late := &unfiledBinlog{Binlog: b, lists: lists, due: now.Add(s.unfiled.delay(l))}
	keys := filingKeys(b)
	for _, key := range keys {
		if before, ok := s.unfiled.last[key]; ok && before.due.After(late.due) {
			late.due = before.due
		}
	}
	if !late.due.After(now) && !s.unfiled.holds(keys) {
		s.add(b, lists)
		return
	}
	for _, key := range keys {
		s.unfiled.last[key] = late
	}
	heap.Push(&s.unfiled.queue, late)
	select {
	case s.unfiled.wake <- struct{}{}:
	default:
	}
}

func (u *unfiled) holds(keys []int64) bool {
	return slices.ContainsFunc(keys, func(key int64) bool { return u.last[key] != nil })
}

// fileUntil files what is due at a time, the zero time: everything, and returns
// when the next one is due, the zero time if nothing waits.
func (s *binlogStore) fileUntil(now time.Time) (next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.unfiled.queue
	var due []*unfiledBinlog
	for len(*q) > 0 && (now.IsZero() || !(*q)[0].due.After(now)) {
		due = append(due, heap.Pop(q).(*unfiledBinlog))
	}
	if now.IsZero() { // the journal's order
		slices.SortFunc(due, func(a, b *unfiledBinlog) int { return cmp.Compare(a.CommitSeq, b.CommitSeq) })
	}
	for _, b := range due {
		s.add(b.Binlog, b.lists)
		for _, key := range filingKeys(b.Binlog) {
			if s.unfiled.last[key] == b {
				delete(s.unfiled.last, key)
			}
		}
	}
	if len(*q) > 0 {
		next = (*q)[0].due
	}
	return next
}

// fileLate is the background work that files what has waited long enough.
func (c *Core) fileLate() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		if next := c.binlogs.fileUntil(time.Now()); !next.IsZero() {
			wait = time.Until(next)
		}
		timer.Reset(wait)
		select {
		case <-c.ctx.Done():
			return
		case <-c.binlogs.unfiled.wake:
		case <-timer.C:
		}
	}
}

// forget drops the unfiled binlogs of a database. The caller holds mu.
func (u *unfiled) forget(db int64) {
	u.queue = slices.DeleteFunc(u.queue, func(b *unfiledBinlog) bool { return b.DB == db })
	heap.Init(&u.queue)
	for key, b := range u.last {
		if b.DB == db {
			delete(u.last, key)
		}
	}
}

// filingQueue is a heap: what is due first comes first, of equals the one with
// the smaller number.
type filingQueue []*unfiledBinlog

func (q filingQueue) Len() int { return len(q) }

func (q filingQueue) Less(i, j int) bool {
	if c := q[i].due.Compare(q[j].due); c != 0 {
		return c < 0
	}
	return q[i].CommitSeq < q[j].CommitSeq
}

func (q filingQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *filingQueue) Push(x any) { *q = append(*q, x.(*unfiledBinlog)) }

// Pop implements heap.Interface.
func (q *filingQueue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}
