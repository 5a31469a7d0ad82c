package conformance

import (
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

func TestGetSnapshot(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "orders", 2)
	s.exec("CREATE VIEW `%s`.`v` AS SELECT `k` FROM `%s`.`orders`", db, db)
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1), (2, 2)", db)
	s.nextUpsert(db, prev)
	label := s.backup(db)

	got := s.getSnapshot(db, label, false)
	requireOK(t, got.Status)
	require.NotEmpty(t, got.Meta)
	require.Nil(t, got.Compressed)
	require.Greater(t, got.GetExpiredAt(), time.Now().UnixMilli())
	requireJobInfo(t, s, db, label, decodeJobInfo(t, got.JobInfo))

	zipped := s.getSnapshot(db, label, true)
	require.True(t, zipped.GetCompressed())
	require.Equal(t, got.Meta, unzip(t, zipped.Meta))
	require.JSONEq(t, string(got.JobInfo), string(unzip(t, zipped.JobInfo)))

	// The snapshot is found by its label alone, whatever the database.
	requireOK(t, s.getSnapshot(s.database(), label, false).Status)
	requireStatus(t, status.TStatusCode_SNAPSHOT_NOT_EXIST, "snapshot none not exist", s.getSnapshot(db, "none", false).Status)
	remote, err := s.fe.GetSnapshot(ctx, &frontendservice.TGetSnapshotRequest{User: new(user), Passwd: new(password), Db: &db,
		LabelName: &label, SnapshotName: new(""), SnapshotType: new(frontendservice.TSnapshotType_REMOTE)})
	require.NoError(t, err)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "snapshot_type is not LOCAL", remote.Status)
}

func unzip(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return plain
}

// at walks a decoded JSON document.
func at(t *testing.T, v any, keys ...string) any {
	t.Helper()
	for _, k := range keys {
		m, ok := v.(map[string]any)
		require.True(t, ok, "%v in %v", k, v)
		require.Contains(t, m, k)
		v = m[k]
	}
	return v
}

func number(t *testing.T, v any) string {
	t.Helper()
	n, ok := v.(interface{ Int64() (int64, error) })
	require.True(t, ok, "%v is no number", v)
	i, err := n.Int64()
	require.NoError(t, err)
	return itoa(i)
}

// requireJobInfo checks every key of doris-rpc.md 5.3, and that the files it
// names can be downloaded.
func requireJobInfo(t *testing.T, s *side, db, label string, info map[string]any) {
	t.Helper()
	meta := s.tableMeta(db, "orders")
	require.Equal(t, label, at(t, info, "name"))
	require.Equal(t, db, at(t, info, "database"))
	require.Equal(t, itoa(s.meta(db).GetID()), number(t, at(t, info, "id")))
	require.Equal(t, "ALL", at(t, info, "content"))
	require.Equal(t, "succeed", at(t, info, "backup_result"))
	for _, key := range []string{"backup_time", "meta_version", "major_version", "minor_version", "patch_version"} {
		number(t, at(t, info, key))
	}
	require.Equal(t, false, at(t, info, "is_force_replication_allocation"))
	require.Empty(t, at(t, info, "tblalias"))
	require.NotContains(t, info, "extra_info")
	require.Empty(t, at(t, info, "new_backup_objects", "odbc_tables"))
	require.Empty(t, at(t, info, "new_backup_objects", "odbc_resources"))
	views, ok := at(t, info, "new_backup_objects", "views").([]any)
	require.True(t, ok)
	require.Len(t, views, 1)
	require.Equal(t, "v", at(t, views[0], "name"))

	require.Equal(t, itoa(meta.GetID()), number(t, at(t, info, "backup_objects", "orders", "id")))
	partition := at(t, info, "backup_objects", "orders", "partitions", "orders")
	require.Equal(t, itoa(meta.Partitions[0].GetID()), number(t, at(t, partition, "id")))
	require.Equal(t, "2", number(t, at(t, partition, "version")))
	index := at(t, partition, "indexes", "orders")
	order, ok := at(t, index, "tablets_order").([]any)
	require.True(t, ok)
	require.Len(t, order, 2)
	token := s.extraInfo()["token"].(string)
	backends := map[string]string{}
	for id := range s.backends() {
		backends[itoa(id)] = ""
	}
	for i, tablet := range meta.Partitions[0].Indexes[0].Tablets {
		id := itoa(tablet.GetID())
		require.Equal(t, id, number(t, order[i]), "bucket order")
		require.Contains(t, at(t, index, "tablets", id), id+".hdr")
		be := number(t, at(t, info, "tablet_be_map", id))
		require.Contains(t, backends, be)
		root, ok := at(t, info, "tablet_snapshot_path_map", id).(string)
		require.True(t, ok)
		require.Regexp(t, `^/.*/snapshot/\d{14}\.\d+\.\d+$`, root)
		for backendID, b := range s.backends() {
			if itoa(backendID) == be {
				code, _, listing := httpDo(t, "GET", b, "/api/_tablet/_download", "token", token,
					"file", path.Join(root, id, number(t, at(t, index, "schema_hash"))))
				require.Equal(t, 200, code)
				require.Contains(t, listing, id+".hdr\n")
			}
		}
	}
	// The position is the one of the table's BARRIER.
	seq := number(t, at(t, info, "table_commit_seq_map", itoa(meta.GetID())))
	var barriers []string
	for _, b := range s.binlogs(db, -1, -1) {
		if b.GetType() == frontendservice.TBinlogType_BARRIER {
			barriers = append(barriers, itoa(b.GetCommitSeq()))
		}
	}
	require.Contains(t, barriers, seq)
}

// TestSnapshotDiesWithTheMaster: the bytes are files of the FE that made them.
func TestSnapshotDiesWithTheMaster(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "orders", 1)
	label := s.backup(db)
	requireOK(t, s.getSnapshot(db, label, false).Status)
	require.NoError(t, c.SwitchMaster(1))
	s.fe = frontend(t, c.FE(1).ThriftAddr())
	requireStatus(t, status.TStatusCode_SNAPSHOT_NOT_EXIST, "snapshot "+label+" not exist", s.getSnapshot(db, label, false).Status)
}
