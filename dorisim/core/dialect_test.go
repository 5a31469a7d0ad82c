package core_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// recordedAs records an event in a cluster of the version and returns the
// binlog, if there is one.
func recordedAs(t *testing.T, v core.Version, kind binlog.Type, data string, config map[string]string) (*core.Binlog, map[string]any) {
	t.Helper()
	w := newWorld(t, 1, core.Config{Version: v, FEConfig: config})
	table := w.table("t", 1)
	w.Lock()
	seq := w.Record(core.Event{DB: w.db.ID, Tables: []int64{table.ID}, Type: kind, Data: data})
	w.Unlock()
	entries, _ := w.ReadBinlogs(w.db.ID, -1, seq-1, 1)
	if len(entries) == 0 || entries[0].CommitSeq != seq {
		return nil, nil
	}
	var record map[string]any
	require.NoError(t, json.Unmarshal([]byte(entries[0].Data), &record))
	return entries[0], record
}

func TestNewTypesInOldVersions(t *testing.T) {
	const data = `{"dbId":1,"newDbName":"a\u003db","tableId":12345678901234567}`
	b, record := recordedAs(t, core.VersionNew, binlog.TypeRecoverInfo, data, nil)
	require.Equal(t, binlog.TypeRecoverInfo, b.Type)
	require.Positive(t, b.Timestamp)
	require.Equal(t, "a=b", record["newDbName"])
	for _, v := range []core.Version{core.Version30, core.Version21} {
		b, record := recordedAs(t, v, binlog.TypeRecoverInfo, data, nil)
		require.Equal(t, binlog.TypeBarrier, b.Type)
		require.Equal(t, int64(-1), b.Timestamp)
		require.Equal(t, float64(binlog.TypeRecoverInfo), record["binlogType"])
		require.Equal(t, "t", record["tableName"])
		require.JSONEq(t, data, record["binlog"].(string))
		require.Contains(t, record["binlog"], "12345678901234567")

		b, _ = recordedAs(t, v, binlog.TypeRecoverInfo, data, map[string]string{"dorisim_wrap_new_binlogs": "false"})
		require.Nil(t, b)
		b, _ = recordedAs(t, v, binlog.TypeRenamePartition, `{"nP":"b","oP":"a"}`, nil)
		require.Equal(t, binlog.TypeRenameTable, b.Type)
		b, _ = recordedAs(t, v, binlog.TypeModifyComment, `{}`, nil)
		require.Equal(t, binlog.TypeModifyComment, b.Type)
	}
}

// The master of November 2024 knows no later types, and does not wrap them
// (doris-binlogs.md 2.2).
func TestNewTypesInM24(t *testing.T) {
	b, _ := recordedAs(t, core.VersionM24, binlog.TypeRecoverInfo, `{}`, nil)
	require.Nil(t, b)
	b, _ = recordedAs(t, core.VersionM24, binlog.TypeRenamePartition, `{"nP":"b","oP":"a"}`, nil)
	require.Equal(t, binlog.TypeRenameTable, b.Type)
	require.Equal(t, int64(-1), b.Timestamp)
}

func TestFieldsOfOldVersions(t *testing.T) {
	const added = `{"partition":{"id":7,"nm":"p","st":"NORMAL","bi":{"id":1,"state":"NORMAL","rowCount":0,"tablets":[]},"vv":1,"vvt":2,"nv":2,"di":{"type":"HASH"}}}`
	_, record := recordedAs(t, core.Version30, binlog.TypeAddPartition, added, nil)
	require.Contains(t, record["partition"], "nm")
	_, record = recordedAs(t, core.Version21, binlog.TypeAddPartition, added, nil)
	require.Equal(t, map[string]any{"id": 7.0, "name": "p", "state": "NORMAL", "visibleVersion": 1.0, "visibleVersionTime": 2.0, "nextVersion": 2.0,
		"distributionInfo": map[string]any{"type": "HASH"},
		"baseIndex":        map[string]any{"id": 1.0, "state": "NORMAL", "rowCount": 0.0, "tablets": []any{}}}, record["partition"])

	const columns = `{"indexes":[{"i":3,"in":"idx","c":["a"],"it":"INVERTED","pt":{},"ct":"","cui":[1]}]}`
	_, record = recordedAs(t, core.Version21, binlog.TypeModifyTableAddOrDropColumns, columns, nil)
	require.Equal(t, []any{map[string]any{"indexId": 3.0, "indexName": "idx", "columns": []any{"a"}, "indexType": "INVERTED",
		"properties": map[string]any{}, "comment": "", "columnUniqueIds": []any{1.0}}}, record["indexes"])

	const upsert = `{"tableRecords":{"9":{"partitionRecords":[{"partitionId":1,"stid":-1}]}}}`
	b, _ := recordedAs(t, core.Version21, binlog.TypeUpsert, upsert, nil)
	require.NotContains(t, b.Data, "stid")
	b, _ = recordedAs(t, core.Version30, binlog.TypeUpsert, upsert, nil)
	require.Contains(t, b.Data, "stid")

	_, record = recordedAs(t, core.Version30, binlog.TypeCreateTable, `{"sql":"x","tableType":"OLAP"}`, nil)
	require.Equal(t, map[string]any{"sql": "x"}, record)

	const modified = `{"infos":[{"partitionId":1,"partitionName":"p","isTempPartition":false,"replicaAlloc":{"allocMap":[["x",3]]}}]}`
	_, record = recordedAs(t, core.Version21, binlog.TypeModifyPartitions, modified, nil)
	require.Equal(t, []any{map[string]any{"partitionId": 1.0, "replicationNum": 3.0,
		"replicaAlloc": map[string]any{"allocMap": []any{[]any{"x", 3.0}}}}}, record["infos"])
}

func TestMaterializedViewsInOldVersions(t *testing.T) {
	for v, want := range map[core.Version]bool{core.VersionNew: false, core.Version30: true} {
		w := newWorld(t, 1, core.Config{Version: v})
		view := w.table("mv", 1)
		w.Lock()
		view.Kind = catalog.MaterializedView
		w.Unlock()
		seq := w.record(binlog.TypeUpsert, view.ID)
		entries, _ := w.ReadBinlogs(w.db.ID, -1, seq-1, 1)
		require.Equal(t, want, len(entries) == 1, v)
	}
}
