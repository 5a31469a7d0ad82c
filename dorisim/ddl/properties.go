package ddl

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// Property names that rules refer to (doris-sql.md 3.3).
const (
	binlogEnable          = "binlog.enable"
	binlogTTL             = "binlog.ttl_seconds"
	binlogMaxBytes        = "binlog.max_bytes"
	binlogMaxHistory      = "binlog.max_history_nums"
	isBeingSynced         = "is_being_synced"
	autoBucketProperty    = "_auto_bucket"
	colocateWith          = "colocate_with"
	storagePolicy         = "storage_policy"
	replicationNum        = "replication_num"
	replicationAllocation = "replication_allocation"
	lightSchemaChange     = "light_schema_change"
	mergeOnWrite          = "enable_unique_key_merge_on_write"
	duplicateWithoutKeys  = "enable_duplicate_without_keys_by_default"
	bloomFilterColumns    = "bloom_filter_columns"
	sequenceColumn        = "function_column.sequence_col"
	sequenceType          = "function_column.sequence_type"
	dynamicPrefix         = "dynamic_partition."
	dynamicEnable         = "dynamic_partition.enable"
	inAtomicRestore       = "in_atomic_restore"

	maxInt64Text      = "9223372036854775807"
	defaultAllocation = "tag.location.default: "
)

// binlogDefaults are the values of an unset binlog property (doris-binlogs.md
// 1.1).
var binlogDefaults = map[string]string{
	binlogEnable: "false", binlogTTL: "86400", binlogMaxBytes: maxInt64Text, binlogMaxHistory: maxInt64Text,
}

func isBinlogProperty(key string) bool { _, ok := binlogDefaults[key]; return ok }

// valueRule checks a property value and returns its canonical spelling.
type valueRule func(key, value string) (string, error)

func boolean(key, value string) (string, error) {
	value = strings.ToLower(value)
	if value != "true" && value != "false" {
		return "", core.Errorf("%s must be `true` or `false`", key)
	}
	return value, nil
}

func integer(key, value string) (string, error) {
	if _, err := strconv.ParseInt(value, 10, 64); err != nil {
		return "", core.Errorf("Invalid %s value: %s", key, value)
	}
	return value, nil
}

func anyText(_, value string) (string, error) { return value, nil }

func upper(values ...string) valueRule {
	return func(key, value string) (string, error) {
		value = strings.ToUpper(value)
		if !slices.Contains(values, value) {
			return "", core.Errorf("unknown %s: %s", key, value)
		}
		return value, nil
	}
}

func lower(values ...string) valueRule {
	return func(key, value string) (string, error) {
		value = strings.ToLower(value)
		if !slices.Contains(values, value) {
			return "", core.Errorf("%s must be one of %s, but was %s", key, strings.Join(values, ", "), value)
		}
		return value, nil
	}
}

func binlogBoolean(_, value string) (string, error) {
	value = strings.ToLower(value)
	if value != "true" && value != "false" {
		return "", core.Errorf("Invalid binlog enable value: %s", value)
	}
	return value, nil
}

func binlogNumber(key, value string) (string, error) {
	if _, err := strconv.ParseInt(value, 10, 64); err != nil {
		return "", core.Errorf("Invalid binlog %s value: %s", strings.TrimPrefix(key, "binlog."), value)
	}
	return value, nil
}

// alterKind says how ALTER TABLE SET treats a property.
type alterKind int

const (
	fixed alterKind = iota // refused
	meta                   // metadata only: MODIFY_TABLE_PROPERTY
	heavy                  // rewrites data: ALTER_JOB
)

type propertyRule struct {
	check valueRule
	alter alterKind
}

var propertyRules = map[string]propertyRule{
	binlogEnable: {binlogBoolean, meta}, binlogTTL: {binlogNumber, meta},
	binlogMaxBytes: {binlogNumber, meta}, binlogMaxHistory: {binlogNumber, meta},

	replicationNum: {anyText, meta}, replicationAllocation: {anyText, meta},
	"default." + replicationNum: {anyText, meta}, "default." + replicationAllocation: {anyText, meta},
	"min_load_replica_num": {integer, meta},
	isBeingSynced:          {boolean, meta}, autoBucketProperty: {boolean, fixed}, inAtomicRestore: {boolean, fixed},
	colocateWith: {anyText, meta}, storagePolicy: {anyText, meta},
	bloomFilterColumns: {anyText, heavy}, "bloom_filter_fpp": {anyText, heavy},
	"in_memory": {boolean, meta}, "storage_medium": {lower("hdd", "ssd"), meta},
	"medium_allocation_mode": {anyText, meta}, "storage_cooldown_time": {anyText, fixed},
	"storage_format": {upper("V1", "V2", "V3", "DEFAULT"), fixed}, "storage_type": {lower("column"), fixed},
	"inverted_index_storage_format": {upper("V1", "V2", "V3", "DEFAULT"), fixed},
	"compression":                   {upper("LZ4F", "LZ4", "LZ4HC", "ZSTD", "ZLIB", "SNAPPY", "NO_COMPRESSION", "DEFAULT_COMPRESSION"), fixed},
	"estimate_partition_size":       {anyText, meta},
	mergeOnWrite:                    {boolean, fixed}, skipBitmapColumn: {boolean, heavy},
	lightSchemaChange: {boolean, meta}, duplicateWithoutKeys: {boolean, fixed},
	sequenceColumn: {anyText, fixed}, sequenceType: {anyText, fixed},
	"row_store_columns": {anyText, heavy}, "store_row_column": {boolean, heavy}, "row_store_page_size": {integer, heavy},
	"skip_write_index_on_load":                       {boolean, meta},
	"compaction_policy":                              {lower("size_based", "time_series"), meta},
	"time_series_compaction_goal_size_mbytes":        {integer, meta},
	"time_series_compaction_file_count_threshold":    {integer, meta},
	"time_series_compaction_time_threshold_seconds":  {integer, meta},
	"time_series_compaction_empty_rowsets_threshold": {integer, meta},
	"time_series_compaction_level_threshold":         {integer, meta},
	"disable_auto_compaction":                        {boolean, meta},
	"variant_enable_flatten_nested":                  {boolean, fixed},
	"enable_single_replica_compaction":               {boolean, meta},
	"group_commit_interval_ms":                       {integer, meta}, "group_commit_data_bytes": {integer, meta},
	"enable_mow_light_delete": {boolean, meta}, "partition.retention_count": {integer, meta},

	dynamicEnable: {boolean, meta}, "dynamic_partition.time_unit": {upper("HOUR", "DAY", "WEEK", "MONTH", "YEAR"), meta},
	"dynamic_partition.time_zone": {anyText, meta}, "dynamic_partition.start": {integer, meta}, "dynamic_partition.end": {integer, meta},
	"dynamic_partition.prefix": {anyText, meta}, "dynamic_partition.buckets": {integer, meta},
	"dynamic_partition.replication_num": {integer, meta}, "dynamic_partition.replication_allocation": {anyText, meta},
	"dynamic_partition.create_history_partition": {boolean, meta}, "dynamic_partition.history_partition_num": {integer, meta},
	"dynamic_partition.hot_partition_num": {integer, meta}, "dynamic_partition.reserved_history_periods": {anyText, meta},
	"dynamic_partition.storage_policy": {anyText, meta}, "dynamic_partition.storage_medium": {anyText, meta},
	"dynamic_partition.start_day_of_week": {integer, meta}, "dynamic_partition.start_day_of_month": {integer, meta},
}

// canonical checks given properties and spells their values as they are
// printed. The error names every unknown key.
func canonical(given map[string]string) (map[string]string, error) {
	props := make(map[string]string, len(given))
	unknown := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		rule, ok := propertyRules[key]
		if !ok {
			unknown[key] = given[key]
			continue
		}
		value, err := rule.check(key, given[key])
		if err != nil {
			return nil, err
		}
		props[key] = value
	}
	if len(unknown) > 0 {
		return nil, core.Errorf("Unknown properties: %s", javaMap(unknown))
	}
	return props, nil
}

// javaMap prints {k=v, k2=v2}.
func javaMap(m map[string]string) string {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		items = append(items, key+"="+m[key])
	}
	return "{" + strings.Join(items, ", ") + "}"
}

// checkBinlogProperties checks the binlog.* values among props of a database,
// and that the feature is on if there are any.
func (e *Executor) checkBinlogProperties(props map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(props)) {
		if !isBinlogProperty(key) {
			continue
		}
		if e.core.FEConfig("enable_feature_binlog") != "true" {
			return core.Errorf("Binlog feature is not enabled")
		}
		if _, err := propertyRules[key].check(key, props[key]); err != nil {
			return err
		}
	}
	return nil
}

// inheritBinlog completes the binlog.* properties of a new table: explicit ones
// override the database's (doris-binlogs.md 1.1).
func (e *Executor) inheritBinlog(db *catalog.Database, props map[string]string) error {
	if err := e.checkBinlogProperties(props); err != nil {
		return err
	}
	enabled := db.Properties[binlogEnable] == "true"
	if enabled && props[binlogEnable] == "false" {
		return core.Errorf("Cannot create table with binlog disabled when database binlog enable")
	}
	for key, fallback := range binlogDefaults {
		if _, explicit := props[key]; explicit {
			continue
		}
		props[key] = fallback
		if value, ok := db.Properties[key]; ok && enabled {
			props[key] = value
		}
	}
	return nil
}

// takeReplicas removes the replication properties under prefix from props and
// returns the number of replicas they ask for, 0 if there are none.
func takeReplicas(props map[string]string, prefix string) (int, error) {
	defer delete(props, prefix+replicationNum)
	defer delete(props, prefix+replicationAllocation)
	text, ok := props[prefix+replicationNum]
	if allocation, given := props[prefix+replicationAllocation]; given {
		tag, count, found := strings.Cut(allocation, ":")
		if !found || !strings.HasPrefix(strings.TrimSpace(tag), "tag.location.") {
			return 0, core.Errorf("Invalid replica allocation: %s", allocation)
		}
		text, ok = strings.TrimSpace(count), true
	}
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 32767 {
		return 0, core.Errorf("Replication num should between 1 and 32767, but was %s", text)
	}
	return n, nil
}

// defaultReplicas is the number of replicas of a table that does not say.
func (e *Executor) defaultReplicas() int {
	if n, err := strconv.Atoi(e.core.FEConfig("default_replication_num")); err == nil && n > 0 {
		return n
	}
	return 1
}

// tableProperties fills t's properties, replica number and auto-bucket flag
// from those of CREATE TABLE. A table that is being synchronised loses its
// colocate group and storage policy (doris-sql.md 3.6).
func (e *Executor) tableProperties(db *catalog.Database, t *catalog.Table, given parser.Properties) error {
	props, err := canonical(given)
	if err != nil {
		return err
	}
	if err := e.inheritBinlog(db, props); err != nil {
		return err
	}
	if t.ReplicaNum, err = takeReplicas(props, ""); err != nil {
		return err
	}
	if t.ReplicaNum == 0 {
		t.ReplicaNum = e.defaultReplicas()
	}
	if props[isBeingSynced] == "true" {
		delete(props, colocateWith)
		delete(props, storagePolicy)
		t.AutoBucket = t.AutoBucket || props[autoBucketProperty] == "true"
	}
	delete(props, autoBucketProperty)
	delete(props, inAtomicRestore)
	setDefault(props, isBeingSynced, "false")
	setDefault(props, lightSchemaChange, "true")
	if t.Keys == types.UniqueKeys {
		setDefault(props, mergeOnWrite, "true")
	} else if _, given := props[mergeOnWrite]; given {
		return core.Errorf("%s property only support unique key table", mergeOnWrite)
	}
	if err := dynamicDefaults(props, t); err != nil {
		return err
	}
	t.Properties = props
	if err := checkColumnProperties(t); err != nil {
		return err
	}
	storeDefaults(t)
	return nil
}

func setDefault(m map[string]string, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// checkColumnProperties checks properties that name columns.
func checkColumnProperties(t *catalog.Table) error {
	schema := &t.Indexes[t.BaseIndexID].Schema
	if list, ok := t.Properties[bloomFilterColumns]; ok {
		var names []string
		for name := range strings.SplitSeq(list, ",") {
			i := schema.ColumnIndex(strings.TrimSpace(name))
			if i < 0 {
				return core.Errorf("Bloom filter column does not exist in table. invalid column: %s", strings.TrimSpace(name))
			}
			names = append(names, schema.Columns[i].Name)
		}
		t.Properties[bloomFilterColumns] = strings.Join(names, ", ")
	}
	if t.Properties[skipBitmapColumn] == "true" && schema.ColumnIndex(hiddenSkipBitmap) < 0 {
		if !isMergeOnWrite(t) {
			return core.Errorf("tablet property %s canonly be set in merge-on-write unique table.", skipBitmapColumn)
		}
		appendHidden(t, skipBitmapColumnOf(t.Keys))
	}
	return sequenceProperties(t, schema)
}

func sequenceProperties(t *catalog.Table, schema *types.Schema) error {
	name, mapped := t.Properties[sequenceColumn]
	typeName, typed := t.Properties[sequenceType]
	switch {
	case !mapped && !typed:
		return nil
	case t.Keys != types.UniqueKeys:
		return core.Errorf("sequence column only support UNIQUE_KEYS")
	case mapped && typed:
		return core.Errorf("%s and %s cannot be set at the same time", sequenceColumn, sequenceType)
	case mapped:
		i := schema.ColumnIndex(name)
		if i < 0 {
			return core.Errorf("The specified sequence column[%s] not exists", name)
		}
		if err := checkSequenceType(schema.Columns[i].Type); err != nil {
			return err
		}
		schema.Sequence = schema.Columns[i].Name
		return nil
	}
	typ, err := sequenceTypeOf(typeName)
	if err != nil {
		return err
	}
	t.Properties[sequenceType] = legacyTypeName(typ)
	schema.Sequence = hiddenSequence
	appendHidden(t, sequenceColumnOf(typ, t.Keys))
	return nil
}

func sequenceTypeOf(name string) (types.Type, error) {
	typ, err := parser.ParseType(name)
	if err != nil {
		return typ, core.Errorf("invalid %s: %s", sequenceType, name)
	}
	return typ, checkSequenceType(typ)
}

func checkSequenceType(t types.Type) error {
	switch t.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.LargeInt, types.Date, types.DateTime:
		return nil
	}
	return core.Errorf("Sequence type only support integer types and date types")
}

// legacyTypeName spells a type as properties do: datetimev2(0).
func legacyTypeName(t types.Type) string {
	switch t.Kind {
	case types.DateTime:
		return fmt.Sprintf("datetimev2(%d)", t.Scale)
	case types.Date:
		return "datev2"
	}
	return parser.FormatType(t)
}
