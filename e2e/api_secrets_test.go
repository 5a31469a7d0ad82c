package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/worker"
)

// found is one text that left the system, and where.
type found struct{ where, text string }

// secretsHunt collects everything that ccr lets out.
type secretsHunt struct {
	*env
	fleet *harness.Fleet
	all   []found
}

// ask sends a request as an administrator and keeps the reply with its headers.
func (h *secretsHunt) ask(method, address, path, token, body string) string {
	h.Helper()
	req, err := http.NewRequestWithContext(h.ctx, method, "http://"+address+path, strings.NewReader(body))
	require.NoError(h, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(h, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(h, err)
	h.all = append(h.all, found{method + " " + path, fmt.Sprint(resp.Header) + string(b)})
	return string(b)
}

// histories keeps every event of every workflow, with its payloads decoded, and
// what the server says of running ones.
func (h *secretsHunt) histories(c client.Client) {
	h.Helper()
	list, err := c.ListWorkflow(h.ctx, &workflowservice.ListWorkflowExecutionsRequest{})
	require.NoError(h, err)
	require.NotEmpty(h, list.GetExecutions())
	for _, w := range list.GetExecutions() {
		id, run := w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId()
		h.message("list "+id, w)
		described, err := c.DescribeWorkflowExecution(h.ctx, id, run)
		require.NoError(h, err)
		h.message("describe "+id, described)
		events := c.GetWorkflowHistory(h.ctx, id, run, false, 0)
		for events.HasNext() {
			event, err := events.Next()
			require.NoError(h, err)
			h.message("history "+id, event)
		}
	}
}

// message keeps a message as JSON and each of its payloads decoded.
func (h *secretsHunt) message(where string, m proto.Message) {
	h.Helper()
	b, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(m)
	require.NoError(h, err)
	h.all = append(h.all, found{where, string(b)})
	eachPayload(m.ProtoReflect(), func(p *commonpb.Payload) {
		h.all = append(h.all, found{where + " payload", worker.DataConverter().ToString(p)})
	})
}

func eachPayload(m protoreflect.Message, do func(*commonpb.Payload)) {
	if p, ok := m.Interface().(*commonpb.Payload); ok {
		do(p)
		return
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				eachPayload(v.Message(), do)
				return true
			})
		case f.IsList() && f.Message() != nil:
			for i := range v.List().Len() {
				eachPayload(v.List().Get(i).Message(), do)
			}
		case !f.IsMap() && !f.IsList() && f.Message() != nil:
			eachPayload(v.Message(), do)
		}
		return true
	})
}

// files keeps the logs and the database of Temporal.
func (h *secretsHunt) files(dir string) {
	h.Helper()
	logs := 0
	require.NoError(h, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "tokens" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".log") {
			logs++
		}
		h.all = append(h.all, found{"file " + filepath.Base(path), string(b)})
		return nil
	}))
	require.GreaterOrEqual(h, logs, 3, "API, worker, Temporal")
}

// Secrets are planted wherever an operator gives one, everything is asked,
// things go wrong, and then all that came out is searched.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	const password, wrong, rotated = "planted-doris-passw0rd", "planted-wr0ng-password", "planted-rotated-passw0rd"
	key := []byte("planted-key-of-thirty-two-bytes!")
	require.Len(t, key, 32)
	e := clusters(t, harness.PairOptions{Password: password})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	t.Cleanup(temporal.Kill)
	f := newFleet(e, dir, address)
	f.Env = []string{"CCR_SECRET_KEY=" + base64.StdEncoding.EncodeToString(key)}
	require.NoError(t, f.AddAPI(e.ctx, "--tokens-file", writeTokens(t, dir), "--log-level", "debug", "--log-format", "json"))
	require.NoError(t, f.AddWorker(e.ctx, "--log-level", "debug"))
	api := f.APIs[0]
	e.ccr = api.CCR
	e.ccr.Token = apiToken("admin")
	h := &secretsHunt{env: e, fleet: f}
	ask := func(method, path, body string) string {
		return h.ask(method, api.Member.Address, path, apiToken("admin"), body)
	}

	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	name := e.jobName()
	body := func(job, srcPassword, destPassword string) string {
		src, dst := e.pair.Source.Spec("d", ""), e.pair.Destination.Spec("d", "")
		src["password"], dst["password"] = srcPassword, destPassword
		b, err := json.Marshal(map[string]any{"name": job, "src": src, "dest": dst})
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, ask("POST", "/create_ccr", body("refused1", wrong, password)), "Access denied")
	require.Contains(t, ask("POST", "/jobs", body("refused2", password, wrong)), "Access denied")
	ask("POST", "/create_ccr", strings.Replace(body("x", password, password), `"port":"`, `"port":"`+password, 1))
	ask("POST", "/create_ccr", `{"name":"x","src":{"password":"`+password+`"`)
	ask("POST", "/jobs", `{"name":"x","src":{"password":["`+password+`"]}}`)
	require.Equal(t, `{"success":true}`, ask("POST", "/create_ccr", body(name, password, password)))
	e.awaitEqual(name, "d", "d")

	// The password changes, and the job is told.
	e.execDestination(fmt.Sprintf("SET PASSWORD FOR 'root' = PASSWORD('%s')", rotated))
	login := func(password string) string {
		return fmt.Sprintf(`{"name":%q,"dest":{"password":%q}}`, name, password)
	}
	require.Contains(t, ask("POST", "/update_credentials", login(wrong)), "Access denied")
	ask("PATCH", "/jobs/"+name+"/credentials", fmt.Sprintf(`{"dest":{"password":[%q]}}`, rotated))
	require.Equal(t, `{"success":true}`, ask("POST", "/update_credentials", login(rotated)))

	named := fmt.Sprintf(`{"name":%q}`, name)
	for _, operator := range []string{
		"version", "features", "list_jobs", "job_status", "job_detail", "job_progress", "job_events", "get_lag", "pause", "resume",
		"update_host_mapping", "job_skip_binlog", "failpoint", "healthz", "metrics", "openapi.json", "view", "view?type=json", "view?type=table", "view?type=raw",
	} {
		ask("POST", "/"+operator, named)
	}
	for _, path := range []string{"/jobs", "/jobs/" + name, "/jobs/" + name + "/status", "/jobs/" + name + "/progress", "/jobs/" + name + "/lag", "/jobs/" + name + "/events"} {
		ask("GET", path, "")
	}
	ask("POST", "/check_ccr", body("checked", password, wrong))
	h.ask("POST", api.Member.Address, "/pause", "planted-token-of-nobody", named)
	h.ask("GET", f.Workers[0].Address, "/metrics", "", "")

	// The destination goes away: errors of its connections are the job's problem.
	require.NoError(t, e.pair.Destination.Close())
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, name)
		if err == nil && !s.Stalled {
			err = fmt.Errorf("not stalled yet")
		}
		return err
	}))
	for _, operator := range []string{"job_status", "job_events", "get_lag", "view", "metrics"} {
		ask("POST", "/"+operator, named)
	}
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	defer c.Close()
	h.histories(c)
	h.files(dir)

	decoded := 0
	for _, out := range h.all {
		if strings.Contains(out.where, "payload") && strings.Contains(out.text, `"dest"`) {
			decoded++
		}
		for what, planted := range map[string]string{
			"password of Doris": password, "wrong password": wrong, "rotated password": rotated, "token": "planted-token-of",
			"key": string(key), "key in base64": base64.StdEncoding.EncodeToString(key), "key in hex": fmt.Sprintf("%x", key),
			"password in base64": base64.StdEncoding.EncodeToString([]byte(password))[:24],
		} {
			if i := strings.Index(out.text, planted); i >= 0 {
				t.Errorf("%s in %s: ...%q...", what, out.where, out.text[max(0, i-100):min(len(out.text), i+100)])
			}
		}
		if !strings.Contains(out.where, "payload") && !strings.Contains(out.where, "file") {
			require.NotContains(t, out.text, "ccr1:", out.where+": not even sealed")
		}
	}
	require.NotZero(t, decoded, "no payload with a job's spec was decoded: nothing has been searched")
}
