package core

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Commit commits a transaction and waits for it to become visible, as far as
// the request says (doris-rpc.md 3.8). It is idempotent. visible is false when
// the transaction is COMMITTED only. Errors: *TxnNotFoundError, *Error. It takes
// the lock itself: do not hold it.
func (c *Core) Commit(ctx context.Context, r CommitRequest) (visible bool, err error) {
	if err := faults.Sleep(ctx, c.Profile().Commit); err != nil {
		return false, err
	}
	t, err := c.commit(r)
	if err != nil {
		return false, err
	}
	if r.OnlyCommit || r.Wait < 0 {
		return c.txnState(t) == TxnVisible, nil
	}
	wait := r.Wait
	if wait == 0 {
		wait = time.Duration(c.feConfigInt("try_commit_lock_timeout_seconds", 5)) * time.Second
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.txnState(t) == TxnVisible, nil
}

// WaitTxn waits until the transaction is finished or forgotten, for wait at
// most, and returns its state.
func (c *Core) WaitTxn(ctx context.Context, db, id int64, wait time.Duration) (TxnState, bool) {
	c.txns.mu.Lock()
	t, ok := c.lookUp(db).byID[id]
	c.txns.mu.Unlock()
	if !ok {
		return TxnUnknown, false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.txnState(t), true
}

func (c *Core) txnState(t *txn) TxnState {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	return t.State
}

// commit checks and makes the transaction COMMITTED, and starts its publication.
func (c *Core) commit(r CommitRequest) (*txn, error) {
	c.Lock()
	defer c.Unlock()
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	t, ok := c.lookUp(r.DB).byID[r.TxnID]
	if !ok {
		return nil, &TxnNotFoundError{TxnID: r.TxnID}
	}
	for _, id := range t.Tables {
		if _, _, ok := c.TableByID(id); !ok {
			return nil, MetaErrorf("table not found, tableId=%d", id)
		}
	}
	switch t.State {
	case TxnAborted:
		return nil, Errorf("transaction [%d] is already aborted. abort reason: %s", t.ID, t.Reason)
	case TxnCommitted, TxnVisible:
		return t, nil
	}
	parts, subs, err := c.partitionCommits(t, r)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := c.checkQuorum(t, p); err != nil {
			return nil, err
		}
	}
	t.subs = subs
	c.assignVersions(t, parts)
	c.wg.Go(func() { c.publish(t) })
	return t, nil
}

// assignVersions makes the transaction COMMITTED: partitions get their next
// versions, and the publication its place behind the earlier ones.
func (c *Core) assignVersions(t *txn, parts []*partitionCommit) {
	waits := map[int64]chan struct{}{}
	for _, p := range parts {
		p.version = p.partition.NextVersion
		p.partition.NextVersion++
		c.markMissing(p)
		if prev, ok := c.txns.chain[p.partition.ID]; ok && prev != t.done {
			waits[p.partition.ID] = prev
		}
		c.txns.chain[p.partition.ID] = t.done
	}
	for _, prev := range waits {
		t.after = append(t.after, prev)
	}
	t.parts, t.State, t.CommitTime = parts, TxnCommitted, c.Now()
	c.NextJournal()
}

// partitionCommits groups what was written by partition and sub-transaction, in
// the order in which versions are given: that of the request's list
// (doris-rpc.md 3.8). What belongs to dropped tables, partitions or indexes is
// ignored, and so is what a sub-transaction names of another table than its own.
// subs are the sub-transactions whose tables there are, nil if the commit has none.
func (c *Core) partitionCommits(t *txn, r CommitRequest) (parts []*partitionCommit, subs []int64, err error) {
	if r.SubTxns == nil {
		parts, err = c.groupTablets(t.ID, t.ID, -1, r.Tablets)
		return parts, nil, err
	}
	subs = []int64{}
	for _, sub := range r.SubTxns {
		if _, _, ok := c.TableByID(sub.Table); !ok {
			continue
		}
		if slices.Contains(subs, sub.ID) {
			// Doris keeps one table for each id: it loses the first, and the transaction
			// is neither committed nor ended.
			return nil, nil, fmt.Errorf("sub transaction %d is named twice", sub.ID)
		}
		subs = append(subs, sub.ID)
		own := slices.DeleteFunc(slices.Clone(sub.Tablets), func(tc TabletCommit) bool {
			home, ok := c.tablets[tc.TabletID]
			return ok && home.TableID != sub.Table
		})
		some, err := c.groupTablets(t.ID, sub.ID, sub.ID, own)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, some...)
	}
	return parts, subs, nil
}

// groupTablets leaves out the indexes whose construction began after the
// transaction.
func (c *Core) groupTablets(txnID, writeID, stid int64, infos []TabletCommit) ([]*partitionCommit, error) {
	byPartition := map[int64]*partitionCommit{}
	for _, info := range infos {
		home, ok := c.tablets[info.TabletID]
		if !ok {
			continue
		}
		_, table, ok := c.TableByID(home.TableID)
		if !ok || !ownsPartition(table, home.Partition) {
			continue
		}
		p, ok := byPartition[home.Partition.ID]
		if !ok {
			if err := CheckLoad(table, home.Partition); err != nil {
				return nil, err
			}
			p = &partitionCommit{tableID: table.ID, partition: home.Partition, stid: stid, writeID: writeID, holders: map[int64][]int64{}}
			for _, idx := range SortedIndexes(table) {
				if idx.Watershed <= txnID {
					p.indexes = append(p.indexes, idx.ID)
				}
			}
			byPartition[home.Partition.ID] = p
		}
		if !slices.Contains(p.holders[info.TabletID], info.BackendID) {
			p.holders[info.TabletID] = append(p.holders[info.TabletID], info.BackendID)
		}
	}
	return slices.SortedFunc(maps.Values(byPartition), func(a, b *partitionCommit) int {
		return cmp.Or(cmp.Compare(a.tableID, b.tableID), cmp.Compare(a.partition.ID, b.partition.ID))
	}), nil
}

// checkQuorum demands enough healthy replicas of every tablet of every index of
// the partition (doris-rpc.md 3.8, step 8).
func (c *Core) checkQuorum(t *txn, p *partitionCommit) error {
	_, table, _ := c.TableByID(p.tableID)
	required := LoadRequired(table, p.partition)
	for _, indexID := range p.indexes {
		for _, tablet := range p.partition.Tablets[indexID] {
			good := 0
			for _, r := range tablet.Replicas {
				if r.LastFailed == 0 && slices.Contains(p.holders[tablet.ID], r.BackendID) {
					good++
				}
			}
			if good < required {
				return Errorf("Failed to commit txn %d, cause tablet %d succ replica num %d < load required replica num %d. table %d, partition: [ id=%d, commit version %d, visible version %d ], this tablet detail: %s",
					t.ID, tablet.ID, good, required, p.tableID, p.partition.ID, p.partition.NextVersion-1, p.partition.VisibleVersion, c.tabletDetail(tablet, p.holders[tablet.ID]))
			}
		}
	}
	return nil
}

// tabletDetail lists the replicas that have the rowset and those that have not;
// a group without any is left out.
func (c *Core) tabletDetail(t *catalog.Tablet, holders []int64) string {
	alive := map[int64]bool{}
	for _, b := range c.Backends() {
		alive[b.ID] = b.Alive
	}
	var good, bad, behind []string
	for _, r := range t.Replicas {
		failed := ""
		if r.LastFailed > 0 {
			failed = fmt.Sprintf(", lastFailedVersion=%d", r.LastFailed)
		}
		text := fmt.Sprintf("[replicaId=%d, backendId=%d, backendAlive=%t, version=%d%s, state=NORMAL]", r.ID, r.BackendID, alive[r.BackendID], r.Version, failed)
		switch {
		case !slices.Contains(holders, r.BackendID):
			bad = append(bad, text)
		case r.LastFailed > 0:
			behind = append(behind, text)
		default:
			good = append(good, text)
		}
	}
	detail := ""
	if len(good) > 0 {
		detail += fmt.Sprintf("%d replicas final succ: { %s }; ", len(good), strings.Join(good, ", "))
	}
	if len(bad) > 0 {
		detail += fmt.Sprintf("%d replicas write data failed: { %s }; ", len(bad), strings.Join(bad, ", "))
	}
	if len(behind) > 0 {
		detail += fmt.Sprintf("%d replicas write data succ but miss previous version: { %s }.", len(behind), strings.Join(behind, ","))
	}
	return detail
}

// LoadRequired is how many replicas of each tablet a load needs: the majority,
// or the table property min_load_replica_num.
func LoadRequired(t *catalog.Table, p *catalog.Partition) int {
	majority := max(p.ReplicaNum, 1)/2 + 1
	if t == nil {
		return majority
	}
	if n, err := strconv.Atoi(t.Properties["min_load_replica_num"]); err == nil && n > 0 {
		return min(n, majority)
	}
	return majority
}

// ownsPartition tells whether p is still a partition of t.
func ownsPartition(t *catalog.Table, p *catalog.Partition) bool {
	return t.Partitions[p.Name] == p || t.Temporary[p.Name] == p
}
