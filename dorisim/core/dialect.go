package core

import (
	"encoding/json"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/payload"
)

// wrapConfig is a switch of the simulator, no FE config of Doris: "false" makes
// an older version lose the events whose types it does not know, as the first
// releases of 2.1 do (doris-binlogs.md 2.28), instead of wrapping them.
const wrapConfig = "dorisim_wrap_new_binlogs"

// lastOldType is the last type that 2.1, 3.0 and M24 know (doris-binlogs.md 2.2).
const lastOldType = binlog.TypeModifyComment

// dialect turns an event into what the imitated version records. kind and data
// are those of `new`; recorded is false when the version has no such binlog. It
// needs the lock.
func (c *Core) dialect(e *Event, kind binlog.Type, data string) (binlog.Type, string, bool) {
	if c.cfg.Version == VersionNew {
		return kind, data, true
	}
	data = c.translate(kind, data)
	if kind <= lastOldType {
		return kind, data, true
	}
	switch kind {
	case binlog.TypeRenamePartition, binlog.TypeRenameRollup:
		return binlog.TypeRenameTable, data, true // the names that are not empty tell which (2.16)
	}
	if c.cfg.Version == VersionM24 || c.FEConfig(wrapConfig) == "false" || len(e.Tables) == 0 {
		return kind, "", false
	}
	wrapped := payload.Barrier{DBID: e.DB, TableID: e.Tables[0], BinlogType: int32(kind), Binlog: data}
	if db, ok := c.databases[e.DB]; ok {
		wrapped.DBName = db.Name
	}
	if _, t, ok := c.TableByID(e.Tables[0]); ok {
		wrapped.TableName = t.Name
	}
	return binlog.TypeBarrier, Gson(wrapped), true
}

// newerFields are fields that a payload got after 2.1 and 3.0 had branched, by
// type (doris-binlogs.md chapter 2).
var newerFields = map[binlog.Type][]string{
	binlog.TypeCreateTable:       {"tableType"},
	binlog.TypeReplacePartitions: {"replacedPartitionIds"},
	binlog.TypeReplaceTable:      {"isForce"},
	binlog.TypeModifyViewDef:     {"comment"},
}

// Short names of 3.0 and the long ones that 2.1 has in their place
// (doris-binlogs.md 2.4, 2.21).
var (
	longPartition = map[string]string{
		"nm": "name", "st": "state", "di": "distributionInfo", "bi": "baseIndex", "ivr": "idToVisibleRollupIndex",
		"isi": "idToShadowIndex", "vv": "visibleVersion", "vvt": "visibleVersionTime", "nv": "nextVersion",
	}
	longIndex = map[string]string{
		"i": "indexId", "in": "indexName", "c": "columns", "it": "indexType", "pt": "properties", "ct": "comment", "cui": "columnUniqueIds",
	}
)

// translate takes out what is newer than the version and gives fields the names
// they have there. A text that is no JSON object stays as it is.
func (c *Core) translate(kind binlog.Type, data string) string {
	decoder := json.NewDecoder(strings.NewReader(data))
	decoder.UseNumber() // ids are longer than a float64 is exact
	var record map[string]any
	if decoder.Decode(&record) != nil || record == nil {
		return data
	}
	for _, field := range newerFields[kind] {
		delete(record, field)
	}
	if kind == binlog.TypeModifyPartitions {
		c.oldModifyPartitions(record)
	}
	if c.cfg.Version == Version21 {
		longNames(record)
		if kind == binlog.TypeUpsert {
			withoutSubTransactions(record)
		}
	}
	return Gson(record)
}

// oldModifyPartitions has no names (2.13), and the number of replicas, which M24
// does not have.
func (c *Core) oldModifyPartitions(record map[string]any) {
	for _, info := range objects(record["infos"]) {
		delete(info, "partitionName")
		delete(info, "isTempPartition")
		if c.cfg.Version == VersionM24 {
			if data, ok := info["dataProperty"].(map[string]any); ok {
				delete(data, "storageMediumSpecified")
			}
			continue
		}
		info["replicationNum"] = replicationNum(info["replicaAlloc"])
	}
}

// replicationNum is the number of a {"allocMap":[[tag, n]]}, -1 if it has none.
func replicationNum(allocation any) any {
	object, _ := allocation.(map[string]any)
	pairs, _ := object["allocMap"].([]any)
	for _, p := range pairs {
		if pair, ok := p.([]any); ok && len(pair) == 2 {
			return pair[1]
		}
	}
	return json.Number("-1")
}

func longNames(record map[string]any) {
	if partition, ok := record["partition"].(map[string]any); ok {
		rename(partition, longPartition)
	}
	for _, field := range []string{"indexes", "alterInvertedIndexes"} {
		for _, index := range objects(record[field]) {
			rename(index, longIndex)
		}
	}
}

// withoutSubTransactions: transactional inserts into several tables are newer
// than 2.1.
func withoutSubTransactions(record map[string]any) {
	delete(record, "stids")
	tables, _ := record["tableRecords"].(map[string]any)
	for _, table := range tables {
		if table, ok := table.(map[string]any); ok {
			for _, partition := range objects(table["partitionRecords"]) {
				delete(partition, "stid")
			}
		}
	}
}

// objects returns the objects of a JSON array.
func objects(array any) []map[string]any {
	list, _ := array.([]any)
	found := make([]map[string]any, 0, len(list))
	for _, v := range list {
		if object, ok := v.(map[string]any); ok {
			found = append(found, object)
		}
	}
	return found
}

// rename changes keys; the maps' values are never keys of the same map.
func rename(object map[string]any, names map[string]string) {
	for short, long := range names {
		if v, ok := object[short]; ok {
			delete(object, short)
			object[long] = v
		}
	}
}
