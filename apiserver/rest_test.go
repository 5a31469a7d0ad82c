package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
)

// requireProblem asserts an error of the REST form.
func requireProblem(t *testing.T, rec *httptest.ResponseRecorder, status int, detail string) {
	t.Helper()
	require.Equal(t, status, rec.Code, rec.Body.String())
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	var p problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, status, p.Status)
	require.Equal(t, http.StatusText(status), p.Title)
	require.Contains(t, p.Detail, detail)
	require.NotEmpty(t, p.Instance)
}

func TestResourcesAnswerAsOperatorsDo(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.spec.Source.Password = job.Mask
		j.status.FullSyncs = 1
		j.progress.State = job.DBIncrementalSync
		j.status.Lag = binlog.Lag{Binlogs: 3, ObservedAt: time.Now()}
		j.progress.Events = []job.Event{{At: time.Unix(1700000000, 0).UTC(), Level: "info", Text: "began"}}
	})
	s := newServer(t, f, nil)
	for resource, operator := range map[string]struct{ path, key string }{
		"status":   {"/job_status", "status"},
		"progress": {"/job_progress", "job_progress"},
		"lag":      {"/get_lag", ""},
		"events":   {"/job_events", ""},
	} {
		rec := askBy(s, "GET", "/jobs/j1/"+resource, "")
		require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
		require.Equal(t, "application/json", rec.Header().Get("Content-Type"))
		var got, reply map[string]any
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &got))
		require.NoError(t, json.Unmarshal(ask(s, operator.path, `{"name":"j1"}`).Body.Bytes(), &reply))
		want := reply
		if operator.key != "" {
			want = reply[operator.key].(map[string]any)
		}
		delete(want, "success")
		require.Equal(t, want, got, resource)
	}
	rec := askBy(s, "GET", "/jobs/j1", "")
	var one map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &one))
	require.Equal(t, "running", one["state"])
	require.Equal(t, "db_sync", one["sync_type"])
	require.Equal(t, job.Mask, one["src"].(map[string]any)["password"])
	require.Equal(t, "DBIncrementalSync", one["status"].(map[string]any)["progress_state"])

	require.JSONEq(t, `{"success":true,"events":[{"at":"2023-11-14T22:13:20Z","text":"began","level":"info"}]}`,
		ask(s, "/job_events", `{"name":"j1"}`).Body.String())
}

// A name may be encoded in a path, and is then the same name; one that no job can
// have is not found.
func TestNamesInPaths(t *testing.T) {
	f := newFake()
	f.add("a:b.c", nil)
	s := newServer(t, f, nil)
	for _, path := range []string{"/jobs/a:b.c", "/jobs/a%3Ab%2Ec", "/jobs/a%3ab.c/status", "/jobs/%61:b.c/events"} {
		require.Equal(t, http.StatusOK, askBy(s, "GET", path, "").Code, path)
		require.Equal(t, http.StatusOK, askBy(s, "HEAD", path, "").Code, path)
	}
	for path, name := range map[string]string{"/jobs/x%2Fy": "x/y", "/jobs/%E4%BB%BB": "任", "/jobs/%00": "\x00", "/jobs/a%20b": "a b", "/jobs/a%2525": "a%25"} {
		requireProblem(t, askBy(s, "GET", path, ""), http.StatusNotFound, "job "+name+" not exist")
	}
}

func TestListOfJobs(t *testing.T) {
	f := newFake()
	s := newServer(t, f, nil)
	require.Equal(t, `{"jobs":[]}`, askBy(s, "GET", "/jobs", "").Body.String())
	f.add("good", nil)
	f.add("bad", func(j *fakeJob) { j.queriesFail = []error{errors.New("broken"), errors.New("broken")} })
	s.list.created("good", "")
	s.answers.forget()
	var all jobsResource
	require.NoError(t, json.Unmarshal(askBy(s, "GET", "/jobs", "").Body.Bytes(), &all))
	require.Len(t, all.Jobs, 2)
	require.Equal(t, jobSummary{Name: "bad", Error: "ask job bad for job_status: broken"}, all.Jobs[0])
	require.Equal(t, "good", all.Jobs[1].Name)
	require.Equal(t, "running", all.Jobs[1].Status.State)
}

func TestCommandsAsResources(t *testing.T) {
	f := newFake()
	j := f.add("j1", nil)
	s := newServer(t, f, nil)
	for _, tt := range []struct{ method, path, body, signal string }{
		{"POST", "pause", "", job.SignalPause},
		{"POST", "resume", "{}", job.SignalResume},
		{"POST", "desync", "", job.SignalDesync},
		{"POST", "sync", "", job.SignalSync},
		{"POST", "force_fullsync", "", job.SignalForceFullSync},
		{"POST", "skip_binlog", `{"skip_by":"SILENCE","skip_commit_seq":5}`, job.SignalSkipBinlog},
		{"PATCH", "host_mapping", `{"src_host_mapping":{"a":"b"}}`, job.SignalUpdateHostMapping},
		{"PATCH", "tables", `{"exclude_tables":["tmp_*"]}`, job.SignalUpdateTables},
	} {
		rec := askBy(s, tt.method, "/jobs/j1/"+tt.path, tt.body)
		require.Equal(t, http.StatusNoContent, rec.Code, tt.path+rec.Body.String())
		require.Empty(t, rec.Body.String())
		require.Equal(t, tt.signal, j.signals[len(j.signals)-1].name)
	}
	j.onSignal = func(j *fakeJob, _ string, _ job.Command) { j.closed = true }
	require.Equal(t, http.StatusNoContent, askBy(s, "DELETE", "/jobs/j1", "").Code)
	requireProblem(t, askBy(s, "DELETE", "/jobs/j1", ""), http.StatusNotFound, "job j1 not exist")
}

func TestCreateAsResource(t *testing.T) {
	f := newFake()
	s := newServer(t, f, nil)
	body := `{"name":"j1","src":{"host":"fe1","port":"9030","thrift_port":9020,"user":"root","password":"p","database":"a","table":""},
		"dest":{"host":"fe2","port":"9030","thrift_port":"9020","user":"root","database":"b"}}`
	rec := askBy(s, "POST", "/jobs", body)
	require.Equal(t, http.StatusCreated, rec.Code, rec.Body.String())
	require.Equal(t, "/jobs/j1", rec.Header().Get("Location"))
	require.Equal(t, `{"name":"j1"}`, rec.Body.String())
	require.Equal(t, "192.0.2.1:1234", f.started[0].options.Memo["created_by"])

	requireProblem(t, askBy(s, "POST", "/jobs", body), http.StatusConflict, "already exist")
	requireProblem(t, askBy(s, "POST", "/jobs", ""), http.StatusBadRequest, "EOF")
	requireProblem(t, askBy(s, "POST", "/jobs", `{"nmae":"x"}`), http.StatusBadRequest, `unknown field "nmae"`)
	requireProblem(t, askBy(s, "POST", "/jobs", body+body), http.StatusBadRequest, "more than one JSON value")
	requireProblem(t, askBy(s, "POST", "/jobs", `{"name":"j2"}`), http.StatusUnprocessableEntity, "src spec is invalid")
	requireProblem(t, askBy(s, "POST", "/jobs", `{"name":"`+strings.Repeat("x", bodyLimit)+`"}`), http.StatusRequestEntityTooLarge, "too large")

	f.with(func() {
		f.onStart = func(j *fakeJob) {
			j.closed = true
			j.result = temporal.NewNonRetryableApplicationError("src database a not exists", job.ErrorTypeRefused, nil)
		}
	})
	requireProblem(t, askBy(s, "POST", "/jobs", strings.NewReplacer(`"j1"`, `"j3"`, `"b"`, `"c"`).Replace(body)), http.StatusUnprocessableEntity, "src database a not exists")
}

func TestFailpoints(t *testing.T) {
	s := newServer(t, newFake(), nil)
	require.Equal(t, `{"success":false,"error_msg":"job name is empty"}`, ask(s, "/failpoint", `{}`).Body.String())
	require.Equal(t, `{"success":false,"error_msg":"failpoints are for tests: only a process with API and worker that runs with --enable-failpoints has them"}`,
		ask(s, "/failpoint", `{"name":"j","failpoint":"handle_binlog_failed","value":true}`).Body.String())
	var set failpoint.Set
	s = newServer(t, newFake(), func(o *Options) { o.Failpoints = &set })
	require.Equal(t, `{"success":true}`, ask(s, "/failpoint", `{"name":"j","failpoint":"handle_binlog_failed","value":true}`).Body.String())
	require.Error(t, set.At("j", failpoint.HandleBinlog))
	require.Equal(t, `{"success":true}`, ask(s, "/failpoint", `{"name":"j","failpoint":"handle_binlog_failed","value":null}`).Body.String())
	require.NoError(t, set.At("j", failpoint.HandleBinlog))
}

func TestErrorsOfResources(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.onSignal = func(j *fakeJob, _ string, cmd job.Command) { j.conclude(cmd, "the job is being deleted") }
	})
	f.add("busy", func(j *fakeJob) { j.onSignal = func(*fakeJob, string, job.Command) {} })
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 200 * time.Millisecond })
	requireProblem(t, askBy(s, "GET", "/jobs/nope", ""), http.StatusNotFound, "job nope not exist")
	requireProblem(t, askBy(s, "POST", "/jobs/nope/pause", ""), http.StatusNotFound, "job nope not exist")
	requireProblem(t, askBy(s, "GET", "/jobs/nope/nothing", ""), http.StatusNotFound, "404")
	requireProblem(t, askBy(s, "PUT", "/jobs/j1", ""), http.StatusMethodNotAllowed, "")
	requireProblem(t, askBy(s, "POST", "/jobs/j1/pause", ""), http.StatusConflict, "the job is being deleted")
	requireProblem(t, askBy(s, "POST", "/jobs/j1/skip_binlog", `{"skip_by":"silence"}`), http.StatusUnprocessableEntity, "invalid skip commit seq: 0")
	requireProblem(t, askBy(s, "PATCH", "/jobs/j1/host_mapping", `{}`), http.StatusUnprocessableEntity, "host_mapping is empty")

	rec := askBy(s, "POST", "/jobs/busy/pause", "")
	require.Equal(t, http.StatusAccepted, rec.Code)
	require.Equal(t, `{"detail":"pause of job busy is recorded, but not carried out yet: the job is busy; its events (job_events) will tell what became of it"}`, rec.Body.String())

	f.with(func() { f.noWorker = true })
	requireProblem(t, askBy(s, "GET", "/jobs/j1/status", ""), http.StatusServiceUnavailable, "no worker is running")
	f.with(func() { f.noWorker, f.down = false, serviceerror.NewUnavailable("gone") })
	requireProblem(t, askBy(s, "DELETE", "/jobs/j1", ""), http.StatusServiceUnavailable, "look for job j1: gone")
}
