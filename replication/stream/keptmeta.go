package stream

import (
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
)

// The metadata of tables outlives the shift that has read it: a shift ends with each
// DDL, and the loads after it are about other tables mostly. The next one takes it if it
// follows this one (cleanEnd), so that nothing but what it handed over has been done in between.

// keptTablets bounds the metadata of a side that is kept between shifts: some 3 MB.
const keptTablets = 10_000

// keepsOthers are the binlogs that change nothing but the tables that they name. After
// any other nothing is kept.
var keepsOthers = []binlog.Type{
	binlog.TypeAddPartition, binlog.TypeDropPartition, binlog.TypeModifyPartitions, binlog.TypeRenamePartition, binlog.TypeTruncateTable,
	binlog.TypeCreateTable, binlog.TypeDropTable, binlog.TypeModifyTableAddOrDropColumns, binlog.TypeRenameColumn,
	binlog.TypeModifyTableProperty, binlog.TypeModifyComment,
}

// keptMeta is what a cache knew at the end of a shift.
type keptMeta struct {
	tables     map[int64]*tableMeta
	gone       dropped
	backends   map[int64]meta.Backend
	backendsAt time.Time
}

// keptAfter is what remains of the metadata of both sides after a shift that ended in
// this way.
func (s *shift) keptAfter(e ending) (source, destination keptMeta) {
	var changed []int64
	for _, b := range e.handedOver() {
		if !slices.Contains(keepsOthers, b.Type) || len(b.TableIDs) == 0 {
			return keptMeta{}, keptMeta{}
		}
		changed = append(changed, b.TableIDs...)
	}
	destinations := make([]int64, 0, len(changed))
	for _, id := range changed {
		destinations = append(destinations, s.destinationOf(id))
	}
	return s.source.keep(changed), s.destination.keep(destinations)
}

// keep returns what the cache knows of other tables than those, nothing if that is much.
func (c *metaCache) keep(without []int64) keptMeta {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := keptMeta{tables: map[int64]*tableMeta{}, gone: c.gone, backends: c.backends, backendsAt: c.backendsAt}
	tablets := 0
	for id, t := range c.tables {
		if t.Table == nil || slices.Contains(without, id) || time.Since(t.asked) > c.maxAge {
			continue
		}
		kept.tables[id] = t
		for _, p := range t.Partitions {
			for _, index := range p.Indexes {
				tablets += len(index.Tablets)
			}
		}
	}
	if tablets > keptTablets {
		return keptMeta{}
	}
	return kept
}

// take begins with what the shift before knew. It ages as before.
func (c *metaCache) take(kept keptMeta) {
	if kept.tables == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tables, c.gone, c.backends, c.backendsAt = kept.tables, kept.gone, kept.backends, kept.backendsAt
}
