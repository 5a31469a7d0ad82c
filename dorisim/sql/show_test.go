package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const rangeTable = "CREATE TABLE `%s` (`id` INT, `v` VARCHAR(10) DEFAULT \"x\" COMMENT 'a value') UNIQUE KEY(`id`) " +
	"PARTITION BY RANGE(`id`) (PARTITION p1 VALUES LESS THAN (\"100\"), PARTITION p2 VALUES [(\"100\"), (\"200\"))) " +
	"DISTRIBUTED BY HASH(`id`) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\", \"binlog.enable\" = \"true\")"

func TestShowCluster(t *testing.T) {
	f := newFixture(t)
	fe := f.maps("SHOW FRONTENDS")
	require.Len(t, fe, 1)
	require.Equal(t, "true", fe[0]["IsMaster"])
	require.Equal(t, "Yes", fe[0]["CurrentConnected"])
	require.Equal(t, fe[0]["QueryPort"], f.rows("select QueryPort from frontends() where IsMaster = 'true';")[0])
	require.Equal(t, []string{"127.0.0.1," + fe[0]["QueryPort"] + ",9020,true"}, f.rows("select Host, QueryPort, RpcPort, IsMaster from frontends();"))
	require.Empty(t, f.rows("select Host from frontends() where IsMaster = 'false'"))

	be := f.maps("show backends")
	require.Len(t, be, 2)
	require.Equal(t, "10028", be[0]["BackendId"])
	require.Equal(t, "8040", be[0]["HttpPort"])
	require.Equal(t, `{"location" : "default"}`, be[0]["Tag"])

	config := f.maps(`ADMIN SHOW FRONTEND CONFIG LIKE "%enable_feature_binlog%"`)
	require.Equal(t, "experimental_enable_feature_binlog", config[0]["Key"], "before force_enable_feature_binlog")
	require.Equal(t, "true", config[0]["Value"])
	require.Equal(t, []string{"enable_restore_snapshot_rpc_compression,true,boolean,false,false,"}, f.rows("SHOW FRONTEND CONFIG LIKE 'enable_restore_snapshot_rpc_compression'"))
	f.exec(`ADMIN SET FRONTEND CONFIG ("random_add_cluster_keys_for_mow" = "false")`)

	require.Contains(t, f.maps("show variables like 'version_comment'")[0]["Value"], "doris-3.")
	require.Len(t, f.rows("SHOW PROCESSLIST WHERE CurrentConnected = 'Yes' AND Db = 'ccr'"), 1)
	require.NoError(t, f.open("reader:s3cret@tcp(%s)/").Ping())
	require.NotEmpty(t, f.rows("SHOW PROCESSLIST WHERE CurrentConnected = 'No'"), "the sessions of others")
}

func TestShowTables(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "a_b"), fmt.Sprintf(rangeTable, "axb"), fmt.Sprintf(rangeTable, "T"))
	require.Equal(t, []string{"ccr"}, f.rows("SHOW DATABASES LIKE 'ccr'"))
	require.Empty(t, f.rows("SHOW DATABASES LIKE 'CCR'"))
	require.Contains(t, f.rows("show databases"), "information_schema")
	require.Equal(t, []string{"T", "a_b", "axb"}, f.rows("SHOW TABLES"))
	require.Equal(t, []string{"a_b", "axb"}, f.rows("SHOW TABLES FROM `ccr` LIKE 'a_b'"))
	require.Equal(t, []string{"a_b"}, f.rows(`SHOW TABLES FROM ccr LIKE 'a\_b'`))
	require.Equal(t, []string{"axb"}, f.rows("SHOW TABLES FROM ccr WHERE Tables_in_ccr = 'axb'"))
	require.Equal(t, "BASE TABLE", f.maps("SHOW FULL TABLES FROM ccr")[0]["Table_type"])
	require.Contains(t, f.maps("SHOW TABLES")[0], "Tables_in_ccr")
	refusal := f.fails("SHOW TABLES FROM nope", "Unknown database 'nope'")
	require.Equal(t, uint16(1049), refusal.Number)
	require.Equal(t, "42000", string(refusal.SQLState[:]))
	f.fails("SHOW TABLES `ccr`", "mismatched input")

	require.Equal(t, []string{"a_b", "axb"}, f.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ccr' AND  table_type = 'BASE TABLE' AND table_name LIKE 'a%' ORDER BY 1"))
	require.Equal(t, []string{"v,varchar(10),YES,NO,x,NONE"}, f.rows("SHOW COLUMNS FROM `T` WHERE Field = 'v'"))
	require.Equal(t, "a value", f.maps("SHOW FULL COLUMNS FROM T")[1]["Comment"])
	require.Equal(t, []string{"id,int,Yes,true,NULL,", "v,varchar(10),Yes,false,x,NONE"}, f.rows("DESC T"))
	all := f.rows("DESC ccr.T ALL")
	require.Equal(t, "T,UNIQUE_KEYS,id,int,int,Yes,true,NULL,,true,,", all[0])
	require.True(t, strings.HasPrefix(all[1], ",,v,"), all[1])

	create := f.maps("SHOW CREATE TABLE ccr.T")[0]
	require.Equal(t, "T", create["Table"])
	require.Contains(t, create["Create Table"], `"binlog.enable" = "true"`)
	require.Contains(t, f.maps("SHOW CREATE DATABASE `ccr`")[0]["Create Database"], "CREATE DATABASE `ccr`")
	f.fails("SHOW CREATE TABLE nope", "Unknown table 'nope'")
	f.fails("SHOW CREATE VIEW T", "'ccr.T' is not VIEW.")
	require.Empty(t, f.rows(`SHOW ALTER TABLE COLUMN FROM ccr WHERE TableName = "T" AND State = "FINISHED"`))
	require.Empty(t, f.rows("SHOW INDEXES FROM ccr.T"))
}

func TestShowViews(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "t"), "CREATE VIEW v (k, n) AS SELECT id, count(*) FROM t GROUP BY id", "INSERT INTO t VALUES (1, 'a')")
	require.Equal(t, []string{"1,1"}, f.rows("SELECT * FROM v"))
	require.Equal(t, []string{"1"}, f.rows("SELECT n FROM ccr.v WHERE k = 1"))
	require.Equal(t, []string{"v"}, f.rows("SHOW VIEWS"))
	require.Equal(t, []string{"t", "v"}, f.rows("SHOW TABLES"))
	require.Equal(t, "VIEW", f.maps("SHOW FULL TABLES")[1]["Table_type"])
	require.Equal(t, []string{"v"}, f.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ccr' AND  table_type = 'VIEW'"))
	view := f.maps("SHOW CREATE VIEW `ccr`.`v`")[0]
	require.Contains(t, view["Create View"], "`internal`.`ccr`.`t`")
	require.Equal(t, "utf8mb4", view["character_set_client"])
	require.Equal(t, view, f.maps("SHOW CREATE TABLE v")[0])
	require.Equal(t, "v", f.maps("SHOW VIEW FROM t")[0]["View"])
	require.Len(t, f.rows("DESC v"), 2)
}

func TestShowProc(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "t"), "CREATE TABLE u (k INT) DUPLICATE KEY(k) DISTRIBUTED BY RANDOM BUCKETS 1 PROPERTIES ('replication_num' = '2')")
	db := find(t, f.maps("show proc '/dbs/'"), "DbName", "ccr")
	path := "/dbs/" + db["DbId"]
	tables := f.maps("show proc '" + path + "/'")
	require.Len(t, tables, 2)
	table := find(t, tables, "TableName", "t")
	require.Equal(t, "id", table["PartitionColumnName"])
	require.Equal(t, "2", table["PartitionNum"])
	require.Equal(t, "NULL", tables[1]["PartitionColumnName"])
	require.Equal(t, []string{table["TableId"] + "," + "t"}, first2(f.rows("show proc '" + path + "'"))[:1])
	require.Equal(t, []string{"ccr,t," + db["DbId"]}, f.rows("show table "+table["TableId"]))
	require.Empty(t, f.rows("show table 1"))

	path += "/" + table["TableId"] + "/partitions"
	partitions := f.maps("show proc \"" + path + "\"")
	require.Equal(t, "[types: [INT]; keys: [-2147483648]; ..types: [INT]; keys: [100]; )", partitions[0]["Range"])
	require.Equal(t, "p2", partitions[1]["PartitionName"])
	require.Equal(t, []string{partitions[1]["PartitionId"] + ",p2"}, first2(f.rows("SHOW PARTITIONS FROM ccr.t WHERE PartitionName = \"p2\"")))
	require.Empty(t, f.rows("SHOW TEMPORARY PARTITIONS FROM t"))
	path += "/" + partitions[0]["PartitionId"]
	indexes := f.maps("show proc '" + path + "/'")
	require.Len(t, indexes, 1)
	require.Equal(t, "t", indexes[0]["IndexName"])
	replicas := f.maps("show proc '" + path + "/" + indexes[0]["IndexId"] + "'")
	require.Len(t, replicas, 2)
	require.Equal(t, "1", replicas[0]["Version"])
	require.Equal(t, "NULL", replicas[0]["LstFailedTime"])
	require.Len(t, f.rows("SHOW TABLETS FROM t"), 4)
	require.Equal(t, []string{"ccr,t,p1,t"}, cut(f.rows("SHOW TABLET "+replicas[0]["TabletId"]), 4))

	u := find(t, tables, "TableName", "u")
	row := f.maps("show proc '/dbs/" + db["DbId"] + "/" + u["TableId"] + "/partitions'")[0]
	require.Equal(t, []string{"u", "", "", "RANDOM", "2"}, []string{row["PartitionName"], row["PartitionKey"], row["Range"], row["DistributionKey"], row["ReplicationNum"]})

	for path, want := range map[string]string{
		"/dbs/x":                      "Invalid db id format: x",
		"/dbs/99":                     "Database 99 does not exist",
		"/nope":                       "Proc path '/nope' doesn't exist",
		path + "/99":                  "Index[99] does not exist.",
		"/dbs/{db}/x":                 "Invalid table id format: x",
		"/dbs/{db}/99":                "Unknown table '99'",
		"/dbs/{db}/{t}/x/":            "doesn't exist",
		"/dbs/{db}/{t}/partitions/99": "Partition[99] does not exist",
	} {
		path = strings.NewReplacer("{db}", db["DbId"], "{t}", table["TableId"]).Replace(path)
		f.fails("show proc '"+path+"'", want)
	}
}

func TestShowTransactions(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "t"), "INSERT INTO t WITH LABEL my_label VALUES (1, 'a')")
	txn := f.maps("SHOW TRANSACTION FROM `ccr` WHERE label = \"my_label\"")[0]
	require.Equal(t, "VISIBLE", txn["TransactionStatus"])
	require.Equal(t, "NULL", txn["PreCommitTime"])
	require.Equal(t, []string{txn["TransactionId"] + ",my_label"}, first2(f.rows("SHOW TRANSACTION FROM ccr WHERE id = "+txn["TransactionId"])))
	require.Len(t, f.rows("SHOW TRANSACTION WHERE label LIKE 'my%'"), 1)
	require.Len(t, f.rows("SHOW TRANSACTION WHERE status = 'visible'"), 1)
	require.Empty(t, f.rows("SHOW TRANSACTION WHERE label LIKE 'your%'"))
	f.fails("SHOW TRANSACTION WHERE id = 4711", "transaction with id 4711 does not exist")
	f.fails("SHOW TRANSACTION WHERE label = 'x'", "transaction with label x does not exist")
	f.fails("SHOW TRANSACTION", "Where clause should looks like one of them")
	f.fails("INSERT INTO t WITH LABEL my_label VALUES (2, 'b')", "Label [my_label] has already been used, relate to txn ["+txn["TransactionId"]+"], status [VISIBLE].")
}

func TestShowBackups(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "t"), "BACKUP SNAPSHOT `ccr`.`ccrs_1` TO `__keep_on_local__` ON ( `t` ) PROPERTIES (\"type\" = \"full\")")
	row := f.maps(`SHOW BACKUP FROM ccr WHERE SnapshotName = "ccrs_1"`)
	require.Len(t, row, 1)
	require.Equal(t, "ccr", row[0]["DbName"])
	require.Len(t, f.rows(`SHOW BACKUP WHERE SnapshotName LIKE "ccrs%"`), 1)
	require.Empty(t, f.rows(`SHOW BACKUP WHERE SnapshotName = "ccrs_2"`))
	f.fails("SHOW BACKUP WHERE State = 'x'", backupWhere)
	f.fails("SHOW RESTORE WHERE State = 'x'", restoreWhere)
	titles, rows, err := readAll(f.db, "SHOW RESTORE FROM ccr")
	require.NoError(t, err)
	require.Empty(t, rows)
	require.Equal(t, []string{"State", "RestoreObjs"}, []string{titles[4], titles[10]})
}

func find(t *testing.T, rows []map[string]string, column, value string) map[string]string {
	t.Helper()
	for _, row := range rows {
		if row[column] == value {
			return row
		}
	}
	require.Failf(t, "no such row", "%s = %s in %v", column, value, rows)
	return nil
}

func first2(rows []string) []string { return cut(rows, 2) }

// cut keeps the first n cells of every row.
func cut(rows []string, n int) []string {
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = strings.Join(strings.SplitN(row, ",", n+1)[:n], ",")
	}
	return out
}
