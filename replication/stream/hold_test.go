package stream

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// record is one of a version of partition 100 of table 10, beside others.
func record(version int64) map[int64]binlog.TableRecord {
	return map[int64]binlog.TableRecord{
		10: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 99, Version: 1000}, {PartitionID: 100, Version: version}}},
		11: {PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 1000}}},
	}
}

func heldAt(step int, version int64) job.Hold {
	return job.Hold{Job: "j", ID: 7, Step: step, TableID: 10, PartitionID: 100, Version: version, Limit: time.Second}
}

// What a hold lets through, and when it ends.
func TestHoldEnds(t *testing.T) {
	after := func(h *Holds, d time.Duration, orders ...job.Hold) {
		go func() {
			time.Sleep(d)
			for _, o := range orders {
				h.Order(o)
			}
		}()
	}
	over := heldAt(9, 0)
	over.Over = true
	long := heldAt(1, 4)
	long.Limit = time.Hour
	for name, c := range map[string]struct {
		orders  []job.Hold
		version int64
		then    func(h *Holds, stop, cancel func())
		waits   time.Duration
	}{
		"no hold":            {version: 5},
		"up to its version":  {orders: []job.Hold{heldAt(1, 5)}, version: 5},
		"of another":         {orders: []job.Hold{{ID: 7, Step: 1, TableID: 12, PartitionID: 100, Limit: time.Second}}, version: 5},
		"to its limit":       {orders: []job.Hold{heldAt(1, 4)}, version: 5, waits: time.Second},
		"nothing":            {orders: []job.Hold{heldAt(1, 0)}, version: 1, waits: time.Second},
		"no longer than all": {orders: []job.Hold{long}, version: 5, waits: job.MaxHold},
		"over":               {orders: []job.Hold{heldAt(1, 4), over}, version: 5},
		"an order of before": {orders: []job.Hold{over, heldAt(8, 4)}, version: 5},
		"of an earlier hold": {orders: []job.Hold{over, {ID: 6, Step: 99, TableID: 10, PartitionID: 100, Limit: time.Second}}, version: 5},
		"ended meanwhile": {orders: []job.Hold{heldAt(1, 4)}, version: 5, waits: time.Second / 5,
			then: func(h *Holds, _, _ func()) { after(h, time.Second/5, over) }},
		"let through meanwhile": {orders: []job.Hold{heldAt(1, 0)}, version: 5, waits: time.Second / 5,
			then: func(h *Holds, _, _ func()) { after(h, time.Second/5, heldAt(2, 5)) }},
		"changed, its limit stays": {orders: []job.Hold{heldAt(1, 0)}, version: 5, waits: time.Second,
			then: func(h *Holds, _, _ func()) { after(h, time.Second/5, heldAt(2, 4)) }},
		"another one begins": {orders: []job.Hold{heldAt(1, 0)}, version: 5, waits: time.Second + time.Second/5,
			then: func(h *Holds, _, _ func()) {
				next := heldAt(1, 0)
				next.ID = 8
				after(h, time.Second/5, next)
			}},
		"the shift is to stop": {orders: []job.Hold{heldAt(1, 4)}, version: 5, waits: time.Second / 5,
			then: func(_ *Holds, stop, _ func()) { time.AfterFunc(time.Second/5, stop) }},
		"the attempt ends": {orders: []job.Hold{heldAt(1, 4)}, version: 5, waits: time.Second / 5,
			then: func(_ *Holds, _, cancel func()) { time.AfterFunc(time.Second/5, cancel) }},
		"nobody ended it": {orders: []job.Hold{heldAt(1, 4)}, version: 5,
			then: func(*Holds, func(), func()) { time.Sleep(job.HoldLife) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := NewHolds()
				for _, o := range c.orders {
					h.Order(o)
				}
				stop, stopped := context.WithCancel(t.Context())
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				defer stopped()
				if c.then != nil {
					c.then(h, stopped, cancel)
				}
				require.Equal(t, c.waits, h.await(ctx, stop, record(c.version)))
				synctest.Wait()
				require.Empty(t, h.doing())
			})
		})
	}
}

// The answer tells how long commits have waited, those included that still do.
func TestHoldTellsHowLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHolds()
		require.Zero(t, h.Order(heldAt(1, 0)).Waited)
		done := make(chan time.Duration)
		go func() { done <- h.await(t.Context(), t.Context(), record(5)) }()
		time.Sleep(time.Second / 4)
		require.Equal(t, "holds loads of partition 100 of table 10 back while it is verified, 1s at most", h.doing())
		require.Equal(t, time.Second/4, h.Order(heldAt(2, 5)).Waited)
		require.Equal(t, time.Second/4, <-done)
		time.Sleep(time.Second)
		over := heldAt(3, 0)
		over.Over = true
		require.Equal(t, time.Second/4, h.Order(over).Waited, "nobody waited since")
		next := heldAt(1, 0)
		next.ID = 8
		require.Zero(t, h.Order(next).Waited)
	})
}

// Loads up to the version are committed, later ones are not: in global order nothing is
// that comes after them, in per_table order the other tables go on.
func TestStreamHoldsAPartition(t *testing.T) {
	for _, group := range []int{1, 4, 40} {
		for order, others := range map[job.CommitOrder]bool{job.CommitOrderGlobal: false, job.CommitOrderPerTable: true} {
			b := newBench(t)
			b.Spec.CommitOrder, b.Options.Group, b.Options.Window = order, group, 40
			b.Options.Metrics = pair.NewMetrics(nil)
			want := b.upserts(40) // every fourth into table 10, versions from 2 on
			holds := NewHolds()
			hold := job.Hold{ID: 1, Step: 1, TableID: 10, PartitionID: 100, Version: 4, Limit: job.MaxHold}
			holds.Order(hold)
			done := make(chan job.StreamResult, 1)
			go func() { done <- b.stream(want[39], Hooks{Holds: holds}) }()
			require.Eventually(t, func() bool {
				return holds.doing() != "" && (!others || len(b.Dst.Visible()) == 3+30)
			}, 4*time.Second, time.Millisecond, "%s: %v", order, b.Dst.Visible())
			committed := b.Dst.Visible()
			if others {
				require.Len(t, committed, 3+30)
				require.Contains(t, committed, want[39])
			} else if group == 1 {
				require.Equal(t, want[:12], committed)
			}
			require.Contains(t, committed, want[8], "version 4")
			require.NotContains(t, committed, want[12], "version 5")
			hold.Step, hold.Over = 2, true
			require.NotZero(t, holds.Order(hold).Waited)
			got := <-done
			require.Equal(t, want[39], got.Position.CommitSeq)
			committed = b.Dst.Visible()
			slices.Sort(committed)
			require.Equal(t, want, committed, "each once")
			require.Positive(t, testutil.ToFloat64(b.Options.Metrics.HoldSeconds.WithLabelValues(b.Spec.Name)))
		}
	}
}

// A shift that is asked to stop does not wait for the end of a hold: what is ingested
// is committed.
func TestStreamStopsInAHold(t *testing.T) {
	b := newBench(t)
	b.Options.Window = 40
	want := b.upserts(8)
	holds := NewHolds()
	holds.Order(job.Hold{ID: 1, Step: 1, TableID: 10, PartitionID: 100, Limit: job.MaxHold})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan job.StreamResult, 1)
	go func() { done <- b.streamContext(ctx, 0, Hooks{Holds: holds}) }()
	require.Eventually(t, func() bool { return holds.doing() != "" }, 4*time.Second, time.Millisecond)
	require.Empty(t, b.Dst.Visible())
	stop()
	got := <-done
	require.Equal(t, job.EndStopped, got.End)
	require.Equal(t, b.Dst.Visible(), want[:len(b.Dst.Visible())])
	require.NotEmpty(t, b.Dst.Visible())
	require.Zero(t, b.Dst.Open())
}
