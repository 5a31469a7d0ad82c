package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
)

// doris-sql.md 1.2: what clients ask on connect, and what the server says first.
func TestHandshake(t *testing.T) {
	s := source(t)
	conn, err := net.Dial("tcp", sourceCluster.FE(0).MySQLAddr())
	require.NoError(t, err)
	defer conn.Close()
	greeting := make([]byte, 32)
	_, err = io.ReadFull(conn, greeting)
	require.NoError(t, err)
	require.Equal(t, byte(10), greeting[4], "protocol version")
	require.True(t, strings.HasPrefix(string(greeting[5:]), "5.7.99\x00"))

	for _, statement := range []string{
		"SELECT @@max_allowed_packet", "SET NAMES utf8mb4", "select @@version_comment limit 1", "show databases", "SHOW VARIABLES", "SET character_set_results = NULL", "SET autocommit=1",
		"SET sql_mode='STRICT_TRANS_TABLES'", "SELECT @@session.tx_read_only", "SELECT DATABASE()", "SELECT 1",
		"/* mysql-connector-j-8.0.31 */ SELECT @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@character_set_connection AS character_set_connection, " +
			"@@character_set_results AS character_set_results, @@character_set_server AS character_set_server, @@collation_server AS collation_server, @@collation_connection AS collation_connection, @@init_connect AS init_connect, " +
			"@@interactive_timeout AS interactive_timeout, @@license AS license, @@lower_case_table_names AS lower_case_table_names, @@max_allowed_packet AS max_allowed_packet, @@net_write_timeout AS net_write_timeout, " +
			"@@performance_schema AS performance_schema, @@sql_mode AS sql_mode, @@system_time_zone AS system_time_zone, @@time_zone AS time_zone, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout",
	} {
		_, err := s.db.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
	require.Regexp(t, `^Doris version doris-\d+\.\d+\.\d+`, s.query("select @@version_comment limit 1")[0]["@@version_comment"])
}

// doris-sql.md 1.2: cell types, NULL, and names of columns.
func TestCellTypes(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.k (i INT, b BIGINT, l LARGEINT, d DECIMAL(9, 2), da DATE, dt DATETIME, s STRING, f BOOLEAN, j JSON, a ARRAY<INT>) DUPLICATE KEY(i) DISTRIBUTED BY HASH(i) BUCKETS 1 PROPERTIES ('replication_num' = '1')", db)
	s.exec("INSERT INTO `%s`.k VALUES (1, 2, 3, 4.5, '2024-01-02', '2024-01-02 03:04:05', 'x', true, '{}', [1])", db)
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf("SELECT * FROM `%s`.k", db))
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	require.NoError(t, err)
	var kinds []string
	for _, c := range columns {
		kinds = append(kinds, c.Name()+" "+c.DatabaseTypeName())
	}
	require.Equal(t, []string{"i INT", "b BIGINT", "l VARCHAR", "d DECIMAL", "da DATE", "dt DATETIME", "s VARCHAR", "f TINYINT", "j VARCHAR", "a VARCHAR"}, kinds)
	require.NoError(t, rows.Close())
	row := s.query("SELECT * FROM `%s`.k", db)[0]
	require.Equal(t, "1", row["f"])
	require.Equal(t, "4.50", row["d"])
	require.Equal(t, "2024-01-02 03:04:05", row["dt"])
	require.Equal(t, "NULL", s.query("SHOW PROC '/dbs'")[0]["LastConsistencyCheckTime"], `the FE's \N is a NULL`)
	require.Equal(t, `\N`, s.query(`SELECT '\\N' AS x`)[0]["x"])
}

// doris-sql.md 1.3: several statements in one packet.
func TestSeveralStatements(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	s.db.SetMaxOpenConns(1)
	s.exec("USE `%s`; ; INSERT INTO t VALUES (1, 1); INSERT INTO t VALUES (2, 2);", db)
	require.Equal(t, "2", s.query("set query_timeout = 10; set insert_timeout = 10; SELECT count(*) n FROM t; ")[0]["n"], "only the last result")
	require.Equal(t, "a;b", s.query("SELECT 1; SELECT 'a;b' AS x /* ; */ -- ;")[0]["x"])
	_, err := s.db.ExecContext(ctx, "INSERT INTO t VALUES (3, 3); INSERT INTO nowhere VALUES (1); INSERT INTO t VALUES (4, 4)")
	require.ErrorContains(t, err, "Table [nowhere] does not exist in database ["+db+"]")
	require.Equal(t, "1,2,3", values(s.query("SELECT k FROM t ORDER BY k"), "k"), "the first failure ends the batch")

	multi, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/%s?multiStatements=true", user, password, sourceCluster.FE(0).MySQLAddr(), db))
	require.NoError(t, err)
	defer multi.Close()
	rows, err := multi.QueryContext(context.Background(), "SELECT 1; INSERT INTO t VALUES (5, 5); SELECT k FROM t WHERE k > 2 ORDER BY k")
	require.NoError(t, err)
	defer rows.Close()
	var seen []int
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var n int
			require.NoError(t, rows.Scan(&n))
			seen = append(seen, n)
		}
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []int{1, 3, 5}, seen, "every result")
}

// doris-sql.md 1.4: codes, states and texts.
func TestErrors(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("CREATE VIEW `%s`.v AS SELECT k FROM `%s`.t", db, db)
	for _, test := range []struct {
		code      uint16
		state     string
		text      string
		statement string
	}{
		{1007, "HY000", "Can't create database '$db'; database exists", "CREATE DATABASE $db"},
		{1008, "HY000", "Can't drop database 'nope'; database doesn't exist", "DROP DATABASE nope"},
		{1046, "3D000", "No database selected", "SHOW TABLES"},
		{1049, "42000", "Unknown database 'nope'", "USE nope"},
		{1105, "HY000", "Table 't' already exists", "CREATE TABLE $db.t (k INT) PROPERTIES ('replication_num' = '1')"},
		{1109, "42S02", "Unknown table 'nope' in ", "DROP TABLE $db.nope"},
		{1054, "42S22", "Unknown column 'nope' in ", "SELECT nope FROM $db.t"},
		{1060, "42S21", "Duplicate column name 'k'", "CREATE TABLE $db.u (k INT, k INT) PROPERTIES ('replication_num' = '1')"},
		{1105, "HY000", "mismatched input", "SHOW NONSENSE"},
		{1109, "42S02", "Unknown table 'nope' in $db", "RECOVER TABLE $db.nope"},
		{1193, "HY000", "Unknown system variable 'nope'", "SET nope = 1"},
		{1347, "HY000", "'$db.v' is not TABLE. Use 'DROP VIEW $db.v'.", "DROP TABLE $db.v"},
		{1347, "HY000", "'$db.t' is not VIEW. Use 'SHOW CREATE TABLE 't.", "SHOW CREATE VIEW $db.t"},
		{1507, "HY000", "Error in list of partitions to nope", "ALTER TABLE $db.t DROP PARTITION nope"},
		{1517, "HY000", "Duplicate partition name p1", "ALTER TABLE $db.t ADD PARTITION p1 VALUES LESS THAN ('90')"},
		{5001, "HY000", "Proc path '/nope' doesn't exist", "SHOW PROC '/nope'"},
		{1051, "42S02", "Unknown table '1'", "SHOW PROC '/dbs/$id/1'"},
		{1105, "HY000", "Invalid db id format: x", "SHOW PROC '/dbs/x'"},
		{1105, "HY000", "Database 1 does not exist", "SHOW PROC '/dbs/1'"},
		{1105, "HY000", "Invalid table id format: x", "SHOW PROC '/dbs/$id/x'"},
	} {
		names := strings.NewReplacer("$db", db, "$id", itoa(s.meta(db).GetID()))
		_, err := s.db.ExecContext(ctx, names.Replace(test.statement))
		var refusal *mysql.MySQLError
		require.ErrorAs(t, err, &refusal, test.statement)
		require.Equal(t, test.code, refusal.Number, "%s: %s", test.statement, refusal.Message)
		require.Equal(t, test.state, string(refusal.SQLState[:]), test.statement)
		require.True(t, strings.HasPrefix(refusal.Message, "errCode = 2, detailMessage = "), refusal.Message)
		require.Contains(t, refusal.Message, names.Replace(test.text))
	}
}

// doris-sql.md 1.5 and 1.6: quoting, patterns, and what needs a session variable.
func TestNamesAndVariables(t *testing.T) {
	s := source(t)
	db := s.database()
	s.db.SetMaxOpenConns(1)
	s.exec("USE `%s`", db)
	const tail = " DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')"
	s.exec("CREATE TABLE a_b (k INT, `odd \"name` INT)" + tail)
	s.exec("CREATE TABLE axb (k INT)" + tail)
	s.exec("CREATE TABLE A_B (k INT)" + tail) // table names are case sensitive
	require.Equal(t, "a_b,axb", values(s.query("SHOW TABLES LIKE 'a_b'"), "Tables_in_"+db), "a pattern")
	require.Equal(t, "a_b", values(s.query(`SHOW TABLES LIKE 'a\_b'`), "Tables_in_"+db))
	require.Equal(t, "a_b", values(s.query("SHOW TABLES FROM `%s` WHERE Tables_in_%s = 'a_b'", db, db), "Tables_in_"+db))
	s.exec("INSERT INTO a_b (`odd \"name`, K) VALUES (1, 2)") // columns are not
	require.Equal(t, "2", s.query("SELECT K FROM a_b WHERE `odd \"name` = 1")[0]["K"])
	require.Equal(t, "1", s.query("SELECT 1 AS `a``b`")[0]["a`b"], "a doubled backtick")
	require.Equal(t, `it's "x" \ y`, s.query(`SELECT 'it\'s "x" \\ y' AS x`)[0]["x"])

	for variable, test := range map[string]struct{ refusal, statement string }{
		"enable_agg_state":            {"set enable_agg_state=true", "CREATE TABLE v1 (k INT, a AGG_STATE<sum(INT)> GENERIC) AGGREGATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')"},
		"enable_decimal256":           {"is disabled by default. set enable_decimal256 = true to enable it.", "CREATE TABLE v2 (k INT, d DECIMAL(60, 2))" + tail},
		"enable_unicode_name_support": {"Incorrect column name 'größe'. Column regex is '", "CREATE TABLE v3 (k INT, `größe` INT)" + tail},
	} {
		s.refuses(1105, test.refusal, "%s", test.statement)
		s.exec("set %s = true", variable)
		s.exec("%s", test.statement)
		s.exec("set %s = default", variable)
	}
	for _, variable := range strings.Fields("show_hidden_columns enable_match_without_inverted_index delete_without_partition enable_unique_key_partial_update enable_insert_strict inverted_index_skip_threshold enable_common_expr_pushdown") {
		s.exec("SET %s = 1", variable)
		require.Equal(t, "1", s.query("SHOW VARIABLES LIKE '%s'", variable)[0]["Value"])
	}
	require.Equal(t, "1", s.query("SELECT /*+ SET_VAR(query_timeout = 1) */ 1 AS x # note\n")[0]["x"])
}

// doris-sql.md 1.2: with enable_ssl a client may speak TLS or not, as it likes; without,
// the handshake offers none.
func TestTLSIsOffered(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cfg := clusterConfig("tls")
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	secured, err := dorisim.Start(ctx, cfg)
	require.NoError(t, err)
	defer secured.Close()
	ask := func(c *dorisim.Cluster, encrypted bool) error {
		dsn := mysql.NewConfig()
		dsn.Net, dsn.Addr, dsn.User, dsn.Passwd = "tcp", c.FE(0).MySQLAddr(), user, password
		dsn.Logger = &mysql.NopLogger{}
		if encrypted {
			dsn.TLS = &tls.Config{InsecureSkipVerify: true}
		}
		connector, err := mysql.NewConnector(dsn)
		require.NoError(t, err)
		db := sql.OpenDB(connector)
		defer db.Close()
		return db.PingContext(ctx)
	}
	require.NoError(t, ask(secured, true))
	require.NoError(t, ask(secured, false))
	require.NoError(t, ask(sourceCluster, false))
	require.ErrorIs(t, ask(sourceCluster, true), mysql.ErrNoTLS)
}
