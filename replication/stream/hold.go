package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

// Holds keep the commits of loads of one partition back while a verification reads
// that partition of the destination: without it a partition that is loaded faster than
// it can be read would never be seen twice in the same version. Rows are ingested
// meanwhile, for they are invisible until the commit. The source never waits.
//
// What is held holds what must come after it: the whole job in global order, the
// table in per_table order. So a hold ends by itself: when commits have waited for
// its limit, when nobody has changed it for long, and when the shift is to stop.
//
// It is safe for concurrent use. A nil *Holds holds nothing.
type Holds struct {
	mu      sync.Mutex
	order   job.Hold      // the newest; none before the first
	begun   time.Time     // when its first step came
	changed chan struct{} // closed when order changes
	waited  time.Duration // by commits that wait no more
	since   time.Time     // since when a commit waits, zero if none does
}

// NewHolds returns what holds nothing yet.
func NewHolds() *Holds { return &Holds{changed: make(chan struct{})} }

// Order takes an order unless a later one has come. Here of the answer is left to
// whoever knows the shift.
func (h *Holds) Order(o job.Hold) job.Held {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	switch {
	case o.ID < h.order.ID || o.ID == h.order.ID && o.Step <= h.order.Step:
		return job.Held{Waited: h.waitedAt(now)}
	case o.ID != h.order.ID:
		h.begun, h.waited = now, 0
		if !h.since.IsZero() {
			h.since = now
		}
	}
	o.Limit = min(o.Limit, job.MaxHold)
	h.order = o
	close(h.changed)
	h.changed = make(chan struct{})
	return job.Held{Waited: h.waitedAt(now)}
}

// waitedAt needs the lock.
func (h *Holds) waitedAt(now time.Time) time.Duration {
	if h.since.IsZero() {
		return h.waited
	}
	return h.waited + now.Sub(h.since)
}

// await waits while the records of a transaction must not be committed, and tells how
// long it has. Of transactions with records of one table only one gets here at a time.
func (h *Holds) await(ctx, stop context.Context, records ...map[int64]binlog.TableRecord) time.Duration {
	if h == nil {
		return 0
	}
	began, held := time.Now(), false
	for {
		left, changed := h.wait(records)
		if left <= 0 {
			break
		}
		held = true
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-stop.Done():
		case <-ctx.Done():
		}
		timer.Stop()
		h.waitNoMore()
		if stop.Err() != nil || ctx.Err() != nil {
			break
		}
	}
	if !held {
		return 0
	}
	return time.Since(began)
}

// wait notes that a commit waits, and tells for how long it may, 0 if it need not.
func (h *Holds) wait(records []map[int64]binlog.TableRecord) (left time.Duration, changed <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if left = h.left(now); left > 0 {
		for _, r := range records {
			if beyond(r[h.order.TableID], h.order.PartitionID, h.order.Version) {
				h.since = now
				return left, h.changed
			}
		}
	}
	return 0, nil
}

// left is for how long commits may still wait; not more than 0: there is no hold. It
// needs the lock.
func (h *Holds) left(now time.Time) time.Duration {
	if h.order.ID == 0 || h.order.Over {
		return 0
	}
	return min(h.order.Limit-h.waited, job.HoldLife-now.Sub(h.begun))
}

// concern tells whether a partition of one of the tables is held back. Their UPSERTs
// do not share a transaction then: the destination would pass over the version that
// is wanted.
func (h *Holds) concern(records map[int64]binlog.TableRecord) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, concerned := records[h.order.TableID]
	return concerned && h.left(time.Now()) > 0
}

func (h *Holds) waitNoMore() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.since.IsZero() {
		h.waited += time.Since(h.since)
	}
	h.since = time.Time{}
}

// beyond tells whether a record brings a later version of the partition.
func beyond(r binlog.TableRecord, partition, version int64) bool {
	for _, p := range r.PartitionRecords {
		if p.PartitionID == partition && p.Version > version {
			return true
		}
	}
	return false
}

// doing says what is held, for people; "" if nothing waits.
func (h *Holds) doing() string {
	if h == nil {
		return ""
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return ""
	}
	name := h.order.Partition
	if name == "" {
		name = fmt.Sprint(h.order.PartitionID)
	}
	return fmt.Sprintf("holds loads of partition %s of table %d back while it is verified, %s at most", name, h.order.TableID, h.order.Limit)
}

// hold waits while a verification has the transaction's commit held back.
func (t *txn) hold(ctx context.Context) {
	records := make([]map[int64]binlog.TableRecord, len(t.parts))
	for i, p := range t.parts {
		records[i] = p.records
	}
	if waited := t.s.hooks.Holds.await(ctx, t.s.stop, records...); waited > 0 {
		t.s.job.Options.Metrics.Held(t.s.job.Spec.Name, waited)
	}
}
