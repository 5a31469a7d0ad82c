package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// finished waits until the table's newest job of that kind is FINISHED and there
// are n of them, as the suites do.
func (s *side) finished(kind, db, table string, n int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		return len(s.query("SHOW ALTER TABLE %s FROM `%s` WHERE TableName = \"%s\" AND State = \"FINISHED\"", kind, db, table)) == n
	}, patience, 5*time.Millisecond, "%v", s.query("SHOW ALTER TABLE %s FROM `%s`", kind, db))
}

// recorded returns the payloads of the binlogs of a type, oldest first.
func (s *side) recorded(db string, kind frontendservice.TBinlogType) []map[string]any {
	s.t.Helper()
	var list []map[string]any
	for _, b := range s.binlogs(db, -1, -1) {
		if b.GetType() != kind {
			continue
		}
		decoder := json.NewDecoder(strings.NewReader(b.GetData()))
		decoder.UseNumber()
		data := map[string]any{}
		require.NoError(s.t, decoder.Decode(&data))
		list = append(list, data)
	}
	return list
}

// hold keeps every job of the cluster in a state until release is called.
func hold(t *testing.T, c *dorisim.Cluster, state string) (release func()) {
	t.Helper()
	id, err := c.Faults().Add(faults.Rule{Point: "alter." + state, Action: faults.Fail})
	require.NoError(t, err)
	return func() { faultstest.Release(t, c.Faults(), id) }
}

// indexIDs maps the names of the indexes of the table's first partition to ids.
func (s *side) indexIDs(db, table string) map[string]int64 {
	s.t.Helper()
	ids := map[string]int64{}
	for _, idx := range s.tableMeta(db, table).Partitions[0].Indexes {
		ids[idx.GetName()] = idx.GetID()
	}
	return ids
}

func (s *side) jobState(kind, db string) string {
	return values(s.query("SHOW ALTER TABLE %s FROM `%s`", kind, db), "State")
}

func (s *side) waitJob(kind, db, state string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.jobState(kind, db) == state }, patience, 2*time.Millisecond)
}

// TestHeavySchemaChange follows one job through its states: what it records, what
// loads do meanwhile, what is refused, and what is dropped at the end.
func TestHeavySchemaChange(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t1", 2)
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 10), (2, 20)", db)
	before := s.indexIDs(db, "t1")
	tableID := s.tableMeta(db, "t1").GetID()

	goOn := hold(t, c, "PENDING")
	s.exec("ALTER TABLE `%s`.`t1` ADD COLUMN `first` INT KEY DEFAULT \"0\" FIRST", db)
	require.Equal(t, "PENDING", s.jobState("COLUMN", db))
	require.Equal(t, before, s.indexIDs(db, "t1"), "no shadow index yet")
	s.refuses(1105, "Table[t1]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow doing ALTER ops", "ALTER TABLE `%s`.`t1` DROP COLUMN `v`", db)
	s.refuses(1105, "The table [t1]'s state is SCHEMA_CHANGE, cannot be dropped", "DROP TABLE `%s`.`t1`", db)

	converting := hold(t, c, "WAITING_TXN")
	goOn()
	s.waitJob("COLUMN", db, "WAITING_TXN")
	during := s.indexIDs(db, "t1")
	require.Equal(t, before["t1"], during["t1"])
	shadow := during["__doris_shadow_t1"]
	require.NotZero(t, shadow)
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`t1` VALUES (3, 30)", db)
	u := decodeUpsert(t, s.nextUpsert(db, prev))
	require.Equal(t, []int64{before["t1"], shadow}, u.TableRecords[itoa(tableID)].IndexIDs)
	require.Equal(t, "k,v", values(s.query("SHOW COLUMNS FROM `%s`.`t1`", db), "Field"))
	require.Len(t, s.query("DESC `%s`.`t1` ALL", db), 2, "shadows are not described")
	require.Equal(t, "1,2,3", values(s.query("SELECT * FROM `%s`.`t1` ORDER BY `k`", db), "k"))

	converting()
	s.finished("COLUMN", db, "t1", 1)
	require.Equal(t, map[string]int64{"t1": shadow}, s.indexIDs(db, "t1"), "the shadow took its origin's name")
	require.Contains(t, s.meta(db).DroppedIndexMap, before["t1"])
	require.Equal(t, []row{{"first": "0", "k": "1", "v": "10"}, {"first": "0", "k": "2", "v": "20"}, {"first": "0", "k": "3", "v": "30"}},
		s.query("SELECT * FROM `%s`.`t1` ORDER BY `k`", db))
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 4, 40)", db)
	require.Len(t, s.query("SELECT * FROM `%s`.`t1`", db), 4)

	jobs := s.query("SHOW ALTER TABLE COLUMN FROM `%s`", db)
	var states []string
	for _, p := range s.recorded(db, frontendservice.TBinlogType_ALTER_JOB) {
		states = append(states, fmt.Sprint(p["jobState"]))
		delete(p, "jobState")
		require.Equal(t, map[string]any{
			"type": "SCHEMA_CHANGE", "dbId": number64(s.meta(db).GetID()), "tableId": number64(tableID), "tableName": "t1",
			"jobId": json.Number(jobs[0]["JobId"]), "iim": map[string]any{itoa(shadow): number64(before["t1"])},
			"rawSql": "ALTER TABLE `" + db + "`.`t1` ADD COLUMN `first` int NULL DEFAULT \"0\" COMMENT \"\" FIRST",
		}, p)
	}
	require.Equal(t, []string{"PENDING", "WAITING_TXN", "FINISHED"}, states)
	require.Equal(t, itoa(shadow), jobs[0]["IndexId"])
	require.Equal(t, itoa(before["t1"]), jobs[0]["OriginIndexId"])
	require.Equal(t, "t1", jobs[0]["IndexName"])
}

func number64(n int64) json.Number { return json.Number(itoa(n)) }

// TestWatershed: a job waits for a transaction that began before its shadow
// index; what that one commits without the shadow is converted.
func TestWatershed(t *testing.T) {
	s := destination(t)
	w := newTwin(t, source(t), s)
	txn := s.begin(w.toDB, w.tableID)
	list := w.ingestions(txn)
	s.exec("ALTER TABLE `%s`.`orders` MODIFY COLUMN `v` BIGINT", w.toDB)
	s.waitJob("COLUMN", w.toDB, "WAITING_TXN")
	require.Never(t, func() bool { return s.jobState("COLUMN", w.toDB) != "WAITING_TXN" }, 30*time.Millisecond, 5*time.Millisecond)
	requireOK(t, s.commit(w.toDB, txn, s.ingestAll(list)))
	s.finished("COLUMN", w.toDB, "orders", 1)
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", w.toDB), 3)
}

// TestCancelAlter: the shadow goes, the table is NORMAL again.
func TestCancelAlter(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t1", 1)
	before := s.indexIDs(db, "t1")
	s.refuses(1105, "Table[t1] is not under SCHEMA_CHANGE.", "CANCEL ALTER TABLE COLUMN FROM `%s`.`t1`", db)
	release := hold(t, c, "WAITING_TXN")
	s.exec("ALTER TABLE `%s`.`t1` ORDER BY (`k`, `v`)", db)
	s.exec("CREATE TABLE `%s`.`gone` LIKE `%s`.`t1`", db, db)
	s.exec("ALTER TABLE `%s`.`gone` ADD COLUMN `c` INT KEY FIRST", db)
	require.Eventually(t, func() bool { return s.jobState("COLUMN", db) == "WAITING_TXN,WAITING_TXN" }, patience, 2*time.Millisecond)
	s.exec("CANCEL ALTER TABLE COLUMN FROM `%s`.`t1`", db)
	s.exec("DROP TABLE `%s`.`gone` FORCE", db)
	release()
	require.Eventually(t, func() bool { return s.jobState("COLUMN", db) == "CANCELLED,CANCELLED" }, patience, 2*time.Millisecond)
	require.Equal(t, before, s.indexIDs(db, "t1"))
	records := s.recorded(db, frontendservice.TBinlogType_ALTER_JOB)
	require.Equal(t, "CANCELLED", records[len(records)-1]["jobState"])
	s.exec("INSERT INTO `%s`.`t1` VALUES (1, 1)", db)
	s.exec("ALTER TABLE `%s`.`t1` RENAME `t2`", db)
}

// TestSchemaChangeConvertsData has every kind of heavy change, on each model.
func TestSchemaChangeConvertsData(t *testing.T) {
	tests := []struct{ name, columns, keys, insert, alter, query, want string }{
		{"modify type", "k INT, v INT", "DUPLICATE KEY(k)", "(1, 7), (1, NULL)", "MODIFY COLUMN v VARCHAR(20)", "SELECT group_concat(ifnull(v, 'null') ORDER BY v) x FROM %s", "null,7"},
		{"widen a key", "k INT, j INT, v INT SUM", "AGGREGATE KEY(k, j)", "(1, 1, 5), (1, 1, 6)", "MODIFY COLUMN j BIGINT KEY", "SELECT concat(j, '-', v) x FROM %s", "1-11"},
		{"drop a key", "k INT, j INT, v INT SUM", "AGGREGATE KEY(k, j)", "(1, 1, 5), (1, 2, 6)", "DROP COLUMN j", "SELECT concat(k, '-', v) x FROM %s", "1-11"},
		{"add a key", "k INT, v INT", "UNIQUE KEY(k)", "(1, 5), (1, 6)", "ADD COLUMN c INT KEY DEFAULT \"3\"", "SELECT concat(k, '-', c, '-', v) x FROM %s", "1-3-6"},
		{"key and value", "k INT, v INT", "DUPLICATE KEY(k)", "(1, 5)", "ADD COLUMN (a INT KEY DEFAULT \"8\", b INT DEFAULT \"9\")", "SELECT concat(k, a, v, b) x FROM %s", "1859"},
		{"order", "k INT, a INT, b INT", "DUPLICATE KEY(k)", "(1, 2, 3)", "ORDER BY (k, b, a)", "SELECT concat(k, a, b) x FROM %s", "123"},
		{"not light", "k INT, a INT", "DUPLICATE KEY(k)", "(1, 2)", "SET (\"bloom_filter_columns\" = \"k, a\")", "SELECT concat(k, a) x FROM %s", "12"},
		{"row store", "k INT, a INT", "UNIQUE KEY(k)", "(1, 2)", "SET (\"store_row_column\" = \"true\")", "SELECT concat(k, a) x FROM %s", "12"},
		{"ngram", "k INT, a VARCHAR(9)", "DUPLICATE KEY(k)", "(1, 'x')", "ADD INDEX i (a) USING NGRAM_BF PROPERTIES(\"gram_size\" = \"3\", \"bf_size\" = \"256\")", "SELECT concat(k, a) x FROM %s", "1x"},
	}
	s := source(t)
	db := s.database()
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := fmt.Sprintf("t%d", i)
			s.exec("CREATE TABLE `%s`.`%s` (%s) %s DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES (\"replication_num\" = \"2\")", db, table, tt.columns, tt.keys)
			s.exec("INSERT INTO `%s`.`%s` VALUES %s", db, table, tt.insert)
			s.exec("ALTER TABLE `%s`.`%s` %s", db, table, tt.alter)
			s.finished("COLUMN", db, table, 1)
			require.Equal(t, tt.want, values(s.query(tt.query, "`"+db+"`.`"+table+"`"), "x"))
		})
	}
	require.Contains(t, s.query("SHOW CREATE TABLE `%s`.`t6`", db)[0]["Create Table"], `"bloom_filter_columns" = "k, a"`)
	require.Contains(t, s.query("SHOW CREATE TABLE `%s`.`t7`", db)[0]["Create Table"], `"store_row_column" = "true"`)
	s.exec("ALTER TABLE `%s`.`t6` SET (\"bloom_filter_columns\" = \"a\", \"bloom_filter_fpp\" = \"0.01\")", db)
	s.finished("COLUMN", db, "t6", 2)
	require.Contains(t, s.query("SHOW CREATE TABLE `%s`.`t6`", db)[0]["Create Table"], `"bloom_filter_columns" = "a"`)
	require.Equal(t, "NONE,BLOOM_FILTER", s.query("DESC `%s`.`t6`", db)[1]["Extra"])
	s.exec("ALTER TABLE `%s`.`t6` SET (\"bloom_filter_columns\" = \"\")", db)
	s.finished("COLUMN", db, "t6", 3)
	require.NotContains(t, s.query("SHOW CREATE TABLE `%s`.`t6`", db)[0]["Create Table"], "bloom_filter")
	require.Equal(t, "NGRAM_BF", values(s.query("SHOW INDEXES FROM `%s`.`t8`", db), "Index_type"))
	s.exec("ALTER TABLE `%s`.`t8` DROP INDEX i", db)
	s.finished("COLUMN", db, "t8", 2)
	require.Empty(t, s.query("SHOW INDEXES FROM `%s`.`t8`", db))
}

// TestLoadsDuringSchemaChanges: nothing is lost or doubled by loads and readers
// that meet the changes of indexes. The slow begin lies between the routing of
// an INSERT and its transaction.
func TestLoadsDuringSchemaChanges(t *testing.T) {
	const ms = time.Millisecond
	_, s := private(t, func(c *dorisim.Config) {
		c.Profile = core.Profile{Name: "slow begin", Begin: 3 * ms, Publish: 2 * ms, AlterTick: 2 * ms, BackupTick: ms, RestoreTick: ms}
	})
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES (\"replication_num\" = \"2\")", db)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	written := make([]int, 3)
	for w := range written {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					written[w] = n
					return
				default:
				}
				if _, err := s.db.ExecContext(ctx, fmt.Sprintf("INSERT INTO `%s`.`t` (k, v) VALUES (%d, %d)", db, n*len(written)+w, n)); err != nil {
					t.Errorf("insert: %v", err)
					written[w] = n
					return
				}
			}
		})
	}
	for n, change := range []string{"MODIFY COLUMN v BIGINT", "ADD COLUMN c INT KEY DEFAULT \"1\"", "SET (\"bloom_filter_columns\" = \"v\")", "MODIFY COLUMN v VARCHAR(20)"} {
		s.exec("ALTER TABLE `%s`.`t` %s", db, change)
		require.Eventually(t, func() bool {
			s.query("SELECT count(*) FROM `%s`.`t`", db)
			return len(s.query("SHOW ALTER TABLE COLUMN FROM `%s` WHERE State = \"FINISHED\"", db)) == n+1
		}, patience, time.Millisecond)
	}
	close(stop)
	wg.Wait()
	total := written[0] + written[1] + written[2]
	require.Eventually(t, func() bool {
		return values(s.query("SELECT count(*) n FROM `%s`.`t` WHERE c = 1 OR c IS NULL", db), "n") == fmt.Sprint(total)
	}, patience, 10*time.Millisecond)
}

// TestSchemaChangeWithKilledBackend: the replicas that the job could not write
// are repaired from the others.
func TestSchemaChangeWithKilledBackend(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 3)
	s.exec("INSERT INTO `%s`.`a` VALUES (1, 1), (2, 2)", db)
	release := hold(t, c, "WAITING_TXN")
	s.exec("ALTER TABLE `%s`.`a` MODIFY COLUMN `v` BIGINT", db)
	s.waitJob("COLUMN", db, "WAITING_TXN")
	require.NoError(t, c.KillBE(1))
	s.exec("INSERT INTO `%s`.`a` VALUES (3, 3)", db)
	release()
	s.finished("COLUMN", db, "a", 1)
	require.Len(t, s.query("SELECT * FROM `%s`.`a`", db), 3)
	require.NoError(t, c.RestartBE(1))
	p := s.tableMeta(db, "a").Partitions[0]
	path := fmt.Sprintf("/dbs/%d/%d/partitions/%d/%d", s.meta(db).GetID(), s.tableMeta(db, "a").GetID(), p.GetID(), p.Indexes[0].GetID())
	require.Eventually(t, func() bool {
		return values(s.query("SHOW PROC '%s'", path), "LstFailedVersion") == "-1,-1,-1,-1,-1,-1"
	}, patience, 5*time.Millisecond)
	require.NoError(t, c.KillBE(0))
	require.NoError(t, c.KillBE(2))
	require.Equal(t, "1,2,3", values(s.query("SELECT v FROM `%s`.`a` ORDER BY v", db), "v"), "the repaired replicas alone")
}
