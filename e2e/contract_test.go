package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// contractCall is one request of http-api.md and what it says of the reply. JOB
// in body and text stands for the name of a running job.
type contractCall struct {
	section, path, body string
	status              int    // 0 = 200
	text                string // the whole reply, if the document gives it
	// keys are the reply's keys with their JSON types, those of objects after a
	// dot: string, int, bool, object, list, null, alternatives with a bar. A key
	// with ? may be absent; keys that are not named may be there.
	keys map[string]string
}

// base is the shape of every reply but version's.
func baseKeys(more map[string]string) map[string]string {
	keys := map[string]string{"success": "bool"}
	for k, v := range more {
		keys[k] = v
	}
	return keys
}

var (
	statusKeys = map[string]string{"name": "string", "state": "string", "progress_state": "string", "commit_seq": "int"}
	lagKeys    = map[string]string{
		"lag": "int", "first_commit_seq": "int", "last_commit_seq": "int", "first_binlog_timestamp": "string", "last_binlog_timestamp": "string",
		"time_interval": "int", "time_interval_secs": "int", "next_commit_seq": "int", "next_binlog_timestamp": "string",
	}
	clusterKeys = map[string]string{
		"host": "string", "port": "string", "thrift_port": "string", "is_master": "bool", "frontends": "list", "user": "string",
		"password": "string", "cluster": "string", "database": "string", "db_id": "int", "table": "string", "table_id": "int",
	}
	progressKeys = map[string]string{
		"job_name": "string", "sync_state": "int", "sub_sync_state": "object", "sub_sync_state.state": "int", "sub_sync_state.binlog_type": "int",
		"job_sync_id": "int", "prev_commit_seq": "int", "commit_seq": "int", "last_commit_seq": "int",
		"table_mapping": "object", "table_name_mapping": "object", "table_commit_seq_map": "object|null", "partition_commit_seq_map": "object|null",
		"data": "string", "created_at": "int", "full_sync_start_at": "int", "partial_sync_start_at": "int", "incremental_sync_start_at": "int",
		"ingest_binlog_at": "int", "full_sync_info": "object", "full_sync_info.prev_commit_seq": "int", "full_sync_info.commit_seq": "int",
		"full_sync_info.sub_sync_state": "object", "full_sync_info.info": "string",
	}
)

func within(object string, keys map[string]string) map[string]string {
	all := map[string]string{object: "object"}
	for k, v := range keys {
		all[object+"."+k] = v
	}
	return all
}

func join(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, keys := range all {
		for k, v := range keys {
			out[k] = v
		}
	}
	return out
}

// contract is http-api.md, request by request.
func contract() []contractCall {
	named := `{"name":"JOB"}`
	done := `{"success":true}`
	calls := []contractCall{
		{section: "3.1", path: "version", body: "", keys: map[string]string{"version": "string"}},
		{section: "3.2 body", path: "create_ccr", body: "", status: 400, text: `{"success":false,"error_msg":"EOF"}`},
		{section: "3.2 body", path: "create_ccr", body: `{"name":"x","src":`, status: 400, text: `{"success":false,"error_msg":"unexpected EOF"}`},
		{section: "3.2 name", path: "create_ccr", body: `{"name":"JOB"}`, text: `{"success":false,"error_msg":"job is invalid: [normal] job JOB already exist"}`},
		{section: "3.2 name", path: "create_ccr", body: `{}`, text: `{"success":false,"error_msg":"job is invalid: [normal] name is empty"}`},
		{section: "3.2 src", path: "create_ccr", body: `{"name":"x"}`, text: `{"success":false,"error_msg":"job is invalid: src spec is invalid: [normal] host is empty"}`},
		{section: "3.2 src", path: "create_ccr", body: `{"name":"x","src":{"host":"h"}}`, keys: baseKeys(map[string]string{"error_msg": "string"})},
		{section: "3.2 src", path: "create_ccr", body: `{"name":"x","src":{"host":"h","port":"1","thrift_port":"2"}}`,
			text: `{"success":false,"error_msg":"job is invalid: src spec is invalid: [normal] user is empty"}`},
		{section: "3.2 src", path: "create_ccr", body: `{"name":"x","src":{"host":"h","port":"1","thrift_port":"2","user":"u"}}`,
			text: `{"success":false,"error_msg":"job is invalid: src spec is invalid: [normal] database is empty"}`},
		{section: "3.2 dest", path: "create_ccr", body: `{"name":"x","src":{"host":"h","port":"1","thrift_port":"2","user":"u","database":"d"}}`,
			text: `{"success":false,"error_msg":"job is invalid: dest spec is invalid: [normal] host is empty"}`},
		{section: "3.2 sides", path: "create_ccr", body: `{"name":"x","src":{"host":"h","port":"1","thrift_port":"2","user":"u","database":"d","table":"t"},` +
			`"dest":{"host":"h","port":"1","thrift_port":"2","user":"u","database":"d"}}`,
			text: `{"success":false,"error_msg":"job is invalid: [normal] src/dest are not both db or table sync"}`},
		{section: "3.3", path: "get_lag", body: named, keys: baseKeys(lagKeys)},
		{section: "3.3 failure", path: "get_lag", body: `{"name":"nope"}`, keys: baseKeys(join(lagKeys, map[string]string{"error_msg": "string"}))},
		{section: "3.4", path: "pause", body: named, text: done},
		{section: "3.4 again", path: "pause", body: named, text: done},
		{section: "3.7 paused", path: "job_status", body: named, keys: baseKeys(join(statusKeys, within("status", statusKeys)))},
		{section: "3.5", path: "resume", body: named, text: done},
		{section: "3.5 again", path: "resume", body: named, text: done},
		{section: "3.7", path: "job_status", body: named, keys: baseKeys(join(statusKeys, within("status", statusKeys)))},
		{section: "3.8", path: "desync", body: named, text: done},
		{section: "3.8", path: "sync", body: named, text: done},
		{section: "3.9", path: "update_job", body: `{"name":"JOB","skip_error":true}`, status: 404, text: "404 page not found"},
		{section: "3.10", path: "list_jobs", body: `{}`, keys: baseKeys(map[string]string{"jobs": "list"})},
		{section: "3.11", path: "job_detail", body: named, keys: baseKeys(within("job_detail", join(
			map[string]string{"name": "string", "id": "string", "sync_type": "int", "state": "int", "extra": "object", "src.host_mapping": "object"},
			within("src", clusterKeys), within("dest", clusterKeys))))},
		{section: "3.12", path: "job_progress", body: named, keys: baseKeys(within("job_progress", progressKeys))},
		{section: "3.14", path: "update_host_mapping", body: `{"name":"JOB","src_host_mapping":{"172.168.1.1":"10.0.10.1","172.168.1.5":""}}`, text: done},
		{section: "3.14 alias", path: "add_host_mapping", body: `{"name":"JOB","src_host_mapping":{"172.168.1.1":""},"dest_host_mapping":{}}`, text: done},
		{section: "3.14", path: "update_host_mapping", body: named, text: `{"success":false,"error_msg":"host_mapping is empty"}`},
		{section: "3.14", path: "update_host_mapping", body: `{"name":"nope","src_host_mapping":{"a":"b"}}`,
			text: `{"success":false,"error_msg":"[normal] job not exist: nope"}`},
		{section: "3.15", path: "job_skip_binlog", body: named, text: `{"success":false,"error_msg":"[normal] invalid skip method: : skip_by is silence, partialsync or fullsync"}`},
		{section: "3.15", path: "job_skip_binlog", body: `{"name":"JOB","skip_by":"Silence"}`, text: `{"success":false,"error_msg":"[normal] invalid skip commit seq: 0: silence passes over the one binlog that skip_commit_seq names (last_commit_seq of job_progress); fullsync copies everything again"}`},
		{section: "3.15", path: "job_skip_binlog", body: `{"name":"JOB","skip_by":"partialsync"}`, text: `{"success":false,"error_msg":"[normal] invalid skip table: , table id: 0: partialsync needs skip_table and skip_table_id (table_name_mapping of job_progress)"}`},
		{section: "3.15", path: "job_skip_binlog", body: `{"name":"JOB","skip_by":"FULLSYNC"}`, text: done},
		{section: "3.13", path: "force_fullsync", body: named, text: done},
		{section: "3.13", path: "force_fullsync", body: `{}`, text: `{"success":false,"error_msg":"job name is empty"}`},
		{section: "3.16", path: "features", body: `{}`, keys: baseKeys(map[string]string{"flags": "list"})},
		{section: "3.18", path: "failpoint", body: `{"name":"JOB","failpoint":"handle_binlog_failed","value":true}`, keys: baseKeys(map[string]string{"error_msg": "string"})},
		{section: "1 unknown path", path: "nope", body: `{}`, status: 404, text: "404 page not found"},
	}
	// 1.1: the shared errors, on every endpoint that is about one job.
	for _, path := range []string{"pause", "resume", "delete", "job_status", "job_detail", "job_progress", "desync", "sync", "job_skip_binlog"} {
		calls = append(calls,
			contractCall{section: "1.1", path: path, body: `{}`, text: `{"success":false,"error_msg":"name is empty"}`},
			contractCall{section: "1.1", path: path, body: ``, text: `{"success":false,"error_msg":"EOF"}`},
			contractCall{section: "1.1", path: path, body: `{bad`, text: `{"success":false,"error_msg":"invalid character 'b' looking for beginning of object key string"}`},
			contractCall{section: "1.1", path: path, body: `{"name":"nope"}`, text: `{"success":false,"error_msg":"job nope not exist"}`},
		)
	}
	return append(calls,
		contractCall{section: "3.6", path: "delete", body: named, text: done},
		contractCall{section: "3.6 again", path: "delete", body: named, text: `{"success":false,"error_msg":"job JOB not exist"}`},
	)
}

// Each request of the document against a running system: status, type of the
// body, keys, types and, where the document gives them, texts.
func TestContract(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{Password: "s3cret-of-doris"})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	src, dst := e.pair.Source.Spec("d", ""), e.pair.Destination.Spec("d", "")
	src["host_mapping"] = map[string]string{"127.0.0.1": "127.0.0.1"} // backends have to be listed, too
	name := e.jobName()
	// Keys in other cases, keys nobody knows, and whatever follows (1, 3.2).
	body, err := json.Marshal(map[string]any{"NAME": name, "Src": src, "dest": dst, "unknown": []int{1}, "skip_error": true})
	require.NoError(t, err)
	status, text, err := e.ccr.Raw(e.ctx, "create_ccr", string(body)+" trailing garbage")
	require.NoError(t, err)
	require.Equal(t, `{"success":true,"warnings":["the key \"unknown\" is not known, and ignored","there is more than one JSON value: only the first is read"]}`, text)
	require.Equal(t, http.StatusOK, status)
	e.awaitEqual(name, "d", "d")

	asked, doc := map[string]bool{}, e.openapi()
	for _, call := range contract() {
		asked["/"+call.path] = true
		what := call.section + " /" + call.path + " " + call.body
		put := func(s string) string { return strings.ReplaceAll(s, "JOB", name) }
		resp, text := e.request(http.MethodPost, "/"+call.path, put(call.body))
		want := call.status
		if want == 0 {
			want = http.StatusOK
		}
		require.Equal(t, want, resp.StatusCode, what+text)
		require.Equal(t, "text/plain; charset=utf-8", resp.Header.Get("Content-Type"), what)
		require.NotContains(t, text, "s3cret-of-doris", what)
		if want != http.StatusNotFound {
			e.requireDocumented(doc, http.MethodPost, "/"+call.path, resp, text)
		}
		if call.text != "" {
			require.Equal(t, put(call.text), text, what)
		}
		if call.keys != nil {
			requireKeys(t, what, call.keys, text)
		}
	}
	for _, path := range e.documentedOperators() {
		require.True(t, asked[path] || outsideContract[path], "%s is documented in /openapi.json but not asked here", path)
	}
}

// outsideContract are operators that http-api.md does not have, or that have
// tests of their own.
var outsideContract = map[string]bool{
	"/healthz": true, "/metrics": true, "/openapi.json": true, "/view": true, "/view/{command}": true,
	"/job_events": true, "/job_binlogs": true, "/update_tables": true, "/update_credentials": true, "/update_hosts": true, "/update_options": true, "/check_ccr": true, "/api/v1/clusters": true,
	"/verify": true, "/verify_status": true, "/verify_pause": true, "/verify_resume": true, "/verify_cancel": true, "/repair": true,
}

// documentedOperators are the paths of /openapi.json that are not resources.
func (e *env) documentedOperators() []string {
	_, text := e.request(http.MethodGet, "/openapi.json", "")
	var doc struct {
		Paths map[string]any `json:"paths"`
	}
	require.NoError(e, json.Unmarshal([]byte(text), &doc))
	var paths []string
	for path := range doc.Paths {
		if path != "/jobs" && !strings.HasPrefix(path, "/jobs/") {
			paths = append(paths, path)
		}
	}
	sort.Strings(paths)
	return paths
}

// request sends a body without a Content-Type that would say that it is JSON:
// nobody looks at it.
func (e *env) request(method, path, body string) (*http.Response, string) {
	e.Helper()
	req, err := http.NewRequestWithContext(e.ctx, method, "http://"+e.ccr.API+path, strings.NewReader(body))
	require.NoError(e, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(e, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(e, err)
	return resp, string(b)
}

// requireKeys asserts that a reply has keys of the given types.
func requireKeys(t *testing.T, what string, keys map[string]string, text string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var reply any
	require.NoError(t, d.Decode(&reply), what+text)
	for key, want := range keys {
		key, optional := strings.CutSuffix(key, "?")
		value, there := any(reply), true
		for _, part := range strings.Split(key, ".") {
			object, ok := value.(map[string]any)
			if !ok {
				there = false
				break
			}
			if value, there = object[part]; !there {
				break
			}
		}
		if !there && optional {
			continue
		}
		require.True(t, there, "%s: no key %s in %s", what, key, text)
		require.Contains(t, strings.Split(want, "|"), jsonType(value), "%s: %s in %s", what, key, text)
	}
}

func jsonType(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return "int"
		}
		return "number"
	}
	return fmt.Sprintf("%T", v)
}
