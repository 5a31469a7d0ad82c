package stream

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// In global order commits come one after the other, and the round trip of a
// commit is what bounds a job's throughput. So UPSERTs that wait together share
// one destination transaction: their rows become visible at once, the order holds
// as strictly as before, and one commit serves all of them.
//
// Those that have no table in common travel in a plain transaction. Where a table
// comes more than once, each share of a table has a sub-transaction of its own:
// the commit gives them consecutive versions in the order of its list
// (doris-rpc.md 3.8). Such a commit takes longer, so that takes a number of UPSERTs
// that wait, and what arrives alone travels alone.
//
// Exactly-once does not change: the transaction has the label of its last
// UPSERT, so a label still says "everything up to here is applied". The labels
// of the others are begun as well, stay without rows, and are committed after
// it (claim.go). Two workers that follow the same binlogs thus meet in each single
// label, however they have grouped them (architecture.md 4.5).
//
// A group that fails is rolled back, and goes on as two smaller ones (divide.go).

const (
	// leastShared is how many UPSERTs have to wait for a transaction with
	// sub-transactions: its commit waits for the publication, at least briefly, which
	// for fewer takes longer than the commits of plain ones that do not.
	leastShared = 4
	// mostVersions bounds the versions of a UNIQUE table that are under way: a backend
	// publishes those of a merge-on-write table that are further ahead of its newest
	// one in a slow way (mow_publish_max_discontinuous_version_num, doris-rpc.md 3.8).
	// So a group has that many of them at most, and the next is committed when they
	// are visible.
	mostVersions = 20
	// mostRecords bounds the partitions of a group: that is what a failure takes back,
	// and what the destination's frontend has to go through under the tables' locks.
	mostRecords = 256
)

// part is one UPSERT of a transaction.
type part struct {
	entry   *entry
	upsert  *binlog.Upsert
	records map[int64]binlog.TableRecord // by source table
	fetched time.Time
	label   string
	// alone: it must not share a transaction.
	alone bool

	plan  *plan
	claim *claim // of its label, unless it is the last of its transaction
}

// partitions is how many partitions the UPSERT brings.
func (p *part) partitions() (n int) {
	for _, record := range p.records {
		n += len(record.PartitionRecords)
	}
	return n
}

// mayGroup tells whether the UPSERT may share a transaction. A probe applies
// binlogs one by one, so that a problem is told of the right one.
func (s *shift) mayGroup(p *part) bool {
	return s.in.Spec.CommitOrder != job.CommitOrderPerTable && !s.in.Spec.ReuseBinlogLabel &&
		!s.in.Probe && !p.alone && len(p.upsert.SubTxnIDs) == 0 && !s.hooks.Holds.concern(p.records)
}

// collect adds an UPSERT to the open group, or opens a new one with it.
func (s *shift) collect(stop context.Context, p *part) *ending {
	if !s.mayGroup(p) || !s.fits(stop, p) {
		if e := s.flush(stop); e != nil {
			return e
		}
	}
	s.tracker.add(p.entry)
	s.group = append(s.group, p)
	if !s.mayGroup(p) || len(s.group) >= min(s.size.now(), s.memory.Uncovered()) {
		return s.flush(stop)
	}
	return nil
}

// fits tells whether p may join the open group.
func (s *shift) fits(ctx context.Context, p *part) bool {
	records := p.partitions()
	for _, other := range s.group {
		records += other.partitions()
	}
	if len(s.group) > 0 && records > mostRecords {
		return false
	}
	for id := range p.records {
		versions := 1
		for _, other := range s.group {
			if _, also := other.records[id]; also {
				versions++
			}
		}
		if versions > 1 && (s.job.Destination.LacksSubTxns() || versions > mostVersions && s.unique(ctx, id)) {
			return false
		}
	}
	return true
}

// flush sends the open group on its way.
func (s *shift) flush(stop context.Context) *ending {
	group := s.group
	s.group = nil
	for _, parts := range cut(group, min(leastShared, s.job.Options.Group)) {
		t := newTxn(s, parts)
		t.awaits = s.awaits(stop, parts)
		if e := s.send(stop, t); e != nil {
			return e
		}
	}
	return nil
}

// awaits tells whether a group gives a UNIQUE table several versions.
func (s *shift) awaits(ctx context.Context, parts []*part) bool {
	tables := map[int64]bool{}
	for _, p := range parts {
		for id := range p.records {
			if tables[id] && s.unique(ctx, id) {
				return true
			}
			tables[id] = true
		}
	}
	return false
}

// cut makes transactions of a group: one, unless fewer UPSERTs than least wait, which
// do without sub-transactions. Then a table occurs once in each.
func cut(group []*part, least int) (cuts [][]*part) {
	if len(group) >= least {
		return [][]*part{group}
	}
	tables := map[int64]bool{}
	for _, p := range group {
		common := slices.ContainsFunc(slices.Collect(maps.Keys(p.records)), func(id int64) bool { return tables[id] })
		if len(cuts) == 0 || common {
			cuts = append(cuts, nil)
			clear(tables)
		}
		cuts[len(cuts)-1] = append(cuts[len(cuts)-1], p)
		for id := range p.records {
			tables[id] = true
		}
	}
	return cuts
}

// send lets a transaction go as soon as there is room for it.
func (s *shift) send(stop context.Context, t *txn) *ending {
	select {
	case s.slots <- struct{}{}:
	case <-s.failing:
		return &ending{end: job.EndBlocked}
	case <-stop.Done():
		return &ending{end: job.EndStopped}
	}
	e := s.mayBegin(stop, t.parts[0].entry, len(t.parts))
	if e == nil && s.hasFailed() { // its slot may be that of the failure
		e = &ending{end: job.EndBlocked}
	}
	if e != nil {
		<-s.slots
		return e
	}
	s.order(t)
	s.reached = t.last().entry.seq
	s.txns.Go(func() {
		defer func() { <-s.slots }()
		t.run(s.work)
	})
	return nil
}
