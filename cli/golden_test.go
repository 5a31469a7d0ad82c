package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// go test ./cli -run Golden -update writes the expected outputs anew.
var update = flag.Bool("update", false, "write testdata/*.golden anew")

// recordedAt is a moment after the answers in testdata/answers were recorded.
var recordedAt = time.Date(2026, 11, 30, 21, 25, 10, 0, time.UTC)

// answer is what a recorded server says to a request.
type answer struct {
	status int
	body   string
}

// recorded is a server that answers as a real one has: testdata/answers has what it said
// about three jobs.
type recorded struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]answer // by method and path; they come before the recorded ones
	calls   []string          // what was not just read: method, path and body
	token   string            // the only one that is known, "" if none is asked for
}

func newRecorded(t *testing.T, answers map[string]answer) *recorded {
	r := &recorded{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		a := r.answer(req.Method+" "+req.URL.EscapedPath(), req.Header.Get("Authorization"), string(body))
		if a.status >= 300 || a.status == http.StatusAccepted {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorded) answer(what, authorization, body string) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.token != "" && authorization != "Bearer "+r.token {
		return answer{401, `{"title":"Unauthorized","status":401,"detail":"no token, or one that nobody knows"}`}
	}
	if !strings.HasPrefix(what, "GET ") && what != "POST /list_jobs" {
		r.calls = append(r.calls, strings.TrimSpace(what+" "+body))
	}
	if a, found := r.answers[what]; found {
		return a
	}
	method, path, _ := strings.Cut(what, " ")
	if method != http.MethodGet && path != "/list_jobs" {
		return answer{204, ""}
	}
	name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(path, "/api/v1"), "/"), "/", "_")
	name = strings.ReplaceAll(strings.Replace(name, "jobs_", "job_", 1), "list_job_", "list_jobs")
	text, err := os.ReadFile(filepath.Join("testdata", "answers", name+".json"))
	if err != nil {
		of := strings.Split(path, "/")[2]
		return answer{404, fmt.Sprintf(`{"title":"Not Found","status":404,"detail":"job %s not exist","instance":%q}`, of, path)}
	}
	return answer{200, string(text)}
}

// session is a command line that is tried, at the moment recordedAt.
type session struct {
	environ []string
	stdin   io.Reader // nil: whoever reads finds the end
}

func (s session) run(ctx context.Context, args ...string) (out, failure string, status int) {
	var text bytes.Buffer
	p := CCR("v0.4.0:test", s.environ)
	p.now = func() time.Time { return recordedAt }
	cmd := p.Root()
	cmd.SetOut(&text)
	cmd.SetErr(&text)
	cmd.SetIn(s.stdin)
	if s.stdin == nil {
		cmd.SetIn(strings.NewReader(""))
	}
	cmd.SetArgs(args)
	if err := cmd.ExecuteContext(ctx); err != nil {
		return text.String(), "ccr: " + err.Error() + "\n", exitStatus(err)
	}
	return text.String(), "", 0
}

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// TestGolden: what each command prints, asks the server to do, and ends with.
func TestGolden(t *testing.T) {
	refused := func(status int, detail string) answer {
		return answer{status, fmt.Sprintf(`{"title":%q,"status":%d,"detail":%q}`, http.StatusText(status), status, detail)}
	}
	for name, tt := range map[string]struct {
		args    []string
		stdin   string
		answers map[string]answer
	}{
		"list":               {args: []string{"job", "list"}},
		"list_wide":          {args: []string{"job", "list", "-o", "wide", "--sort", "state"}},
		"list_json":          {args: []string{"job", "list", "-o", "json", "web*"}},
		"list_yaml":          {args: []string{"job", "list", "-o", "yaml", "--state", "stalled"}},
		"list_name":          {args: []string{"job", "list", "-o", "name", "--sort", "lag"}},
		"list_unknown":       {args: []string{"job", "list"}, answers: map[string]answer{"GET /jobs": {200, `{"jobs":[{"name":"old","error":"ask job old for job_status:\nno worker\u001b[2J is running"}]}`}}},
		"list_behind":        {args: []string{"job", "list"}, answers: map[string]answer{"GET /jobs": {200, `{"jobs":[{"name":"a","status":{"state":"running","progress_state":"DBIncrementalSync","lag":3,"lag_secs":1,"behind_secs":100000}},{"name":"b","status":{"state":"running","progress_state":"DBFullSync","lag":null,"lag_secs":null}}]}`}}},
		"list_bad_output":    {args: []string{"job", "list", "-o", "xml"}},
		"list_bad_state":     {args: []string{"job", "list", "--state", "sleeping"}},
		"describe":           {args: []string{"job", "describe", "weblogs"}},
		"describe_two":       {args: []string{"job", "describe", "sales", "nope", "crm"}},
		"describe_yaml":      {args: []string{"job", "describe", "sales", "-o", "yaml"}},
		"describe_none":      {args: []string{"job", "describe"}},
		"events":             {args: []string{"job", "events", "weblogs"}},
		"events_json":        {args: []string{"job", "events", "weblogs", "--tail", "1", "-o", "json"}},
		"events_warn":        {args: []string{"job", "events", "weblogs", "--level", "warn", "--since", "1h"}},
		"lag":                {args: []string{"job", "lag", "weblogs"}},
		"lag_wide":           {args: []string{"job", "lag", "weblogs", "-o", "wide"}},
		"lag_json":           {args: []string{"job", "lag", "weblogs", "weblogs", "-o", "json"}},
		"tables":             {args: []string{"job", "tables", "sales"}},
		"tables_json":        {args: []string{"job", "tables", "sales", "-o", "json"}},
		"tables_change":      {args: []string{"job", "tables", "sales", "--include", "a*,b", "--include", "c", "--exclude", ""}},
		"hosts":              {args: []string{"job", "hosts", "weblogs"}},
		"hosts_yaml":         {args: []string{"job", "hosts", "sales", "-o", "yaml"}},
		"hosts_change":       {args: []string{"job", "hosts", "weblogs", "--src", "10.0.0.2=h2", "--src", "10.0.0.1=", "--dest", "a=b"}},
		"hosts_move":         {args: []string{"job", "hosts", "sales", "--src-host", "fe9", "--dest-port", "9031", "--force"}},
		"hosts_tls":          {args: []string{"job", "hosts", "sales", "--src-tls", "verify-full", "--dest-tls", "", "--dest-tls-ca", ""}},
		"apply_tls":          {args: []string{"job", "apply", "-f", "testdata/tls.yaml"}},
		"options":            {args: []string{"job", "options", "sales", "--commit-order", "per_table", "--replication-num", "2"}},
		"options_none":       {args: []string{"job", "options", "sales"}},
		"apply_moved":        {args: []string{"job", "apply", "-f", "testdata/moved.yaml"}},
		"hosts_mistake":      {args: []string{"job", "hosts", "weblogs", "--src", "10.0.0.2"}},
		"pause":              {args: []string{"job", "pause", "sales", "crm"}},
		"pause_pending":      {args: []string{"job", "pause", "sales", "crm"}, answers: map[string]answer{"POST /jobs/sales/pause": {202, `{"detail":"pause of job sales is recorded, but not carried out yet: the job is busy"}`}}},
		"resume":             {args: []string{"job", "resume", "sales"}},
		"resume_denied":      {args: []string{"job", "resume", "sales"}, answers: map[string]answer{"POST /jobs/sales/resume": refused(403, "token maria has the role read, this needs operate")}},
		"desync":             {args: []string{"job", "desync", "sales"}},
		"fullsync":           {args: []string{"job", "force-fullsync", "sales"}, stdin: "y\n"},
		"fullsync_no":        {args: []string{"job", "force-fullsync", "sales"}, stdin: "n\n"},
		"partial":            {args: []string{"job", "partial-sync", "sales", "users"}},
		"partial_unknown":    {args: []string{"job", "partial-sync", "sales", "nothing"}},
		"skip":               {args: []string{"job", "skip", "weblogs"}, stdin: "yes\n"},
		"binlogs":            {args: []string{"job", "binlogs", "weblogs"}},
		"binlogs_wide":       {args: []string{"job", "binlogs", "weblogs", "-o", "wide"}},
		"skip_no":            {args: []string{"job", "skip", "weblogs"}, stdin: "\n"},
		"skip_yes":           {args: []string{"job", "skip", "weblogs", "--commit-seq", "5022", "--yes"}},
		"skip_nothing":       {args: []string{"job", "skip", "sales"}},
		"skip_later":         {args: []string{"job", "skip", "sales", "--commit-seq", "6000", "--yes"}},
		"skip_past":          {args: []string{"job", "skip", "sales", "--commit-seq", "5001", "--yes"}},
		"delete":             {args: []string{"job", "delete", "sales", "nope"}, stdin: "y\n", answers: map[string]answer{"DELETE /jobs/nope": refused(404, "job nope not exist")}},
		"delete_ignore":      {args: []string{"job", "delete", "nope", "--yes", "--ignore-not-found"}, answers: map[string]answer{"DELETE /jobs/nope": refused(404, "job nope not exist")}},
		"create":             {args: []string{"job", "create", "-f", "testdata/jobs.yaml"}},
		"create_taken":       {args: []string{"job", "create", "-f", "testdata/job.json"}, answers: map[string]answer{"POST /jobs": refused(409, "job is invalid: [normal] job sales already exist")}},
		"create_misspelt":    {args: []string{"job", "create", "-f", "-"}, stdin: "name: a\nsrc: {host: h, pasword: hunter2}\n"},
		"create_no_yaml":     {args: []string{"job", "create", "-f", "-"}, stdin: "name: [a\n"},
		"create_no_port":     {args: []string{"job", "create", "-f", "-"}, stdin: "name: a\nsrc: {host: h, port: hunter2}\n"},
		"create_wrong_type":  {args: []string{"job", "create", "-f", "-"}, stdin: "name: a\nreplication_num: hunter2\n"},
		"create_twice":       {args: []string{"job", "create", "-f", "testdata/job.json", "-f", "testdata/job.json"}},
		"create_no_file":     {args: []string{"job", "create"}},
		"create_gone":        {args: []string{"job", "create", "-f", "testdata/nothing.yaml"}},
		"apply":              {args: []string{"job", "apply", "-f", "testdata/jobs.yaml"}},
		"apply_dry":          {args: []string{"job", "apply", "-f", "testdata/jobs.yaml", "--dry-run"}},
		"apply_exit":         {args: []string{"job", "apply", "-f", "testdata/jobs.yaml", "--dry-run", "--exit-code", "-o", "json"}},
		"apply_same":         {args: []string{"job", "apply", "-f", "testdata/same.yaml"}},
		"apply_impossible":   {args: []string{"job", "apply", "-f", "testdata/impossible.yaml", "-f", "testdata/jobs.yaml"}},
		"apply_credentials":  {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--credentials"}},
		"apply_prune":        {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--prune", "s"}, answers: map[string]answer{"POST /list_jobs": {200, `{"success":true,"jobs":["crm","sales","sales_old","weblogs"]}`}}, stdin: "y\n"},
		"apply_prune_no":     {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--prune", "s"}, answers: map[string]answer{"POST /list_jobs": {200, `{"success":true,"jobs":["sales","sales_old"]}`}}, stdin: "\n"},
		"apply_prune_dry":    {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--prune", "s", "--dry-run"}, answers: map[string]answer{"POST /list_jobs": {200, `{"success":true,"jobs":["sales","sales_old"]}`}}},
		"apply_prune_other":  {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--prune", "team_", "--yes"}},
		"apply_empty":        {args: []string{"job", "apply", "-f", "testdata/empty.yaml", "--prune", "s", "--yes"}},
		"apply_bad_name":     {args: []string{"job", "apply", "-f", "testdata/bad_name.yaml", "--dry-run"}},
		"apply_bad_order":    {args: []string{"job", "apply", "-f", "testdata/bad_order.yaml", "--dry-run"}},
		"apply_prune_all":    {args: []string{"job", "apply", "-f", "testdata/same.yaml", "--prune", "", "--yes"}},
		"credentials":        {args: []string{"job", "credentials", "sales", "--src-user", "ccr2", "--src-password-env", "SRC_PW"}},
		"credentials_asked":  {args: []string{"job", "credentials", "sales", "--dest-password"}, stdin: " new one \n"},
		"credentials_none":   {args: []string{"job", "credentials", "sales"}},
		"credentials_env":    {args: []string{"job", "credentials", "sales", "--dest-password-env", "NOTHING"}},
		"wait":               {args: []string{"job", "wait", "sales", "--for", "incremental"}},
		"wait_in_vain":       {args: []string{"job", "wait", "weblogs", "--for", "running", "--timeout", "2s"}},
		"wait_lag":           {args: []string{"job", "wait", "weblogs", "--for", "lag<2"}},
		"wait_lag_vain":      {args: []string{"job", "wait", "weblogs", "--for", "lag=0", "--timeout", "2s"}},
		"wait_behind":        {args: []string{"job", "wait", "weblogs", "--for", "behind<=1m"}},
		"wait_deleted":       {args: []string{"job", "wait", "nope", "--for", "deleted"}},
		"wait_gone":          {args: []string{"job", "wait", "nope", "--for", "paused"}},
		"wait_what":          {args: []string{"job", "wait", "sales", "--for", "lag<soon"}},
		"wait_nothing":       {args: []string{"job", "wait", "sales"}},
		"cluster_list":       {args: []string{"cluster", "list"}},
		"cluster_describe":   {args: []string{"cluster", "describe", "127.0.0.77:29030"}},
		"cluster_job":        {args: []string{"cluster", "describe", "--job", "weblogs", "-o", "yaml"}},
		"cluster_unknown":    {args: []string{"cluster", "describe", "fe9:9030"}},
		"cluster_bad":        {args: []string{"cluster", "describe"}, answers: map[string]answer{"GET /api/v1/clusters": {200, badCluster}}},
		"cluster_bad_list":   {args: []string{"cluster", "list"}, answers: map[string]answer{"GET /api/v1/clusters": {200, badCluster}}},
		"no_worker":          {args: []string{"job", "lag", "weblogs"}, answers: map[string]answer{"GET /jobs/weblogs/lag": refused(503, "no worker is running: start one")}},
		"stranger":           {args: []string{"job", "list"}, answers: map[string]answer{"GET /jobs": {404, "404 page not found"}}},
		"stranger_too":       {args: []string{"job", "list"}, answers: map[string]answer{"GET /jobs": {200, "<html>"}}},
		"version_server":     {args: []string{"version", "--server"}},
		"version_json":       {args: []string{"version", "-o", "json"}},
		"unknown_command":    {args: []string{"job", "lits"}},
		"verify_gone":        {args: []string{"job", "verify", "nope", "--detach"}, answers: map[string]answer{"POST /verify": {200, `{"success":false,"error_msg":"job nope not exist"}`}}},
		"verify_different":   {args: []string{"job", "verify", "status", "sales"}, answers: map[string]answer{"POST /verify_status": {200, `{"success":true,"result":"different","report":{"id":"r1","job":"sales","state":"done","total":2,"equal":1,"different":1,"started_at":"2026-11-30T21:00:00Z","ended_at":"2026-11-30T21:01:00Z","request":{}}}`}}},
		"repair":             {args: []string{"job", "repair", "sales", "--report", "r1", "--dry-run", "--detach"}, answers: map[string]answer{"POST /repair": {200, `{"success":true,"report":"r2"}`}}},
		"mistaken_flag":      {args: []string{"job", "list", "--wach"}},
		"context_and_api":    {args: []string{"job", "list", "--context", "prod"}},
		"partial_sync_usage": {args: []string{"job", "partial-sync", "sales"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRecorded(t, tt.answers)
			s := session{environ: []string{"SRC_PW=s3cret"}, stdin: strings.NewReader(tt.stdin)}
			args := tt.args
			if tt.args[0] != "version" || len(tt.args) > 1 && tt.args[1] == "--server" {
				args = append(append([]string{}, tt.args...), "--api", r.URL)
			}
			out, failure, status := s.run(t.Context(), args...)
			require.NotContains(t, out+failure, "hunter2", "values of a file are never shown")
			require.NotContains(t, out+failure, "s3cret")
			text := fmt.Sprintf("$ ccr %s\n%s%s[%d]\n", strings.Join(tt.args, " "), out, failure, status)
			for _, call := range r.calls {
				text += "> " + call + "\n"
			}
			golden(t, name, strings.ReplaceAll(text, r.URL, "http://ccr.example:9190"))
		})
	}
}

// badCluster is a cluster with everything that can be wrong.
const badCluster = `{"clusters":[{"name":"fe1:9030","seen_through":"sales","side":"src","from":"worker1","at":"2026-11-30T21:25:00Z",
"frontends":[{"host":"fe1","port":9030,"thrift_port":9020,"is_master":false,"reached":false,"error":"ccr on worker1 does not reach fe1:9030"}],"frontends_untold":true,
"backends":[{"id":7,"host":"be1","private":"10.0.0.7","port":9060,"http_port":8040,"alive":false,"reached":true}],
"logs":[{"database":"sales","enabled":true,"ttl_seconds":3600,"max_bytes":1000,"max_binlogs":5},{"database":"hr","table":"t","enabled":false,"ttl_seconds":0,"error":"cannot read"}],
"errors":["source cluster fe1:9030: cannot list backends"],
"jobs":[{"name":"sales","side":"src","database":"sales","state":"paused","place_kept_until":"2026-11-30T22:00:00Z"},{"name":"hr","side":"src","database":"hr","table":"t","state":"running"}]}],"unanswered":["old"]}`
