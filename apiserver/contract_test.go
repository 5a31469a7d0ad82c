package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

// Bodies are compared byte by byte: scripts cut them with grep and sed.

func TestRulesOfAllEndpoints(t *testing.T) {
	f := newFake()
	f.add("j1", nil)
	s := newServer(t, f, nil)

	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE", "X-ODD"} {
		rec := askBy(s, method, "/pause", `{"name":"j1"}`)
		require.Equal(t, http.StatusOK, rec.Code, method)
		require.Equal(t, `{"success":true}`, rec.Body.String(), method)
		require.Equal(t, "text/plain; charset=utf-8", rec.Header().Get("Content-Type"), method)
	}
	require.Equal(t, http.StatusOK, askBy(s, "HEAD", "/version", "").Code)

	for _, path := range []string{"/", "/nope", "/pause/", "/v1/pause", "/update_job"} {
		rec := ask(s, path, `{}`)
		require.Equal(t, http.StatusNotFound, rec.Code, path)
		require.Equal(t, "404 page not found", strings.TrimSpace(rec.Body.String()), path)
	}
	t.Run("after the first JSON value nothing is read", func(t *testing.T) {
		require.Equal(t, `{"success":true}`, ask(s, "/resume", `{"NAME":"j1","unknown":1} trailing`).Body.String())
	})
}

func TestErrorTexts(t *testing.T) {
	f := newFake()
	f.add("closed", func(j *fakeJob) { j.closed = true })
	s := newServer(t, f, nil)

	lagZero := `,"lag":0,"first_commit_seq":0,"last_commit_seq":0,"first_binlog_timestamp":"","last_binlog_timestamp":"","time_interval_secs":0,"next_commit_seq":0,"next_binlog_timestamp":"","time_interval":0,"behind_secs":null}`
	redirecting := []string{"/pause", "/resume", "/delete", "/desync", "/sync", "/job_status", "/job_detail", "/job_progress", "/job_skip_binlog"}
	for _, path := range redirecting {
		require.Equal(t, `{"success":false,"error_msg":"EOF"}`, ask(s, path, "").Body.String(), path)
		require.Equal(t, `{"success":false,"error_msg":"name is empty"}`, ask(s, path, "{}").Body.String(), path)
		require.Equal(t, `{"success":false,"error_msg":"name is empty"}`, ask(s, path, `{"name":""}`).Body.String(), path)
		require.Equal(t, `{"success":false,"error_msg":"job nope not exist"}`, ask(s, path, `{"name":"nope"}`).Body.String(), path)
		require.Equal(t, `{"success":false,"error_msg":"job closed not exist"}`, ask(s, path, `{"name":"closed"}`).Body.String(), path)
		require.Equal(t, `{"success":false,"error_msg":"invalid character 'b' looking for beginning of object key string"}`, ask(s, path, `{bad`).Body.String(), path)
		require.Contains(t, ask(s, path, `{"name":7}`).Body.String(), `"error_msg":"json: cannot unmarshal number into \"name\": it has to be a string"}`, path)
		// Names that no job can have: the server of the jobs is not asked.
		for _, name := range []string{strings.Repeat("x", 2000), "任务", "a b", "a/b", "it's"} {
			require.Equal(t, `{"success":false,"error_msg":"job `+name+` not exist"}`, ask(s, path, `{"name":"`+name+`"}`).Body.String(), path)
		}
		require.Contains(t, ask(s, path, `[]`).Body.String(), `"error_msg":"json: cannot unmarshal array into the body: it has to be an object"}`, path)
	}
	for _, tt := range []struct{ path, body, want string }{
		{"/force_fullsync", `{}`, `{"success":false,"error_msg":"job name is empty"}`},
		{"/force_fullsync", `{"name":"nope"}`, `{"success":false,"error_msg":"job nope not exist"}`},
		{"/update_host_mapping", `{}`, `{"success":false,"error_msg":"name is empty"}`},
		{"/update_host_mapping", `{"name":"nope","src_host_mapping":{"a":"b"}}`, `{"success":false,"error_msg":"[normal] job not exist: nope"}`},
		{"/update_host_mapping", `{"name":"nope","src_host_mapping":{}}`, `{"success":false,"error_msg":"host_mapping is empty"}`},
		{"/update_host_mapping", `{"name":"nope","src_host_mapping":{"10.0.0.1 ":"b"}}`, `{"success":false,"error_msg":"[normal] host_mapping: \"10.0.0.1 \" is no address: a host name or an IP address, without port"}`},
		{"/update_host_mapping", `{"name":"nope","dest_host_mapping":{"a":"b:9030"}}`, `{"success":false,"error_msg":"[normal] host_mapping: \"b:9030\" is no address: a host name or an IP address, without port"}`},
		{"/update_host_mapping", `{"name":"nope","dest_host_mapping":{"":"", "b:1":"", "fd00::1":"::1"}}`, `{"success":false,"error_msg":"[normal] job not exist: nope"}`},
		{"/create_ccr", strings.Replace(minimal, `"host":"fe1"`, `"host_mapping":{"":"a"},"host":"fe1"`, 1), `{"success":false,"error_msg":"job is invalid: src spec is invalid: [normal] host_mapping: \"\" is no address: a host name or an IP address, without port"}`},
		{"/add_host_mapping", `{"name":"nope","dest_host_mapping":{"a":""}}`, `{"success":false,"error_msg":"[normal] job not exist: nope"}`},
		{"/get_lag", ``, `{"success":false,"error_msg":"EOF"` + lagZero},
		{"/get_lag", `{}`, `{"success":false,"error_msg":"name is empty"` + lagZero},
		{"/get_lag", `{"name":"任务"}`, `{"success":false,"error_msg":"temporal: get job failed, name: 任务: job 任务 not exist"` + lagZero},
		{"/update_host_mapping", `{"name":"任务","src_host_mapping":{"a":"b"}}`, `{"success":false,"error_msg":"[normal] job not exist: 任务"}`},
		{"/get_lag", `{"name":"nope"}`, `{"success":false,"error_msg":"temporal: get job failed, name: nope: job nope not exist"` + lagZero},
	} {
		rec := ask(s, tt.path, tt.body)
		require.Equal(t, http.StatusOK, rec.Code)
		require.Equal(t, tt.want, rec.Body.String(), tt.path+tt.body)
	}
}

func TestBodiesAreLimited(t *testing.T) {
	s := newServer(t, newFake(), nil)
	rec := ask(s, "/pause", `{"name":"`+strings.Repeat("x", bodyLimit)+`"}`)
	require.Equal(t, `{"success":false,"error_msg":"http: request body too large"}`, rec.Body.String())
}

func TestWebPagesOfOtherOriginsAreRefused(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newServer(t, f, nil)
	req, err := http.NewRequest(http.MethodPost, "http://127.0.0.1:9190/delete", strings.NewReader(`{"name":"j1"}`))
	require.NoError(t, err)
	req.Header.Set("Origin", "http://evil.example")
	rec := serve(s, req)
	require.Equal(t, http.StatusForbidden, rec.Code)
	require.Empty(t, j.signals)
}

func TestInfoEndpoints(t *testing.T) {
	f := newFake()
	s := newServer(t, f, nil)
	require.Equal(t, `{"version":"v1:abc"}`, ask(s, "/version", "").Body.String())
	features := ask(s, "/features", "{}").Body.String()
	require.True(t, strings.HasPrefix(features, `{"success":true,"flags":[{"feature":"feature_atomic_restore","value":true,"default":"true"},`), features)
	require.Contains(t, features, `{"feature":"feature_clean_table_and_partitions","value":false,"default":"false"}`)
	switched := newServer(t, f, func(o *Options) { o.Features = &job.Features{CleanTableAndPartitions: true} })
	changed := ask(switched, "/features", "").Body.String()
	require.Contains(t, changed, `{"feature":"feature_clean_table_and_partitions","value":true,"default":"false"}`)
	require.Contains(t, changed, `{"feature":"feature_txn_insert","value":false,"default":"true"}`)
	require.Equal(t, `{"success":true}`, ask(s, "/healthz", "").Body.String())

	f.with(func() { f.down = serviceerror.NewUnavailable("gone") })
	rec := ask(s, "/healthz", "")
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.Contains(t, rec.Body.String(), "temporal is not reachable")
	require.Equal(t, `{"version":"v1:abc"}`, ask(s, "/version", "").Body.String())
}

func TestJobStatus(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.status.Position.CommitSeq = 100
		j.status.FullSyncs = 1
		j.status.Doing = "stream binlogs"
	})
	f.add("stuck", func(j *fakeJob) {
		j.status.Running = false
		j.status.ProgressState = job.TablePartialSync
		j.status.Phase = job.PhaseApply
		j.status.Stalled = true
		j.status.Problem = &job.Problem{
			Text: "no such column", Kind: job.KindFE, CommitSeq: 7, BinlogType: binlog.TypeRenameColumn,
			Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Tries: 3, Remedy: "job_skip_binlog",
		}
	})
	f.add("cut-off", func(j *fakeJob) {
		j.status.Position.CommitSeq = 7
		j.status.Stalled = true
		j.status.Problem = &job.Problem{Text: "no route", Kind: job.KindRPC, CommitSeq: 7, BinlogType: binlog.TypeDummy, Tries: 1}
	})
	s := newServer(t, f, nil)
	require.NotContains(t, ask(s, "/job_status", `{"name":"cut-off"}`).Body.String(), `"binlog`, "that one is applied")
	flat := `"name":"j1","state":"running","progress_state":"DBIncrementalSync","commit_seq":100,"phase":"stream","doing":"stream binlogs","next_step":"nothing: the job is running","stalled":false,"lag":null,"lag_secs":null,"behind_secs":null,"full_syncs":1,"partial_syncs":0`
	require.Equal(t, `{"success":true,`+flat+`,"status":{`+flat+`}}`, ask(s, "/job_status", `{"name":"j1"}`).Body.String())

	flat = `"name":"stuck","state":"paused","progress_state":"TablePartialSync","commit_seq":0,"phase":"apply","next_step":"resume tries again what last_error tells of; delete ends the job","stalled":true,"last_error":{"text":"no such column","kind":"fe","commit_seq":7,"binlog_type":"RENAME_COLUMN","binlog":"RENAME_COLUMN at commit seq 7","since":"2026-01-02T03:04:05Z","tries":3,"remedy":"job_skip_binlog"},"lag":null,"lag_secs":null,"behind_secs":null,"full_syncs":0,"partial_syncs":0`
	require.Equal(t, `{"success":true,`+flat+`,"status":{`+flat+`}}`, ask(s, "/job_status", `{"name":"stuck"}`).Body.String())
}

// TestStatusTellsOfASnapshot: how many tablets and about how many bytes are left of it.
func TestStatusTellsOfASnapshot(t *testing.T) {
	since := time.Date(2026, 12, 1, 3, 0, 0, 0, time.UTC)
	told := func(c *job.Copying) string {
		b, err := json.Marshal(newStatus("j1", job.Status{Copying: c}))
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, told(&job.Copying{Left: 30, Most: 120, Since: since, AboutBytes: 4000}),
		`"copying":{"tablets":120,"tablets_left":30,"since":"2026-12-01T03:00:00Z","about_bytes":4000,"about_bytes_done":3000}`)
	require.NotContains(t, told(&job.Copying{Left: 30, Most: 120, Since: since}), "bytes", "nobody knows")
	require.NotContains(t, told(nil), "copying")
}

func TestJobDetail(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.spec = job.Spec{
			Name: "j1", UID: "0123456789abcdef",
			Source: job.Cluster{
				Host: "127.0.0.1", Port: 39030, ThriftPort: 39020, User: "root", Password: job.Mask, Database: "d", DatabaseID: 10,
				HostMapping: map[string]string{"1.1.1.1": "2.2.2.2"},
				Frontends:   []meta.Frontend{{Host: "127.0.0.1", Port: 39030, ThriftPort: 39020, IsMaster: true}},
			},
			Destination: job.Cluster{Host: "fe2", Port: 9030, ThriftPort: 9020, User: "u", Password: "ccr1:sealed:box", Database: "e"},
		}
		j.progress = job.Progress{Paused: true, Skip: &job.SkipBinlog{SkipBy: "silence", SkipCommitSeq: 1001}}
	})
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":true,"job_detail":{"name":"j1","id":"0123456789abcdef","sync_type":0,`+
		`"src":{"host":"127.0.0.1","port":"39030","thrift_port":"39020","is_master":true,`+
		`"frontends":[{"host":"127.0.0.1","port":"39030","thrift_port":"39020","is_master":true}],`+
		`"user":"root","password":"******","cluster":"","database":"d","db_id":10,"table":"","table_id":0,"host_mapping":{"1.1.1.1":"2.2.2.2"}},`+
		`"dest":{"host":"fe2","port":"9030","thrift_port":"9020","is_master":false,"frontends":[],`+
		`"user":"u","password":"******","cluster":"","database":"e","db_id":0,"table":"","table_id":0},`+
		`"state":1,"extra":{"reuse_binlog_label":false,"skip_binlog":true,"skip_by":"silence","skip_commit_seq":1001,"skip_table":"","skip_table_id":0},`+
		`"skip_error":false,"allow_table_exists":false,"replication_num":-1,"commit_order":"global"}}`,
		ask(s, "/job_detail", `{"name":"j1"}`).Body.String())

	f.with(func() {
		f.jobs["ccr-job-j1"].activity = job.ActivityStream
		f.jobs["ccr-job-j1"].beat = &job.Heartbeat{Position: job.Position{CommitSeq: 1001}}
	})
	require.Contains(t, ask(s, "/job_detail", `{"name":"j1"}`).Body.String(), `"skip_binlog":false,"skip_by":""`, "it is passed")

	f.with(func() { f.jobs["ccr-job-j1"].queriesFail = []error{errors.New("broken")} })
	require.Equal(t, `{"success":false,"error_msg":"ask job j1 for job_detail: broken","job_detail":null}`,
		ask(s, "/job_detail", `{"name":"j1"}`).Body.String())
}

func TestJobProgress(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		at := func(s int64) time.Time { return time.Unix(s, 0) }
		j.progress = job.Progress{
			Phase: job.PhaseStream, State: job.DBIncrementalSync, Epoch: 1700000000,
			Position:  job.Position{CommitSeq: 100, TxnID: 5, Timestamp: 1700000060123},
			Tables:    map[int64]job.Table{11: {DestID: 22, Name: "t"}},
			CreatedAt: at(1700000000), FullSyncStartedAt: at(1700000001), IncrementalSyncStartAt: at(1700000050),
			FullSyncs: 1, FullSyncInfo: job.FullSyncInfo{Info: "new job"},
		}
	})
	f.add("part", func(j *fakeJob) {
		j.progress = job.Progress{
			Phase: job.PhaseRestore, State: job.DBPartialSync,
			Tables:        map[int64]job.Table{11: {DestID: 22, Name: "t", CommitSeq: 90}},
			Partitions:    map[int64]int64{5: 91},
			ShadowIndexes: map[int64]int64{7: 8},
			Snapshot:      &job.Snapshot{Partial: &job.PartialSync{TableID: 11, Table: "t", Partitions: []string{"p1"}}, Aliases: map[string]string{"t": "__ccr_t_1"}},
			Pending:       &job.Binlog{CommitSeq: 101, Type: binlog.TypeAddPartition},
			FullSyncs:     2, PartialSyncs: 3, PartialSyncStartedAt: time.Unix(1700000070, 0),
			PartialSyncInfo: job.PartialSyncInfo{CommitSeq: 95, Table: "t", Info: "schema change"},
		}
	})
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":true,"job_progress":{"job_name":"j1","sync_state":3,"sub_sync_state":{"state":-1,"binlog_type":-1},`+
		`"job_sync_id":1700000000,"prev_commit_seq":100,"commit_seq":100,"last_commit_seq":100,"unknown_commit_seq":0,`+
		`"table_mapping":{"11":22},"table_name_mapping":{"11":"t"},"table_commit_seq_map":null,"partition_commit_seq_map":null,"data":"",`+
		`"partial_sync_data":null,"table_aliases":null,"prev_txn_id":5,"shadow_index_map":null,`+
		`"created_at":1700000000,"full_sync_start_at":1700000001,"partial_sync_start_at":0,"incremental_sync_start_at":1700000050,"ingest_binlog_at":1700000060,`+
		`"full_syncs":1,"partial_syncs":0,"full_sync_info":{"prev_commit_seq":0,"commit_seq":0,"sub_sync_state":{"state":0,"binlog_type":-1},"info":"new job"},"partial_sync_info":null}}`,
		ask(s, "/job_progress", `{"name":"j1"}`).Body.String())

	part := ask(s, "/job_progress", `{"name":"part"}`).Body.String()
	for _, want := range []string{
		`"sync_state":4,"sub_sync_state":{"state":3,"binlog_type":1}`, `"commit_seq":101`, `"table_commit_seq_map":{"11":90},"partition_commit_seq_map":{"5":91}`,
		`"partial_sync_data":{"table_id":11,"table":"t","is_view":false,"partition_ids":[],"partitions":["p1"]},"table_aliases":{"t":"__ccr_t_1"}`, `"shadow_index_map":{"7":8}`,
		`"partial_sync_start_at":1700000070,`, `"full_syncs":2,"partial_syncs":3,`,
		`"partial_sync_info":{"prev_commit_seq":95,"commit_seq":95,"table":"t","info":"schema change"}}}`,
	} {
		require.Contains(t, part, want)
	}

	f.with(func() { f.jobs["ccr-job-j1"].queriesFail = []error{errors.New("broken")} })
	require.Contains(t, ask(s, "/job_progress", `{"name":"j1"}`).Body.String(),
		`{"success":false,"error_msg":"ask job j1 for job_state: broken","job_progress":{"job_name":"","sync_state":0,`)
}
