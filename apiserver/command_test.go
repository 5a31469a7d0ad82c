package apiserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/job"
)

func TestCommandsReachTheJob(t *testing.T) {
	for _, tt := range []struct {
		path, body, signal string
		want               job.Command
	}{
		{"/pause", `{"name":"j1"}`, job.SignalPause, job.Command{}},
		{"/resume", `{"name":"j1"}`, job.SignalResume, job.Command{}},
		{"/desync", `{"name":"j1"}`, job.SignalDesync, job.Command{}},
		{"/sync", `{"name":"j1"}`, job.SignalSync, job.Command{}},
		{"/force_fullsync", `{"name":"j1"}`, job.SignalForceFullSync, job.Command{}},
		{"/job_skip_binlog", `{"name":"j1","skip_by":"Silence","skip_commit_seq":1001}`, job.SignalSkipBinlog,
			job.Command{SkipBinlog: job.SkipBinlog{SkipBy: "silence", SkipCommitSeq: 1001}}},
		{"/job_skip_binlog", `{"name":"j1","skip_by":"fullsync"}`, job.SignalSkipBinlog,
			job.Command{SkipBinlog: job.SkipBinlog{SkipBy: "fullsync"}}},
		{"/job_skip_binlog", `{"name":"j1","skip_by":"partialsync","skip_table":"t","skip_table_id":3}`, job.SignalSkipBinlog,
			job.Command{SkipBinlog: job.SkipBinlog{SkipBy: "partialsync", SkipTable: "t", SkipTableID: 3}}},
		{"/update_host_mapping", `{"name":"j1","src_host_mapping":{"172.168.1.1":"10.0.10.1","172.168.1.5":""}}`, job.SignalUpdateHostMapping,
			job.Command{HostMappings: job.HostMappings{Source: map[string]string{"172.168.1.1": "10.0.10.1", "172.168.1.5": ""}}}},
		{"/add_host_mapping", `{"name":"j1","dest_host_mapping":{"a":"b"}}`, job.SignalUpdateHostMapping,
			job.Command{HostMappings: job.HostMappings{Destination: map[string]string{"a": "b"}}}},
	} {
		f := newFake()
		j := f.add("j1", nil)
		s := newServer(t, f, nil)
		require.Equal(t, `{"success":true}`, ask(s, tt.path, tt.body).Body.String(), tt.path)
		require.Len(t, j.signals, 1)
		got := j.signals[0]
		require.Equal(t, tt.signal, got.name)
		require.Regexp(t, `^[0-9a-f]{16}$`, got.cmd.RequestID)
		require.Equal(t, "192.0.2.1:1234", got.cmd.By) // httptest's client
		got.cmd.RequestID, got.cmd.By = "", ""
		require.Equal(t, tt.want, got.cmd)
	}
}

func TestBadSkipsAreRefusedUnsent(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newServer(t, f, nil)
	for body, want := range map[string]string{
		`{"name":"j1"}`:                                          "[normal] invalid skip method: : skip_by is silence, partialsync or fullsync",
		`{"name":"j1","skip_by":"guess"}`:                        "[normal] invalid skip method: guess: skip_by is silence, partialsync or fullsync",
		`{"name":"j1","skip_by":"silence"}`:                      "[normal] invalid skip commit seq: 0: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again",
		`{"name":"j1","skip_by":"partialsync"}`:                  "[normal] invalid skip table: , table id: 0: partialsync needs skip_table and skip_table_id (table_name_mapping of job_progress)",
		`{"name":"nope","skip_by":"guess"}`:                      "job nope not exist",
		`{"name":"j1","skip_by":"silence","skip_commit_seq":-1}`: "[normal] invalid skip commit seq: -1: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again",
	} {
		require.Equal(t, `{"success":false,"error_msg":"`+want+`"}`, ask(s, "/job_skip_binlog", body).Body.String())
	}
	require.Empty(t, j.signals)
}

func TestCommandWaitsForItsOutcome(t *testing.T) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.onSignal = func(*fakeJob, string, job.Command) {} // carried out below
	})
	s := newServer(t, f, nil)
	reply := make(chan string, 1)
	go func() { reply <- ask(s, "/pause", `{"name":"j1"}`).Body.String() }()

	f.awaitSignal(t, j)
	require.Empty(t, reply)
	f.with(func() {
		j.conclude(job.Command{RequestID: "somebody else's"}, "not ours")
		j.status.Running = false
		j.conclude(j.signals[0].cmd, "")
	})
	require.Equal(t, `{"success":true}`, <-reply)
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), `"state":"paused"`)
}

func TestRefusedCommandTellsWhy(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.onSignal = func(j *fakeJob, _ string, cmd job.Command) { j.conclude(cmd, "the job is being deleted") }
	})
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":false,"error_msg":"the job is being deleted"}`, ask(s, "/pause", `{"name":"j1"}`).Body.String())
}

func TestCommandThatIsNotCarriedOutInTime(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) { j.onSignal = func(*fakeJob, string, job.Command) {} })
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 50 * time.Millisecond })
	require.Equal(t, `{"success":false,"error_msg":"pause of job j1 is recorded, but not carried out yet: the job is busy; its events (job_events) will tell what became of it"}`,
		ask(s, "/pause", `{"name":"j1"}`).Body.String())

	f.with(func() { f.noWorker = true })
	text := ask(s, "/pause", `{"name":"j1"}`).Body.String()
	require.Contains(t, text, "pause of job j1 is recorded, but not carried out yet: ask job j1 for job_status: no worker is running: ")
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), "no worker is running")
}

func TestYoungJobIsWaitedFor(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.queriesFail = []error{serviceerror.NewWorkflowNotReady("first task"), serviceerror.NewWorkflowNotReady("first task")}
	})
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), `"success":true`)
}

func TestDeleteWaitsUntilTheNameIsFree(t *testing.T) {
	f := newFake()
	j := f.add("ccr_test", func(j *fakeJob) { j.onSignal = func(*fakeJob, string, job.Command) {} })
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":true,"jobs":["ccr_test"]}`, ask(s, "/list_jobs", "{}").Body.String())
	reply := make(chan string, 1)
	go func() { reply <- ask(s, "/delete", `{"name":"ccr_test"}`).Body.String() }()
	f.awaitSignal(t, j)
	require.Empty(t, reply)
	f.with(func() { j.closed = true })
	require.Equal(t, `{"success":true}`, <-reply)
	require.Equal(t, job.SignalDelete, j.signals[0].name)

	require.Equal(t, `{"success":false,"error_msg":"job ccr_test not exist"}`, ask(s, "/delete", `{"name":"ccr_test"}`).Body.String())
	require.Equal(t, `{"success":true,"jobs":[]}`, ask(s, "/list_jobs", "{}").Body.String())
	require.Equal(t, `{"success":true}`, ask(s, "/create_ccr", minimal).Body.String())
	require.Equal(t, `{"success":true,"jobs":["ccr_test"]}`, ask(s, "/list_jobs", "{}").Body.String())
}

func TestDeleteWithoutWorker(t *testing.T) {
	f := newFake()
	f.add("j1", nil)
	f.noWorker = true
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 50 * time.Millisecond })
	require.Contains(t, ask(s, "/delete", `{"name":"j1"}`).Body.String(), "delete of job j1 is recorded, but not carried out yet: no worker is running")
}
