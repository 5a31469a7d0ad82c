package ddl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// printedProperty is one line of PROPERTIES: its value, or "" with ok false
// when it is not printed.
type printedProperty struct {
	name  string
	value func(t *catalog.Table) (value string, ok bool)
}

// always prints the property, with a default when it is not set.
func always(name, fallback string) printedProperty {
	return printedProperty{name, func(t *catalog.Table) (string, bool) {
		if v, ok := t.Properties[name]; ok {
			return v, true
		}
		return fallback, true
	}}
}

// whenSet prints the property when it is set.
func whenSet(name string) printedProperty {
	return printedProperty{name, func(t *catalog.Table) (string, bool) { v, ok := t.Properties[name]; return v, ok }}
}

// whenTrue prints the property when it is true.
func whenTrue(name string) printedProperty {
	return printedProperty{name, func(t *catalog.Table) (string, bool) { return "true", t.Properties[name] == "true" }}
}

// unless prints the property when it is set and not at its default.
func unless(name, fallback string) printedProperty {
	return printedProperty{name, func(t *catalog.Table) (string, bool) {
		v, ok := t.Properties[name]
		return v, ok && v != fallback
	}}
}

// given adds a condition on the table.
func given(condition func(t *catalog.Table) bool, p printedProperty) printedProperty {
	return printedProperty{p.name, func(t *catalog.Table) (string, bool) {
		if !condition(t) {
			return "", false
		}
		return p.value(t)
	}}
}

func isUnique(t *catalog.Table) bool { return t.Keys == types.UniqueKeys }

func isMergeOnWrite(t *catalog.Table) bool {
	return isUnique(t) && t.Properties[mergeOnWrite] == "true"
}

func isTimeSeries(t *catalog.Table) bool { return t.Properties["compaction_policy"] == "time_series" }

func hasRowStore(t *catalog.Table) bool {
	return t.Properties["row_store_columns"] != "" || t.Properties["store_row_column"] == "true"
}

func isDynamic(t *catalog.Table) bool { _, ok := t.Properties[dynamicEnable]; return ok }

// printedProperties in the order of doris-sql.md 3.3. The first and those about
// synchronisation and binlogs are written by propertyLines itself.
var (
	printedBeforeSync = []printedProperty{
		always("min_load_replica_num", "-1"),
		whenSet(bloomFilterColumns),
	}
	printedAfterSync = []printedProperty{
		whenSet(colocateWith),
		whenSet(dynamicEnable),
		given(isDynamic, whenSet("dynamic_partition.time_unit")),
		given(isDynamic, whenSet("dynamic_partition.time_zone")),
		given(isDynamic, whenSet("dynamic_partition.start")),
		given(isDynamic, whenSet("dynamic_partition.end")),
		given(isDynamic, whenSet("dynamic_partition.prefix")),
		given(isDynamic, whenSet("dynamic_partition.replication_allocation")),
		given(isDynamic, whenSet("dynamic_partition.buckets")),
		given(isDynamic, whenSet("dynamic_partition.create_history_partition")),
		given(isDynamic, whenSet("dynamic_partition.history_partition_num")),
		given(isDynamic, whenSet("dynamic_partition.hot_partition_num")),
		given(isDynamic, whenSet("dynamic_partition.reserved_history_periods")),
		given(isDynamic, whenSet("dynamic_partition.storage_policy")),
		given(isDynamic, whenSet("dynamic_partition.storage_medium")),
		given(isDynamic, whenSet("dynamic_partition.start_day_of_week")),
		given(isDynamic, whenSet("dynamic_partition.start_day_of_month")),
		whenTrue("in_memory"),
		always("storage_medium", "hdd"),
		whenSet("medium_allocation_mode"),
		always("storage_format", "V2"),
		always("inverted_index_storage_format", "V2"),
		unless("compression", "LZ4F"),
		whenSet("estimate_partition_size"),
		given(isUnique, always(mergeOnWrite, "true")),
		given(isMergeOnWrite, whenTrue(skipBitmapColumn)),
		whenTrue(lightSchemaChange),
		whenSet(storagePolicy),
		whenSet(sequenceColumn),
		whenSet(sequenceType),
		whenSet("row_store_columns"),
		whenTrue("store_row_column"),
		given(hasRowStore, always("row_store_page_size", "16384")),
		whenTrue("skip_write_index_on_load"),
		unless("compaction_policy", "size_based"),
		given(isTimeSeries, always("time_series_compaction_goal_size_mbytes", "1024")),
		given(isTimeSeries, always("time_series_compaction_file_count_threshold", "2000")),
		given(isTimeSeries, always("time_series_compaction_time_threshold_seconds", "3600")),
		given(isTimeSeries, always("time_series_compaction_empty_rowsets_threshold", "5")),
		given(isTimeSeries, always("time_series_compaction_level_threshold", "1")),
		always("disable_auto_compaction", "false"),
		whenTrue("variant_enable_flatten_nested"),
	}
	printedBinlog = []printedProperty{
		always(binlogEnable, "false"), always(binlogTTL, binlogDefaults[binlogTTL]),
		always(binlogMaxBytes, maxInt64Text), always(binlogMaxHistory, maxInt64Text),
	}
	printedLast = []printedProperty{
		always("enable_single_replica_compaction", "false"),
		always("group_commit_interval_ms", "10000"),
		always("group_commit_data_bytes", "134217728"),
		given(isMergeOnWrite, always("enable_mow_light_delete", "false")),
		whenTrue(duplicateWithoutKeys),
		{inAtomicRestore, func(t *catalog.Table) (string, bool) { return "true", t.InAtomicRestore }},
		whenSet("partition.retention_count"),
	}
)

// unprinted are the properties that older versions do not have.
var unprinted = map[core.Version][]string{
	core.VersionM24: {"medium_allocation_mode", "partition.retention_count"},
	core.Version30:  {"medium_allocation_mode", "partition.retention_count"},
	core.Version21:  {"medium_allocation_mode", "partition.retention_count", "enable_mow_light_delete", "variant_enable_flatten_nested"},
}

// propertyLines returns the lines of PROPERTIES; sync asks for the form of the
// CREATE_TABLE binlog (doris-sql.md 3.6).
func (e *Executor) propertyLines(t *catalog.Table, sync bool) []string {
	var lines []string
	line := func(key, value string) { lines = append(lines, quoteText(key)+" = "+quoteText(value)) }
	print := func(list []printedProperty) {
		for _, p := range list {
			if value, ok := p.value(t); ok && !slices.Contains(unprinted[e.core.Version()], p.name) {
				line(p.name, value)
			}
		}
	}
	line(replicationAllocation, defaultAllocation+strconv.Itoa(t.ReplicaNum))
	print(printedBeforeSync)
	line(isBeingSynced, strconv.FormatBool(sync || t.Properties[isBeingSynced] == "true"))
	if sync && t.AutoBucket {
		line(autoBucketProperty, "true")
	}
	print(printedAfterSync)
	if e.core.FEConfig("enable_feature_binlog") == "true" {
		print(printedBinlog)
	}
	print(printedLast)
	return lines
}

// storeDefaults makes the defaults that are printed explicit.
func storeDefaults(t *catalog.Table) {
	for _, p := range slices.Concat(printedBeforeSync, printedAfterSync, printedBinlog, printedLast) {
		if value, ok := p.value(t); ok {
			t.Properties[p.name] = value
		}
	}
}

// quoteText writes a double quoted string literal.
func quoteText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func quoteIdents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = parser.QuoteIdent(name)
	}
	return strings.Join(quoted, ", ")
}
