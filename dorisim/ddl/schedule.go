package ddl

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

const (
	// scheduleTick is how often the scheduler looks at the cluster's clock, which
	// tests move.
	scheduleTick = 100 * time.Millisecond
	// noDynamicStart is the start offset of tables that keep all partitions.
	noDynamicStart = -1 << 31
	// defaultScheduleSeconds is the default of the FE config
	// dynamic_partition_check_interval_seconds.
	defaultScheduleSeconds = 600
	retentionCount         = "partition.retention_count"
)

// Schedule runs the dynamic partition scheduler until the context ends: at the
// interval of the FE config dynamic_partition_check_interval_seconds it makes
// the partitions that are due and drops those that are too old
// (doris-sql.md 4.12).
func (e *Executor) Schedule(ctx context.Context) {
	ticker := time.NewTicker(scheduleTick)
	defer ticker.Stop()
	last := e.core.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if now := e.core.Now(); now.Sub(last) >= e.scheduleInterval() {
			last = now
			e.RunDynamicPartitions()
		}
	}
}

func (e *Executor) scheduleInterval() time.Duration {
	seconds, err := strconv.Atoi(e.core.FEConfig("dynamic_partition_check_interval_seconds"))
	if err != nil {
		seconds = defaultScheduleSeconds
	}
	return time.Duration(seconds) * time.Second
}

// RunDynamicPartitions is one pass of the scheduler over all tables. A table
// that refuses is left for the next pass.
func (e *Executor) RunDynamicPartitions() {
	if e.core.FEConfig("dynamic_partition_enable") == "false" {
		return
	}
	e.core.Lock()
	defer e.core.Unlock()
	for _, db := range e.core.Databases() {
		for _, t := range sortedTables(db) {
			if core.CheckAlter(t) != nil || t.Properties[isBeingSynced] == "true" {
				continue
			}
			if err := e.runDynamicPartition(db, t); err != nil {
				e.core.Logger().Warn("dynamic partitions", "table", t.Name, "error", err)
			}
			for _, p := range append(tooOld(t, e.core.Now()), unretained(t, e.core.Now())...) {
				if err := e.removePartition(db, t, p, &parser.DropPartition{Name: p.Name}); err != nil {
					e.core.Logger().Warn("drop a dynamic partition", "table", t.Name, "error", err)
				}
			}
		}
	}
}

func sortedTables(db *catalog.Database) []*catalog.Table {
	tables := make([]*catalog.Table, 0, len(db.Tables))
	for _, t := range db.Tables {
		tables = append(tables, t)
	}
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return int(a.ID - b.ID) })
	return tables
}

// tooOld are the partitions that end before dynamic_partition.start, except
// those that dynamic_partition.reserved_history_periods protects.
func tooOld(t *catalog.Table, now time.Time) []*catalog.Partition {
	start := dynamicInt(t, "start", noDynamicStart)
	if t.Properties[dynamicEnable] != "true" || start <= noDynamicStart {
		return nil
	}
	kinds := rangetext.Kinds(t)
	if kinds[0] != types.Date && kinds[0] != types.DateTime {
		return nil
	}
	unit := strings.ToLower(t.Properties["dynamic_partition.time_unit"])
	limit := timeBound(kinds[0], advance(dynamicStart(t, now, unit), unit, start))
	reserved := reservedPeriods(t, kinds[0])
	var old []*catalog.Partition
	for _, p := range rangetext.Sorted(t, t.Partitions) {
		keep := slices.ContainsFunc(reserved, func(item catalog.Item) bool { return rangetext.Overlap(t, item, p.Item) })
		if !keep && rangetext.CompareBounds(kinds, p.Item.Upper, limit) <= 0 {
			old = append(old, p)
		}
	}
	return old
}

// reservedPeriods reads "[2024-01-01,2024-12-31],[...]"; the last day belongs to
// the period.
func reservedPeriods(t *catalog.Table, kind types.Kind) []catalog.Item {
	var items []catalog.Item
	for period := range strings.SplitSeq(t.Properties["dynamic_partition.reserved_history_periods"], "]") {
		from, to, ok := strings.Cut(strings.TrimLeft(period, ", ["), ",")
		lower, err := parseTime(strings.TrimSpace(from))
		if !ok || err != nil {
			continue
		}
		upper, err := parseTime(strings.TrimSpace(to))
		if err != nil {
			continue
		}
		items = append(items, catalog.Item{Lower: timeBound(kind, lower), Upper: timeBound(kind, advance(upper, "day", 1))})
	}
	return items
}

// unretained are the partitions of the past of an AUTO PARTITION table beyond
// its partition.retention_count.
func unretained(t *catalog.Table, now time.Time) []*catalog.Partition {
	keep, err := strconv.Atoi(t.Properties[retentionCount])
	if err != nil || keep <= 0 || !t.Partitioning.Auto || t.Partitioning.Kind != catalog.RangePartition {
		return nil
	}
	kinds := rangetext.Kinds(t)
	limit := timeBound(kinds[0], now.UTC())
	past := slices.DeleteFunc(rangetext.Sorted(t, t.Partitions), func(p *catalog.Partition) bool {
		return rangetext.CompareBounds(kinds, p.Item.Upper, limit) > 0
	})
	return past[:max(len(past)-keep, 0)]
}
