package conformance

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

const ranges = "CREATE TABLE `%s`.`t` (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) " +
	"(PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(k) BUCKETS 2 " +
	"PROPERTIES ('replication_num' = '1', 'binlog.enable' = 'true')"

// rangedTable makes a table t with the partitions p1 (to 10) and p2 (to 20).
func (s *side) rangedTable() (db string) {
	s.t.Helper()
	db = s.database()
	s.exec(ranges, db)
	return db
}

// partitionIDs are the ids of a table's partitions by name, as getMeta has them.
func (s *side) partitionIDs(db, table string) map[string]int64 {
	s.t.Helper()
	ids := map[string]int64{}
	for _, p := range s.tableMeta(db, table).Partitions {
		ids[p.GetName()] = p.GetID()
	}
	return ids
}

// kinds lists the types of the binlogs after prev.
func (s *side) kinds(db string, prev int64) []binlog.Type {
	s.t.Helper()
	var kinds []binlog.Type
	for _, b := range s.binlogs(db, -1, prev) {
		kinds = append(kinds, binlog.Type(b.GetType()))
	}
	return kinds
}

// payload decodes the newest binlog, which has to be of the kind.
func (s *side) payload(db string, kind binlog.Type) map[string]any {
	s.t.Helper()
	all := s.binlogs(db, -1, -1)
	require.NotEmpty(s.t, all)
	last := all[len(all)-1]
	require.Equal(s.t, frontendservice.TBinlogType(kind), last.GetType(), last.GetData())
	var payload map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(last.GetData()), &payload))
	return payload
}

func TestReplacePartition(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1), (11, 1)", db)
	s.exec("ALTER TABLE `%s`.t ADD TEMPORARY PARTITION tp2 VALUES [('10'), ('20'))", db)
	s.exec("INSERT INTO `%s`.t TEMPORARY PARTITION (tp2) VALUES (12, 2)", db)
	require.Equal(t, "12", values(s.query("SELECT k FROM `%s`.t TEMPORARY PARTITION (tp2)", db), "k"))
	before := s.partitionIDs(db, "t")

	s.exec("ALTER TABLE `%s`.t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp2)", db)
	after := s.partitionIDs(db, "t")
	require.Equal(t, map[string]int64{"p1": before["p1"], "p2": before["tp2"]}, after)
	require.Len(t, s.query("SELECT * FROM `%s`.t", db), 2)
	record := s.payload(db, binlog.TypeReplacePartitions)
	require.Equal(t, []any{"p2"}, record["partitions"])
	require.Equal(t, []any{"tp2"}, record["tempPartitions"])
	require.Equal(t, true, record["strictRange"])
	require.Contains(t, s.meta(db, "t").DroppedPartitions, before["p2"])
}

func TestInsertOverwriteBinlogs(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.table(db, "u", 1)
	s.exec("INSERT INTO `%s`.u VALUES (1, 1)", db)
	prev, before := s.lastSeq(db), s.partitionIDs(db, "u")

	s.exec("INSERT OVERWRITE TABLE `%s`.u VALUES (5, 5)", db)
	require.Equal(t, "5", values(s.query("SELECT k FROM `%s`.u", db), "k"))
	require.Equal(t, []binlog.Type{binlog.TypeAddPartition, binlog.TypeUpsert, binlog.TypeReplacePartitions}, s.kinds(db, prev))
	logs := s.binlogs(db, -1, prev)
	require.Contains(t, logs[0].GetData(), `"isTempPartition":true`)
	require.NotContains(t, logs[0].GetData(), "version_info")
	require.Contains(t, logs[1].GetData(), `"isTempPartition":true`)
	require.Equal(t, []any{"u"}, s.payload(db, binlog.TypeReplacePartitions)["partitions"])
	require.NotEqual(t, before["u"], s.partitionIDs(db, "u")["u"])

	prev, before = s.lastSeq(db), s.partitionIDs(db, "t")
	s.exec("INSERT OVERWRITE TABLE `%s`.t PARTITION (p2) VALUES (15, 5)", db)
	after := s.partitionIDs(db, "t")
	require.Equal(t, before["p1"], after["p1"])
	require.NotEqual(t, before["p2"], after["p2"])
	require.Len(t, s.kinds(db, prev), 3)
}

func TestRecoverTableAndPartition(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1), (11, 1)", db)
	table, partitions := s.tableMeta(db, "t").GetID(), s.partitionIDs(db, "t")

	s.exec("ALTER TABLE `%s`.t DROP PARTITION p2", db)
	require.Contains(t, s.meta(db, "t").DroppedPartitions, partitions["p2"])
	s.exec("RECOVER PARTITION p2 AS p3 FROM `%s`.t", db)
	require.Equal(t, partitions["p2"], s.partitionIDs(db, "t")["p3"])
	require.NotContains(t, s.meta(db, "t").DroppedPartitions, partitions["p2"])
	record := s.payload(db, binlog.TypeRecoverInfo)
	require.Equal(t, "p2", record["partitionName"])
	require.Equal(t, "p3", record["newPartitionName"])

	s.exec("DROP TABLE `%s`.t", db)
	require.Contains(t, s.meta(db).DroppedTables, table)
	s.exec("RECOVER TABLE `%s`.t AS t2", db)
	require.Equal(t, table, s.tableMeta(db, "t2").GetID())
	require.NotContains(t, s.meta(db).DroppedTables, table)
	require.Len(t, s.query("SELECT * FROM `%s`.t2", db), 2)
	record = s.payload(db, binlog.TypeRecoverInfo)
	require.Equal(t, "t", record["tableName"])
	require.Equal(t, "t2", record["newTableName"])

	s.refuses(1109, fmt.Sprintf("Unknown table 't' in %s", db), "RECOVER TABLE `%s`.t", db)
	s.exec("CREATE TABLE `%s`.t LIKE `%s`.t2", db, db)
	s.exec("DROP TABLE `%s`.t2", db)
	s.exec("RECOVER TABLE `%s`.t2", db)
	s.exec("DROP TABLE `%s`.t2 FORCE", db)
	s.refuses(1109, "Unknown table", "RECOVER TABLE `%s`.t2", db)
}

func TestDropAndRenameDatabase(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("ALTER DATABASE `%s` RENAME `%s_renamed`", db, db)
	result, err := s.fe.GetBinlog(ctx, binlogRequest(db, -1, -1, 1))
	require.NoError(t, err)
	analysis(t, "unknown database, database="+db, result.Status)
	require.NotEmpty(t, s.binlogs(db+"_renamed", -1, -1))
	s.exec("DROP DATABASE `%s_renamed`", db)
	require.Eventually(t, func() bool {
		result, err := s.fe.GetBinlog(ctx, binlogRequest(db+"_renamed", -1, -1, 1))
		return err == nil && len(result.Binlogs) == 0
	}, patience, 5*time.Millisecond)
}
