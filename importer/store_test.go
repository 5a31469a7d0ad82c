package importer

import (
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sqliteStore makes a store with the documented columns (http-api.md 6.1).
func sqliteStore(t *testing.T, statements ...string) StoreConfig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "odd name?#.db")
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(file))
	require.NoError(t, err)
	defer db.Close()
	for _, s := range append([]string{
		"CREATE TABLE jobs (job_name TEXT PRIMARY KEY, job_info TEXT, belong_to TEXT)",
		"CREATE TABLE progresses (job_name TEXT PRIMARY KEY, progress TEXT)",
		"CREATE TABLE syncers (host_info TEXT PRIMARY KEY, timestamp INTEGER)",
	}, statements...) {
		_, err := db.ExecContext(t.Context(), s)
		require.NoError(t, err, s)
	}
	return StoreConfig{Type: SQLite, File: file}
}

func TestSQLiteStore(t *testing.T) {
	c := sqliteStore(t,
		"INSERT INTO jobs VALUES ('b', '{}', '10.0.0.9:9190'), ('a', '{\"x\":1}', NULL)",
		"INSERT INTO progresses VALUES ('b', '{\"sync_state\":3}'), ('gone', '{}')",
		"INSERT INTO syncers VALUES ('10.0.0.9:9190', 1700000000000000000)")
	s, err := openStore(t.Context(), c)
	require.NoError(t, err)
	defer s.close()
	rows, err := s.jobs(t.Context())
	require.NoError(t, err)
	require.Equal(t, []row{
		{name: "a", info: []byte(`{"x":1}`)},
		{name: "b", belongsTo: "10.0.0.9:9190", info: []byte(`{}`), progress: []byte(`{"sync_state":3}`)},
	}, rows)
	stamps, err := s.stamps(t.Context())
	require.NoError(t, err)
	require.Equal(t, []stamp{{"10.0.0.9:9190", time.Unix(1700000000, 0)}}, stamps)
	_, err = s.db.ExecContext(t.Context(), "DELETE FROM jobs")
	require.ErrorContains(t, err, "readonly")
}

func TestStoreThatIsNone(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.db")
	_, err := openStore(t.Context(), StoreConfig{Type: SQLite, File: missing})
	require.ErrorContains(t, err, "missing.db")
	require.ErrorContains(t, err, "--db-dir")
	require.NoFileExists(t, missing)

	_, err = openStore(t.Context(), StoreConfig{Type: "oracle"})
	require.ErrorContains(t, err, `db-type "oracle" is none of`)

	other := filepath.Join(t.TempDir(), "text.db")
	require.NoError(t, os.WriteFile(other, []byte("this is no database, but long enough to look at"), 0o600))
	s, err := openStore(t.Context(), StoreConfig{Type: SQLite, File: other})
	if err == nil {
		defer s.close()
		_, err = s.jobs(t.Context())
	}
	require.ErrorContains(t, err, "text.db")
}

func TestReadSyncerConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.conf")
	require.NoError(t, os.WriteFile(path, []byte("# the store\ndb_type=mysql\n db_host = 10.1.1.1\ndb_port=3307\ndb_user=ccr\ndb_password=a=b#c\n\nlog_level=info\n"), 0o600))
	c := StoreConfig{Type: SQLite, Name: "ccr"}
	require.NoError(t, ReadSyncerConfig(path, &c))
	require.Equal(t, StoreConfig{Type: MySQL, Host: "10.1.1.1", Port: 3307, User: "ccr", Password: "a=b#c", Name: "ccr"}, c)

	require.NoError(t, os.WriteFile(path, []byte("db_type=mysql\ns3cret"), 0o600))
	err := ReadSyncerConfig(path, &c)
	require.ErrorContains(t, err, "line 2: not key=value")
	require.NotContains(t, err.Error(), "s3cret")
}
