package core

import (
	"context"
	"errors"
	"fmt"

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

// Scan reads one index of one partition at the partition's visible version,
// from any healthy replica of each tablet. It takes the lock itself: do not
// hold it.
func (c *Core) Scan(ctx context.Context, t *catalog.Table, p *catalog.Partition, indexID int64) ([]types.Row, error) {
	rows, _, err := c.scan(ctx, t, p, scanRequest{index: indexID})
	return rows, err
}

// ScanMarked is Scan that also returns the deleted rows of a UNIQUE table, as
// far as compaction has left them.
func (c *Core) ScanMarked(ctx context.Context, t *catalog.Table, p *catalog.Partition, indexID int64) (rows, deleted []types.Row, err error) {
	return c.scan(ctx, t, p, scanRequest{index: indexID, marked: true})
}

// scanRequest says what to read of a partition.
type scanRequest struct {
	index  int64
	marked bool // the deleted rows too
}

func (c *Core) scan(ctx context.Context, t *catalog.Table, p *catalog.Partition, r scanRequest) (rows, deleted []types.Row, err error) {
	for range scanTries {
		if rows, deleted, err = c.scanOnce(ctx, p, r); err == nil {
			return rows, deleted, nil
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if errors.Is(err, ErrIndexGone) {
			break
		}
		if !c.stillHas(t, p) {
			err = fmt.Errorf("%w: %w", ErrIndexGone, err)
			break
		}
	}
	return nil, nil, fmt.Errorf("scan partition %s of %s: %w", p.Name, t.Name, err)
}

// stillHas tells whether the table is in the catalog, with that partition.
func (c *Core) stillHas(t *catalog.Table, p *catalog.Partition) bool {
	c.RLock()
	defer c.RUnlock()
	_, now, found := c.TableByID(t.ID)
	return found && ownsPartition(now, p)
}

// tabletRead is where one tablet can be read.
type tabletRead struct {
	id       int64
	backends []int64
}

func (c *Core) scanOnce(ctx context.Context, p *catalog.Partition, r scanRequest) (rows, deleted []types.Row, err error) {
	c.RLock()
	version := p.VisibleVersion
	if _, ok := p.Tablets[r.index]; !ok {
		c.RUnlock()
		return nil, nil, ErrIndexGone
	}
	reads := make([]tabletRead, 0, len(p.Tablets[r.index]))
	for _, tablet := range p.Tablets[r.index] {
		reads = append(reads, readTablet(tablet, version))
	}
	c.RUnlock()
	for _, read := range reads {
		part, gone, err := c.scanTablet(ctx, read, version, r.marked)
		if err != nil {
			return nil, nil, err
		}
		rows, deleted = append(rows, part...), append(deleted, gone...)
	}
	return rows, deleted, nil
}

func readTablet(tablet *catalog.Tablet, version int64) tabletRead {
	read := tabletRead{id: tablet.ID}
	for _, r := range tablet.Replicas {
		if r.CanRead(version) {
			read.backends = append(read.backends, r.BackendID)
		}
	}
	return read
}

func (c *Core) scanTablet(ctx context.Context, read tabletRead, version int64, marked bool) (rows, deleted []types.Row, err error) {
	var failures error = Errorf("tablet %d has no queryable replicas. err: no replica at version %d", read.id, version)
	for _, id := range read.backends {
		tasks, ok := c.Backend(id)
		if !ok {
			continue
		}
		rows, err = tasks.Scan(ctx, read.id, version)
		if err == nil && marked {
			deleted, err = tasks.ScanDeleted(ctx, read.id, version)
		}
		if err == nil {
			return rows, deleted, nil
		}
		failures = errors.Join(failures, fmt.Errorf("backend %d: %w", id, err))
	}
	return nil, nil, failures
}
