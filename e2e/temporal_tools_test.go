package e2e

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// The tools are those that the documentation names.
func TestVersionsOfTheTools(t *testing.T) {
	for tool, module := range map[string]string{"temporal": "github.com/temporalio/cli@v1.5.1", "tctl": "github.com/temporalio/tctl@v1.18.0"} {
		path, err := harness.Binary(tool)
		require.NoError(t, err)
		info, err := buildinfo.ReadFile(path)
		require.NoError(t, err)
		var found []string
		for _, m := range append(info.Deps, &info.Main) {
			found = append(found, m.Path+"@"+m.Version)
		}
		require.Contains(t, found, module)
	}
}

// Every command line of docs/temporal.md does what it says, in the order of the
// page.
func TestCommandLinesOfTheDocumentation(t *testing.T) {
	t.Parallel()
	var written []string
	for _, section := range [][]documented{temporalLines, tctlLines} {
		for _, d := range section {
			written = append(written, d.line)
		}
	}
	root, err := harness.Root()
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "docs", "temporal.md"))
	require.NoError(t, err)
	require.Equal(t, commandLines(string(page)), written, "docs/temporal.md and this test have the same lines")

	for tool, lines := range map[string][]documented{"temporal": temporalLines, "tctl": tctlLines} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			b := newByHand(t, tool)
			for _, d := range lines {
				out := b.run(b.translate(d.line))
				if d.then != nil {
					d.then(b, d.line, out)
				}
			}
		})
	}
}

// commandLines returns the lines of a page's bash blocks.
func commandLines(page string) (lines []string) {
	for i, block := range strings.Split(page, "```") {
		if i%2 == 0 || !strings.HasPrefix(block, "bash\n") {
			continue
		}
		for line := range strings.Lines(strings.TrimPrefix(block, "bash\n")) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// documented is one command line and what has to come of it.
type documented struct {
	line string
	then func(b *byHand, line, out string)
}

var temporalLines = []documented{
	{`temporal workflow list --query 'CcrJobState = "running"'`, listsTheJob},
	{`temporal workflow list --query 'CcrJobState = "stalled"'`, func(b *byHand, _, out string) { require.NotContains(b, out, b.id) }},
	{`temporal workflow list --query 'CcrSourceDatabase = "sales"'`, listsTheJob},
	{`temporal workflow count --query 'CcrSyncState = "DBIncrementalSync" AND ExecutionStatus = "Running"'`, outputHas("Total: ")},
	{`temporal workflow query -w ccr-job-ccr_test --type job_status`, outputHas(`"phase":"stream"`)},
	{`temporal workflow query -w ccr-job-ccr_test --type job_detail`, outputHas(`"password":"******"`)},
	{`temporal workflow query -w ccr-job-ccr_test --type job_progress`, outputHas(`"sync_state":3`)},
	{`temporal workflow query -w ccr-job-ccr_test --type get_lag`, outputHas(`"observed_at":`)},
	{`temporal workflow query -w ccr-job-ccr_test --type events --output json`, outputHas(`"text": "checks passed"`)},
	{`temporal workflow metadata -w ccr-job-ccr_test`, outputHas("Signal Definitions:")},
	{`temporal workflow describe -w ccr-job-ccr_test`, outputHas("LastHeartbeatDetails")},
	{`temporal workflow list --query 'WorkflowType = "CcrWorker" AND ExecutionStatus = "Running"'`, outputHas("ccr-worker-")},
	{`temporal workflow signal -w ccr-job-ccr_test --name pause`, becomes(isPaused)},
	{`temporal workflow signal -w ccr-job-ccr_test --name resume`, becomes(isRunning)},
	{`temporal workflow signal -w ccr-job-ccr_test --name observe_lag`, nil},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_host_mapping --input '{"src_host_mapping": {"172.168.1.1": "10.0.10.1"}, "dest_host_mapping": {"172.168.2.3": "10.0.10.9"}}'`, becomes(mapped)},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_host_mapping --input '{"src_host_mapping": {"172.168.1.1": ""}, "dest_host_mapping": {"172.168.2.3": ""}}'`, becomes(unmapped)},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_credentials --input '{"src": {"user": "root"}, "dest": {"user": "root"}}'`, becomes(loggedIn("with the password of before"))},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_hosts --input '{"src": {"host": "fe1", "port": 9030, "thrift_port": 9020}}'`, becomes(told("the source is at "))},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_hosts --input '{"dest": {"tls": "required"}}'`, becomes(told("SQL goes to the destination with tls "))},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_options --input '{"replication_num": 1, "commit_order": "per_table"}'`, becomes(told("commit_order is per_table, and tables and partitions are made with 1 replica"))},
	{`temporal workflow signal -w ccr-job-ccr_test --name update_tables --input '{"exclude_tables": ["*_tmp"]}'`, becomes(filtered)},
	{`temporal workflow signal -w ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "silence", "skip_commit_seq": 1001}'`, becomes(toSkip)},
	{`temporal workflow signal -w ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "partialsync", "skip_table": "orders", "skip_table_id": 10010}'`, becomes(afterPartialSyncs(1))},
	{`temporal workflow signal -w ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "fullsync"}'`, becomes(afterFullSyncs(2))},
	{`temporal workflow signal -w ccr-job-ccr_test --name force_fullsync`, becomes(afterFullSyncs(3))},
	{`temporal workflow signal -w ccr-job-ccr_test --name desync`, becomes(markedSynced("false"))},
	{`temporal workflow signal -w ccr-job-ccr_test --name sync`, becomes(markedSynced("true"))},
	{`temporal workflow signal -w ccr-job-ccr_test --name continue_as_new`, becomes(newRun)},
	{`sealed=$(ccr seal --secret-key-file secret.key < password.txt) && temporal workflow signal -w ccr-job-ccr_test --name update_credentials --input "{\"dest\": {\"password\": \"$sealed\"}}"`, becomes(loggedIn("with a new password"))},
	{`temporal workflow signal -w ccr-job-ccr_test --name pause --input '{"by": "ann, maintenance of the source", "request_id": "change-4711"}'`, becomes(isPaused)},
	{`temporal workflow query -w ccr-job-ccr_test --type events`, outputHas("command pause by ann, maintenance of the source carried out")},
	{`temporal workflow signal -w ccr-job-ccr_test --name resume --input '{"by": "ann", "request_id": "change-4711-end"}'`, becomes(outcome("change-4711-end"))},
	{`temporal workflow signal --query 'CcrSourceDatabase = "sales" AND ExecutionStatus = "Running"' --name pause --reason 'maintenance' --yes`, becomes(isPaused)},
	{`temporal workflow signal --query 'CcrSourceDatabase = "sales" AND ExecutionStatus = "Running"' --name resume --reason 'maintenance is over' --yes`, becomes(isRunning)},
	{`temporal workflow signal -w ccr-job-ccr_test --name delete`, becomesDeleted},
}

var tctlLines = []documented{
	{`tctl workflow list --query 'CcrJobState = "running"'`, listsTheJob},
	{`tctl workflow query --workflow_id ccr-job-ccr_test --query_type job_status`, outputHas(`"phase":"stream"`)},
	{`tctl workflow query --workflow_id ccr-job-ccr_test --query_type job_detail`, outputHas(`"password":"******"`)},
	{`tctl workflow query --workflow_id ccr-job-ccr_test --query_type job_progress`, outputHas(`"sync_state":3`)},
	{`tctl workflow query --workflow_id ccr-job-ccr_test --query_type get_lag`, outputHas(`"observed_at":`)},
	{`tctl workflow query --workflow_id ccr-job-ccr_test --query_type events`, outputHas(`"text":"checks passed"`)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name pause`, becomes(isPaused)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name resume`, becomes(isRunning)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name observe_lag`, nil},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name update_host_mapping --input '{"src_host_mapping": {"172.168.1.1": "10.0.10.1"}, "dest_host_mapping": {"172.168.2.3": "10.0.10.9"}}'`, becomes(mapped)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name update_host_mapping --input '{"src_host_mapping": {"172.168.1.1": ""}, "dest_host_mapping": {"172.168.2.3": ""}}'`, becomes(unmapped)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name update_credentials --input '{"src": {"user": "root"}, "dest": {"user": "root"}}'`, becomes(loggedIn("with the password of before"))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name update_tables --input '{"exclude_tables": ["*_tmp"]}'`, becomes(filtered)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "silence", "skip_commit_seq": 1001}'`, becomes(toSkip)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "partialsync", "skip_table": "orders", "skip_table_id": 10010}'`, becomes(afterPartialSyncs(1))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "fullsync"}'`, becomes(afterFullSyncs(2))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name force_fullsync`, becomes(afterFullSyncs(3))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name desync`, becomes(markedSynced("false"))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name sync`, becomes(markedSynced("true"))},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name continue_as_new`, becomes(newRun)},
	{`tctl workflow signal --workflow_id ccr-job-ccr_test --name delete`, becomesDeleted},
}

// byHand is a job of its own and a person with a shell.
type byHand struct {
	*env
	name, id, database string
	dir                string // where the lines are run: with the key, and a file with the password
	runID              string // of the first run
	skip, table        int64  // what stands for 1001 and 10010 of the page
}

// newByHand makes a job that streams.
func newByHand(t *testing.T, tool string) *byHand {
	e := newEnv(t, harness.PairOptions{Password: "a password"})
	b := &byHand{env: e, database: "sales_" + tool, name: "by_hand_" + tool, dir: t.TempDir()}
	key, err := os.ReadFile(filepath.Join(e.ccr.DataDir, "secret.key"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "secret.key"), key, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "password.txt"), []byte("a password\n"), 0o600))
	b.id = job.WorkflowID(b.name)
	b.exec("CREATE DATABASE "+b.database, fmt.Sprintf(duplicateTable, b.database, "orders"))
	b.enableBinlog(b.database, "orders")
	b.exec("INSERT INTO " + b.database + ".orders VALUES (1, 'a')")
	_, err = b.ccr.Call(b.ctx, "create_ccr", map[string]any{"name": b.name,
		"src": b.pair.Source.Spec(b.database, ""), "dest": b.pair.Destination.Spec(b.database, "")})
	require.NoError(b, err)
	b.Cleanup(func() {
		if b.Failed() {
			b.explain(b.name)
			_, _ = b.ccr.Call(context.Background(), "delete", map[string]any{"name": b.name})
		}
	})
	b.awaitEqual(b.name, b.database, b.database)
	b.awaitState(b.name, "DBIncrementalSync")
	var p job.Progress
	b.ask(job.QueryProgress, &p)
	b.skip = p.Position.CommitSeq + 1000
	for id := range p.Tables {
		b.table = id
	}
	b.runID = b.describe()
	return b
}

// translate puts this job in the place of the one that the page speaks of.
func (b *byHand) translate(line string) string {
	src := b.pair.Source.Spec("", "")
	return strings.NewReplacer("ccr-job-ccr_test", b.id, `"fe1", "port": 9030, "thrift_port": 9020`,
		fmt.Sprintf(`"%s", "port": %s, "thrift_port": %s`, src["host"], src["port"], src["thrift_port"]), `"sales"`, strconv.Quote(b.database),
		`"required"`, `"off"`, // the frontends have no TLS
		"10010", strconv.FormatInt(b.table, 10), "1001", strconv.FormatInt(b.skip, 10)).Replace(line)
}

// try runs a command line in a shell that finds the tools and the server.
func (b *byHand) try(line string) (string, error) {
	root, err := harness.Root()
	require.NoError(b, err)
	cmd := exec.CommandContext(b.ctx, "sh", "-c", line)
	cmd.Dir = b.dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(root, "bin")+":"+os.Getenv("PATH"),
		"TEMPORAL_ADDRESS="+b.ccr.Temporal, "TEMPORAL_CLI_ADDRESS="+b.ccr.Temporal, "HOME="+b.TempDir())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try for lines that work.
func (b *byHand) run(line string) string {
	b.Helper()
	out, err := b.try(line)
	require.NoError(b, err, "%s\n%s", line, out)
	return out
}

// ask queries the job, with the tool, and reads its answer as any script would.
func (b *byHand) ask(query string, answer any) {
	b.Helper()
	out := b.run(fmt.Sprintf("temporal workflow query -w %s --type %s --output json", b.id, query))
	var reply struct{ QueryResult []json.RawMessage }
	require.NoError(b, json.Unmarshal([]byte(out), &reply), out)
	require.Len(b, reply.QueryResult, 1)
	require.NoError(b, json.Unmarshal(reply.QueryResult[0], answer), out)
}

// describe returns the id of the job's current run.
func (b *byHand) describe() string {
	b.Helper()
	out := b.run("temporal workflow describe --output json -w " + b.id)
	var reply struct {
		WorkflowExecutionInfo struct{ Execution struct{ RunID string } }
	}
	require.NoError(b, json.Unmarshal([]byte(out), &reply), out)
	return reply.WorkflowExecutionInfo.Execution.RunID
}

func outputHas(text string) func(*byHand, string, string) {
	return func(b *byHand, line, out string) { require.Contains(b, out, text, line) }
}

// listsTheJob waits until the job is listed: visibility follows in its own time.
func listsTheJob(b *byHand, line, _ string) {
	require.NoError(b, harness.Await(b.ctx, catchUp, func(context.Context) error {
		if out := b.run(b.translate(line)); !strings.Contains(out, b.id) {
			return fmt.Errorf("%s: %s", line, out)
		}
		return nil
	}))
}

// becomes waits until the job has changed as the order says.
func becomes(what func(*byHand) error) func(*byHand, string, string) {
	return func(b *byHand, line, _ string) {
		b.Helper()
		require.NoError(b, harness.Await(b.ctx, catchUp, func(context.Context) error { return what(b) }), line)
	}
}

func becomesDeleted(b *byHand, line, _ string) {
	require.NoError(b, harness.Await(b.ctx, catchUp, func(context.Context) error {
		if out := b.run("temporal workflow describe -w " + b.id); !strings.Contains(out, "COMPLETED") {
			return fmt.Errorf("%s: %s", line, out)
		}
		return nil
	}))
}

func isPaused(b *byHand) error  { return b.is("paused", func(s job.Status) bool { return !s.Running }) }
func isRunning(b *byHand) error { return b.is("running", func(s job.Status) bool { return s.Running }) }

func (b *byHand) is(what string, check func(job.Status) bool) error {
	var s job.Status
	b.ask(job.QueryStatus, &s)
	if !check(s) {
		return fmt.Errorf("not %s: %+v", what, s)
	}
	return nil
}

func afterFullSyncs(n int) func(*byHand) error {
	return func(b *byHand) error {
		return b.is("streaming after full syncs", func(s job.Status) bool { return s.FullSyncs == n && s.Phase == job.PhaseStream })
	}
}

func afterPartialSyncs(n int) func(*byHand) error {
	return func(b *byHand) error {
		return b.is("streaming after a partial sync", func(s job.Status) bool { return s.PartialSyncs == n && s.Phase == job.PhaseStream })
	}
}

func outcome(requestID string) func(*byHand) error {
	return func(b *byHand) error {
		return b.is("carried out", func(s job.Status) bool {
			o, found := s.Outcome(requestID)
			return found && o.Refused == ""
		})
	}
}

func mapped(b *byHand) error {
	var spec job.Spec
	b.ask(job.QueryDetail, &spec)
	if spec.Source.HostMapping["172.168.1.1"] != "10.0.10.1" || spec.Destination.HostMapping["172.168.2.3"] != "10.0.10.9" {
		return fmt.Errorf("mappings are %v and %v", spec.Source.HostMapping, spec.Destination.HostMapping)
	}
	return nil
}

func unmapped(b *byHand) error {
	var spec job.Spec
	b.ask(job.QueryDetail, &spec)
	if len(spec.Source.HostMapping)+len(spec.Destination.HostMapping) != 0 {
		return fmt.Errorf("mappings are %v and %v", spec.Source.HostMapping, spec.Destination.HostMapping)
	}
	return nil
}

func loggedIn(how string) func(*byHand) error {
	return told("logging in at the destination as root, " + how)
}

// told finds an event of a job that goes on after it.
func told(text string) func(*byHand) error {
	return func(b *byHand) error {
		var events []job.Event
		b.ask(job.QueryEvents, &events)
		for _, e := range events {
			if strings.HasPrefix(e.Text, text) {
				return b.is("streaming", func(s job.Status) bool { return s.Phase == job.PhaseStream && !s.Stalled })
			}
		}
		return fmt.Errorf("no event about it: %v", events)
	}
}

func filtered(b *byHand) error {
	var spec job.Spec
	b.ask(job.QueryDetail, &spec)
	if spec.Selects("x_tmp") || !spec.Selects("orders") {
		return fmt.Errorf("the filter is %+v", spec.TableFilter)
	}
	return nil
}

func toSkip(b *byHand) error {
	var p job.Progress
	b.ask(job.QueryProgress, &p)
	if p.Skip == nil || p.Skip.SkipCommitSeq != b.skip {
		return fmt.Errorf("to skip is %+v", p.Skip)
	}
	return nil
}

func newRun(b *byHand) error {
	if now := b.describe(); now == b.runID {
		return fmt.Errorf("still run %s", now)
	}
	return nil
}

func markedSynced(want string) func(*byHand) error {
	return func(b *byHand) error {
		var table, definition string
		if err := b.dst.QueryRowContext(b.ctx, "SHOW CREATE TABLE "+b.database+".orders").Scan(&table, &definition); err != nil {
			return err
		}
		if !strings.Contains(definition, fmt.Sprintf(`"is_being_synced" = %q`, want)) {
			return fmt.Errorf("not %s: %s", want, definition)
		}
		return nil
	}
}

// What a job cannot read or carry out is an event: nothing is lost.
func TestBadPayloadsByHand(t *testing.T) {
	t.Parallel()
	b := newByHand(t, "bad")
	for _, bad := range []struct{ line, event string }{
		{`temporal workflow signal -w ccr-job-ccr_test --name pause --input '"a text"'`,
			`command pause refused: bad payload: it has to be a JSON object such as {"by": "me"}, not a string`},
		{`temporal workflow signal -w ccr-job-ccr_test --name resume --input '[1, 2]'`,
			`command resume refused: bad payload: it has to be a JSON object such as {"by": "me"}, not an array`},
		{`temporal workflow signal -w ccr-job-ccr_test --name pause --input 'please' --input-meta encoding=binary/plain`,
			`command pause refused: the payload is "binary/plain", not JSON`},
		{`temporal workflow signal -w ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "fullsync", "skip_tabel": "orders"}'`,
			`command skip_binlog refused: unknown field "skip_tabel"`},
		{`temporal workflow signal -w ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "fullsync"}' --input '{"skip_table": "orders"}'`,
			`command skip_binlog refused: 2 payloads instead of one`},
		{`temporal workflow signal -w ccr-job-ccr_test --name update_host_mapping --input '{"source_host_mapping": {"a": "b"}}'`,
			`command update_host_mapping refused: host_mapping is empty (unknown field "source_host_mapping")`},
		{`temporal workflow signal -w ccr-job-ccr_test --name update_credentials --input '{"dest": {"password": "in clear text"}}'`,
			`command update_credentials refused: dest: the password is not sealed: "ccr seal" seals it`},
		{`temporal workflow signal -w ccr-job-ccr_test --name stop`, `command stop refused: there is no such command`},
		{`temporal workflow signal -w ccr-job-ccr_test --name resume --input '{"reason": "done"}'`, `command resume: ignored unknown field "reason"`},
		{`tctl workflow signal --workflow_id ccr-job-ccr_test --name skip_binlog`, `command skip_binlog refused: [normal] invalid skip method:`},
		{`tctl workflow signal --workflow_id ccr-job-ccr_test --name skip_binlog --input '{"skip_by": "silence", "skip_commit_seq": "1001"}'`,
			`command skip_binlog refused: bad payload: "skip_commit_seq" has to be a whole number, not a string`},
		{`tctl workflow signal --workflow_id ccr-job-ccr_test --name force_fullsync --input '7'`,
			`command force_fullsync refused: bad payload: it has to be a JSON object such as {"by": "me"}, not a number`},
	} {
		b.run(b.translate(bad.line))
		require.NoError(t, harness.Await(b.ctx, catchUp, func(context.Context) error {
			var events []job.Event
			b.ask(job.QueryEvents, &events)
			for _, e := range events {
				if strings.HasPrefix(e.Text, bad.event) {
					return nil
				}
			}
			return fmt.Errorf("no event about it: %v", events)
		}), bad.line)
	}
	// These do not leave the tool.
	for _, line := range []string{
		`temporal workflow signal -w ccr-job-ccr_test --name pause --input 'please'`,
		`tctl workflow signal --workflow_id ccr-job-ccr_test --name pause --input 'please'`,
	} {
		out, err := b.try(b.translate(line))
		require.Error(t, err, out)
		require.Contains(t, out, "not valid JSON")
	}
	require.NoError(t, isRunning(b))
	b.requireFullSyncs(b.name, 1)
	b.recordHistory(b.name)
	becomesDeleted(b, "delete", b.run("temporal workflow signal -w "+b.id+" --name delete"))
}
