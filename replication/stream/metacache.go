package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/replication/pair"
)

// tableMeta is a table as of some moment, with its partitions indexed. Table is
// nil when the frontend did not list it.
type tableMeta struct {
	*meta.Table
	asked time.Time
	byKey map[string]*meta.Partition // formal partitions by normalized range
	byID  map[int64]*meta.Partition
}

func newTableMeta(t *meta.Table, asked time.Time) *tableMeta {
	m := &tableMeta{Table: t, asked: asked}
	if t == nil {
		return m
	}
	m.byKey = make(map[string]*meta.Partition, len(t.Partitions))
	m.byID = make(map[int64]*meta.Partition, len(t.Partitions))
	for _, p := range t.Partitions {
		m.byID[p.ID] = p
		if !p.Temporary {
			m.byKey[p.Key] = p
		}
	}
	return m
}

// metaCache keeps the metadata of one side for the time of a shift, and for the next one
// where only one of the tables has changed in between (keptmeta.go). Entries are
// good until something they say proves wrong: whoever finds that out asks again
// with a time (notBefore) that no older answer satisfies. No binlog costs a
// metadata call by itself.
type metaCache struct {
	cluster *pair.Cluster
	db      int64
	maxAge  time.Duration

	// fetching serializes calls, so that many transactions that miss the same
	// table ask once.
	fetching sync.Mutex

	mu         sync.Mutex
	tables     map[int64]*tableMeta
	gone       dropped
	backends   map[int64]meta.Backend
	backendsAt time.Time
}

func newMetaCache(c *pair.Cluster, db int64, maxAge time.Duration) *metaCache {
	return &metaCache{cluster: c, db: db, maxAge: maxAge, tables: map[int64]*tableMeta{}}
}

// get returns the tables, asked for after notBefore. A table the frontend does
// not list comes back with a nil Table.
func (c *metaCache) get(ctx context.Context, ids []int64, notBefore time.Time) (map[int64]*tableMeta, dropped, error) {
	found, missing, gone := c.lookup(ids, notBefore)
	if len(missing) == 0 {
		return found, gone, nil
	}
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if found, missing, gone = c.lookup(ids, notBefore); len(missing) == 0 {
		return found, gone, nil
	}
	asked := time.Now()
	db, err := c.cluster.FE.Meta(ctx, fe.MetaRequest{DatabaseID: c.db, Database: c.cluster.Spec.Database, TableIDs: missing})
	if err != nil {
		return nil, dropped{}, fmt.Errorf("read metadata of %s database %s: %w", c.cluster.Side, c.cluster.Spec.Database, err)
	}
	c.mu.Lock()
	for _, id := range missing {
		c.tables[id] = newTableMeta(db.Tables[id], asked)
		found[id] = c.tables[id]
	}
	c.gone = dropped{partitions: db.DroppedPartitions, tables: db.DroppedTables, indexes: db.DroppedIndexes}
	gone = c.gone
	c.mu.Unlock()
	return found, gone, nil
}

func (c *metaCache) lookup(ids []int64, notBefore time.Time) (found map[int64]*tableMeta, missing []int64, gone dropped) {
	if oldest := time.Now().Add(-c.maxAge); notBefore.Before(oldest) {
		notBefore = oldest
	}
	found = make(map[int64]*tableMeta, len(ids))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if t := c.tables[id]; t != nil && !t.asked.Before(notBefore) {
			found[id] = t
		} else {
			missing = append(missing, id)
		}
	}
	return found, missing, c.gone
}

// backendsOf returns the cluster's backends by id, with hosts as this process
// (or another cluster's backends) reaches them.
func (c *metaCache) backendsOf(ctx context.Context, notBefore time.Time) (map[int64]meta.Backend, error) {
	if oldest := time.Now().Add(-c.maxAge); notBefore.Before(oldest) {
		notBefore = oldest
	}
	if known := c.knownBackends(notBefore); known != nil {
		return known, nil
	}
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if known := c.knownBackends(notBefore); known != nil {
		return known, nil
	}
	asked := time.Now()
	list, err := c.cluster.Backends(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]meta.Backend, len(list))
	for _, b := range list {
		byID[b.ID] = b
	}
	c.mu.Lock()
	c.backends, c.backendsAt = byID, asked
	c.mu.Unlock()
	return byID, nil
}

func (c *metaCache) knownBackends(notBefore time.Time) map[int64]meta.Backend {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.backends == nil || c.backendsAt.Before(notBefore) {
		return nil
	}
	for _, b := range c.backends {
		if !b.Alive && time.Since(c.backendsAt) > deadMaxAge {
			return nil // it may be back
		}
	}
	return c.backends // replaced as a whole, never changed
}

// deadMaxAge is how long a backend is taken for dead without asking again.
const deadMaxAge = 5 * time.Second
