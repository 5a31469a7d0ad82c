package conformance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

func versioned(t *testing.T, v core.Version) *side {
	t.Helper()
	_, s := private(t, func(c *dorisim.Config) { c.Version = v })
	return s
}

func TestVersion21(t *testing.T) {
	s := versioned(t, core.Version21)
	require.Contains(t, values(s.query("SHOW VARIABLES LIKE 'version_comment'"), "Value"), "doris-2.1.7")
	require.Empty(t, s.query("SHOW FRONTEND CONFIG LIKE 'enable_restore_snapshot_rpc_compression'"))
	db := s.rangedTable()
	record := map[string]any{}
	created := s.binlogs(db, -1, -1)[0]
	require.Equal(t, int64(-1), created.GetTimestamp())
	require.NoError(t, json.Unmarshal([]byte(created.GetData()), &record))
	require.NotContains(t, record, "tableType")

	s.exec("ALTER TABLE `%s`.t ADD PARTITION p3 VALUES LESS THAN ('30')", db)
	partition := s.payload(db, binlog.TypeAddPartition)["partition"].(map[string]any)
	require.Equal(t, "p3", partition["name"])
	require.Equal(t, "HASH", partition["distributionInfo"].(map[string]any)["type"])

	s.exec("ALTER TABLE `%s`.t RENAME PARTITION p3 p4", db)
	require.Equal(t, "p4", s.payload(db, binlog.TypeRenameTable)["nP"])
	s.exec("ALTER TABLE `%s`.t DROP PARTITION p4", db)
	s.exec("RECOVER PARTITION p4 FROM `%s`.t", db)
	wrapped := s.payload(db, binlog.TypeBarrier)
	require.Equal(t, float64(binlog.TypeRecoverInfo), wrapped["binlogType"])
	require.Contains(t, wrapped["binlog"], `"partitionName":"p4"`)

	s.exec("ALTER TABLE `%s`.t MODIFY COLUMN v COMMENT 'it''s'", db)
	require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.t", db), "Create Table"), "`v` int NULL COMMENT 'it's'")
	require.NotContains(t, values(s.query("SHOW CREATE TABLE `%s`.t", db), "Create Table"), "enable_mow_light_delete")
}

func TestVersion30(t *testing.T) {
	s := versioned(t, core.Version30)
	db := s.rangedTable()
	s.exec("ALTER TABLE `%s`.t ADD PARTITION p3 VALUES LESS THAN ('30')", db)
	require.Equal(t, "p3", s.payload(db, binlog.TypeAddPartition)["partition"].(map[string]any)["nm"])
	s.exec("CREATE VIEW `%s`.w AS SELECT k FROM `%s`.t", db, db)
	s.exec("ALTER VIEW `%s`.w AS SELECT v FROM `%s`.t", db, db)
	require.Equal(t, float64(binlog.TypeModifyViewDef), s.payload(db, binlog.TypeBarrier)["binlogType"])

	s.exec("CREATE TABLE `%s`.l (k INT) DUPLICATE KEY(k) PARTITION BY LIST(k) (PARTITION a VALUES IN ('1', '2')) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ('replication_num' = '1')", db)
	require.Equal(t, "[types: [INT]; keys: [1]; , types: [INT]; keys: [2]; ]", s.tableMeta(db, "l").Partitions[0].GetRange())
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.l VALUES (1)", db)
	require.Contains(t, s.nextUpsert(db, prev).GetData(), "partitionKeys: [types: [INT]; keys: [1]; types: [INT]; keys: [2]; ]; ")
	require.Nil(t, s.meta(db).DroppedTableMap)

	result, err := s.fe.GetBinlog(ctx, binlogRequest(db, -1, -1, 100))
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_OK, result.Status.StatusCode)
	require.Len(t, result.Binlogs, 1, "no batches")
	_, err = s.fe.LockBinlog(ctx, &frontendservice.TLockBinlogRequest{})
	require.ErrorContains(t, err, "lockBinlog")
}

// doris-sql.md 7: what the versions print and know.
func TestVersionMatrix(t *testing.T) {
	for version, want := range map[core.Version]struct {
		bounds, comment, release    string
		expires, compresses, forces bool
	}{
		core.Version21:  {"(MAXVALUEMAXVALUE)", "COMMENT 'x\"y'", "doris-2.1.", false, false, false},
		core.Version30:  {"(MAXVALUEMAXVALUE)", "COMMENT 'x\"y'", "doris-3.0.", false, false, false},
		core.VersionNew: {"(MAXVALUE, MAXVALUE)", `COMMENT "x\"y"`, "doris-3.1.", true, true, true},
	} {
		s := versioned(t, version)
		db := s.database()
		require.Contains(t, s.query("SHOW FRONTENDS")[0]["Version"], want.release)
		s.exec("CREATE TABLE `%s`.t (a INT COMMENT 'x\"y', b INT) DUPLICATE KEY(a, b) PARTITION BY RANGE(a, b) (PARTITION p VALUES [('1', '1'), (MAXVALUE, MAXVALUE))) DISTRIBUTED BY HASH(a) BUCKETS 1 PROPERTIES ('replication_num' = '1')", db)
		text := values(s.query("SHOW CREATE TABLE `%s`.t", db), "Create Table")
		require.Contains(t, text, want.bounds, "%v", version)
		require.Contains(t, text, want.comment, "%v", version)
		require.Contains(t, s.binlogs(db, -1, -1)[0].GetData(), want.bounds, "%v", version)
		require.Equal(t, want.compresses, len(s.query("SHOW FRONTEND CONFIG LIKE 'enable_restore_snapshot_rpc_compression'")) == 1, "%v", version)

		snapshot := newSnapshot(t, s, db)
		got := s.getSnapshot(db, snapshot.label, true)
		require.Equal(t, want.expires, got.ExpiredAt != nil, "%v", version)
		require.Equal(t, want.compresses, got.GetCompressed(), "%v", version)
		into := s.database()
		s.exec("CREATE TABLE `%s`.t (z INT) DISTRIBUTED BY HASH(z) BUCKETS 1 PROPERTIES ('replication_num' = '1')", into)
		property := restoreRequest(t, into, "p", []byte("x"), map[string]any{})
		property.Properties["force_replace"] = "true"
		told := map[bool]string{false: "Unknown restore job properties: [force_replace]", true: "Invalid job extra info empty"}[want.forces]
		require.Contains(t, s.restore(property).ErrorMsgs[0], told, "%v", version)
		last := snapshot.run(s, into, forced)
		require.Equal(t, want.forces, last["State"] == "FINISHED", "%v: %v", version, last["Status"])
	}
}
