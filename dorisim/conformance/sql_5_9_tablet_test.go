package conformance

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

func idOf(t *testing.T, text string) int64 {
	t.Helper()
	id, err := strconv.ParseInt(text, 10, 64)
	require.NoError(t, err)
	return id
}

// tabletsOf are the ids of the tablets that SHOW TABLETS lists, each once.
func tabletsOf(rows []row) []string {
	var ids []string
	for _, r := range rows {
		if !slices.Contains(ids, r["TabletId"]) {
			ids = append(ids, r["TabletId"])
		}
	}
	return ids
}

// TestTabletClause: TABLET() reads these tablets only, in whatever FROM; ids that
// are no tablet of what is read give no rows.
func TestTabletClause(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (`k` INT, `v` INT) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) "+
		"(PARTITION `p1` VALUES LESS THAN ('100'), PARTITION `p2` VALUES LESS THAN ('200')) DISTRIBUTED BY HASH(`k`) BUCKETS 3 %s", db, once)
	s.exec("INSERT INTO `%s`.`t` SELECT number, number FROM numbers('number' = '200')", db)
	first := tabletsOf(s.query("SHOW TABLETS FROM `%s`.`t` PARTITION(`p1`)", db))
	second := tabletsOf(s.query("SHOW TABLETS FROM `%s`.`t` PARTITION(`p2`)", db))
	require.Len(t, first, 3)
	require.Len(t, second, 3)
	require.Equal(t, append(slices.Clone(first), second...), tabletsOf(s.query("SHOW TABLETS FROM `%s`.`t`", db)))

	seen := map[string]int{}
	for _, id := range append(slices.Clone(first), second...) {
		rows := s.query("SELECT `k` FROM `%s`.`t` TABLET(%s)", db, id)
		require.NotEmpty(t, rows)
		for _, r := range rows {
			seen[r["k"]]++
		}
	}
	require.Len(t, seen, 200, "every row is in one tablet")
	for k, n := range seen {
		require.Equal(t, 1, n, k)
	}

	count := func(from string) string {
		return s.query("SELECT count(*) AS n FROM %s", strings.ReplaceAll(from, "$t", "`"+db+"`.`t`"))[0]["n"]
	}
	all := strings.Join(first, ", ")
	require.Equal(t, "100", count("$t TABLET("+all+")"))
	require.Equal(t, "100", count("$t PARTITION(p1) TABLET("+all+") AS x WHERE x.k >= 0"))
	require.Equal(t, "100", count("$t PARTITION p1 TABLET("+all+") x WHERE x.k >= 0"))
	require.Equal(t, "0", count("$t PARTITION(p2) TABLET("+all+")"), "tablets of another partition")
	require.Equal(t, "0", count("$t TABLET(1)"))
	require.Equal(t, "200", count("$t TABLET(1, "+all+", "+strings.Join(second, ",")+")"))
	require.Equal(t, "100", count("$t a JOIN $t TABLET("+all+") b ON a.k = b.k"))
	require.Equal(t, "4950", s.query("SELECT sum(t.k) AS x FROM `%s`.t TABLET(%s)", db, all)[0]["x"])
	s.refuses(1105, "mismatched input", "SELECT * FROM `%s`.`t` TABLET()", db)
	s.refuses(1105, "mismatched input", "SELECT * FROM `%s`.`t` TABLET('x')", db)
}

// TestShowTablets: rows by ids; of every index unless WHERE names one.
func TestShowTablets(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (`k` INT, `v` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 PROPERTIES ('replication_num' = '3')", db)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 1), (2, 2), (3, 3)", db)
	s.exec("ALTER TABLE `%s`.`t` ADD ROLLUP `r` (`v`, `k`)", db)
	s.finished("ROLLUP", db, "t", 1)
	show := func(rest string) []row { return s.query("SHOW TABLETS FROM `%s`.`t`%s", db, rest) }
	require.Len(t, show(""), 12, "two indexes of two tablets with three replicas")
	base, rollup := show(" WHERE IndexName = 't'"), show(" WHERE indexname = 'r'")
	require.Len(t, base, 6)
	require.Len(t, rollup, 6)
	require.Equal(t, show(""), append(base, rollup...))
	require.Len(t, show(" WHERE BackendId = "+base[0]["BackendId"]+" AND State = 'NORMAL'"), 4)
	require.Len(t, show(" WHERE Version = 2"), 12)
	require.Len(t, show(" ORDER BY TabletId DESC LIMIT 2"), 2)
	s.refuses(1105, "Where clause should looks like", "SHOW TABLETS FROM `%s`.`t` WHERE TabletId = 5", db)
	s.refuses(1105, "Unknown partition: px", "SHOW TABLETS FROM `%s`.`t` PARTITION(px)", db)
	s.refuses(1109, "Unknown table 'nope' in "+db, "SHOW TABLETS FROM `%s`.`t` WHERE IndexName = 'nope'", db)

	// The tablets of a rollup are read when FROM names it; else they are none of
	// those that are read.
	id := tabletsOf(rollup)[0]
	require.Equal(t, "0", s.query("SELECT count(*) AS n FROM `%s`.`t` TABLET(%s)", db, id)[0]["n"])
	n := 0
	for _, id := range tabletsOf(rollup) {
		n += len(s.query("SELECT v, k FROM `%s`.`t` INDEX r TABLET(%s)", db, id))
	}
	require.Equal(t, 3, n)
	s.refuses(1105, "Table t doesn't have materialized view nope", "SELECT * FROM `%s`.`t` INDEX nope", db)
}

// TestFixedReplica: use_fix_replica chooses one by the order of their ids; any is
// another one each time.
func TestFixedReplica(t *testing.T) {
	cluster, s := private(t)
	s.session()
	db := s.database()
	s.exec("CREATE TABLE `%s`.`t` (`k` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 PROPERTIES ('replication_num' = '3')", db)
	s.exec("INSERT INTO `%s`.`t` VALUES (1), (2)", db)
	replicas := s.query("SHOW TABLETS FROM `%s`.`t`", db)
	require.Len(t, replicas, 3)
	_, err := cluster.Damage(dorisim.Damage{Database: db, Table: "t", Kind: "drop", Backend: idOf(t, replicas[1]["BackendId"])})
	require.NoError(t, err)
	count := func() string { return s.query("SELECT count(*) AS n FROM `%s`.`t`", db)[0]["n"] }
	for value, want := range map[string]string{"0": "2", "1": "1", "2": "2", "7": "2"} {
		s.exec("SET use_fix_replica = %s", value)
		for range 5 {
			require.Equal(t, want, count(), value)
		}
	}
	s.exec("SET use_fix_replica = -1")
	answers := map[string]bool{}
	for range 200 {
		answers[count()] = true
	}
	require.Equal(t, map[string]bool{"1": true, "2": true}, answers)

	// A chosen one that is down does not answer, unless another may.
	down := idOf(t, replicas[1]["BackendId"])
	for i := range cluster.BEs() {
		if cluster.BE(i).ID() == down {
			require.NoError(t, cluster.KillBE(i))
		}
	}
	require.Equal(t, "2", count())
	s.exec("SET use_fix_replica = 1")
	s.refuses(1105, "replica "+replicas[1]["ReplicaId"]+"'s backend "+replicas[1]["BackendId"]+" does not exist or not alive", "SELECT * FROM `%s`.`t`", db)
	s.exec("SET fallback_other_replica_when_fixed_corrupt = true")
	require.Equal(t, "2", count())
	s.refuses(1232, "Incorrect argument type to variable 'use_fix_replica'", "SET use_fix_replica = 'x'")
}

// TestScanFaults: reads of backends can be delayed, held and refused, and a query
// ends when its time is over.
func TestScanFaults(t *testing.T) {
	cluster, s := private(t)
	s.session()
	db := s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.`t` VALUES (1, 1)", db)
	id, err := cluster.Faults().Add(faults.Rule{Point: "be.scan", Action: faults.Fail, Message: "disk is broken"})
	require.NoError(t, err)
	s.refuses(1105, "disk is broken", "SELECT * FROM `%s`.`t`", db)
	require.True(t, cluster.Faults().Remove(id))
	id, err = cluster.Faults().Add(faults.Rule{Point: "be.scan", Action: faults.Hold})
	require.NoError(t, err)
	s.exec("SET query_timeout = 1")
	s.refuses(1105, "Query timeout", "SELECT * FROM `%s`.`t`", db)
	faultstest.Await(t, cluster.Faults(), id)
	require.True(t, cluster.Faults().Remove(id))
	require.Len(t, s.query("SELECT * FROM `%s`.`t`", db), 1)
}

// TestNamedHiddenColumns: they can be named whatever show_hidden_columns says; deleted
// rows are seen with it only, and the version of a row is that of its load.
func TestNamedHiddenColumns(t *testing.T) {
	src, dest := source(t).session(), destination(t).session()
	db, to := src.database(), dest.database()
	src.exec("CREATE TABLE `%s`.`u` (`k` INT, `v` INT) UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 "+
		"PROPERTIES ('replication_num' = '1', 'function_column.sequence_type' = 'int')", db)
	load := func(rows string) { src.exec("INSERT INTO `%s`.`u` (k, v, __DORIS_SEQUENCE_COL__) VALUES %s", db, rows) }
	load("(1, 10, 5), (2, 20, 5), (3, 30, 5)")
	load("(2, 21, 6)")
	load("(1, 11, 4)")
	src.exec("DELETE FROM `%s`.`u` WHERE k = 3", db)

	named := "SELECT k, v, __DORIS_SEQUENCE_COL__ AS q, __DORIS_DELETE_SIGN__ AS d, __DORIS_VERSION_COL__ AS n FROM `%s`.`u` ORDER BY k"
	require.Equal(t, []row{{"k": "1", "v": "10", "q": "5", "d": "0", "n": "2"}, {"k": "2", "v": "21", "q": "6", "d": "0", "n": "3"}}, src.query(named, db))
	require.Equal(t, []string{"k", "v"}, src.columns("SELECT * FROM `"+db+"`.`u`"))
	require.Equal(t, "2", src.query("SELECT count(*) AS n FROM `%s`.`u` WHERE __DORIS_DELETE_SIGN__ = 0", db)[0]["n"])
	src.table(db, "t", 1)
	src.refuses(1054, "Unknown column '__DORIS_SEQUENCE_COL__'", "SELECT __DORIS_SEQUENCE_COL__ FROM `%s`.`t`", db)

	src.exec("SET show_hidden_columns = true")
	require.Equal(t, []string{"k", "v", "__DORIS_DELETE_SIGN__", "__DORIS_VERSION_COL__", "__DORIS_SEQUENCE_COL__"}, src.columns("SELECT * FROM `"+db+"`.`u`"))
	require.Equal(t, []row{
		{"k": "1", "v": "10", "q": "5", "d": "0", "n": "2"}, {"k": "2", "v": "21", "q": "6", "d": "0", "n": "3"}, {"k": "3", "v": "30", "q": "5", "d": "1", "n": "5"},
	}, src.query(named, db))
	src.exec("SET show_hidden_columns = false")
	src.restoreInto(dest, db, to)
	without := strings.ReplaceAll(named, ", __DORIS_VERSION_COL__ AS n", "")
	require.Equal(t, src.query(without, db), dest.query(without, to))
}

// TestQueryVariables: what limits a query is taken as Doris takes it.
func TestQueryVariables(t *testing.T) {
	s := source(t).session()
	db := s.database()
	s.table(db, "t", 1)
	for name, values := range map[string][2]string{
		"exec_mem_limit": {"2G", "2147483648"}, "query_timeout": {"600", "600"}, "parallel_pipeline_task_num": {"1", "1"},
		"enable_sql_cache": {"false", "false"}, "enable_query_cache": {"false", "false"}, "enable_profile": {"off", "off"},
		"batch_size": {"1024", "1024"}, "num_scanner_threads": {"1", "1"}, "max_execution_time": {"5000", "5000"}, "scan_queue_mem_limit": {"100mb", "104857600"},
		"enable_file_cache": {"false", "false"}, "disable_file_cache": {"true", "true"}, "bypass_workload_group": {"true", "true"}, "cpu_resource_limit": {"1", "1"},
	} {
		s.exec("SET %s = '%s'", name, values[0])
		require.Equal(t, values[1], s.query("SHOW VARIABLES LIKE '%s'", name)[0]["Value"], name)
		s.exec("SET %s = DEFAULT", name)
	}
	s.refuses(1105, "invalid unit:X", "SET exec_mem_limit = '2X'")
	s.refuses(1105, "Data volumn must larger than 0", "SET exec_mem_limit = 0")
	s.refuses(1232, "Incorrect argument type to variable 'insert_timeout'", "SET insert_timeout = 'soon'")
	s.refuses(1105, "query_timeout can not be set to 0, it must be greater than 0", "SET query_timeout = 0")
	s.refuses(1105, "parallel_pipeline_task_num value should greater than or equal 0, you set value is: -1", "SET parallel_pipeline_task_num = -1")
	s.refuses(1231, "Variable 'show_hidden_columns' can't be set to the value of 'maybe'", "SET show_hidden_columns = 'maybe'")

	hinted := s.query("SELECT /*+ SET_VAR(query_timeout = 5, exec_mem_limit='3000000', no_such_variable = 1) */ @@query_timeout AS t, @@exec_mem_limit AS m")
	require.Equal(t, []row{{"t": "5", "m": "3000000"}}, hinted)
	require.Equal(t, []row{{"t": "900", "m": "2147483648"}}, s.query("SELECT @@query_timeout AS t, @@exec_mem_limit AS m"), "for one statement")
	s.refuses(1105, "Can not set session variable 'exec_mem_limit' = '2G'", "SELECT /*+ SET_VAR(exec_mem_limit = '2G') */ 1")
	s.refuses(1105, "Workload group checks does not exist", "SELECT /*+ SET_VAR(workload_group = 'checks') */ * FROM `%s`.`t`", db)

	s.exec("SET workload_group = 'checks'") // whether it exists is asked by queries
	s.refuses(1105, "Workload group checks does not exist", "SELECT * FROM `%s`.`t`", db)
	s.exec("CREATE WORKLOAD GROUP IF NOT EXISTS checks PROPERTIES ('cpu_share' = '10')")
	require.Empty(t, s.query("SELECT * FROM `%s`.`t`", db))
	s.refuses(1105, "workload group checks already exist", "CREATE WORKLOAD GROUP checks PROPERTIES ('cpu_share' = '10')")
	s.exec("DROP WORKLOAD GROUP checks")
	s.refuses(1105, "Workload group checks does not exist", "SELECT * FROM `%s`.`t`", db)
	s.exec("SET workload_group = ''")
}
