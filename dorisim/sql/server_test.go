package sql

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	vitess "github.com/dolthub/vitess/go/mysql"
	"github.com/stretchr/testify/require"
)

func TestHandshake(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.db.Ping())
	require.Equal(t, []string{"1"}, f.rows("SELECT 1"))
	require.Equal(t, []string{"ccr"}, f.rows("select database()"))
	require.Equal(t, []string{"Doris version doris-3.1.0-rc01-dorisim"}, f.rows("select @@version_comment limit 1"))
	titles, _, err := readAll(f.db, "/* mysql-connector-j */ SELECT @@session.auto_increment_increment AS auto_increment_increment, @@sql_mode AS sql_mode, @@wait_timeout")
	require.NoError(t, err)
	require.Equal(t, []string{"auto_increment_increment", "sql_mode", "@@wait_timeout"}, titles)
	f.exec("SET NAMES utf8mb4", "SET character_set_results = NULL", "SET autocommit=1", "SET sql_mode='STRICT_TRANS_TABLES'", "sync")
	require.Equal(t, []string{"1048576000"}, f.rows("SELECT @@max_allowed_packet"))
}

func TestAuthentication(t *testing.T) {
	f := newFixture(t)
	for dsn, want := range map[string]string{
		"root:wrong@tcp(%s)/":        "Error 1045 (28000): Access denied for user 'root@127.0.0.1' (using password: YES)",
		"nobody@tcp(%s)/":            "Access denied for user 'nobody@127.0.0.1' (using password: YES)",
		"reader:s3cret@tcp(%s)/nope": "Unknown database 'nope'",
		"reader:s3cret@tcp(%s)/":     "",
	} {
		err := f.open(dsn).Ping()
		if want == "" {
			require.NoError(t, err, dsn)
		} else {
			require.ErrorContains(t, err, want, dsn)
		}
	}
	f.exec("CREATE USER IF NOT EXISTS 'writer'@'%' IDENTIFIED BY 'pw'", "GRANT ALL ON *.*.* TO 'writer'@'%'")
	require.NoError(t, f.open("writer:pw@tcp(%s)/ccr").Ping())
	f.exec("CREATE USER 'guest' IDENTIFIED BY 'pw'", "CREATE TABLE t (k INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	require.ErrorContains(t, f.open("guest:pw@tcp(%s)/ccr").Ping(), "Access denied for user 'guest' to database 'ccr'")
	guest := f.open("guest:pw@tcp(%s)/")
	for statement, want := range map[string]string{
		"SELECT * FROM ccr.t":          "SELECT command denied to user 'guest'@'127.0.0.1' for table 'ccr: t'",
		"INSERT INTO ccr.t VALUES (1)": "LOAD command denied to user 'guest'@'127.0.0.1' for table 'ccr: t'",
		"DROP TABLE ccr.t":             "Access denied; you need (at least one of) the (DROP) privilege(s)",
		"GRANT ALL ON *.* TO root":     "Access denied; you need (at least one of) the (GRANT) privilege(s)",
	} {
		_, _, err := readAll(guest, statement)
		require.ErrorContains(t, err, want)
	}
	f.exec("GRANT ADMIN_PRIV ON *.*.* TO 'guest'@'%'")
	_, err := guest.Exec("INSERT INTO ccr.t VALUES (1)")
	require.NoError(t, err)
	f.exec("REVOKE ADMIN_PRIV ON *.*.* FROM 'guest'@'%'")
	_, err = guest.Exec("INSERT INTO ccr.t VALUES (1)")
	require.Error(t, err)
	f.exec("SET PASSWORD FOR 'writer'@'%' = PASSWORD('other')")
	require.Error(t, f.open("writer:pw@tcp(%s)/").Ping())
	require.NoError(t, f.open("writer:other@tcp(%s)/").Ping())
}

func TestSeveralStatements(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(20)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	// Without the client flag: all run, the last result comes back.
	require.Equal(t, []string{"1"}, f.rows("INSERT INTO t VALUES (1, 'a;b'); SELECT count(*) FROM t;"))
	// With the flag: every result.
	multi := f.open("root@tcp(%s)/ccr?multiStatements=true")
	rows, err := multi.QueryContext(context.Background(), "SELECT 1; INSERT INTO t VALUES (2, 'x'); SELECT v FROM t ORDER BY k; ; ")
	require.NoError(t, err)
	defer rows.Close()
	var got []string
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var cell string
			require.NoError(t, rows.Scan(&cell))
			got = append(got, cell)
		}
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"1", "a;b", "x"}, got)
	// The first failing part ends the batch.
	f.fails("INSERT INTO t VALUES (3, 'c'); SELECT * FROM nothing; INSERT INTO t VALUES (4, 'd')", "Table [nothing] does not exist")
	require.Equal(t, []string{"3"}, f.rows("SELECT count(*) FROM t"))
}

func TestPreparedStatements(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(20)) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	insert, err := f.db.Prepare("INSERT INTO t VALUES (?, ?)")
	require.NoError(t, err)
	defer insert.Close()
	for k, v := range []any{"it's", nil, `back\slash`} {
		_, err := insert.Exec(k, v)
		require.NoError(t, err)
	}
	_, rows, err := readAll(f.db, "SELECT v FROM t WHERE k >= ? ORDER BY k", 0)
	require.NoError(t, err)
	require.Equal(t, [][]string{{"it's"}, {"NULL"}, {`back\slash`}}, rows)
	var k int
	require.NoError(t, f.db.QueryRow("SELECT k FROM t WHERE v = ?", "it's").Scan(&k))
	require.Zero(t, k)
}

func TestSessionState(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE DATABASE other")
	conn, err := f.db.Conn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	one := func(query string) string {
		_, rows, err := readAll(conn, query)
		require.NoError(t, err, query)
		return rows[0][0]
	}
	_, err = conn.ExecContext(context.Background(), "USE other; set enable_insert_strict = false")
	require.NoError(t, err)
	require.Equal(t, "other", one("SELECT database()"))
	require.Equal(t, "false", one("SELECT @@enable_insert_strict"))
	_, err = conn.ExecContext(context.Background(), "SET no_such_variable = 1")
	require.ErrorContains(t, err, "Unknown system variable 'no_such_variable'")
	_, err = conn.ExecContext(context.Background(), "USE nope")
	require.ErrorContains(t, err, "Error 1049 (42000): errCode = 2, detailMessage = Unknown database 'nope'")
}

// rawConn is a connection of the protocol library's own client.
func (f *fixture) rawConn() *vitess.Conn {
	f.t.Helper()
	host, port, err := net.SplitHostPort(f.addr)
	require.NoError(f.t, err)
	number, err := strconv.Atoi(port)
	require.NoError(f.t, err)
	conn, err := vitess.Connect(context.Background(), &vitess.ConnParams{Host: host, Port: number, Uname: "root", DbName: "ccr"})
	require.NoError(f.t, err)
	f.t.Cleanup(conn.Close)
	return conn
}

func TestFieldList(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (first_column INT, second_column INT) DUPLICATE KEY(first_column) DISTRIBUTED BY HASH(first_column) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	conn := f.rawConn()
	// COM_FIELD_LIST "t", as the mysql command line client sends it.
	require.NoError(t, conn.Conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err := conn.Conn.Write([]byte{3, 0, 0, 0, 4, 't', 0})
	require.NoError(t, err)
	var reply []byte
	for !bytes.Contains(reply, []byte{0xfe, 0, 0}) {
		chunk := make([]byte, 4096)
		n, err := conn.Conn.Read(chunk)
		require.NoError(t, err)
		reply = append(reply, chunk[:n]...)
	}
	require.Contains(t, string(reply), "first_column")
	require.Contains(t, string(reply), "second_column")
}

func TestFilteredRowsAreWarnings(t *testing.T) {
	f := newFixture(t)
	f.exec("CREATE TABLE t (k INT, v VARCHAR(1)) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	conn := f.rawConn()
	_, err := conn.ExecuteFetch("set enable_insert_strict = false", 1, false)
	require.NoError(t, err)
	result, warnings, err := conn.ExecuteFetchWithWarningCount("INSERT INTO t VALUES (1, 'a'), (2, 'bb'), (3, 'c')", 1, false)
	require.NoError(t, err)
	require.Equal(t, uint64(2), result.RowsAffected)
	require.Equal(t, uint16(1), warnings)
}

func TestCloseDropsConnections(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.db.Ping())
	f.server.Close()
	require.Error(t, f.db.Ping())
}
