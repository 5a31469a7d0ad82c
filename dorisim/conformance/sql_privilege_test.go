package conformance

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// as connects to the same cluster as another user.
func (s *side) as(c *dorisim.Cluster, name, password string) *side {
	s.t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/", name, password, c.FE(0).MySQLAddr()))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = db.Close() })
	return &side{t: s.t, db: db, fe: s.fe, thrift: s.thrift}
}

const denied = "Access denied; you need (at least one of) the (%s) privilege(s) for this operation"

// What each statement needs, and how its absence reads.
func TestStatementPrivileges(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	s.table(db, "u", 1)
	s.exec("CREATE VIEW `%s`.v AS SELECT k FROM `%s`.t", db, db)
	s.exec("CREATE USER 'ann'@'%%' IDENTIFIED BY 'pw'")
	ann := s.as(c, "ann", "pw")
	need := func(name string) string { return fmt.Sprintf(denied, name) }
	on := func(privilege, table string) string {
		return fmt.Sprintf("Access denied; you need (at least one of) the (Admin_priv,%s) privilege(s) on table %s for this operation", privilege, table)
	}
	command := func(what, table string) string {
		return fmt.Sprintf("%s command denied to user 'ann'@'127.0.0.1' for table '%s: %s'", what, db, table)
	}
	database := fmt.Sprintf("Access denied for user 'ann' to database '%s'", db)

	// on is "" for what only a privilege everywhere allows.
	for _, test := range []struct {
		code          uint16
		refusal       string
		privilege, on string
		statement     string
	}{
		{1142, command("SELECT", "t"), "SELECT_PRIV", "%s.t", "SELECT * FROM `%s`.t"},
		{1142, command("LOAD", "t"), "LOAD_PRIV", "%s.t", "INSERT INTO `%s`.t VALUES (1, 1)"},
		{1142, command("ALTER TABLE", "t"), "ALTER_PRIV", "%s.*", "ALTER TABLE `%s`.t ADD COLUMN w INT"},
		{1105, on("Alter_priv", "v"), "ALTER_PRIV", "%s.*", "ALTER VIEW `%s`.v MODIFY COMMENT 'x'"},
		{1227, need("LOAD"), "LOAD_PRIV", "%s.*", "TRUNCATE TABLE `%s`.t"},
		{1227, need("LOAD"), "LOAD_PRIV", "%s.*", "BACKUP SNAPSHOT `%s`.l1 TO `__keep_on_local__`"},
		{1227, need("LOAD"), "LOAD_PRIV", "%s.*", "BACKUP SNAPSHOT `%s`.l3 TO `__keep_on_local__` ON (u)"},
		{1044, database, "LOAD_PRIV", "%s.*", "SHOW BACKUP FROM `%s`"},
		{1044, database, "LOAD_PRIV", "%s.*", "SHOW RESTORE FROM `%s`"},
		{1227, need("Admin_priv"), "ADMIN_PRIV", "", "SHOW TRANSACTION FROM `%s` WHERE status = 'visible'"},
		{1225, "Access denied; you need (at least one of) the (Admin_priv,Select_priv,Load_priv,Alter_priv,Create_priv,Drop_priv,Show_view_priv) privilege(s) on database", "SELECT_PRIV", "%s.*", "SHOW CREATE DATABASE `%s`"},
		{1142, command("SHOW CREATE TABLE", "v"), "SHOW_VIEW_PRIV", "%s.*", "SHOW CREATE VIEW `%s`.v"},
		{1044, database, "SELECT_PRIV", "%s.t", "USE `%s`"},
		{1044, database, "CREATE_PRIV", "%s_new.*", "CREATE DATABASE IF NOT EXISTS `%s`"},
		{1044, database, "ADMIN_PRIV", "", "ALTER DATABASE `%s` SET PROPERTIES ('binlog.ttl_seconds' = '9')"},
		{1105, need("CREATE"), "CREATE_PRIV", "%s.*", "CREATE TABLE `%s`.w (k INT) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')"},
		{1105, on("Create_priv", "v2"), "CREATE_PRIV", "%s.*", "CREATE VIEW `%s`.v2 AS SELECT 1"},
		{1227, need("DROP"), "DROP_PRIV", "%s.*", "DROP VIEW `%s`.v"},
		{1227, need("DROP"), "DROP_PRIV", "%s.u", "DROP TABLE `%s`.u FORCE"},
		{1227, need("ADMIN/OPERATOR"), "NODE_PRIV", "", "SHOW FRONTENDS"},
		{1227, need("ADMIN/OPERATOR"), "NODE_PRIV", "", "select Host, QueryPort, RpcPort, IsMaster from frontends()"},
		{1227, need("ADMIN/OPERATOR"), "NODE_PRIV", "", "show backends"},
		{1227, need("ADMIN"), "ADMIN_PRIV", "", "SHOW PROC '/dbs'"},
		{1105, need("ADMIN"), "ADMIN_PRIV", "", "ADMIN SHOW FRONTEND CONFIG LIKE '%enable_feature_binlog%'"},
		{1227, need("ADMIN"), "ADMIN_PRIV", "", "ADMIN SET FRONTEND CONFIG ('restore_reset_index_id' = 'false')"},
		{1227, need("ADMIN"), "ADMIN_PRIV", "", "SET GLOBAL wait_timeout = 100"},
		{1227, need("GRANT"), "GRANT_PRIV", "", "CREATE USER bob"},
		{1227, need("GRANT"), "GRANT_PRIV", "", "DROP USER bob"},
		{1044, database, "DROP_PRIV", "%s.*", "DROP DATABASE `%s` FORCE"},
	} {
		statement, scope := test.statement, "*.*.*"
		if test.on != "" {
			scope = "internal." + fmt.Sprintf(test.on, db)
		}
		if test.on != "" || strings.Contains(statement, "`%s`") {
			statement = fmt.Sprintf(statement, db)
		}
		if test.on == "%s_new.*" {
			scope = "internal." + db + ".*"
		}
		ann.refuses(test.code, test.refusal, "%s", statement)
		s.exec("GRANT %s ON %s TO 'ann'@'%%'", test.privilege, scope)
		_, err := ann.db.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
		s.exec("REVOKE %s ON %s FROM 'ann'@'%%'", test.privilege, scope)
		if strings.HasPrefix(statement, "BACKUP") {
			require.Eventually(t, func() bool {
				states := values(s.query("SHOW BACKUP FROM `%s`", db), "State")
				return strings.ReplaceAll(strings.ReplaceAll(states, "FINISHED", ""), ",", "") == ""
			}, patience, 5*time.Millisecond)
		}
		ann.refuses(test.code, test.refusal, "%s", statement)
	}
}

func TestGrants(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "a", 1)
	s.table(db, "b", 1)
	s.exec("CREATE USER IF NOT EXISTS 'ann'@'%%' IDENTIFIED BY 'pw'")
	s.exec("CREATE USER IF NOT EXISTS 'ann'@'%%' IDENTIFIED BY 'other'")
	s.refuses(1105, "already exist", "CREATE USER ann")
	ann := s.as(c, "ann", "pw")
	s.exec("GRANT SELECT_PRIV, LOAD_PRIV ON internal.%s.* TO 'ann'@'%%'", db)
	s.exec("GRANT ALTER_PRIV ON `%s`.`a` TO ann", db)
	s.exec("GRANT CREATE_PRIV ON internal.*.* TO ann")
	s.exec("GRANT NODE_PRIV ON *.*.* TO ann")
	s.exec("GRANT USAGE_PRIV ON RESOURCE 'spark' TO ann")
	shown := ann.query("SHOW GRANTS")[0]
	require.Equal(t, "'ann'@'%'", shown["UserIdentity"])
	require.Equal(t, "Yes", shown["Password"])
	require.Equal(t, "Node_priv", shown["GlobalPrivs"])
	require.Equal(t, "internal: Create_priv", shown["CatalogPrivs"])
	require.Contains(t, shown["DatabasePrivs"], "internal."+db+": Select_priv,Load_priv")
	require.Equal(t, "internal."+db+".a: Alter_priv", shown["TablePrivs"])
	s.exec("REVOKE LOAD_PRIV ON internal.%s.* FROM 'ann'@'%%'", db)
	require.Contains(t, s.query("SHOW GRANTS FOR 'ann'@'%%'")[0]["DatabasePrivs"], "internal."+db+": Select_priv")
	ann.refuses(1227, "(GRANT)", "SHOW ALL GRANTS")
	require.Len(t, s.query("SHOW ALL GRANTS"), 2)
	require.Equal(t, []string{"UserIdentity", "Comment", "Password", "Roles", "GlobalPrivs", "CatalogPrivs", "DatabasePrivs", "TablePrivs", "ColPrivs",
		"ResourcePrivs", "CloudClusterPrivs", "CloudStagePrivs", "StorageVaultPrivs", "WorkloadGroupPrivs", "ComputeGroupPrivs"}, s.columns("SHOW GRANTS"))

	s.refuses(1105, "can only be granted/revoked on/from *.*.*", "GRANT ADMIN_PRIV ON `%s`.* TO ann", db)
	s.refuses(1105, "Invalid privilege type: fly", "GRANT fly ON *.*.* TO ann")
	s.refuses(1105, "User 'nobody'@'%' does not exist", "GRANT SELECT_PRIV ON *.*.* TO nobody")
	s.refuses(1105, "Can not drop root user", "DROP USER root")

	s.exec("REVOKE SELECT_PRIV ON internal.%s.* FROM ann", db)
	s.exec("REVOKE CREATE_PRIV ON internal.*.* FROM ann")
	require.Equal(t, "a", values(ann.query("SHOW TABLES FROM `%s`", db), "Tables_in_"+db), "only what one may see")
	require.Equal(t, "a", values(ann.query("SELECT TABLE_NAME FROM information_schema.tables WHERE TABLE_SCHEMA = '%s'", db), "TABLE_NAME"))
	s.exec("REVOKE ALTER_PRIV ON `%s`.a FROM ann", db)
	require.NotContains(t, values(ann.query("SHOW DATABASES"), "Database"), db)

	s.exec("ALTER USER 'ann'@'%%' IDENTIFIED BY 'new'")
	require.ErrorContains(t, s.as(c, "ann", "pw").db.Ping(), "Error 1045 (28000): Access denied for user 'ann@127.0.0.1' (using password: YES)")
	require.NoError(t, s.as(c, "ann", "new").db.Ping())
	s.exec("GRANT 'admin' TO ann")
	require.Equal(t, "Node_priv,Admin_priv", s.as(c, "ann", "new").query("SHOW GRANTS")[0]["GlobalPrivs"])
	s.exec("DROP USER ann")
	s.refuses(1105, "does not exist", "DROP USER ann")
	s.exec("DROP USER IF EXISTS ann")
}

// doris-rpc.md 3, rule 6: what each call needs, and where.
func TestCallPrivileges(t *testing.T) {
	_, s := private(t)
	db := s.database()
	s.table(db, "a", 1)
	s.table(db, "b", 1)
	a, b := s.tableMeta(db, "a").GetID(), s.tableMeta(db, "b").GetID()
	label := s.backup(db)
	s.exec("CREATE USER carl IDENTIFIED BY 'pw'")
	carl, pw := new("carl"), new("pw")
	meta := func(names ...string) *status.TStatus {
		r := &frontendservice.TGetMetaRequest{User: carl, Passwd: pw, Db: &frontendservice.TGetMetaDB{Name: &db}}
		for _, name := range names {
			r.Db.Tables = append(r.Db.Tables, &frontendservice.TGetMetaTable{Name: &name})
		}
		result, err := s.fe.GetMeta(ctx, r)
		require.NoError(t, err)
		return result.Status
	}
	binlog := func(table string) *status.TStatus {
		r := binlogRequest(db, -1, -1, 1)
		r.User, r.Passwd = carl, pw
		if table != "" {
			r.Table = &table
		}
		return s.getBinlog(r).Status
	}
	lock := func() *status.TStatus {
		result, err := s.fe.LockBinlog(ctx, &frontendservice.TLockBinlogRequest{User: carl, Passwd: pw, Db: &db, JobUniqueID: new("j")})
		require.NoError(t, err)
		return result.Status
	}
	snapshot := func() *status.TStatus {
		result, err := s.fe.GetSnapshot(ctx, &frontendservice.TGetSnapshotRequest{User: carl, Passwd: pw, Db: &db, LabelName: &label,
			SnapshotName: new(""), SnapshotType: new(frontendservice.TSnapshotType_LOCAL)})
		require.NoError(t, err)
		return result.Status
	}
	begin := func(tables ...int64) *frontendservice.TBeginTxnResult_ {
		r := beginRequest(db, tables, newLabel())
		r.User, r.Passwd = carl, pw
		return s.beginTxn(r)
	}
	restore := func() *status.TStatus {
		info := decodeJobInfo(t, s.getSnapshot(db, label, false).JobInfo)
		info["extra_info"] = s.extraInfo()
		r := restoreRequest(t, db, label+"_r", s.getSnapshot(db, label, false).Meta, info)
		r.User, r.Passwd = carl, pw
		return s.restore(r)
	}
	read, load := fmt.Sprintf(denied, "priv predicate: OR, Admin_priv,Select_priv"), fmt.Sprintf(denied, "priv predicate: OR, Admin_priv,Load_priv")

	for _, refused := range []*status.TStatus{meta(), meta("a"), binlog(""), binlog("a"), lock(), snapshot()} {
		analysis(t, read, refused)
	}
	for _, refused := range []*status.TStatus{begin(a).Status, restore()} {
		analysis(t, load, refused)
	}
	s.exec("GRANT SELECT_PRIV, LOAD_PRIV ON `%s`.a TO carl", db)
	requireOK(t, meta("a"))
	analysis(t, read, meta("a", "b"))
	analysis(t, read, meta())
	requireOK(t, binlog("a"))
	analysis(t, read, binlog(""))
	analysis(t, load, begin(a, b).Status)
	txn := begin(a)
	requireOK(t, txn.Status)

	s.exec("REVOKE LOAD_PRIV ON `%s`.a FROM carl", db)
	commit, err := s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: carl, Passwd: pw, Db: &db, TxnID: txn.TxnID, CommitInfos: []*thrifttypes.TTabletCommitInfo{}})
	require.NoError(t, err)
	analysis(t, load, commit.Status)
	back, err := s.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: carl, Passwd: pw, Db: &db, TxnID: txn.TxnID})
	require.NoError(t, err)
	analysis(t, load, back.Status)

	s.exec("GRANT SELECT_PRIV ON `%s`.* TO carl", db)
	for _, allowed := range []*status.TStatus{meta(), binlog(""), lock(), snapshot()} {
		requireOK(t, allowed)
	}
	s.exec("GRANT LOAD_PRIV ON *.*.* TO carl")
	back, err = s.fe.RollbackTxn(ctx, &frontendservice.TRollbackTxnRequest{User: carl, Passwd: pw, Db: &db, TxnID: txn.TxnID})
	require.NoError(t, err)
	requireOK(t, back.Status)
	requireOK(t, begin(a, b).Status)
	requireOK(t, restore())
}

// TestTransactionsOfOlderVersions: 2.1 shows them to who may load (doris-sql.md 2.13).
func TestTransactionsOfOlderVersions(t *testing.T) {
	c, s := private(t, func(cfg *dorisim.Config) { cfg.Version = core.Version21 })
	db := s.database()
	s.exec("CREATE USER 'ann'@'%%' IDENTIFIED BY 'pw'")
	s.exec("GRANT LOAD_PRIV ON `%s`.* TO ann", db)
	require.Empty(t, s.as(c, "ann", "pw").query("SHOW TRANSACTION FROM `%s` WHERE status = 'visible'", db))
}
