package conformance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

const (
	odbcResource = `CREATE EXTERNAL RESOURCE %s PROPERTIES ("type" = "odbc_catalog", "user" = "u", "password" = "p", "host" = "127.0.0.1", "port" = "1", "driver" = "d", "odbc_type" = "mysql")`
	odbcTable    = "CREATE EXTERNAL TABLE `%s`.`%s` (id INT, name VARCHAR(20) COMMENT 'n') ENGINE=ODBC COMMENT 'outer' PROPERTIES (\"odbc_catalog_resource\" = \"%s\", \"database\" = \"d\", \"table\" = \"t\")"
)

// External tables: doris-sql.md 2.3, 2.7, 4.2, doris-binlogs.md 6.8 row 81.
func TestExternalTables(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.refuses(1105, "Can not find resource: res_none", odbcTable, db, "o", "res_none")
	s.refuses(1105, "Can not find resource", "CREATE EXTERNAL TABLE `%s`.j (id INT) ENGINE=JDBC PROPERTIES (\"resource\" = \"none\", \"table\" = \"t\", \"table_type\" = \"mysql\")", db)
	s.refuses(1105, "Do not support external table with engine name = olap", "CREATE EXTERNAL TABLE `%s`.j (id INT) ENGINE=OLAP", db)
	s.refuses(1105, "Unknown engine name: innodb", "CREATE TABLE `%s`.j (id INT) ENGINE=innodb", db)
	s.refuses(1105, "property table must be set", "CREATE EXTERNAL TABLE `%s`.j (id INT) ENGINE=mysql PROPERTIES (\"host\" = \"h\", \"database\" = \"d\")", db)
	s.refuses(1105, "should not contain partition or distribution desc", "CREATE EXTERNAL TABLE `%s`.j (id INT) ENGINE=mysql DISTRIBUTED BY HASH(id) BUCKETS 1", db)

	s.exec(odbcResource, "res_odbc")
	prev := s.lastSeq(db)
	s.exec(odbcTable, db, "o", "res_odbc")
	record := s.payload(db, binlog.TypeCreateTable)
	require.Equal(t, "ODBC", record["tableType"])
	require.Contains(t, record["sql"], "CREATE EXTERNAL TABLE `o` (")
	require.Len(t, s.kinds(db, prev), 1)
	text := values(s.query("SHOW CREATE TABLE `%s`.o", db), "Create Table")
	require.Contains(t, text, ") ENGINE=ODBC\nCOMMENT 'outer'\nPROPERTIES (")
	require.Contains(t, text, `"odbc_catalog_resource" = "res_odbc"`)
	require.Equal(t, "id,name", values(s.query("DESC `%s`.o", db), "Field"))
	require.Equal(t, "o,t", values(s.query("SHOW TABLES FROM `%s`", db), "Tables_in_"+db))
	require.Len(t, s.meta(db).Tables, 1, "getMeta leaves external tables out")
	s.refuses(1105, "is a ODBC", "INSERT INTO `%s`.o VALUES (1, 'x')", db)
	s.refuses(1105, "Do not support alter ODBC table[o]", "ALTER TABLE `%s`.o ADD COLUMN c INT", db)
	s.refuses(1105, "Only support truncate OLAP table", "TRUNCATE TABLE `%s`.o", db)
	s.exec("ALTER TABLE `%s`.o RENAME o2", db)
	s.exec("DROP TABLE `%s`.o2", db)
	require.Equal(t, false, s.payload(db, binlog.TypeDropTable)["isView"])
	s.exec("RECOVER TABLE `%s`.o2 AS o", db)
	s.exec("DROP TABLE `%s`.o FORCE", db)
	s.exec("DROP RESOURCE res_odbc")
}

func TestExternalTablesInSnapshots(t *testing.T) {
	_, s := private(t)
	_, to := private(t)
	db, into := s.database(), to.database()
	s.table(db, "t", 1)
	s.exec(odbcResource, "res_snap")
	s.exec(odbcTable, db, "o", "res_snap")
	label := s.backup(db)
	snapshot := s.getSnapshot(db, label, false)
	info := decodeJobInfo(t, snapshot.JobInfo)
	others := info["new_backup_objects"].(map[string]any)
	require.Equal(t, []any{map[string]any{"name": "res_snap"}}, others["odbc_resources"])
	table := others["odbc_tables"].([]any)[0].(map[string]any)
	require.Equal(t, "o", table["doris_table_name"])
	require.Equal(t, "d", table["linked_odbc_database_name"])
	require.Equal(t, "t", table["linked_odbc_table_name"])

	info["extra_info"] = s.extraInfo()
	requireOK(t, to.restore(restoreRequest(t, into, label+"_r", snapshot.Meta, info)))
	shown := to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_r\"", into, label)
	objects := map[string]any{}
	require.NoError(t, json.Unmarshal([]byte(shown["RestoreObjs"]), &objects))
	require.Len(t, objects["odbc_table_list"], 1)
	require.Contains(t, values(to.query("SHOW CREATE TABLE `%s`.o", into), "Create Table"), "ENGINE=ODBC")

	requireOK(t, to.restore(restoreRequest(t, into, label+"_again", snapshot.Meta, info)))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_again\"", into, label)
	to.exec("DROP TABLE `%s`.o", into)
	to.table(into, "o", 1)
	requireOK(t, to.restore(restoreRequest(t, into, label+"_kind", snapshot.Meta, info)))
	refused := to.waitState("CANCELLED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s_kind\"", into, label)
	require.Contains(t, refused["Status"], "The local table o with the same name but a different type of backup meta.")

	s.exec("CREATE EXTERNAL TABLE `%s`.es (id INT) ENGINE=ELASTICSEARCH PROPERTIES ('hosts' = 'http://h', 'index' = 'i')", db)
	s.refuses(5064, "Table 'es' is not a OLAP table", "BACKUP SNAPSHOT `%s`.l2 TO `__keep_on_local__`", db)
	s.exec("ADMIN SET FRONTEND CONFIG ('ignore_backup_not_support_table_type' = 'true')")
	s.exec("BACKUP SNAPSHOT `%s`.l2 TO `__keep_on_local__`", db)
	s.waitState("FINISHED", "SHOW BACKUP FROM `%s` WHERE SnapshotName = \"l2\"", db)
	s.exec("ADMIN SET FRONTEND CONFIG ('enable_odbc_mysql_broker_table' = 'false')")
	s.refuses(1105, "odbc, mysql and broker table is no longer supported", odbcTable, db, "p", "res_snap")
}
