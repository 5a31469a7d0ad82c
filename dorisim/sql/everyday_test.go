package sql

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEverydayStatements are what people type to look around.
func TestEverydayStatements(t *testing.T) {
	f := newFixture(t)
	f.exec(fmt.Sprintf(rangeTable, "orders"),
		"CREATE TABLE days (d DATE, v INT) DUPLICATE KEY(d) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(d) BUCKETS 1 PROPERTIES ('replication_num' = '1', "+
			"'dynamic_partition.enable' = 'true', 'dynamic_partition.time_unit' = 'WEEK', 'dynamic_partition.end' = '1', 'dynamic_partition.prefix' = 'p')")
	require.Equal(t, []string{"backends", "dbs", "frontends", "jobs", "transactions"}, f.rows("SHOW PROC '/'"))
	f.fails("SHOW PROC '/nowhere'", "Proc path '/nowhere' doesn't exist")
	require.Equal(t, "internal", f.maps("SHOW CATALOGS")[0]["CatalogName"])
	require.Equal(t, "Admin_priv", f.maps("SHOW ROLES LIKE 'admin'")[0]["GlobalPrivs"])
	for _, empty := range []string{"SHOW LOAD", "SHOW LOAD FROM ccr WHERE Label = 'x' ORDER BY CreateTime DESC LIMIT 5", "SHOW ROUTINE LOAD", "SHOW STREAM LOAD FROM ccr"} {
		require.Empty(t, f.rows(empty), empty)
	}
	f.fails("SHOW LOAD FROM nope", "Unknown database 'nope'")
	f.fails("SHOW ROUTINE NONSENSE", "mismatched input")
	dynamic := f.maps("SHOW DYNAMIC PARTITION TABLES")
	require.Len(t, dynamic, 1)
	require.Equal(t, "days", dynamic[0]["TableName"])
	require.Equal(t, "day of week: 1", dynamic[0]["StartOf"])

	partition := f.maps("SHOW PARTITIONS FROM orders")[1]
	require.Equal(t, "orders", f.maps("SHOW PARTITION " + partition["PartitionId"])[0]["TableName"])
	require.Empty(t, f.rows("SHOW PARTITION 1"))
	replicas := f.maps("ADMIN SHOW REPLICA STATUS FROM ccr.orders WHERE Status = 'OK'")
	require.Len(t, replicas, 4, "two partitions of two buckets")
	distribution := f.maps("ADMIN SHOW REPLICA DISTRIBUTION FROM orders")
	require.Len(t, distribution, 2, "a row for each backend")
	require.Equal(t, "2", distribution[0]["ReplicaNum"])
	require.Equal(t, "50.00 %", distribution[0]["NumPercent"])
}

// TestSessionFunctions tell of the session, wherever they stand.
func TestSessionFunctions(t *testing.T) {
	f := newFixture(t)
	f.db.SetMaxOpenConns(1)
	row := f.maps("SELECT version(), user(), current_user(), connection_id()")[0]
	require.Equal(t, "5.7.99", row["version()"])
	require.Equal(t, "'root'@'127.0.0.1'", row["user()"])
	require.Equal(t, "'root'@'%'", row["current_user()"])
	require.Equal(t, f.rows("SELECT connection_id()"), []string{f.maps("SHOW PROCESSLIST WHERE CurrentConnected = 'Yes'")[0]["Id"]})
	require.Equal(t, []string{"5.7.99"}, f.rows("SELECT v FROM (SELECT version() AS v) x WHERE concat(current_user, '') LIKE '%root%'"))
}

// TestUserVariables are SET @name and @name.
func TestUserVariables(t *testing.T) {
	f := newFixture(t)
	f.db.SetMaxOpenConns(1)
	require.Equal(t, []string{"NULL"}, f.rows("SELECT @nothing"))
	f.exec(`SET @n = 1 + 2, @t := concat("it", "'s"), @e = NULL`)
	require.Equal(t, []string{"3,it's,NULL"}, f.rows("SELECT @n, @T, @e"))
	require.Equal(t, []string{"4"}, f.rows("SELECT @n + 1 FROM (SELECT 1) x WHERE @n = 3"))
	require.Contains(t, f.maps("SELECT @n")[0], "@n")
	f.fails("SET @n = nope", "nope")
}

// TestLikeOfOtherScripts: a pattern matches whatever follows its beginning, and
// a backslash in it is no part of the text.
func TestLikeOfOtherScripts(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE city (k INT, s VARCHAR(40)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')",
		`INSERT INTO city VALUES (1, '北京'), (2, 'a北'), (3, 'a_b'), (4, 'axb'), (5, '100%')`)
	for pattern, want := range map[string]string{"北%": "1", "a%": "2,3,4", `a\_b%`: "3", `a\_b`: "3", "a_b": "3,4", `%\%`: "5", "%京": "1", "axb": "4"} {
		require.Equal(t, []string{want}, f.rows("SELECT group_concat(k ORDER BY k) FROM city WHERE s LIKE '"+pattern+"'"), pattern)
	}
	require.Equal(t, []string{"city"}, f.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'ccr' AND table_name LIKE 'ci%'"))
}

// TestDorisFunctions are functions that MySQL has not.
func TestDorisFunctions(t *testing.T) {
	f := newFixture(t)
	for expression, want := range map[string]string{
		"date_trunc('2024-05-16 13:14:15', 'month')":        "2024-05-01 00:00:00",
		"date_trunc('2024-05-16 13:14:15', 'WEEK')":         "2024-05-13 00:00:00",
		"date_trunc('2024-05-16 13:14:15', 'hour')":         "2024-05-16 13:00:00",
		"date_trunc(cast('2024-05-16' AS DATE), 'quarter')": "2024-04-01",
		"date_trunc(NULL, 'day')":                           "NULL",
		"nvl(NULL, 2)":                                      "2",
		"concat(strleft('abc', 1), strright('abc', 1))":     "ac",
		"to_date('2024-05-16 13:14:15')":                    "2024-05-16",
	} {
		require.Equal(t, []string{want}, f.rows("SELECT "+expression), expression)
	}
	f.fails("SELECT date_trunc('2024-05-16', 'fortnight')", "year|quarter|month")
}
