package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// ErrIndexGone is the failure of reading an index that a schema change has
// replaced, or a partition that the table has no more: plan again. A backend of
// Doris lets a scan go on that has begun when its tablet is dropped; here the
// tablet is gone at once.
var ErrIndexGone = errors.New("the index has been replaced")

// scanTries bounds how often a scan starts again because the version it wanted
// was compacted away under it.
const scanTries = 5

// AnyReplica lets a scan read any healthy replica of each tablet, another one
// each time.
const AnyReplica = -1

// Scan says what to read of a partition.
type Scan struct {
	IndexID int64
	// Tablets restricts it to these, as far as the partition has them; nil: all.
	Tablets []int64
	// Replica is which of a tablet's healthy replicas is read, by the order of their
	// ids; more than there are: the last. AnyReplica does not choose.
	Replica int
	// Fallback lets another replica answer when the chosen one's backend is down.
	Fallback bool
}

// Scan reads one index of one partition at the partition's visible version,
// from any healthy replica of each tablet. It takes the lock itself: do not
// hold it.
func (c *Core) Scan(ctx context.Context, t *catalog.Table, p *catalog.Partition, indexID int64) ([]types.Row, error) {
	return c.ScanRows(ctx, t, p, Scan{IndexID: indexID, Replica: AnyReplica})
}

// ScanRows is Scan of what s says.
func (c *Core) ScanRows(ctx context.Context, t *catalog.Table, p *catalog.Partition, s Scan) ([]types.Row, error) {
	return scan(ctx, c, t, p, s, faulty(c, be.Tasks.Scan))
}

// ScanMarked is ScanRows with the marks of the rows of a UNIQUE table, and with
// the deleted ones, as far as compaction has left them.
func (c *Core) ScanMarked(ctx context.Context, t *catalog.Table, p *catalog.Partition, s Scan) ([]be.MarkedRow, error) {
	return scan(ctx, c, t, p, s, faulty(c, be.Tasks.ScanMarked))
}

// reader reads one replica.
type reader[R any] func(tasks be.Tasks, ctx context.Context, tablet, version int64) ([]R, error)

// FaultScan is the fault point at which a backend reads a tablet for a query.
const FaultScan = "be.scan"

// faulty lets the reads of queries pass FaultScan.
func faulty[R any](c *Core, read reader[R]) reader[R] {
	return func(tasks be.Tasks, ctx context.Context, tablet, version int64) ([]R, error) {
		at := slices.IndexFunc(c.Backends(), func(b BackendInfo) bool {
			own, _ := c.Backend(b.ID)
			return own == tasks
		})
		for _, point := range []string{FaultScan, FaultScan + "@" + strconv.Itoa(at)} {
			if err := c.faults.Before(ctx, point); err != nil {
				return nil, err
			}
		}
		return read(tasks, ctx, tablet, version)
	}
}

func scan[R any](ctx context.Context, c *Core, t *catalog.Table, p *catalog.Partition, s Scan, read reader[R]) (rows []R, err error) {
	for range scanTries {
		if rows, err = scanOnce(ctx, c, p, s, read); err == nil {
			return rows, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if errors.Is(err, ErrIndexGone) {
			break
		}
		if !c.stillHas(t, p) {
			err = fmt.Errorf("%w: %w", ErrIndexGone, err)
			break
		}
	}
	return nil, fmt.Errorf("scan partition %s of %s: %w", p.Name, t.Name, err)
}

// stillHas tells whether the table is in the catalog, with that partition.
func (c *Core) stillHas(t *catalog.Table, p *catalog.Partition) bool {
	c.RLock()
	defer c.RUnlock()
	_, now, found := c.TableByID(t.ID)
	return found && ownsPartition(now, p)
}

// tabletRead is where one tablet can be read: first at the replica that comes
// first.
type tabletRead struct {
	id       int64
	replicas []catalog.Replica
}

func scanOnce[R any](ctx context.Context, c *Core, p *catalog.Partition, s Scan, read reader[R]) ([]R, error) {
	c.RLock()
	version := p.VisibleVersion
	if _, ok := p.Tablets[s.IndexID]; !ok {
		c.RUnlock()
		return nil, ErrIndexGone
	}
	reads := make([]tabletRead, 0, len(p.Tablets[s.IndexID]))
	for _, tablet := range p.Tablets[s.IndexID] {
		if s.Tablets == nil || slices.Contains(s.Tablets, tablet.ID) {
			reads = append(reads, s.replicasOf(tablet, version))
		}
	}
	c.RUnlock()
	var rows []R
	for _, from := range reads {
		part, err := scanTablet(ctx, c, from, version, read)
		if err != nil {
			return nil, err
		}
		rows = append(rows, part...)
	}
	return rows, nil
}

// replicasOf needs the read lock.
func (s Scan) replicasOf(tablet *catalog.Tablet, version int64) tabletRead {
	read := tabletRead{id: tablet.ID}
	for _, r := range tablet.Replicas {
		if r.CanRead(version) {
			read.replicas = append(read.replicas, *r)
		}
	}
	all := read.replicas
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if s.Replica < 0 || len(all) == 0 {
		return read
	}
	sorted := slices.SortedFunc(slices.Values(all), func(a, b catalog.Replica) int { return cmp.Compare(a.ID, b.ID) })
	chosen := sorted[min(s.Replica, len(sorted)-1)]
	read.replicas = []catalog.Replica{chosen}
	if s.Fallback {
		read.replicas = append(read.replicas, all...)
	}
	return read
}

func scanTablet[R any](ctx context.Context, c *Core, from tabletRead, version int64, read reader[R]) ([]R, error) {
	if len(from.replicas) == 0 {
		return nil, Errorf("Failed to get scan range, no queryable replica found in tablet: %d", from.id)
	}
	var failures []string
	for _, r := range from.replicas {
		err := be.ErrDown
		if tasks, ok := c.Backend(r.BackendID); ok {
			var rows []R
			if rows, err = read(tasks, ctx, from.id, version); err == nil {
				return rows, nil
			}
		}
		failure := fmt.Sprintf("backend %d: %v", r.BackendID, err)
		if errors.Is(err, be.ErrDown) {
			failure = fmt.Sprintf("replica %d's backend %d does not exist or not alive", r.ID, r.BackendID)
		}
		failures = append(failures, failure)
	}
	return nil, Errorf("tablet %d has no queryable replicas. err: %s", from.id, strings.Join(failures, ", "))
}
