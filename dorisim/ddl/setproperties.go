package ddl

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// distributionType is the pseudo property that turns HASH into RANDOM.
const distributionType = "distribution_type"

// setProperties runs ALTER TABLE SET: one property, or any number of one group
// (doris-sql.md 2.12).
func (e *Executor) setProperties(db *catalog.Database, t *catalog.Table, given parser.Properties) error {
	keys := slices.Sorted(maps.Keys(given))
	switch {
	case len(keys) == 0:
		return core.Errorf("Properties is not set")
	case len(keys) > 1 && !sameGroup(keys, dynamicPrefix) && !sameGroup(keys, "binlog.") && !sameGroup(keys, "bloom_filter_"):
		return core.Errorf("Can only set one table property(without dynamic partition && binlog) at a time")
	case keys[0] == distributionType:
		return e.setRandomDistribution(db, t, given[distributionType])
	}
	for _, key := range keys {
		rule, ok := propertyRules[key]
		switch {
		case !ok || rule.alter == fixed:
			return core.Errorf("Unknown table property: [%s]", strings.Join(keys, ", "))
		case rule.alter == heavy:
			return e.setHeavyProperty(db, t, given)
		}
	}
	props, err := canonical(given)
	if err != nil {
		return err
	}
	before := t.Properties
	if err := e.applyProperties(db, t, props); err != nil {
		return err
	}
	if keys[0] == colocateWith {
		return nil // has a journal record of its own, which is no binlog
	}
	if recorded := recordedProperties(t, before, given); len(recorded) > 0 {
		off := before[binlogEnable] == "true" && t.Properties[binlogEnable] == "false"
		e.recordProperties(db, t, recorded, off)
	}
	return nil // partitions that are due now are made by the scheduler's next pass
}

func sameGroup(keys []string, prefix string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return !strings.HasPrefix(k, prefix) })
}

// applyProperties changes the table, or refuses and leaves it alone.
func (e *Executor) applyProperties(db *catalog.Database, t *catalog.Table, props map[string]string) error {
	if err := e.checkBinlogProperties(props); err != nil {
		return err
	}
	if props[binlogEnable] == "false" && db.Properties[binlogEnable] == "true" {
		return core.Errorf("db binlog is enable, but table binlog is disable")
	}
	if props["in_memory"] == "true" {
		return core.Errorf("Not support set 'in_memory'='true' now!")
	}
	for _, prefix := range []string{"", "default."} {
		replicas, err := takeReplicas(props, prefix)
		if err != nil {
			return err
		}
		if replicas > 0 {
			t.ReplicaNum = replicas
		}
	}
	changed := maps.Clone(t.Properties)
	if _, given := props[dynamicPrefix+replicationNum]; given {
		delete(changed, dynamicPrefix+replicationAllocation)
	}
	maps.Copy(changed, props)
	if changed[isBeingSynced] == "true" {
		delete(changed, colocateWith)
		delete(changed, storagePolicy)
	}
	if err := dynamicDefaults(changed, t); err != nil {
		return err
	}
	toggled := changed[binlogEnable] != t.Properties[binlogEnable]
	t.Properties = changed
	if toggled {
		e.core.SyncTabletSettings(t)
	}
	return nil
}

// recordedProperties is what the binlog has of the properties of a statement: as
// the FE understood them, nothing if nothing changes (doris-binlogs.md 2.11).
func recordedProperties(t *catalog.Table, before map[string]string, given parser.Properties) parser.Properties {
	recorded := parser.Properties{}
	for key, value := range given {
		switch {
		case key == "in_memory":
		case isBinlogProperty(key):
			for own := range binlogDefaults {
				recorded[own] = t.Properties[own]
			}
		case key == "default."+replicationNum:
			recorded["default."+replicationAllocation] = defaultAllocation + strconv.Itoa(t.ReplicaNum)
		default:
			recorded[key] = value
		}
	}
	sameBinlog := func(key string) bool { return before[key] == t.Properties[key] }
	if _, ok := recorded[binlogEnable]; ok && !slices.ContainsFunc(slices.Collect(maps.Keys(binlogDefaults)), func(k string) bool { return !sameBinlog(k) }) {
		return nil
	}
	return recorded
}

func (e *Executor) recordProperties(db *catalog.Database, t *catalog.Table, given parser.Properties, off bool) {
	var items []string
	for _, key := range slices.Sorted(maps.Keys(given)) {
		items = append(items, key+"="+given[key])
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyTableProperty, RemoveEnableCache: true, SwitchedOff: off,
		Payload: func(int64) any {
			p := tablePropertyPayload{
				DBID: db.ID, TableID: t.ID, TableName: t.Name, Properties: given, SQL: "SET (" + strings.Join(items, ",") + ")",
			}
			if e.core.Version() == core.VersionNew {
				p.Catalog, p.DBName = "internal", db.Name
			}
			return p
		},
	})
}

// setRandomDistribution is the only change of the distribution type
// (doris-binlogs.md 2.27).
func (e *Executor) setRandomDistribution(db *catalog.Database, t *catalog.Table, value string) error {
	switch {
	case !strings.EqualFold(value, "random"):
		return core.Errorf("Only support modify distribution type to random")
	case t.Keys != types.DupKeys:
		return core.Errorf("Only support change HASH distribution to RANDOM of DUPLICATE KEY tables")
	case t.Distribution.Kind == catalog.RandomDistribution:
		return nil
	}
	t.Distribution.Kind, t.Distribution.Columns = catalog.RandomDistribution, nil
	for _, p := range core.Partitions(t) {
		p.Distribution.Kind, p.Distribution.Columns = catalog.RandomDistribution, nil
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyDistributionType,
		Payload: func(int64) any {
			return renamePayload{DBID: db.ID, TableID: t.ID, IndexID: -1, PartitionID: -1}
		},
	})
	return nil
}
