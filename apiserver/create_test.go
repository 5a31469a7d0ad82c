package apiserver

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/secret"
)

// minimal is the example of http-api.md 3.2, byte by byte.
const minimal = `{"name":"ccr_test",
 "src":{"host":"fe1","port":"9030","thrift_port":"9020","user":"root","password":"","database":"db_a","table":""},
 "dest":{"host":"fe2","port":"9030","thrift_port":"9020","user":"root","password":"","database":"db_b","table":""}}`

func serve(s *Server, req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	return rec
}

// TestCreateOverTheWire sends what curl sends and reads what curl reads.
func TestCreateOverTheWire(t *testing.T) {
	f := newFake()
	s := newServer(t, f, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()

	conn, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	fmt.Fprintf(conn, "POST /create_ccr HTTP/1.1\r\nHost: %s\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		l.Addr(), len(minimal), minimal)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
	require.Equal(t, `{"success":true}`, string(body))

	cancel()
	select {
	case err := <-served:
		require.NoError(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("the server did not stop")
	}

	require.Len(t, f.started, 1)
	got := f.started[0]
	require.Equal(t, "ccr-job-ccr_test", got.options.ID)
	require.Equal(t, job.TaskQueue, got.options.TaskQueue)
	require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL, got.options.WorkflowIDConflictPolicy)
	require.True(t, got.options.WorkflowExecutionErrorWhenAlreadyStarted)
	require.Equal(t, "replicate db_a to db_b", got.options.StaticSummary)
	kind, ok := got.options.TypedSearchAttributes.GetKeyword(temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeSyncType))
	require.True(t, ok)
	require.Equal(t, "db_sync", kind)
	require.Nil(t, got.input.Progress)
	require.Regexp(t, `^[0-9a-f]{16}$`, got.input.Spec.UID)
	require.WithinDuration(t, time.Now(), got.input.Spec.CreatedAt, time.Minute)
	spec := got.input.Spec
	spec.UID, spec.CreatedAt = "", time.Time{}
	require.Equal(t, job.Spec{
		Name:        "ccr_test",
		Source:      job.Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "root", Database: "db_a"},
		Destination: job.Cluster{Host: "fe2", Port: 9030, ThriftPort: 9020, User: "root", Database: "db_b"},
	}, spec)
}

// body is minimal with one key changed; a nil value removes it.
func body(t *testing.T, path string, value any) string {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(minimal), &m))
	at := m
	keys := strings.Split(path, ".")
	for _, k := range keys[:len(keys)-1] {
		at = at[k].(map[string]any)
	}
	if value == nil {
		delete(at, keys[len(keys)-1])
	} else {
		at[keys[len(keys)-1]] = value
	}
	b, err := json.Marshal(m)
	require.NoError(t, err)
	return string(b)
}

func TestCreateAccepts(t *testing.T) {
	for _, tt := range []struct {
		name, path string
		value      any
		check      func(*testing.T, job.Spec)
	}{
		{"ports as numbers", "src.port", 9031, func(t *testing.T, s job.Spec) { require.Equal(t, 9031, s.Source.Port) }},
		{"host mapping", "dest.host_mapping", map[string]string{"a": "b", "c": ""}, func(t *testing.T, s job.Spec) {
			require.Equal(t, map[string]string{"a": "b"}, s.Destination.HostMapping)
		}},
		{"except_table", "except_table", "a, b,", func(t *testing.T, s job.Spec) { require.Equal(t, []string{"a", "b"}, s.Exclude) }},
		{"what the server fills in", "src.frontends", []string{"x"}, nil},
		{"skip_error", "skip_error", true, func(t *testing.T, s job.Spec) { require.True(t, s.SkipError) }},
		{"reuse_binlog_label", "reuse_binlog_label", true, func(t *testing.T, s job.Spec) { require.True(t, s.ReuseBinlogLabel) }},
		{"replication_num", "replication_num", 2, func(t *testing.T, s job.Spec) { require.Equal(t, 2, s.ReplicationNum) }},
		{"replication_num -1", "replication_num", -1, nil},
		{"commit_order", "commit_order", "per_table", func(t *testing.T, s job.Spec) { require.Equal(t, job.CommitOrderPerTable, s.CommitOrder) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			s := newServer(t, f, nil)
			rec := ask(s, "/create_ccr", body(t, tt.path, tt.value))
			require.Equal(t, `{"success":true}`, rec.Body.String())
			require.Equal(t, http.StatusOK, rec.Code)
			if tt.check != nil {
				tt.check(t, f.started[0].input.Spec)
			}
		})
	}
}

func TestCreateRefuses(t *testing.T) {
	f := newFake()
	f.add("used", nil)
	f.add("leaving", func(j *fakeJob) { j.status.Phase = job.PhaseDeleting })
	s := newServer(t, f, nil)
	for _, tt := range []struct {
		body string
		code int
		want string
	}{
		{``, 400, `EOF`},
		{`{`, 400, `unexpected EOF`},
		{`{bad`, 400, `invalid character 'b' looking for beginning of object key string`},
		{body(t, "src.port", true), 400, `json: a port is a number, or a string of digits`},
		{body(t, "src.port", "x"), 400, `json: a port is a number, or a string of digits`},
		{`{"name":"used"}`, 200, `job is invalid: [normal] job used already exist`},
		{`{"name":"leaving"}`, 200, `job is invalid: [normal] job leaving already exist: job is being deleted, please wait and retry`},
		{`{}`, 200, `job is invalid: [normal] name is empty`},
		{`{"name":"n"}`, 200, `job is invalid: src spec is invalid: [normal] host is empty`},
		{body(t, "src.port", nil), 200, `job is invalid: src spec is invalid: [normal] port is invalid: `},
		{body(t, "src.port", 70000), 200, `job is invalid: src spec is invalid: [normal] port is invalid: 70000`},
		{body(t, "src.thrift_port", ""), 200, `job is invalid: src spec is invalid: [normal] thrift_port is invalid: `},
		{body(t, "src.user", nil), 200, `job is invalid: src spec is invalid: [normal] user is empty`},
		{body(t, "dest.database", nil), 200, `job is invalid: dest spec is invalid: [normal] database is empty`},
		{body(t, "src.table", "t"), 200, `job is invalid: [normal] src/dest are not both db or table sync`},
		{body(t, "replication_num", 0), 200, `job is invalid: [normal] replication_num 0 is neither -1 nor more than 0`},
	} {
		rec := ask(s, "/create_ccr", tt.body)
		require.Equal(t, tt.code, rec.Code, tt.body)
		require.Equal(t, `{"success":false,"error_msg":"`+tt.want+`"}`, rec.Body.String(), tt.body)
	}
	for _, name := range []string{`a"b`, "a`b", "a'b", "ä", "a b", "a/b", "日本", "a\nb", strings.Repeat("n", 201)} {
		rec := ask(s, "/create_ccr", body(t, "name", name))
		require.Contains(t, rec.Body.String(), `{"success":false,"error_msg":"job is invalid: [normal] name`, name)
	}
	require.Empty(t, f.started)
}

func TestCreateSealsPasswords(t *testing.T) {
	const password = "tr0ub4dor&3"
	f := newFake()
	s := newServer(t, f, nil)
	rec := ask(s, "/create_ccr", body(t, "src.password", password))
	require.Equal(t, `{"success":true}`, rec.Body.String())
	input, err := json.Marshal(f.started[0].input)
	require.NoError(t, err)
	require.NotContains(t, string(input), "tr0ub4dor")
	opened, err := s.keyring.Open(f.started[0].input.Spec.Source.Password)
	require.NoError(t, err)
	require.Equal(t, password, opened)
	require.NotContains(t, fmt.Sprint(f.started[0].options.StaticDetails, f.started[0].options.Memo), "tr0ub4dor")
	detail := ask(s, "/job_detail", `{"name":"ccr_test"}`).Body.String()
	require.Contains(t, detail, `"password":"******"`)
	require.NotContains(t, detail, "tr0ub4dor")
	require.NotContains(t, detail, string(f.started[0].input.Spec.Source.Password))

	t.Run("without a key nothing is started", func(t *testing.T) {
		f := newFake()
		s := newServer(t, f, func(o *Options) { o.Keyring = &secret.Keyring{} })
		text := ask(s, "/create_ccr", body(t, "src.password", password)).Body.String()
		require.Contains(t, text, "src: seal password: no secret key")
		require.NotContains(t, text, password)
		require.Empty(t, f.started)
	})
}

func TestCreateAnswersTheRefusalOfTheFirstChecks(t *testing.T) {
	f := newFake()
	f.onStart = func(j *fakeJob) {
		j.closed = true
		j.result = fmt.Errorf("workflow execution error: %w",
			temporal.NewNonRetryableApplicationError("src database db_a not exists", job.ErrorTypeRefused, nil))
	}
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":false,"error_msg":"src database db_a not exists"}`, ask(s, "/create_ccr", minimal).Body.String())
	require.Equal(t, `{"success":true,"jobs":[]}`, ask(s, "/list_jobs", "{}").Body.String())
}

func TestCreateWithoutWorkerStartsNothing(t *testing.T) {
	f := newFake()
	f.noWorker = true
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 50 * time.Millisecond })
	require.Equal(t, `{"success":false,"error_msg":"job ccr_test is not created: no worker is running: nobody polls the task queue \"ccr\" of namespace \"default\"; start one with \"ccr worker\" or \"ccr server\""}`,
		ask(s, "/create_ccr", minimal).Body.String())
	require.Empty(t, f.started)
}

func TestCreateSaysThatChecksGoOn(t *testing.T) {
	f := newFake()
	f.onStart = func(*fakeJob) {}
	s := newServer(t, f, func(o *Options) { o.CreateTimeout = 50 * time.Millisecond })
	require.Equal(t, `{"success":false,"error_msg":"job ccr_test is created, but its first checks are still going on: look at job_status"}`,
		ask(s, "/create_ccr", minimal).Body.String())
}

func TestCreateThatSomebodyElseWins(t *testing.T) {
	f := newFake()
	f.raced = true
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":false,"error_msg":"job is invalid: [normal] job ccr_test already exist"}`, ask(s, "/create_ccr", minimal).Body.String())
	require.Equal(t, `{"success":true,"jobs":[]}`, ask(s, "/list_jobs", "{}").Body.String())
}

// Nothing that somebody has asked for is passed over in silence.
func TestCreateWarnsOfWhatItIgnores(t *testing.T) {
	for _, tt := range []struct {
		path string
		want []string
	}{
		{"exclude_table", []string{`the key "exclude_table" is not known, and ignored: did you mean exclude_tables?`}},
		{"src.hostmapping", []string{`the key "src.hostmapping" is not known, and ignored: did you mean host_mapping?`}},
		{"cluster_sync", []string{`the key "cluster_sync" is not known, and ignored`}},
	} {
		f := newFake()
		s := newServer(t, f, nil)
		var reply createReply
		require.NoError(t, json.Unmarshal(ask(s, "/create_ccr", body(t, tt.path, true)).Body.Bytes(), &reply))
		require.True(t, reply.Success)
		require.Equal(t, tt.want, reply.Warnings)
		require.Equal(t, tt.want, f.started[len(f.started)-1].input.Warnings)
	}
	require.Equal(t, []string{"there is more than one JSON value: only the first is read"}, passedOver([]byte(`{"name":"x"} {}`)))
}
