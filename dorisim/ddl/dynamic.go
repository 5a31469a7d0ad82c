package ddl

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// maxDynamicPartitions bounds how many partitions one run creates, as the FE
// config max_dynamic_partition_num does.
const maxDynamicPartitions = 500

// dynamicDefaults checks and completes dynamic_partition.* properties in place.
// Without any it does nothing.
func dynamicDefaults(props map[string]string, t *catalog.Table) error {
	given := slices.ContainsFunc(slices.Collect(maps.Keys(props)), func(k string) bool { return strings.HasPrefix(k, dynamicPrefix) })
	if !given {
		return nil
	}
	if t.Partitioning.Kind != catalog.RangePartition || len(t.Partitioning.Columns) != 1 {
		return core.Errorf("Dynamic partition only support single-column range partition")
	}
	for _, key := range []string{"time_unit", "end", "prefix"} {
		if props[dynamicPrefix+key] == "" {
			return core.Errorf("Must assign dynamic_partition.%s properties", key)
		}
	}
	replicas, err := takeReplicas(props, dynamicPrefix)
	if err != nil {
		return err
	}
	if replicas == 0 {
		replicas = t.ReplicaNum
	}
	props[dynamicPrefix+replicationAllocation] = defaultAllocation + strconv.Itoa(replicas)
	setDefault(props, dynamicEnable, "true")
	setDefault(props, "dynamic_partition.time_zone", "Etc/UTC")
	setDefault(props, "dynamic_partition.start", "-2147483648")
	setDefault(props, "dynamic_partition.buckets", strconv.Itoa(t.Distribution.Buckets))
	setDefault(props, "dynamic_partition.create_history_partition", "false")
	setDefault(props, "dynamic_partition.history_partition_num", "-1")
	setDefault(props, "dynamic_partition.hot_partition_num", "0")
	setDefault(props, "dynamic_partition.reserved_history_periods", "NULL")
	setDefault(props, "dynamic_partition.storage_policy", "")
	switch props["dynamic_partition.time_unit"] {
	case "WEEK":
		setDefault(props, "dynamic_partition.start_day_of_week", "1")
	case "MONTH":
		setDefault(props, "dynamic_partition.start_day_of_month", "1")
	}
	return nil
}

// runDynamicPartition does what Doris' scheduler does right after CREATE and
// ALTER: create the partitions from now (or from the history) to the end. It
// leaves a table alone that is being synchronised (doris-sql.md 3.6).
func (e *Executor) runDynamicPartition(db *catalog.Database, t *catalog.Table) error {
	if t.Properties[dynamicEnable] != "true" || t.Properties[isBeingSynced] == "true" {
		return nil
	}
	kind := rangetext.Kinds(t)[0]
	if kind != types.Date && kind != types.DateTime {
		return nil // the simulator schedules date columns only
	}
	d := t.Distribution
	d.Buckets = max(dynamicInt(t, "buckets", d.Buckets), 1)
	replicas, err := takeReplicas(maps.Clone(t.Properties), dynamicPrefix)
	if err != nil {
		return err
	}
	unit := strings.ToLower(t.Properties["dynamic_partition.time_unit"])
	now := dynamicStart(t, e.core.Now(), unit)
	first := firstDynamic(t)
	for i := first; i <= dynamicInt(t, "end", 0) && i-first < maxDynamicPartitions; i++ {
		from := advance(now, unit, i)
		name := t.Properties["dynamic_partition.prefix"] + dynamicName(from, unit)
		item := catalog.Item{Lower: timeBound(kind, from), Upper: timeBound(kind, advance(now, unit, i+1))}
		taken := func(p *catalog.Partition) bool { return rangetext.Overlap(t, item, p.Item) }
		if nameTaken(t, name) || slices.ContainsFunc(slices.Collect(maps.Values(t.Partitions)), taken) {
			continue
		}
		p, err := e.core.NewPartition(t, name, item, d, max(replicas, 1))
		if err != nil {
			return err
		}
		t.Partitions[p.Name] = p
		e.recordAddPartition(db, t, p, false)
	}
	return nil
}

func dynamicInt(t *catalog.Table, key string, fallback int) int {
	if n, err := strconv.Atoi(t.Properties[dynamicPrefix+key]); err == nil {
		return n
	}
	return fallback
}

// firstDynamic is the offset of the first partition to create: 0 without
// history.
func firstDynamic(t *catalog.Table) int {
	if t.Properties["dynamic_partition.create_history_partition"] != "true" {
		return 0
	}
	first := dynamicInt(t, "start", 0)
	if history := dynamicInt(t, "history_partition_num", -1); history >= 0 {
		first = max(first, -history)
	}
	return min(max(first, -maxDynamicPartitions), 0)
}

// dynamicStart is the beginning of the current unit in the table's time zone.
func dynamicStart(t *catalog.Table, now time.Time, unit string) time.Time {
	zone, err := time.LoadLocation(t.Properties["dynamic_partition.time_zone"])
	if err != nil {
		zone = time.UTC
	}
	now = now.In(zone)
	now = time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), 0, 0, 0, time.UTC) // wall clock
	switch unit {
	case "week":
		offset := dynamicInt(t, "start_day_of_week", 1) - 1
		return types.TruncateTime(now.AddDate(0, 0, -offset), unit).AddDate(0, 0, offset)
	case "month":
		offset := dynamicInt(t, "start_day_of_month", 1) - 1
		return types.TruncateTime(now.AddDate(0, 0, -offset), unit).AddDate(0, 0, offset)
	}
	return types.TruncateTime(now, unit)
}

// dynamicName is the suffix of a dynamic partition's name (doris-sql.md 4.12).
func dynamicName(at time.Time, unit string) string {
	switch unit {
	case "hour":
		return at.Format("2006010215")
	case "week":
		return weekName(at)
	case "month":
		return at.Format("200601")
	case "year":
		return at.Format("2006")
	}
	return at.Format("20060102")
}
