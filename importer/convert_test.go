package importer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

var importedAt = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// infoJ25 is job_info as http-api.md 3.11 has it ([OBS], January 2025).
const infoJ25 = `{"name":"j1","sync_type":0,
 "src":{"host":"10.0.0.1","port":"39030","thrift_port":"39020","is_master":true,
   "frontends":[{"host":"10.0.0.1","port":"39030","thrift_port":"39020","is_master":true}],
   "user":"root","password":"s3cret","cluster":"","database":"d","db_id":10,"table":"","table_id":0,
   "host_mapping":{"1.1.1.1":"2.2.2.2"}},
 "dest":{"host":"10.0.0.2","port":"39030","thrift_port":"39020","user":"root","password":"other","database":"e","db_id":20,"table":"","table_id":0},
 "state":0,"extra":{"reuse_binlog_label":true}}`

// progressJ25 is the progress of http-api.md 3.12, with data filled.
const progressJ25 = `{"job_name":"j1","sync_state":3,
 "sub_sync_state":{"state":-1,"binlog_type":-1},
 "job_sync_id":1700000007,"prev_commit_seq":100,"commit_seq":100,"last_commit_seq":0,
 "table_mapping":{"11":22},"table_name_mapping":{"11":"t","12":"v"},"table_commit_seq_map":null,"data":"{\"txn_id\":1}",
 "prev_txn_id":-1,"shadow_index_map":{"5":6},
 "created_at":1700000000,"full_sync_start_at":1700000001,"incremental_sync_start_at":1700000050,
 "full_sync_info":{"prev_commit_seq":0,"commit_seq":0,"sub_sync_state":{"state":0,"binlog_type":-1},"info":"new job"}}`

// edit changes keys of a JSON object; a nil value removes one.
func edit(t *testing.T, text string, changes map[string]any) []byte {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	for k, v := range changes {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return b
}

func tableJob(t *testing.T, changes map[string]any) []byte {
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(infoJ25), &m))
	m["sync_type"] = 1
	for side, table := range map[string]string{"src": "t", "dest": "u"} {
		c := m[side].(map[string]any)
		c["table"], c["table_id"] = table, map[string]int{"src": 11, "dest": 21}[side]
	}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return edit(t, string(b), changes)
}

func TestConvertFollowing(t *testing.T) {
	c, err := convert(row{name: "j1", info: []byte(infoJ25), progress: []byte(progressJ25)}, importedAt)
	require.NoError(t, err)
	require.True(t, c.following)
	require.False(t, c.busy)
	require.False(t, c.fresh)
	require.Empty(t, c.notes)
	require.Equal(t, "s3cret", c.passwords.Source)
	require.Equal(t, "other", c.passwords.Destination)
	require.Equal(t, job.Spec{
		Name: "j1", ReuseBinlogLabel: true, CreatedAt: time.Unix(1700000000, 0).UTC(),
		Source: job.Cluster{Host: "10.0.0.1", Port: 39030, ThriftPort: 39020, User: "root", Database: "d", DatabaseID: 10,
			HostMapping: map[string]string{"1.1.1.1": "2.2.2.2"}},
		Destination: job.Cluster{Host: "10.0.0.2", Port: 39030, ThriftPort: 39020, User: "root", Database: "e", DatabaseID: 20},
	}, c.spec)
	require.Equal(t, job.Progress{
		Phase: job.PhaseStream, State: job.DBIncrementalSync, Epoch: 1700000007,
		Position:      job.Position{CommitSeq: 100},
		Tables:        map[int64]job.Table{11: {DestID: 22, Name: "t"}, 12: {Name: "v"}},
		ShadowIndexes: map[int64]int64{5: 6},
		FullSyncInfo:  job.FullSyncInfo{Info: "new job"},
		CreatedAt:     time.Unix(1700000000, 0).UTC(), FullSyncStartedAt: time.Unix(1700000001, 0).UTC(),
		IncrementalSyncStartAt: time.Unix(1700000050, 0).UTC(),
	}, c.progress)
}

func TestConvertShapes(t *testing.T) {
	following := func(state job.SyncState, check func(*testing.T, *converted)) func(*testing.T, *converted) {
		return func(t *testing.T, c *converted) {
			require.True(t, c.following)
			require.Equal(t, state, c.progress.State)
			require.Equal(t, job.PhaseStream, c.progress.Phase)
			require.Zero(t, c.progress.FullSyncs)
			check(t, c)
		}
	}
	fullSync := func(t *testing.T, c *converted) {
		require.False(t, c.following)
		require.Equal(t, job.PhaseTakeSnapshot, c.progress.Phase)
		require.Nil(t, c.progress.Snapshot.Partial)
		require.Equal(t, 1, c.progress.FullSyncs)
		require.Equal(t, int64(1700000008), c.progress.Epoch)
		require.Len(t, c.notes, 1)
	}
	partialData := map[string]any{"table_id": 11, "table": "t", "is_view": false, "partition_ids": []int{3}, "partitions": []string{"p3"}}
	for name, tt := range map[string]struct {
		info     []byte
		progress []byte
		check    func(*testing.T, *converted)
	}{
		// [O24] answers objects as strings; it has skip_error and neither names nor new keys.
		"O24": {edit(t, infoJ25, map[string]any{"extra": nil, "skip_error": true}),
			func() []byte {
				b, _ := json.Marshal(string(edit(t, progressJ25, map[string]any{"table_name_mapping": nil, "shadow_index_map": nil, "prev_txn_id": nil})))
				return b
			}(),
			following(job.DBIncrementalSync, func(t *testing.T, c *converted) {
				require.Equal(t, map[int64]job.Table{11: {DestID: 22}}, c.progress.Tables)
				require.Len(t, c.notes, 1)
				require.Contains(t, c.notes[0], "skip_error")
			})},
		// [DEV] has an id, partition positions and pipeline states.
		"DEV in a pipeline": {edit(t, infoJ25, map[string]any{"id": 77, "replication_num": 1}),
			edit(t, progressJ25, map[string]any{"commit_seq": 103, "sub_sync_state": map[string]int{"state": 201, "binlog_type": 0},
				"prev_txn_id": 900, "partition_commit_seq_map": map[string]int{"3": 120, "4": 90}}),
			following(job.DBIncrementalSync, func(t *testing.T, c *converted) {
				require.True(t, c.busy)
				require.Equal(t, 1, c.spec.ReplicationNum)
				require.Equal(t, job.Position{CommitSeq: 100, TxnID: 900}, c.progress.Position)
				require.Equal(t, map[int64]int64{3: 120}, c.progress.Partitions)
				require.Equal(t, int64(120), c.progress.Tables[11].Partly)
			})},
		"some tables ahead": {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 1, "table_commit_seq_map": map[string]int{"11": 130, "13": 140}}),
			following(job.DBTablesIncrementalSync, func(t *testing.T, c *converted) {
				require.Equal(t, map[int64]job.Table{11: {DestID: 22, Name: "t", CommitSeq: 130}, 12: {Name: "v"}, 13: {CommitSeq: 140}}, c.progress.Tables)
			})},
		"paused": {edit(t, infoJ25, map[string]any{"state": 1}), []byte(progressJ25),
			following(job.DBIncrementalSync, func(t *testing.T, c *converted) { require.True(t, c.progress.Paused) })},
		"table": {tableJob(t, nil), edit(t, progressJ25, map[string]any{"sync_state": 501}),
			following(job.TableIncrementalSync, func(t *testing.T, c *converted) {
				require.Equal(t, int64(11), c.spec.Source.TableID)
				require.Equal(t, int64(22), c.spec.Destination.TableID, "the mapping is newer than the spec")
			})},
		"full sync":         {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 0, "sub_sync_state": map[string]int{"state": 6}}), fullSync},
		"table full sync":   {tableJob(t, nil), edit(t, progressJ25, map[string]any{"sync_state": 500}), fullSync},
		"specific tables":   {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 2}), fullSync},
		"partial, no table": {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 4}), fullSync},
		"partial": {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 4, "commit_seq": 101, "partial_sync_data": partialData}),
			func(t *testing.T, c *converted) {
				require.Equal(t, job.DBPartialSync, c.progress.State)
				require.Zero(t, c.progress.FullSyncs)
				require.Equal(t, &job.PartialSync{TableID: 11, Table: "t", Partitions: []string{"p3"}}, c.progress.Snapshot.Partial)
				require.Equal(t, int64(101), c.progress.Snapshot.Trigger)
				require.Equal(t, int64(100), c.progress.Position.CommitSeq)
				require.Contains(t, c.notes[0], "the snapshot of t is taken again")
			}},
		"skip one ahead": {edit(t, infoJ25, map[string]any{"extra": map[string]any{"skip_binlog": true, "skip_by": "Silence", "skip_commit_seq": 105}}), []byte(progressJ25),
			following(job.DBIncrementalSync, func(t *testing.T, c *converted) {
				require.Equal(t, &job.SkipBinlog{SkipBy: "silence", SkipCommitSeq: 105}, c.progress.Skip)
			})},
		"skip by full sync": {edit(t, infoJ25, map[string]any{"extra": map[string]any{"skip_binlog": true, "skip_by": "fullsync"}}), []byte(progressJ25), fullSync},
		"no progress": {[]byte(infoJ25), nil, func(t *testing.T, c *converted) {
			require.True(t, c.fresh)
			require.Equal(t, importedAt, c.spec.CreatedAt)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := convert(row{name: "j1", info: tt.info, progress: tt.progress}, importedAt)
			require.NoError(t, err)
			tt.check(t, c)
		})
	}
}

func TestConvertRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		info, progress []byte
		want           string
	}{
		"no JSON":          {[]byte(`{"name":"j1","src":{"password":"s3cret"`), nil, "job_info cannot be read: not JSON at byte"},
		"wrong type":       {edit(t, infoJ25, map[string]any{"state": "s3cret"}), nil, "job_info cannot be read: state is a JSON string"},
		"other job":        {edit(t, infoJ25, map[string]any{"name": "j2"}), nil, `of another job, "j2"`},
		"sync type":        {edit(t, infoJ25, map[string]any{"sync_type": 1}), nil, "sync_type 1 does not fit"},
		"no user":          {[]byte(`{"name":"j1","src":{"host":"h","port":"1","thrift_port":"2"}}`), nil, "src spec is invalid: [normal] user is empty"},
		"port":             {[]byte(`{"name":"j1","src":{"host":"h","port":"x","thrift_port":"2"}}`), nil, "port is invalid"},
		"progress no JSON": {[]byte(infoJ25), []byte(`nonsense`), "progress cannot be read"},
		"no state":         {[]byte(infoJ25), []byte(`{}`), "no sync_state"},
		"unknown state":    {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 9}), "sync_state 9 is not known"},
		"state of a table": {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"sync_state": 501}), "TableIncrementalSync is not one of a db_sync job"},
		"no position":      {[]byte(infoJ25), edit(t, progressJ25, map[string]any{"prev_commit_seq": 0}), "has no position"},
		"bad skip":         {edit(t, infoJ25, map[string]any{"extra": map[string]any{"skip_binlog": true, "skip_by": "magic"}}), []byte(progressJ25), "invalid skip method: magic"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := convert(row{name: "j1", info: tt.info, progress: tt.progress}, importedAt)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}
