package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

// TestInvertedIndex: adding and dropping is light, building is a job for each
// partition.
func TestInvertedIndex(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t1` (k INT, v VARCHAR(20), w INT, INDEX first (w) USING INVERTED COMMENT 'c') DUPLICATE KEY(k) "+
		"PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(k) BUCKETS 1", db)
	base := s.indexIDs(db, "t1")["t1"]
	s.exec("ALTER TABLE `%s`.`t1` ADD INDEX idx_v (v) USING INVERTED PROPERTIES(\"parser\" = \"english\") COMMENT 'x', ADD INDEX idx_k (k) USING INVERTED", db)
	require.Equal(t, "first,idx_v,idx_k", values(s.query("SHOW INDEXES FROM `%s`.`t1`", db), "Key_name"))
	require.Equal(t, base, s.indexIDs(db, "t1")["t1"])
	added := s.recorded(db, frontendservice.TBinlogType_MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES)
	require.Len(t, added, 1)
	require.Equal(t, false, added[0]["isDropInvertedIndex"])
	require.Contains(t, added[0]["indexSchemaMap"], itoa(base))
	require.Equal(t, "ALTER TABLE `"+db+"`.`t1` ADD INDEX `idx_v` (`v`) USING INVERTED PROPERTIES(\"parser\" = \"english\", \"lower_case\" = \"true\", \"support_phrase\" = \"true\") COMMENT 'x', ADD INDEX `idx_k` (`k`) USING INVERTED COMMENT ''", added[0]["rawSql"])
	altered, ok := added[0]["alterInvertedIndexes"].([]any)
	require.True(t, ok)
	require.Len(t, altered, 2)
	index, ok := altered[0].(map[string]any)
	require.True(t, ok)
	require.Equal(t, map[string]any{"in": "idx_v", "c": []any{"v"}, "it": "INVERTED", "pt": map[string]any{"parser": "english", "lower_case": "true", "support_phrase": "true"}, "ct": "x", "cui": []any{number64(1)}},
		fields(index, "in", "c", "it", "pt", "ct", "cui"))
	require.Len(t, s.query("SHOW ALTER TABLE COLUMN FROM `%s` WHERE TableName = \"t1\" AND State = \"FINISHED\"", db), 1, "listed as a finished job")
	s.refuses(1105, "index name[idx_v] is already used", "CREATE INDEX idx_v ON `%s`.`t1` (v) USING INVERTED", db)
	s.exec("CREATE INDEX IF NOT EXISTS idx_v ON `%s`.`t1` (v) USING INVERTED", db)

	builds := func(state string) []row {
		return s.query("SHOW BUILD INDEX FROM `%s` WHERE TableName = \"t1\" AND State = \"%s\"", db, state)
	}
	s.refuses(1105, "Index[nope] is not exist", "BUILD INDEX nope ON `%s`.`t1`", db)
	s.exec("BUILD INDEX idx_v ON `%s`.`t1` PARTITIONS (`p1`)", db)
	s.exec("BUILD INDEX idx_v ON `%s`.`t1`", db)
	require.Eventually(t, func() bool { return len(builds("FINISHED")) == 3 }, patience, 5*time.Millisecond)
	require.Equal(t, "p1,p1,p2", values(builds("FINISHED"), "PartitionName"))
	require.Equal(t, "[ADD INDEX idx_v (`v`) USING INVERTED PROPERTIES(\"parser\" = \"english\", \"lower_case\" = \"true\", \"support_phrase\" = \"true\")], ", builds("FINISHED")[0]["AlterInvertedIndexes"])
	var states []string
	for _, p := range s.recorded(db, frontendservice.TBinlogType_INDEX_CHANGE_JOB) {
		if fmt.Sprint(p["jobId"]) == builds("FINISHED")[0]["JobId"] {
			states = append(states, fmt.Sprint(p["jobState"]))
			require.Equal(t, map[string]any{"tableName": "t1", "partitionName": "p1", "isDropOp": false, "originIndexId": number64(base), "errMsg": "", "timeoutMs": number64(2592000000)},
				fields(p, "tableName", "partitionName", "isDropOp", "originIndexId", "errMsg", "timeoutMs"))
		}
	}
	require.Equal(t, []string{"WAITING_TXN", "RUNNING", "FINISHED"}, states)

	s.exec("DROP INDEX idx_k ON `%s`.`t1`", db)
	s.exec("ALTER TABLE `%s`.`t1` DROP INDEX idx_v, DROP INDEX first", db)
	require.Empty(t, s.query("SHOW INDEXES FROM `%s`.`t1`", db))
	dropped := s.recorded(db, frontendservice.TBinlogType_MODIFY_TABLE_ADD_OR_DROP_INVERTED_INDICES)
	require.Len(t, dropped, 3)
	require.Equal(t, true, dropped[2]["isDropInvertedIndex"])
	require.Equal(t, []any{}, dropped[2]["indexes"])
	s.refuses(1105, "index idx_v does not exist", "DROP INDEX idx_v ON `%s`.`t1`", db)
}

// TestBuildIndexUnpartitioned: the destination's text makes the client try again.
func TestBuildIndexUnpartitioned(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.exec("CREATE INDEX i ON `%s`.`t` (v) USING INVERTED COMMENT ''", db)
	s.refuses(1105, "is not partitioned, cannot build index with partitions", "BUILD INDEX `i` ON `%s`.`t` PARTITION (`t`)", db)
	s.exec("BUILD INDEX `i` ON `%s`.`t`", db)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 1)", db)
	require.Eventually(t, func() bool {
		return values(s.query("SHOW BUILD INDEX FROM `%s`", db), "State") == "FINISHED"
	}, patience, 5*time.Millisecond)
	s.refuses(1105, "No job to cancel for Table[t]", "CANCEL BUILD INDEX ON `%s`.`t`", db)
	s.exec("CREATE INDEX b ON `%s`.`t` (k) USING BITMAP", db)
	require.Eventually(t, func() bool {
		return len(s.query("SHOW ALTER TABLE COLUMN FROM `%s` WHERE State = \"FINISHED\"", db)) == 2
	}, patience, 5*time.Millisecond)
	require.Contains(t, s.query("SHOW CREATE TABLE `%s`.`t`", db)[0]["Create Table"], "INDEX b (`k`) USING BITMAP")
}
