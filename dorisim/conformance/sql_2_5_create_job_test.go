package conformance

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func atoi(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(t, err)
	return n
}

// TestCreateJobStatements sends what the tool sends when a job is created, in
// its order and spelling (doris-sql.md 2.5, "Order of calls when a job is
// created"), and checks titles and values.
func TestCreateJobStatements(t *testing.T) {
	from, to := source(t), destination(t)
	db := from.database()
	from.table(db, "orders", 1)

	// 1. Frontends of both sides.
	for _, s := range []*side{from, to} {
		const statement = "select Host, QueryPort, RpcPort, IsMaster from frontends();"
		require.Equal(t, []string{"Host", "QueryPort", "RpcPort", "IsMaster"}, s.columns(statement))
		rows := s.query(statement)
		require.Len(t, rows, 2)
		require.ElementsMatch(t, []string{"true", "false"}, []string{rows[0]["IsMaster"], rows[1]["IsMaster"]})
		for _, r := range rows {
			if r["IsMaster"] == "true" {
				require.Equal(t, s.thrift, r["Host"]+":"+r["RpcPort"])
			}
		}
		require.Equal(t, []string{"Name", "Host", "EditLogPort", "HttpPort", "QueryPort", "RpcPort", "ArrowFlightSqlPort", "Role", "IsMaster", "ClusterId",
			"Join", "Alive", "ReplayedJournalId", "LastStartTime", "LastHeartbeat", "IsHelper", "ErrMsg", "Version", "CurrentConnected"}, s.columns("SHOW FRONTENDS"))

		// 2. The binlog feature of FE and BEs.
		config := s.query(`ADMIN SHOW FRONTEND CONFIG LIKE "%%enable_feature_binlog%%"`)
		require.NotEmpty(t, config)
		require.Equal(t, "experimental_enable_feature_binlog", config[0]["Key"])
		require.Equal(t, "true", config[0]["Value"])
		require.Equal(t, []string{"Key", "Value", "Type", "IsMutable", "MasterOnly", "Comment"}, s.columns(`ADMIN SHOW FRONTEND CONFIG LIKE "%enable_feature_binlog%"`))
		titles := s.columns("show backends")
		require.Equal(t, []string{"BackendId", "Host", "HeartbeatPort", "BePort", "HttpPort", "BrpcPort", "ArrowFlightSqlPort", "LastStartTime",
			"LastHeartbeat", "Alive", "SystemDecommissioned", "TabletNum", "DataUsedCapacity", "TrashUsedCapacity",
			"AvailCapacity", "TotalCapacity", "UsedPct", "MaxDiskUsedPct", "RemoteUsedCapacity", "Tag", "ErrMsg", "Version", "Status",
			"HeartbeatFailureCounter", "NodeRole", "CpuCores", "Memory"}, titles)
		backends := s.backends()
		for _, r := range s.query("show backends") {
			b := backends[atoi(t, r["BackendId"])]
			require.NotNil(t, b)
			code, _, body := httpDo(t, http.MethodGet, b, "/api/show_config", "conf_item", "enable_feature_binlog")
			require.Equal(t, 200, code)
			require.JSONEq(t, `[["enable_feature_binlog","bool","true","false"]]`, body)
		}
	}

	// 3. The source database exists.
	require.Equal(t, []row{{"Database": db}}, from.query("SHOW DATABASES LIKE '%s'", db))
	require.Empty(t, from.query("SHOW DATABASES LIKE 'no_such_db'"))
	// 4. It has binlogs.
	created := from.query("SHOW CREATE DATABASE `%s`", db)
	require.Len(t, created, 1)
	require.Equal(t, db, created[0]["Database"])
	require.Equal(t, fmt.Sprintf("CREATE DATABASE `%s`\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n)", db), created[0]["Create Database"])
	// 5. Its id.
	require.Equal(t, []string{"DbId", "DbName", "TableNum", "Size", "Quota", "LastConsistencyCheckTime", "ReplicaCount", "ReplicaQuota",
		"RunningTransactionNum", "TransactionQuota", "LastUpdateTime"}, from.columns("show proc '/dbs/'"))
	id := ""
	for _, r := range from.query("show proc '/dbs/'") {
		if r["DbName"] == db {
			id = r["DbId"]
		}
	}
	require.Equal(t, itoa(from.meta(db).GetID()), id)
	// 6. A table job: the table, its properties, its id.
	require.Equal(t, []row{{"Tables_in_" + db: "orders"}}, from.query("SHOW TABLES FROM `%s` LIKE 'orders'", db))
	table := from.query("SHOW CREATE TABLE `%s`.`orders`", db)
	require.Len(t, table, 1)
	require.Equal(t, "orders", table[0]["Table"])
	for _, property := range []string{`"binlog.enable" = "true"`, `"light_schema_change" = "true"`} {
		require.Contains(t, table[0]["Create Table"], property)
	}
	require.Equal(t, []string{"TableId", "TableName", "IndexNum", "PartitionColumnName", "PartitionNum", "State", "Type", "LastConsistencyCheckTime",
		"ReplicaCount", "VisibleVersion", "VisibleVersionTime", "RunningTransactionNum", "LastUpdateTime"}, from.columns("show proc '/dbs/"+id+"/'"))
	found := from.query("show proc '/dbs/%s/'", id)
	require.Len(t, found, 1)
	require.Equal(t, itoa(from.tableMeta(db, "orders").GetID()), found[0]["TableId"])
	require.Equal(t, "orders", found[0]["TableName"])
	require.Equal(t, "OLAP", found[0]["Type"])
	// 7. The destination database, made if it is not there.
	require.Empty(t, to.query("SHOW DATABASES LIKE 'TEST_%s'", db))
	to.exec("CREATE DATABASE IF NOT EXISTS `TEST_%s`", db)
	to.exec("CREATE DATABASE IF NOT EXISTS `TEST_%s`", db)
	require.Equal(t, []row{{"Database": "TEST_" + db}}, to.query("SHOW DATABASES LIKE 'TEST_%s'", db))
	// 8. The destination table must not be there.
	require.Empty(t, to.query("SHOW TABLES FROM `TEST_%s` LIKE 'orders'", db))
	_, err := to.db.QueryContext(ctx, "SHOW TABLES FROM `no_such_db` LIKE 'orders'")
	require.ErrorContains(t, err, "Error 1049")
	require.ErrorContains(t, err, "Unknown database 'no_such_db'")
}

// TestProcTree walks the five levels of doris-sql.md 2.3 down to the tablets.
func TestProcTree(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "orders", 2)
	meta := s.tableMeta(db, "orders")
	base := fmt.Sprintf("/dbs/%d/%d/partitions", s.meta(db).GetID(), meta.GetID())
	partitions := s.query("show proc '%s'", base)
	require.Len(t, partitions, 1)
	require.Equal(t, itoa(meta.Partitions[0].GetID()), partitions[0]["PartitionId"])
	require.Equal(t, "orders", partitions[0]["PartitionName"])
	require.Empty(t, partitions[0]["Range"])
	base += "/" + partitions[0]["PartitionId"]
	require.Equal(t, []row{{"IndexId": itoa(meta.Partitions[0].Indexes[0].GetID()), "IndexName": "orders", "State": "NORMAL", "LastConsistencyCheckTime": "NULL"}},
		s.query("show proc '%s'", base))
	var want []string
	for _, tablet := range meta.Partitions[0].Indexes[0].Tablets {
		for range tablet.Replicas {
			want = append(want, itoa(tablet.GetID()))
		}
	}
	var got []string
	for _, r := range s.query("show proc '%s/%d'", base, meta.Partitions[0].Indexes[0].GetID()) {
		got = append(got, r["TabletId"])
	}
	require.Equal(t, want, got)
	require.Equal(t, []row{{"DbName": db, "TableName": "orders", "DbId": itoa(s.meta(db).GetID())}}, s.query("show table %d", meta.GetID()))
}
