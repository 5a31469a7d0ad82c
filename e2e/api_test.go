package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// The request exactly as the documentation has it (http-api.md 3.2), as raw
// HTTP, with this test's addresses put in.
func TestCreateAsDocumented(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE db_a", fmt.Sprintf(duplicateTable, "db_a", "t"))
	e.enableBinlog("db_a", "t")
	e.exec("INSERT INTO db_a.t VALUES (1, 'a')")
	src, dst := e.pair.Source.Spec("", ""), e.pair.Destination.Spec("", "")
	body := fmt.Sprintf(`{"name":"ccr_test",
 "src":{"host":"%s","port":"%s","thrift_port":"%s","user":"root","password":"","database":"db_a","table":""},
 "dest":{"host":"%s","port":"%s","thrift_port":"%s","user":"root","password":"","database":"db_b","table":""}}`,
		src["host"], src["port"], src["thrift_port"], dst["host"], dst["port"], dst["thrift_port"])

	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, "http://"+e.ccr.API+"/create_ccr", strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"))
	var reply map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&reply))
	require.Equal(t, map[string]any{"success": true}, reply)
	e.awaitEqual("ccr_test", "db_a", "db_b")

	code, text, err := e.ccr.Raw(e.ctx, "create_ccr", body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, `{"success":false,"error_msg":"job is invalid: [normal] job ccr_test already exist"}`, text)

	_, err = e.ccr.Call(e.ctx, "delete", map[string]any{"name": "ccr_test"})
	require.NoError(t, err)
	_, text, err = e.ccr.Raw(e.ctx, "delete", `{"name":"ccr_test"}`)
	require.NoError(t, err)
	require.Equal(t, `{"success":false,"error_msg":"job ccr_test not exist"}`, text)

	// The name is free again at once.
	_, text, err = e.ccr.Raw(e.ctx, "create_ccr", body)
	require.NoError(t, err)
	require.Equal(t, `{"success":true}`, text)
	e.exec("INSERT INTO db_a.t VALUES (2, 'b')")
	e.awaitEqual("ccr_test", "db_a", "db_b")
	_, err = e.ccr.Call(e.ctx, "delete", map[string]any{"name": "ccr_test"})
	require.NoError(t, err)
}

// Bad input gets a clear error and changes nothing.
func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{Password: "right"})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), "CREATE DATABASE plain", fmt.Sprintf(duplicateTable, "plain", "t"))
	e.enableBinlog("d", "t")

	spec := func(change func(src, dst map[string]any)) map[string]any {
		src, dst := e.pair.Source.Spec("d", ""), e.pair.Destination.Spec("must_not_appear", "")
		change(src, dst)
		return map[string]any{"name": e.jobName(), "src": src, "dest": dst}
	}
	tests := []struct {
		name string
		body map[string]any
		want string
	}{
		{"unknown database", spec(func(s, _ map[string]any) { s["database"] = "nowhere" }), "src database nowhere not exists"},
		{"wrong password at the source", spec(func(s, _ map[string]any) { s["password"] = "wrong-secret" }), "Access denied"},
		{"wrong password at the destination", spec(func(_, d map[string]any) { d["password"] = "wrong-secret" }), "Access denied"},
		{"unreachable host", spec(func(s, _ map[string]any) { s["port"] = "1" }), "connection refused"},
		{"unreachable Thrift port", spec(func(s, _ map[string]any) { s["thrift_port"] = "1" }), "1"},
		{"binlog not enabled", spec(func(s, _ map[string]any) { s["database"] = "plain" }), "src database plain not enable binlog"},
		{"unknown table", spec(func(s, d map[string]any) { s["table"], d["table"] = "nothing", "x" }), "src table d.nothing not exists"},
		{"table without binlog", spec(func(s, d map[string]any) { s["database"], s["table"], d["table"] = "plain", "t", "x" }), "only support property"},
		{"database name with quotes", spec(func(s, _ map[string]any) { s["database"] = "a`b'c\"d" }), "not exists"},
		{"database name in unicode", spec(func(s, _ map[string]any) { s["database"] = "数据库" }), "not exists"},
		{"one table only", spec(func(s, _ map[string]any) { s["table"] = "t" }), "src/dest are not both db or table sync"},
	}
	for _, name := range []string{"a`b", `a"b`, "a'b", "任务", ""} {
		body := spec(func(_, _ map[string]any) {})
		body["name"] = name
		tests = append(tests, struct {
			name string
			body map[string]any
			want string
		}{"job name " + name, body, "name"})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := e.ccr.Call(e.ctx, "create_ccr", tt.body)
			require.ErrorContains(t, err, tt.want)
			require.NotContains(t, err.Error(), "wrong-secret")
		})
	}
	for _, malformed := range []string{"", "{", `{"name": 1}`, `[]`, "not json", `{"name":"x","src":{"port":true}}`} {
		code, text, err := e.ccr.Raw(e.ctx, "create_ccr", malformed)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, code, text)
		code, text, err = e.ccr.Raw(e.ctx, "pause", malformed)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, code)
		require.Contains(t, text, `"success":false`)
	}

	databases, err := e.dst.QueryContext(e.ctx, "SHOW DATABASES LIKE 'must_not_appear'")
	require.NoError(t, err)
	defer databases.Close()
	require.False(t, databases.Next(), "a refused job must not create the destination database")
	reply, err := e.ccr.Call(e.ctx, "list_jobs", nil)
	require.NoError(t, err)
	require.NotContains(t, reply["jobs"], e.jobName())
	e.recordHistory(e.jobName())
	for _, operator := range []string{"pause", "resume", "delete", "job_status", "job_detail", "job_progress"} {
		_, err := e.ccr.Call(e.ctx, operator, map[string]any{"name": "never_created"})
		require.ErrorContains(t, err, "job never_created not exist", operator)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{Password: "s3cret-of-doris"})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	job := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(job, "d", "d")
	e.inMemory(job)
	e.shownAs(job, "running")

	for range 2 { // both may be repeated
		_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
		require.NoError(t, err)
		s, err := e.ccr.Status(e.ctx, job)
		require.NoError(t, err)
		require.Equal(t, "paused", s.State, "the truth the moment pause has returned")
		e.shownAs(job, "paused")
	}
	before := e.commitSeq(job)
	for i := range 7 {
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'while paused')", i))
	}
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		lag, err := e.ccr.Call(ctx, "get_lag", map[string]any{"name": job})
		if err == nil && harness.Int(lag, "lag") != 7 {
			err = fmt.Errorf("lag is %v while paused, want 7", lag["lag"])
		}
		return err
	}))
	require.Equal(t, before, e.commitSeq(job), "a paused job does not move")

	detail, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": job})
	require.NoError(t, err)
	require.Equal(t, json.Number("1"), detail["job_detail"].(map[string]any)["state"])

	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(t, err)
	require.Equal(t, "running", s.State)
	e.shownAs(job, "running")
	e.awaitEqual(job, "d", "d")
	e.inMemory(job)
	e.requireFullSyncs(job, 1)

	for _, operator := range []string{"job_status", "job_detail", "job_progress", "get_lag", "list_jobs", "metrics", "view"} {
		_, text, err := e.ccr.Raw(e.ctx, operator, fmt.Sprintf(`{"name":%q}`, job))
		require.NoError(t, err)
		require.NotContains(t, text, "s3cret-of-doris", operator)
		require.NotContains(t, text, "ccr1:", operator)
	}
	require.NotContains(t, e.ccr.Process().Tail(1_000_000), "s3cret-of-doris")
}

// recordUnknownBinlog puts a binlog into the source's log as a later version of
// Doris might: with the first number that has no meaning yet.
func (e *env) recordUnknownBinlog(database, table string) {
	source := e.pair.Source.Core()
	source.Lock()
	defer source.Unlock()
	db, found := source.Database(database)
	require.True(e, found)
	source.Record(core.Event{DB: db.ID, Tables: []int64{db.Tables[table].ID}, Type: 27, Data: "{}"})
}

// A kind of binlog that ccr does not know stops the job visibly; an operator
// can pass it over; nothing else is lost.
func TestUnknownBinlogStallsAndCanBeSkipped(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	job := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(job, "d", "d")
	e.recordUnknownBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (2, 'behind it')")

	var stalled harness.Status
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) (err error) {
		stalled, err = e.ccr.Status(ctx, job)
		if err == nil && !stalled.Stalled {
			err = fmt.Errorf("not stalled")
		}
		return err
	}))
	require.Contains(t, stalled.LastError.Text, "binlog type: 27")
	_, text, err := e.ccr.Raw(e.ctx, "job_status", fmt.Sprintf(`{"name":%q}`, job))
	require.NoError(t, err)
	var reply struct {
		LastError struct {
			CommitSeq int64  `json:"commit_seq"`
			Remedy    string `json:"remedy"`
		} `json:"last_error"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &reply))
	require.NotEmpty(t, reply.LastError.Remedy)
	require.Positive(t, reply.LastError.CommitSeq)

	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "silence"})
	require.ErrorContains(t, err, "invalid skip commit seq: 0", "never guess")
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "silence", "skip_commit_seq": reply.LastError.CommitSeq})
	require.NoError(t, err)
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
	s, err := e.ccr.Status(e.ctx, job)
	require.NoError(t, err)
	require.False(t, s.Stalled, "the first success clears it")
}
