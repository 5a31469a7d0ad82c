package core

import (
	"context"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// NextTxnID takes a transaction id that no transaction gets: those that begin
// later have higher ones.
func (c *Core) NextTxnID() int64 { return c.txnIDs.Add(1) }

// RunningBefore tells whether a transaction of the table with an id below the
// watershed is not finished yet. It needs no lock.
func (c *Core) RunningBefore(db, table, watershed int64) bool {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	for id, t := range c.txns.of(db).running {
		if id < watershed && slices.Contains(t.Tables, table) {
			return true
		}
	}
	return false
}

// DropIndexTablets removes the tablets of one index of t. It needs the lock.
func (c *Core) DropIndexTablets(t *catalog.Table, indexID int64) {
	for _, p := range Partitions(t) {
		c.dropTablets(p.Tablets[indexID])
		delete(p.Tablets, indexID)
	}
}

// refill is a tablet under construction and the one whose rows it gets.
type refill struct {
	partition *catalog.Partition
	from      int64 // index
	bucket    int
	to        *catalog.Tablet
}

// FillIndex gives the tablets of an index under construction the rows of the
// index it is made from, as convert turns them; the tablets correspond bucket by
// bucket. All transactions that do not write the new index must be finished.
// Loads go on meanwhile. It takes the lock itself: do not hold it.
func (c *Core) FillIndex(ctx context.Context, t *catalog.Table, from, to int64, convert func([]types.Row) (be.RowsetData, error)) error {
	var work []refill
	c.RLock()
	for _, p := range Partitions(t) {
		if len(p.Tablets[from]) != len(p.Tablets[to]) {
			c.RUnlock()
			return fmt.Errorf("partition %s: %d tablets of index %d, %d of index %d", p.Name, len(p.Tablets[from]), from, len(p.Tablets[to]), to)
		}
		for i, tablet := range p.Tablets[to] {
			work = append(work, refill{partition: p, from: from, bucket: i, to: tablet})
		}
	}
	c.RUnlock()
	for _, w := range work {
		if err := c.refillTablet(ctx, w, convert); err != nil && c.stillOwns(t, w.partition) {
			return err
		}
	}
	return nil
}

// stillOwns tells a failure from the consequence of dropping the partition.
func (c *Core) stillOwns(t *catalog.Table, p *catalog.Partition) bool {
	c.RLock()
	defer c.RUnlock()
	return ownsPartition(t, p)
}

func (c *Core) refillTablet(ctx context.Context, w refill, convert func([]types.Row) (be.RowsetData, error)) error {
	var (
		rows    []types.Row
		version int64
		err     error
	)
	for range scanTries { // the version may be compacted away under the scan
		c.RLock()
		tablets := w.partition.Tablets[w.from]
		if w.bucket >= len(tablets) {
			c.RUnlock()
			return ErrIndexGone
		}
		version = w.partition.VisibleVersion
		read := Scan{Replica: AnyReplica}.replicasOf(tablets[w.bucket], version)
		c.RUnlock()
		if rows, err = scanTablet(ctx, c, read, version, be.Tasks.Scan); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	data, err := convert(rows)
	if err != nil {
		return err
	}
	return c.rebaseReplicas(w.to, version, data)
}

// rebaseReplicas writes all replicas of a tablet. Those that fail are bad, which
// is said last: they are repaired from the others.
func (c *Core) rebaseReplicas(tablet *catalog.Tablet, version int64, data be.RowsetData) error {
	var (
		last error
		bad  []*catalog.Replica
	)
	for _, r := range tablet.Replicas {
		tasks, ok := c.Backend(r.BackendID)
		if !ok {
			last = fmt.Errorf("backend %d is gone", r.BackendID)
			bad = append(bad, r)
			continue
		}
		if err := tasks.Rebase(tablet.ID, version, data); err != nil {
			last = err
			bad = append(bad, r)
		}
	}
	if len(bad) == len(tablet.Replicas) {
		return fmt.Errorf("fill tablet %d: %w", tablet.ID, last)
	}
	c.Lock()
	defer c.Unlock()
	for _, r := range bad {
		c.MarkBad(tablet.ID, r, version)
	}
	return nil
}
