package sqlclient_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// ask starts a frontend with one answer and returns a client and the statement
// it has seen.
func ask(t *testing.T, r reply) (*sqlclient.Client, func() string) {
	t.Helper()
	f := startFrontend(t, always(r))
	return newClient(t, sqlclient.Config{}, f), func() string {
		seen := f.seen()
		require.Len(t, seen, 1)
		return seen[0]
	}
}

func TestFrontends(t *testing.T) {
	c, seen := ask(t, table([]string{"Name", "Host", "QueryPort", "RpcPort", "IsMaster"},
		[]any{"fe1", "10.0.0.1", "9030", "9020", "true"}, []any{"fe2", "10.0.0.2", "9030", "9020", "false"}))
	got, err := c.Frontends(t.Context())
	require.NoError(t, err)
	require.Equal(t, []meta.Frontend{{Host: "10.0.0.1", Port: 9030, ThriftPort: 9020, IsMaster: true}, {Host: "10.0.0.2", Port: 9030, ThriftPort: 9020}}, got)
	require.Equal(t, "SHOW FRONTENDS", seen())

	c, _ = ask(t, table([]string{"Host"}))
	_, err = c.Frontends(t.Context())
	require.ErrorIs(t, err, sqlclient.ErrIncomplete)
}

func TestBackends(t *testing.T) {
	c, _ := ask(t, table([]string{"BackendId", "Cluster", "Host", "BePort", "HttpPort", "Alive"}, []any{"10002", "c", "10.0.0.2", "9060", "8040", "true"}))
	got, err := c.Backends(t.Context())
	require.NoError(t, err)
	require.Equal(t, []meta.Backend{{ID: 10002, Host: "10.0.0.2", Port: 9060, HTTPPort: 8040, Alive: true}}, got)

	c, _ = ask(t, table([]string{"BackendId", "Host"}))
	_, err = c.Backends(t.Context())
	require.ErrorIs(t, err, sqlclient.ErrIncomplete)
}

func TestExistence(t *testing.T) {
	c, seen := ask(t, table([]string{"Database"}, []any{"axb"}, []any{"a_b"}))
	ok, err := c.DatabaseExists(t.Context(), "a_b")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "SHOW DATABASES LIKE 'a_b'", seen())

	c, seen = ask(t, table([]string{"Tables_in_d"}, []any{"axb"}))
	ok, err = c.TableExists(t.Context(), "d", "a_b")
	require.NoError(t, err)
	require.False(t, ok, "LIKE is a pattern")
	require.Equal(t, "SHOW TABLES FROM `d` LIKE 'a_b'", seen())

	c, _ = ask(t, refuse(1049, "Unknown database 'd'"))
	_, err = c.TableExists(t.Context(), "d", "t")
	require.ErrorIs(t, err, sqlclient.ErrUnknownDatabase)
}

func TestTexts(t *testing.T) {
	c, seen := ask(t, table([]string{"Database", "Create Database"}, []any{"d", "CREATE DATABASE `d`"}))
	text, err := c.CreateDatabaseText(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, "CREATE DATABASE `d`", text)
	require.Equal(t, "SHOW CREATE DATABASE `d`", seen())

	c, seen = ask(t, table([]string{"View", "Create View", "character_set_client", "collation_connection"}, []any{"v", "CREATE VIEW", "utf8mb4", "x"}))
	text, err = c.CreateTableText(t.Context(), "d", "v")
	require.NoError(t, err)
	require.Equal(t, "CREATE VIEW", text)
	require.Equal(t, "SHOW CREATE TABLE `d`.`v`", seen())

	c, _ = ask(t, table([]string{"Table", "Create Table"}))
	_, err = c.CreateTableText(t.Context(), "d", "t")
	require.ErrorIs(t, err, sqlclient.ErrIncomplete)
}

func TestLists(t *testing.T) {
	c, seen := ask(t, table([]string{"Tables_in_d"}, []any{"__doris_atomic_restore_prefix__t1"}, []any{"t1"}, []any{"v1"}))
	names, err := c.Tables(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, []string{"t1", "v1"}, names)
	require.Equal(t, "SHOW TABLES FROM `d`", seen())

	c, seen = ask(t, table([]string{"table_name"}, []any{"v1"}))
	names, err = c.Views(t.Context(), "d")
	require.NoError(t, err)
	require.Equal(t, []string{"v1"}, names)
	require.Equal(t, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'd' AND  table_type = 'VIEW'", seen())

	c, seen = ask(t, table([]string{"Field", "Type", "Null", "Key"}, []any{"id", "int", "No", "true"}, []any{"v", "varchar(3)", "Yes", "false"}))
	columns, err := c.Columns(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, []sqlclient.Column{{Name: "id", Type: "int", Key: true}, {Name: "v", Type: "varchar(3)", Nullable: true}}, columns)
	require.Equal(t, "DESC `d`.`t`", seen())

	c, seen = ask(t, table([]string{"IndexName", "Field"}, []any{"t", "id"}, []any{"", "v"}, []any{"", ""}, []any{"r", "id"}))
	names, err = c.Rollups(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, []string{"t", "r"}, names)
	require.Equal(t, "DESC `d`.`t` ALL", seen())

	c, _ = ask(t, table([]string{"Key_name"}, []any{"i"}))
	names, err = c.SecondaryIndexes(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, []string{"i"}, names)

	c, _ = ask(t, table([]string{"PartitionName"}, []any{"p1"}))
	names, err = c.Partitions(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, []string{"p1"}, names)
}

func TestUnpublished(t *testing.T) {
	c, seen := ask(t, table([]string{"PartitionName", "VisibleVersion", "CommittedVersion"}, []any{"p1", "3", "3"}, []any{"p2", "4", "5"}))
	partition, err := c.Unpublished(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, "p2", partition)
	require.Equal(t, "SHOW PARTITIONS FROM `d`.`t`", seen())

	c, _ = ask(t, table([]string{"PartitionName", "VisibleVersion"}, []any{"p1", "3"}))
	partition, err = c.Unpublished(t.Context(), "d", "t")
	require.NoError(t, err)
	require.Empty(t, partition, "a version that does not tell")
}

func TestFrontendConfig(t *testing.T) {
	c, seen := ask(t, table([]string{"Key", "Value"}, []any{"enableXfeature_binlog", "false"}, []any{"enable_feature_binlog", "true"}))
	value, ok, err := c.FrontendConfig(t.Context(), "enable_feature_binlog")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "true", value)
	require.Equal(t, "ADMIN SHOW FRONTEND CONFIG LIKE '%enable_feature_binlog'", seen())

	c, _ = ask(t, table([]string{"Key", "Value"}))
	_, ok, err = c.FrontendConfig(t.Context(), "x")
	require.NoError(t, err)
	require.False(t, ok)
}

// A frontend prints a config with its prefix, and the pattern finds a config of
// another meaning as well (doris-sql.md 2.5).
func TestFrontendConfigPrefix(t *testing.T) {
	for _, prefix := range []string{"", "experimental_", "deprecated_"} {
		c, _ := ask(t, table([]string{"Key", "Value"}, []any{"force_enable_feature_binlog", "false"}, []any{prefix + "enable_feature_binlog", "true"}))
		value, ok, err := c.FrontendConfig(t.Context(), "enable_feature_binlog")
		require.NoError(t, err)
		require.True(t, ok, prefix)
		require.Equal(t, "true", value, prefix)
	}
	c, _ := ask(t, table([]string{"Key", "Value"}, []any{"force_enable_feature_binlog", "true"}))
	_, ok, err := c.FrontendConfig(t.Context(), "enable_feature_binlog")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestBackupAndRestoreJobs(t *testing.T) {
	columns := []string{"JobId", "SnapshotName", "DbName", "State", "BackupObjs", "CreateTime", "UnfinishedTasks", "Progress", "TaskErrMsg", "Status"}
	row := func(id, name, state string) []any {
		return []any{id, name, "d", state, "[d.t]", "2024-11-12 10:03:11", "", nil, "", "[OK]"}
	}
	c, seen := ask(t, table(columns, row("1", "ccrs_a_1", "CANCELLED"), row("2", "ccrsXa_1", "FINISHED"), row("3", "ccrs_a_2", "FINISHED")))
	backups, err := c.BackupJobs(t.Context(), "d", "ccrs_a")
	require.NoError(t, err)
	require.Len(t, backups, 2, "the underscore is a wildcard")
	require.Equal(t, sqlclient.BackupJob{ID: 1, Name: "ccrs_a_1", Database: "d", State: "CANCELLED", Objects: "[d.t]", CreateTime: "2024-11-12 10:03:11", Status: "[OK]"}, backups[0])
	require.Equal(t, "SHOW BACKUP FROM `d` WHERE SnapshotName LIKE \"ccrs_a%\"", seen())

	c, seen = ask(t, table(columns, row("3", "ccrs_a_2", "FINISHED")))
	backup, ok, err := c.BackupJob(t.Context(), "d", "ccrs_a_2")
	require.NoError(t, err)
	require.True(t, ok)
	require.EqualValues(t, 3, backup.ID)
	require.Equal(t, "SHOW BACKUP FROM `d` WHERE SnapshotName = \"ccrs_a_2\"", seen())

	columns[1], columns[4] = "Label", "RestoreObjs"
	c, seen = ask(t, table(columns, row("7", "l", "PENDING")))
	restore, ok, err := c.RestoreJob(t.Context(), "d", "l")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "l", restore.Label)
	require.Equal(t, "PENDING", restore.State)
	require.Equal(t, "SHOW RESTORE FROM `d` WHERE Label = \"l\"", seen())

	c, _ = ask(t, table(columns))
	_, ok, err = c.RestoreJob(t.Context(), "d", "l")
	require.NoError(t, err)
	require.False(t, ok)
	restores, err := c.RestoreJobs(t.Context(), "d", "l")
	require.NoError(t, err)
	require.Empty(t, restores)
}

func TestTransactions(t *testing.T) {
	columns := []string{"TransactionId", "Label", "TransactionStatus", "Reason"}
	rows := table(columns, []any{"6", "ccrj-a:1", "ABORTED", "r"}, []any{"7", "ccrj-a:1", "VISIBLE", ""}, []any{"8", "ccrjXa:2", "PREPARE", nil})

	c, seen := ask(t, rows)
	txns, err := c.Transactions(t.Context(), "d", "ccrj-a")
	require.NoError(t, err)
	require.Equal(t, []sqlclient.Transaction{{ID: 6, Label: "ccrj-a:1", Status: "ABORTED", Reason: "r"}, {ID: 7, Label: "ccrj-a:1", Status: "VISIBLE"}}, txns)
	require.Equal(t, "SHOW TRANSACTION FROM `d` WHERE label LIKE \"ccrj-a%\"", seen())

	c, seen = ask(t, table(columns, []any{"9", "ccrj-a:3", "COMMITTED", ""}, []any{"8", "ccrj-b:3", "COMMITTED", ""}))
	txns, err = c.CommittedTransactions(t.Context(), "d", "ccrj-a:")
	require.NoError(t, err)
	require.Equal(t, []sqlclient.Transaction{{ID: 9, Label: "ccrj-a:3", Status: "COMMITTED"}}, txns)
	require.Equal(t, "SHOW TRANSACTION FROM `d` WHERE status = \"committed\"", seen())

	c, seen = ask(t, rows)
	txn, err := c.TransactionByID(t.Context(), "d", 7)
	require.NoError(t, err)
	require.Equal(t, sqlclient.TxnVisible, txn.Status)
	require.Equal(t, "SHOW TRANSACTION FROM `d` WHERE id = 7", seen())

	c, seen = ask(t, rows)
	txn, err = c.TransactionByLabel(t.Context(), "d", "ccrj-a:1")
	require.NoError(t, err)
	require.EqualValues(t, 7, txn.ID, "the newest")
	require.Equal(t, "SHOW TRANSACTION FROM `d` WHERE label = \"ccrj-a:1\"", seen())

	for name, r := range map[string]reply{"refused": refuse(1105, "errCode = 2, detailMessage = transaction with id 7 does not exist"), "no row": table(columns)} {
		c, _ = ask(t, r)
		_, err = c.TransactionByID(t.Context(), "d", 7)
		require.ErrorIs(t, err, sqlclient.ErrNotExist, name)
		_, err = c.TransactionByLabel(t.Context(), "d", "l")
		require.ErrorIs(t, err, sqlclient.ErrNotExist, name)
		txns, err = c.Transactions(t.Context(), "d", "l")
		require.NoError(t, err, name)
		require.Empty(t, txns)
	}
	c, _ = ask(t, refuse(1049, "Unknown database 'd'"))
	_, err = c.Transactions(t.Context(), "d", "l")
	require.ErrorIs(t, err, sqlclient.ErrUnknownDatabase)
	c, _ = ask(t, table(columns, []any{"7", "l", nil, nil}))
	_, err = c.TransactionByID(t.Context(), "d", 7)
	require.ErrorIs(t, err, sqlclient.ErrIncomplete)
}

func TestDropTableThatIsAView(t *testing.T) {
	f := startFrontend(t, func(statement string) reply {
		if statement == "DROP TABLE IF EXISTS `d`.`v` FORCE" {
			return refuse(1347, "'d.v' is not TABLE. Use 'DROP VIEW d.v'.")
		}
		return reply{}
	})
	require.NoError(t, newClient(t, sqlclient.Config{}, f).DropTable(t.Context(), "d", "v"))
	require.Equal(t, []string{"DROP TABLE IF EXISTS `d`.`v` FORCE", "DROP VIEW IF EXISTS `d`.`v`"}, f.seen())
}

func TestStatements(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	c := newClient(t, sqlclient.Config{}, f)
	require.NoError(t, c.CreateDatabase(t.Context(), "d`"))
	require.NoError(t, c.CancelBackup(t.Context(), "d"))
	require.NoError(t, c.CancelRestore(t.Context(), "d"))
	require.Equal(t, []string{"CREATE DATABASE IF NOT EXISTS `d```", "CANCEL BACKUP FROM `d`", "CANCEL RESTORE FROM `d`"}, f.seen())
}

func TestBackendBinlogEnabled(t *testing.T) {
	tests := map[string]struct {
		status  int
		body    string
		want    bool
		isError bool
	}{
		"on":        {200, `[["enable_feature_binlog","bool","true","false"]]`, true, false},
		"on, as 1":  {200, `[["enable_feature_binlog","bool","1","false"]]`, true, false},
		"off":       {200, `[["enable_feature_binlog","bool","false","false"]]`, false, false},
		"unknown":   {200, `[]`, false, true},
		"malformed": {200, `{}`, false, true},
		"forbidden": {403, ``, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.RequestURI() != "/api/show_config?conf_item=enable_feature_binlog" {
					t.Errorf("unexpected request %s %s", r.Method, r.URL)
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			host, port, err := net.SplitHostPort(server.Listener.Addr().String())
			require.NoError(t, err)
			n, err := strconv.Atoi(port)
			require.NoError(t, err)
			got, err := sqlclient.BackendBinlogEnabled(t.Context(), server.Client(), host, n)
			require.Equal(t, tt.isError, err != nil, "%v", err)
			require.Equal(t, tt.want, got)
		})
	}
}
