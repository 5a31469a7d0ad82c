package conformance

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// snapshotOf makes a database with one filled table and a snapshot of it.
func snapshotOf(t *testing.T, s *side) (db, label string, meta []byte, info map[string]any) {
	t.Helper()
	db = s.database()
	s.table(db, "orders", 1)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1), (2, 2)", db)
	label = s.backup(db)
	got := s.getSnapshot(db, label, false)
	requireOK(t, got.Status)
	info = decodeJobInfo(t, got.JobInfo)
	info["extra_info"] = s.extraInfo()
	return db, label, got.Meta, info
}

func TestRestoreRefusals(t *testing.T) {
	from, to := source(t), destination(t)
	_, label, meta, info := snapshotOf(t, from)
	db := to.database()
	request := func() *frontendservice.TRestoreSnapshotRequest { return restoreRequest(t, db, label+"_r", meta, info) }
	refused := func(text string, change func(r *frontendservice.TRestoreSnapshotRequest)) {
		t.Helper()
		r := request()
		change(r)
		requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, text, to.restore(r))
	}
	withExtra := func(extra any) func(*frontendservice.TRestoreSnapshotRequest) {
		return func(r *frontendservice.TRestoreSnapshotRequest) {
			changed := map[string]any{}
			for k, v := range info {
				changed[k] = v
			}
			delete(changed, "extra_info")
			if extra != nil {
				changed["extra_info"] = extra
			}
			r.JobInfo = restoreRequest(t, db, label, meta, changed).JobInfo
		}
	}
	refused("Invalid job extra info empty", withExtra(nil))
	refused("Invalid job extra info be network map", withExtra(map[string]any{"token": "x"}))
	refused("Invalid job extra info token", withExtra(map[string]any{"be_network_map": from.extraInfo()["be_network_map"]}))
	refused("Unknown restore job properties: [nonsense]", func(r *frontendservice.TRestoreSnapshotRequest) { r.Properties["nonsense"] = "1" })
	refused("Table none does not exist in snapshot "+label, func(r *frontendservice.TRestoreSnapshotRequest) {
		r.TableRefs = []*thrifttypes.TTableRef{{Table: new("none")}}
	})
	refused("stmt: RESTORE SNAPSHOT", func(r *frontendservice.TRestoreSnapshotRequest) { r.Properties["nonsense"] = "1" })
	refused("read backup meta failed", func(r *frontendservice.TRestoreSnapshotRequest) { r.Meta = []byte("nonsense") })
	require.Empty(t, to.query("SHOW RESTORE FROM `%s`", db))

	refused("no_such_db", func(r *frontendservice.TRestoreSnapshotRequest) { r.Db = new("no_such_db") })
	flags := request()
	flags.Properties, flags.AtomicRestore = nil, new(true)
	got := to.restore(flags)
	require.Equal(t, status.TStatusCode_INTERNAL_ERROR, got.StatusCode, "%v", got.ErrorMsgs)
}

func zip(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

func TestRestoreCompressed(t *testing.T) {
	from, to := source(t), destination(t)
	_, label, meta, info := snapshotOf(t, from)
	db := to.database()
	r := restoreRequest(t, db, label+"_r", meta, info)
	r.Meta, r.JobInfo = zip(t, r.Meta), zip(t, r.JobInfo)
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR,
		"The request is compressed, but the config `enable_restore_snapshot_rpc_compressed` is not enabled.", to.restore(r))
	r.Compressed = new(true)
	requireOK(t, to.restore(r))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label+"_r")
	require.Len(t, to.query("SELECT * FROM `%s`.`orders`", db), 2)
	config := to.query("SHOW FRONTEND CONFIG LIKE 'enable_restore_snapshot_rpc_compression'")
	require.Equal(t, "true", values(config, "Value"))
}

func TestRestoreAlias(t *testing.T) {
	from, to := source(t), destination(t)
	_, label, meta, info := snapshotOf(t, from)
	db := to.database()
	r := restoreRequest(t, db, label+"_r", meta, info)
	r.TableRefs = []*thrifttypes.TTableRef{{Table: new("orders"), AliasName: new("__ccr_orders_1")}}
	requireOK(t, to.restore(r))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label+"_r")
	require.Equal(t, "__ccr_orders_1", values(to.query("SHOW TABLES FROM `%s`", db), "Tables_in_"+db))
	require.Len(t, to.query("SELECT * FROM `%s`.`__ccr_orders_1`", db), 2)
	require.Contains(t, to.query("SHOW CREATE TABLE `%s`.`__ccr_orders_1`", db)[0]["Create Table"], `"is_being_synced" = "true"`)
}

func TestRestoreCancelled(t *testing.T) {
	from, to := source(t), destination(t)
	_, label, meta, info := snapshotOf(t, from)
	status := func(db, label string) string {
		return to.waitState("CANCELLED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label)["Status"]
	}
	db := to.database()
	to.exec("CREATE TABLE `%s`.`orders` (`k` INT, `other` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\")", db)
	requireOK(t, to.restore(restoreRequest(t, db, label+"_r1", meta, info)))
	require.Contains(t, status(db, label+"_r1"), "Table orders already exist but with different schema")

	db = to.database()
	extra := from.extraInfo()
	network, token := extra["be_network_map"].(map[string]any), extra["token"]
	info["extra_info"] = map[string]any{"be_network_map": map[string]any{"1": map[string]any{"ip": "127.0.0.1", "port": 1}}, "token": token}
	requireOK(t, to.restore(restoreRequest(t, db, label+"_r2", meta, info)))
	require.Contains(t, status(db, label+"_r2"), "failed to get remote be address of be: ")

	info["extra_info"] = map[string]any{"be_network_map": network, "token": "wrong"}
	requireOK(t, to.restore(restoreRequest(t, db, label+"_r3", meta, info)))
	require.NotEqual(t, "[OK]", status(db, label+"_r3"))
	require.Empty(t, to.query("SHOW TABLES FROM `%s`", db), "nothing stays of a cancelled restore")
}

// TestAtomicRestore: the table's id changes, its rows are replaced.
func TestAtomicRestore(t *testing.T) {
	from, to := source(t), destination(t)
	_, label, meta, info := snapshotOf(t, from)
	db := to.database()
	to.table(db, "orders", 1)
	to.exec("INSERT INTO `%s`.`orders` VALUES (9, 9)", db)
	before := to.tableMeta(db, "orders").GetID()
	r := restoreRequest(t, db, label+"_r", meta, info)
	r.AtomicRestore = new(true)
	requireOK(t, to.restore(r))
	to.waitState("FINISHED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label+"_r")
	require.Equal(t, "1,2", values(to.query("SELECT * FROM `%s`.`orders` ORDER BY `k`", db), "k"))
	require.NotEqual(t, before, to.tableMeta(db, "orders").GetID())
}
