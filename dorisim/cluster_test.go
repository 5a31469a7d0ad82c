package dorisim_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

const soon = 10 * time.Second

func start(t *testing.T, cfg dorisim.Config) *dorisim.Cluster {
	t.Helper()
	cfg.RootPassword = "secret"
	c, err := dorisim.Start(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	faultstest.Struck(t, c.Faults())
	return c
}

func open(t testing.TB, c *dorisim.Cluster) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", c.DSN(""))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := db.Exec(s)
		require.NoError(t, err, s)
	}
}

func count(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

func TestClusterAnswersSQL(t *testing.T) {
	c := start(t, dorisim.Config{FEs: 2, BEs: 3})
	db := open(t, c)
	exec(t, db, "CREATE DATABASE d", `CREATE TABLE d.t (id BIGINT, v VARCHAR(20)) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES ("replication_num" = "3")`,
		"INSERT INTO d.t VALUES (1, 'a'), (2, 'b')")
	require.Equal(t, 2, count(t, db, "d.t"))
}

func TestKillAndRestartNodes(t *testing.T) {
	c := start(t, dorisim.Config{FEs: 2, BEs: 3})
	db := open(t, c)
	exec(t, db, "CREATE DATABASE d", `CREATE TABLE d.t (id BIGINT) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "3")`, "INSERT INTO d.t VALUES (1)")
	require.NoError(t, c.KillBE(0))
	exec(t, db, "INSERT INTO d.t VALUES (2)")
	require.Equal(t, 2, count(t, db, "d.t"))
	require.NoError(t, c.RestartBE(0))
	require.NoError(t, c.KillBE(1))
	require.Eventually(t, func() bool {
		_, err := db.Exec("INSERT INTO d.t VALUES (3)")
		return err == nil
	}, soon, 10*time.Millisecond, "two good replicas again once backend 0 is repaired")
	require.Equal(t, 3, count(t, db, "d.t"))

	address := c.FE(0).MySQLAddr()
	require.NoError(t, c.KillFE(0))
	require.Equal(t, 1, c.Core().Master(), "the other frontend takes over")
	require.Error(t, db.Ping())
	require.NoError(t, c.RestartFE(0))
	require.Equal(t, address, c.FE(0).MySQLAddr())
	require.NoError(t, db.Ping())
	require.Error(t, c.KillBE(3))
	require.Error(t, c.SwitchMaster(2))
}

func TestAdvertisedAddresses(t *testing.T) {
	c := start(t, dorisim.Config{FEs: 1, BEs: 2, AdvertisePrefix: "10.66.0.", Spread: true, Host: "127.7.0.1"})
	require.True(t, strings.HasPrefix(c.FE(0).MySQLAddr(), "127.7.0.1:"))
	require.Equal(t, map[string]string{"10.66.0.1": "127.7.0.1", "10.66.0.101": "127.7.0.2", "10.66.0.102": "127.7.0.3"}, c.HostMapping())
	var host string
	require.NoError(t, open(t, c).QueryRow("select Host from frontends()").Scan(&host))
	require.Equal(t, "10.66.0.1", host)
}

func TestAdminPort(t *testing.T) {
	c := start(t, dorisim.Config{Admin: true, FEs: 2})
	call := func(method, path, body string) map[string]any {
		request, err := http.NewRequest(method, "http://"+c.AdminAddr()+path, strings.NewReader(body))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer func() { require.NoError(t, response.Body.Close()) }()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		out := map[string]any{"status": response.StatusCode, "text": string(text)}
		_ = json.Unmarshal(text, &out)
		return out
	}
	require.EqualValues(t, 0, call("GET", "/status", "")["master"])
	require.Equal(t, true, call("POST", "/fe/1/master", "")["ok"])
	require.EqualValues(t, 1, call("GET", "/status", "")["master"])
	require.Contains(t, call("POST", "/be/7/kill", "")["error"], "there is no backend 7")
	require.Contains(t, call("POST", "/faults", `{"point":"fe.commitTxn","action":"explode"}`)["error"], `there is no fault action "explode"`)
	require.Contains(t, call("POST", "/faults", `{"point":"fe.commitTxn","action":"drop_after","count":1}`)["text"], `"id":1`)
	require.Equal(t, "[]\n", call("DELETE", "/faults/1", "")["text"])
	require.EqualValues(t, 5*time.Millisecond, call("POST", "/profile", `{"publish_ms":5}`)["Publish"])
	require.Contains(t, call("POST", "/binlogs/collect", `{"database":"x"}`)["error"], "unknown database x")
	require.Equal(t, 200, call("POST", "/clock", `{"advance_seconds":60}`)["status"])
}

func TestInsertsAreFast(t *testing.T) {
	c := start(t, dorisim.Config{})
	db := open(t, c)
	exec(t, db, "CREATE DATABASE d", "CREATE TABLE d.t (id BIGINT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1")
	began := time.Now()
	const n = 500
	for i := range n {
		exec(t, db, fmt.Sprintf("INSERT INTO d.t VALUES (%d)", i))
	}
	t.Logf("%.0f transactions/s", n/time.Since(began).Seconds())
	require.Equal(t, n, count(t, db, "d.t"))
}
