package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/lib/pq" // PostgreSQL, for the store
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// aStore fills a store that any SQL database holds: three tables (http-api.md
// 6.1) with one job whose name and JSON need quoting. The syncer is long dead.
func aStore(t *testing.T, db *sql.DB, prefix string) {
	t.Helper()
	info := `{"name":"it's","sync_type":0,"src":{"host":"127.0.0.1","port":"1","thrift_port":"2","user":"u","password":"hunter2","database":"d"},` +
		`"dest":{"host":"127.0.0.1","port":"1","thrift_port":"2","user":"u","password":"","database":"e"},"state":0,"extra":{}}`
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	for _, s := range []string{
		fmt.Sprintf("INSERT INTO %sjobs (job_name, job_info, belong_to) VALUES (%s, %s, '10.0.0.1:9190')", prefix, quote("it's"), quote(info)),
		fmt.Sprintf("INSERT INTO %sprogresses (job_name, progress) VALUES (%s, '{}')", prefix, quote("it's")),
		fmt.Sprintf("INSERT INTO %ssyncers (host_info, timestamp) VALUES ('10.0.0.1:9190', 1700000000000000000)", prefix),
	} {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
}

// dryRun imports from the store without changing anything: what it says of the
// one job shows that all three tables were read.
func dryRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	path, err := harness.Binary("ccr")
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, append([]string{"import", "--dry-run"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.NotContains(t, string(out), "hunter2")
	return string(out)
}

const storeRead = `it's: refused: job is invalid: [normal] name "it's" may only contain letters`

func TestImportFromMySQL(t *testing.T) {
	t.Parallel()
	// The simulator's MySQL port serves the tables.
	e := clusters(t, harness.PairOptions{Password: "pa:ss@/word"})
	e.exec("CREATE DATABASE ccr",
		`CREATE TABLE ccr.jobs (job_name VARCHAR(512), job_info STRING, belong_to VARCHAR(96)) UNIQUE KEY(job_name) DISTRIBUTED BY HASH(job_name) BUCKETS 1 PROPERTIES ("replication_num" = "1")`,
		`CREATE TABLE ccr.progresses (job_name VARCHAR(512), progress STRING) UNIQUE KEY(job_name) DISTRIBUTED BY HASH(job_name) BUCKETS 1 PROPERTIES ("replication_num" = "1")`,
		"CREATE TABLE ccr.syncers (host_info VARCHAR(96), `timestamp` BIGINT) UNIQUE KEY(host_info) DISTRIBUTED BY HASH(host_info) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")")
	aStore(t, e.src, "ccr.")
	out := dryRun(t, []string{"CCR_IMPORT_DB_PASSWORD=pa:ss@/word"}, "--db_type=mysql", "--db_host=127.0.0.1", "--db_port", e.pair.Source.Port(), "--db_user=root")
	require.Contains(t, out, storeRead)

	// The same from the syncer's own configuration file.
	conf := filepath.Join(t.TempDir(), "db.conf")
	require.NoError(t, os.WriteFile(conf, []byte("db_type=mysql\ndb_host=127.0.0.1\ndb_port="+e.pair.Source.Port()+"\ndb_user=root\ndb_password=pa:ss@/word\n"), 0o600))
	require.Contains(t, dryRun(t, nil, "--syncer-config", conf), storeRead)
	out = dryRun(t, nil, "--syncer-config", conf, "--db-name", "none")
	require.Contains(t, out, "mysql database none")
	require.NotContains(t, out, "pa:ss@/word")
}

func TestImportFromPostgreSQL(t *testing.T) {
	t.Parallel()
	pg, err := harness.StartPostgres(t.Context())
	require.NoError(t, err, "make setup installs PostgreSQL")
	t.Cleanup(func() { require.NoError(t, pg.Stop()) })
	db, err := sql.Open("postgres", fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", pg.Addr()))
	require.NoError(t, err)
	defer db.Close()
	for _, s := range []string{
		"CREATE SCHEMA ccr",
		"CREATE TABLE ccr.jobs (job_name VARCHAR(512) PRIMARY KEY, job_info TEXT, belong_to VARCHAR(96))",
		"CREATE TABLE ccr.progresses (job_name VARCHAR(512) PRIMARY KEY, progress TEXT)",
		"CREATE TABLE ccr.syncers (host_info VARCHAR(96) PRIMARY KEY, timestamp BIGINT)",
	} {
		_, err := db.ExecContext(context.Background(), s)
		require.NoError(t, err, s)
	}
	aStore(t, db, "ccr.")
	args := []string{"--db-type", "postgresql", "--db-port", strconv.Itoa(pg.Port), "--db-user", "postgres"}
	require.Contains(t, dryRun(t, nil, args...), storeRead)
	require.Contains(t, dryRun(t, nil, append(args, "--db-name", "other")...), `relation "other.syncers" does not exist`)
}
