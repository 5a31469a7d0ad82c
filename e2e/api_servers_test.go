package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// apiToken is the token of a role in writeTokens' file.
func apiToken(role string) string { return "planted-token-of-" + role }

// writeTokens makes a tokens file with one token a role, named after it.
func writeTokens(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "tokens")
	text := ""
	for _, role := range []string{"read", "operate", "admin"} {
		text += role + "er " + role + " plain:" + apiToken(role) + "\n"
	}
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// Any API server answers for any job, and what one has done the other one knows
// at once: state tells the truth the moment pause has returned.
func TestTwoServersAgreeAtOnce(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	f := newFleet(e, dir, address)
	tokens := writeTokens(t, dir)
	for range 2 {
		require.NoError(t, f.AddAPI(e.ctx, "--tokens-file", tokens))
	}
	require.NoError(t, f.AddWorker(e.ctx))
	one, two := f.APIs[0].CCR, f.APIs[1].CCR
	one.Token, two.Token = apiToken("admin"), apiToken("operate")

	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	name := e.jobName()
	create := map[string]any{"name": name, "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	_, err = two.Call(e.ctx, "create_ccr", create)
	require.ErrorContains(t, err, "token operateer has the role operate, this needs admin")
	_, err = one.Call(e.ctx, "create_ccr", create)
	require.NoError(t, err)
	e.ccr = two
	e.awaitEqual(name, "d", "d")

	job := map[string]any{"name": name}
	state := func(c *harness.CCR) string {
		s, err := c.Status(e.ctx, name)
		require.NoError(t, err)
		return s.State
	}
	for range 5 {
		_, err := one.Call(e.ctx, "pause", job)
		require.NoError(t, err)
		require.Equal(t, "paused", state(two))
		_, err = two.Call(e.ctx, "resume", job)
		require.NoError(t, err)
		require.Equal(t, "running", state(one))
	}

	// A server that dies takes nothing with it, and a client that retries at
	// the other one sees no error.
	f.APIs[0].Member.Kill()
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	e.awaitEqual(name, "d", "d")

	// The events say who it was; a role that does not suffice is refused.
	_, text, err := two.Raw(e.ctx, "job_events", fmt.Sprintf(`{"name":%q}`, name))
	require.NoError(t, err)
	require.Contains(t, text, "command pause by adminer (127.0.0.1:")
	require.Contains(t, text, "command resume by operateer (127.0.0.1:")
	for token, want := range map[string]int{"": http.StatusUnauthorized, "wrong": http.StatusUnauthorized, apiToken("read"): http.StatusForbidden} {
		two.Token = token
		code, text, err := two.Raw(e.ctx, "pause", fmt.Sprintf(`{"name":%q}`, name))
		require.NoError(t, err)
		require.Equal(t, want, code)
		require.True(t, strings.HasPrefix(text, `{"success":false,"error_msg":"`), text)
	}
	two.Token = apiToken("operate")
	require.Equal(t, "running", state(two))
	_, err = two.Call(e.ctx, "delete", job)
	require.ErrorContains(t, err, "this needs admin")
	two.Token = apiToken("admin")
	_, err = two.Call(e.ctx, "delete", job)
	require.NoError(t, err)
}

// The REST form and the page, against a running system.
func TestResourcesAndPage(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	name := e.jobName()
	body, err := json.Marshal(map[string]any{"name": name, "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")})
	require.NoError(t, err)
	resp, text := e.request(http.MethodPost, "/jobs", string(body))
	require.Equal(t, http.StatusCreated, resp.StatusCode, text)
	require.Equal(t, "/jobs/"+name, resp.Header.Get("Location"))
	e.awaitEqual(name, "d", "d")

	page := func() string {
		resp, html := e.request(http.MethodGet, "/view", "")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		return html
	}
	// A new job is in Temporal's list within moments, not at once.
	require.NoError(t, harness.Await(e.ctx, catchUp, func(context.Context) error {
		if !strings.Contains(page(), ">"+name+"</th>") {
			return fmt.Errorf("the page does not show %s", name)
		}
		return nil
	}))
	form := func() *http.Response {
		req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, "http://"+e.ccr.API+"/view/pause", strings.NewReader("name="+name))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "http://"+e.ccr.API)
		resp, err := http.DefaultClient.Do(req) // follows to the page
		require.NoError(t, err)
		defer resp.Body.Close()
		return resp
	}
	require.Equal(t, http.StatusOK, form().StatusCode)
	for range 3 { // the page tells the truth at once, as job_status does
		_, text := e.request(http.MethodGet, "/view?type=json", "")
		var rows []map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &rows))
		state := ""
		for _, r := range rows {
			if r["jobName"] == name {
				state = r["state"]
			}
		}
		require.Equal(t, "paused", state)
	}
	doc := e.openapi()
	for _, resource := range []string{"", "/status", "/progress", "/lag", "/events"} {
		resp, text := e.request(http.MethodGet, "/jobs/"+name+resource, "")
		require.Equal(t, http.StatusOK, resp.StatusCode, text)
		e.requireDocumented(doc, http.MethodGet, "/jobs/{name}"+resource, resp, text)
		resp, text = e.request(http.MethodGet, "/jobs/nope"+resource, "")
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
		e.requireDocumented(doc, http.MethodGet, "/jobs/{name}"+resource, resp, text)
	}
	resp, text = e.request(http.MethodGet, "/jobs", "")
	e.requireDocumented(doc, http.MethodGet, "/jobs", resp, text)
	for path, command := range map[string]string{
		"/pause": "", "/desync": "", "/sync": "", "/skip_binlog": `{"skip_by":"silence"}`, "/force_fullsync": "",
	} {
		resp, text := e.request(http.MethodPost, "/jobs/"+name+path, command)
		e.requireDocumented(doc, http.MethodPost, "/jobs/{name}"+path, resp, text)
	}
	_, text = e.request(http.MethodGet, "/jobs/"+name, "")
	requireKeys(t, "GET job", map[string]string{"state": "string", "sync_type": "string", "src.host": "string", "status.progress_state": "string"}, text)
	require.Contains(t, text, `"state":"paused"`)
	resp, _ = e.request(http.MethodPost, "/jobs/"+name+"/resume", "")
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	_, text = e.request(http.MethodGet, "/jobs/"+name+"/events", "")
	require.Contains(t, text, "command resume")
	resp, _ = e.request(http.MethodDelete, "/jobs/"+name, "")
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	resp, text = e.request(http.MethodGet, "/jobs/"+name, "")
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	require.Contains(t, text, `"detail":"job `+name+` not exist"`)
}
