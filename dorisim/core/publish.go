package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/payload"
)

// FaultPublish is the fault point before a transaction is published.
const FaultPublish = "publish"

// publishRetry is the pause between two tries to reach a quorum; it grows up to
// publishRetryMax for transactions that may never get there.
const (
	publishRetry    = 20 * time.Millisecond
	publishRetryMax = time.Second
)

// publish makes a COMMITTED transaction VISIBLE: after the profile's delay, and
// after the earlier versions of its partitions. The delays of different
// transactions overlap. Only Close ends it early.
func (c *Core) publish(t *txn) {
	if faults.Sleep(c.ctx, c.Profile().Publish) != nil {
		return
	}
	for errors.As(c.faults.Before(c.ctx, FaultPublish), new(*faults.Failure)) {
		if faults.Sleep(c.ctx, publishRetry) != nil {
			return
		}
	}
	for _, prev := range t.after {
		select {
		case <-prev:
		case <-c.ctx.Done():
			return
		}
	}
	published := map[*catalog.Partition]*replicaResults{}
	for _, versions := range byPartition(t.parts) {
		results := newReplicaResults(versions)
		for pause := publishRetry; ; pause = min(2*pause, publishRetryMax) {
			short := c.publishPartition(versions, results)
			if short == nil {
				break
			}
			c.noteShort(t, *short)
			if faults.Sleep(c.ctx, pause) != nil {
				return
			}
		}
		published[versions[0].partition] = results
	}
	c.makeVisible(t, published)
}

// byPartition groups the versions that a transaction gives to each partition, in
// their order. Only sub-transactions give one several.
func byPartition(parts []*partitionCommit) (groups [][]*partitionCommit) {
	at := map[*catalog.Partition]int{}
	for _, p := range parts {
		i, more := at[p.partition]
		if !more {
			i = len(groups)
			at[p.partition] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], p)
	}
	return groups
}

// shortOfReplicas is a tablet that too few replicas could publish.
type shortOfReplicas struct {
	failed int // replicas
	reason string
}

// noteShort shows in SHOW TRANSACTION why a transaction stays COMMITTED.
func (c *Core) noteShort(t *txn, short shortOfReplicas) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	if t.PublishTime.IsZero() {
		t.PublishTime = c.Now()
	}
	t.ErrorReplicas, t.ErrMsg = short.failed, short.reason
}

// replicaResults are the replicas that have the new versions of a partition.
type replicaResults struct {
	// done is how many of them a replica has, without a gap.
	done map[*catalog.Replica]int
	all  int
}

func newReplicaResults(versions []*partitionCommit) *replicaResults {
	return &replicaResults{done: map[*catalog.Replica]int{}, all: len(versions)}
}

// ok tells whether a replica counts: it has published each version. One that lacks
// a sub-transaction of the partition has failed altogether (doris-rpc.md 3.8).
func (r *replicaResults) ok(replica *catalog.Replica) bool { return r.done[replica] == r.all }

// replicaTask is one replica to publish to.
type replicaTask struct {
	tablet  *catalog.Tablet
	replica *catalog.Replica
	tasks   be.Tasks
	// late replicas belong to indexes that were made after the commit: they get
	// an empty version.
	late bool
}

// publishPartition publishes the versions of a partition on all backends that can,
// and returns what keeps a tablet from its quorum, nil if nothing does. A dropped
// partition is done.
func (c *Core) publishPartition(versions []*partitionCommit, results *replicaResults) *shortOfReplicas {
	var work map[*catalog.Tablet][]replicaTask
	required := 0
	for i, p := range versions {
		work, required = c.publishWork(p)
		for _, replicas := range work {
			for _, task := range replicas {
				if results.done[task.replica] == i && c.publishReplica(p, task, replicas) {
					results.done[task.replica]++
				}
			}
		}
	}
	last := versions[len(versions)-1]
	var short *shortOfReplicas
	failed := 0
	tablets := slices.SortedFunc(maps.Keys(work), func(a, b *catalog.Tablet) int { return cmp.Compare(a.ID, b.ID) })
	for _, tablet := range tablets {
		good := 0
		for _, task := range work[tablet] {
			if results.ok(task.replica) {
				good++
			}
		}
		failed += len(work[tablet]) - good
		if good < min(required, len(tablet.Replicas)) {
			short = &shortOfReplicas{reason: fmt.Sprintf(
				"publish on tablet %d failed. succeed replica num %d < load required replica num %d. table: %d, partition: %d, publish version: %d",
				tablet.ID, good, required, last.tableID, last.partition.ID, last.version)}
		}
	}
	if short != nil {
		short.failed = failed
	}
	return short
}

// publishWork lists the replicas that hold the transaction's rowset, and all
// replicas of indexes that were made after the commit: those get an empty
// version.
func (c *Core) publishWork(p *partitionCommit) (map[*catalog.Tablet][]replicaTask, int) {
	c.RLock()
	defer c.RUnlock()
	_, table, ok := c.TableByID(p.tableID)
	if !ok || !ownsPartition(table, p.partition) {
		return nil, 0
	}
	work := map[*catalog.Tablet][]replicaTask{}
	for indexID, tablets := range p.partition.Tablets {
		late := !slices.Contains(p.indexes, indexID)
		for _, tablet := range tablets {
			work[tablet] = nil
			for _, r := range tablet.Replicas {
				tasks, ok := c.Backend(r.BackendID)
				if ok && (late || slices.Contains(p.holders[tablet.ID], r.BackendID)) {
					work[tablet] = append(work[tablet], replicaTask{tablet, r, tasks, late})
				}
			}
		}
	}
	return work, LoadRequired(table, p.partition)
}

// publishReplica publishes on one backend. A replica that lacks earlier
// versions is first copied from a sibling.
func (c *Core) publishReplica(p *partitionCommit, task replicaTask, siblings []replicaTask) bool {
	id := task.tablet.ID
	if !task.late && !task.tasks.CanPublish(p.writeID, id) {
		// Published before, or the client has named a backend that never got the
		// rowset (doris-rpc.md 3.8).
		v, err := task.tasks.Version(id)
		return err == nil && v >= p.version
	}
	err := task.tasks.Publish(p.writeID, p.partition.ID, id, p.version)
	if err == nil {
		return true
	}
	if errors.Is(err, be.ErrDown) {
		return false
	}
	if v, verr := task.tasks.Version(id); verr == nil && v >= p.version {
		return true
	}
	for _, s := range siblings {
		from, ok := s.tasks.(*be.Backend)
		if !ok || s.replica == task.replica {
			continue
		}
		if v, verr := s.tasks.Version(id); verr != nil || v < p.version-1 {
			continue
		}
		if task.tasks.Clone(c.ctx, id, from) != nil {
			continue
		}
		if v, verr := task.tasks.Version(id); verr == nil && v >= p.version {
			return true
		}
		if err = task.tasks.Publish(p.writeID, p.partition.ID, id, p.version); err == nil {
			return true
		}
	}
	c.log.Warn("publish failed", "tablet", id, "backend", task.replica.BackendID, "version", p.version, "error", err)
	return false
}

// makeVisible advances the partitions, records the UPSERT and ends the
// transaction.
func (c *Core) makeVisible(t *txn, published map[*catalog.Partition]*replicaResults) {
	c.Lock()
	defer c.Unlock()
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	now := c.Now()
	t.ErrorReplicas = 0
	touched := map[*catalog.Table]bool{}
	for _, p := range t.parts {
		if c.txns.chain[p.partition.ID] == t.done {
			delete(c.txns.chain, p.partition.ID)
		}
		_, table, ok := c.TableByID(p.tableID)
		if !ok || !ownsPartition(table, p.partition) {
			continue
		}
		p.partition.VisibleVersion, p.partition.VisibleTime = p.version, now
		if !touched[table] {
			touched[table] = true
			table.NextVersion(now)
		}
		t.ErrorReplicas += c.settleReplicas(p, published[p.partition])
	}
	t.State, t.FinishTime, t.ErrMsg = TxnVisible, now, ""
	if t.PublishTime.IsZero() {
		t.PublishTime = now
	}
	c.recordUpsert(t)
	t.parts, t.after = nil, nil // finished transactions are kept for their labels
	c.txns.of(t.DB).finish(t)
}

// settleReplicas notes which replicas have the version and which became bad.
func (c *Core) settleReplicas(p *partitionCommit, results *replicaResults) (failed int) {
	for _, tablets := range p.partition.Tablets {
		for _, tablet := range tablets {
			for _, r := range tablet.Replicas {
				if results.ok(r) || r.Version >= p.version { // or it was made later
					r.Version = max(r.Version, p.version)
					r.LastFailed = 0
					continue
				}
				r.LastFailed = p.version
				failed++
				c.repairer.add(tablet.ID)
			}
		}
	}
	return failed
}

// markMissing makes the replicas bad that the commit does not name.
func (c *Core) markMissing(p *partitionCommit) {
	for _, indexID := range p.indexes {
		for _, tablet := range p.partition.Tablets[indexID] {
			for _, r := range tablet.Replicas {
				if !slices.Contains(p.holders[tablet.ID], r.BackendID) {
					r.LastFailed = p.version
				}
			}
		}
	}
}

// recordUpsert writes the UPSERT binlog (doris-binlogs.md 3.1).
//
// Partitions that have vanished since the commit are left out, and the record of
// their table stays. A vanished table is left out altogether. What has no tables
// at all is in the list of an enabled database only.
func (c *Core) recordUpsert(t *txn) {
	record := payload.Upsert{
		TxnID: t.ID, Timestamp: t.FinishTime.UnixMilli(), Label: t.Label, DBID: t.DB,
		Tables: map[string]*payload.UpsertTable{}, SubTxnIDs: t.subs,
	}
	slices.SortStableFunc(t.parts, func(a, b *partitionCommit) int { return cmp.Compare(a.stid, b.stid) })
	tables := map[int64]bool{}
	var versions []publishedVersion
	for _, p := range t.parts {
		_, table, ok := c.TableByID(p.tableID)
		if !ok {
			continue
		}
		tables[p.tableID] = true
		if !ownsPartition(table, p.partition) {
			record.AddTable(p.tableID, p.indexes)
			continue
		}
		record.Add(p.tableID, p.indexes, payload.UpsertPartition{
			PartitionID: p.partition.ID, Range: c.rangeText(table, p.partition), Version: p.version,
			Temporary: table.Temporary[p.partition.Name] == p.partition, SubTxnID: p.stid,
		})
		versions = append(versions, publishedVersion{partition: p.partition, version: p.version})
	}
	c.Record(Event{
		DB: t.DB, Tables: slices.Sorted(maps.Keys(tables)), Type: binlog.TypeUpsert, Timestamp: record.Timestamp, upsert: versions,
		Payload: func(seq int64) any { record.CommitSeq = seq; return record },
	})
}

// WaitPublished waits until no transaction of the partitions is between
// COMMITTED and VISIBLE. It takes locks itself: do not hold any.
func (c *Core) WaitPublished(ctx context.Context, partitions []int64) error {
	for _, id := range partitions {
		for {
			c.txns.mu.Lock()
			pending, ok := c.txns.chain[id]
			c.txns.mu.Unlock()
			if !ok {
				break
			}
			select {
			case <-pending:
			case <-ctx.Done():
				return fmt.Errorf("wait for publication: %w", ctx.Err())
			case <-c.ctx.Done():
				return fmt.Errorf("wait for publication: %w", c.ctx.Err())
			}
		}
	}
	return nil
}
