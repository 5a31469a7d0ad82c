package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// recordedCall is an entry of rpcs.real.json (doris-sql.md 9).
type recordedCall struct {
	Name    string          `json:"name"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
	Answer  json.RawMessage `json:"answer"`
}

// readRecording reads a file of recordings.
func readRecording[T any](t *testing.T, name string) T {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recordings", name))
	require.NoError(t, err)
	var v T
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

// recordedKeys are the keys of an object in a file, in their order.
func recordedKeys(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "recordings", name))
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(text))
	_, err = d.Token()
	require.NoError(t, err)
	var keys []string
	for d.More() {
		key, err := d.Token()
		require.NoError(t, err)
		keys = append(keys, key.(string))
		var skipped json.RawMessage
		require.NoError(t, d.Decode(&skipped))
	}
	return keys
}

// rpcReplay plays the calls against a cluster of one frontend and one backend.
type rpcReplay struct {
	*side
	*alignment
	cluster *dorisim.Cluster
	last    map[string]json.RawMessage // answers by name, as dorisim gave them
	// meta and jobInfo are the snapshot's, jobInfo after extra_info was added.
	meta    []byte
	jobInfo string
	holds   map[string]int
	score   *scoreOfRecordings
}

// TestRecordingsRPC sends every Thrift call of the recording and compares what
// comes back.
func TestRecordingsRPC(t *testing.T) {
	c, s := recordedCluster(t)
	r := &rpcReplay{side: s, alignment: newAlignment(), cluster: c, last: map[string]json.RawMessage{}, holds: map[string]int{},
		score: newScore(t, "rpcs.real.json")}
	r.prepare()
	for i, call := range readRecording[[]recordedCall](t, "rpcs.real.json") {
		recorded, err := decode(call.Answer)
		require.NoError(t, err)
		r.score.add(fmt.Sprintf("%d %s", i, call.Name), r.play(call, recorded))
	}
	r.score.finish()
}

// recordedCluster is a cluster as the recorded one was: one frontend and one
// backend of the master of November 2024, root without password.
func recordedCluster(t *testing.T, change ...func(*dorisim.Config)) (*dorisim.Cluster, *side) {
	t.Helper()
	cfg := dorisim.Config{Name: "recorded", Version: core.VersionM24, FEConfig: map[string]string{"commit_timeout_second": "1"}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := dorisim.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	faultstest.Struck(t, c.Faults())
	return c, &side{t: t, db: openAs(t, c.FE(0).MySQLAddr(), "root", ""), thrift: c.FE(0).ThriftAddr(), fe: frontend(t, c.FE(0).ThriftAddr())}
}

// openAs is a pool of one connection, so that a session keeps its state.
func openAs(t *testing.T, addr, name, password string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/", name, password, addr))
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// oneReplica are those of recorded tables with binlogs.
const oneReplica = `PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`

// prepare makes the databases d2 and d3, and holds the jobs in each state until
// the replay has seen it.
func (r *rpcReplay) prepare() {
	r.exec("CREATE DATABASE d2")
	r.exec(`ALTER DATABASE d2 SET PROPERTIES ("binlog.enable" = "true")`)
	r.exec("CREATE TABLE d2.a (k INT, v INT) UNIQUE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 2 " + oneReplica)
	r.exec("CREATE TABLE d2.b (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), " +
		"PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica)
	r.exec(`CREATE TABLE d2.nob (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 PROPERTIES ("replication_num" = "1")`)
	r.exec("CREATE VIEW d2.vw AS SELECT k FROM d2.a")
	r.exec("CREATE DATABASE d3")
	for _, state := range slices.Concat(prefixed("backup.", backupStates), prefixed("restore.", restoreStates)) {
		r.holds[state] = holdAt(r.t, r.cluster, state)
	}
}

// holdAt holds a job that gets to a fault point until the rule is removed.
func holdAt(t *testing.T, c *dorisim.Cluster, point string) int {
	t.Helper()
	id, err := c.Faults().Add(faults.Rule{Point: point, Action: faults.Hold, MayNotStrike: true})
	require.NoError(t, err)
	return id
}

var (
	backupStates  = []string{"PENDING", "SNAPSHOTING", "UPLOAD_SNAPSHOT", "UPLOADING", "SAVE_META", "UPLOAD_INFO"}
	restoreStates = []string{"PENDING", "CREATING", "SNAPSHOTING", "DOWNLOAD", "DOWNLOADING", "COMMIT", "COMMITTING"}
)

func prefixed(prefix string, names []string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = prefix + n
	}
	return list
}

// play makes one entry's request and returns the differences.
func (r *rpcReplay) play(call recordedCall, recorded any) []string {
	r.t.Helper()
	switch {
	case call.Method != "":
		got := r.call(call)
		unzipAnswer(r.t, recorded)
		unzipAnswer(r.t, got)
		return r.differences("answer", "", recorded, got)
	case call.Name == "load a":
		r.exec("INSERT INTO d2.a WITH LABEL probe_load VALUES (1, 1), (2, 2), (3, 3), (4, 4)")
		return nil
	case call.Name == "backup states":
		return r.differences("answer", "", recorded, r.states("SHOW BACKUP FROM d2 WHERE SnapshotName = 's1'", "backup.", backupStates))
	case call.Name == "restore states":
		return r.differences("answer", "", recorded, r.states("SHOW RESTORE FROM d3 WHERE Label = 'r1'", "restore.", restoreStates))
	case call.Name == "job info":
		r.addExtraInfo()
		got, err := decode([]byte(r.jobInfo))
		require.NoError(r.t, err)
		return r.differences("answer", "", recorded, got)
	case strings.HasPrefix(call.Name, "sql "):
		return r.differences("answer", "", recorded, r.answerOfSQL(r.statement(strings.TrimPrefix(call.Name, "sql "))))
	}
	return []string{"the replay does not know this entry"}
}

// statement is the SQL that a recorded name stands for.
func (r *rpcReplay) statement(name string) string {
	if statement, ok := map[string]string{
		"SHOW BACKUP like": "SHOW BACKUP FROM d2 WHERE SnapshotName LIKE 's%'", "SHOW BACKUP bad where": "SHOW BACKUP FROM d2 WHERE State = 'FINISHED'",
		"SHOW BACKUP nope": "SHOW BACKUP FROM nope", "CANCEL BACKUP": "CANCEL BACKUP FROM d2", "CANCEL RESTORE": "CANCEL RESTORE FROM d2",
		"restored tables": "SHOW TABLES FROM d3", "restored create": "SHOW CREATE TABLE d3.b",
	}[name]; ok {
		return statement
	}
	return strings.NewReplacer("<txn2>", fmt.Sprint(r.simulated(105)), "<txn>", fmt.Sprint(r.simulated(99))).Replace(name)
}

// states collects one row for each state that a job goes through; every state is
// held until it has been seen.
func (r *rpcReplay) states(show, prefix string, states []string) any {
	r.t.Helper()
	rows := []any{}
	for _, state := range append(slices.Clone(states), "FINISHED") {
		var row any
		require.Eventually(r.t, func() bool {
			list := rowsOf(r.answerOfSQL(show))
			row = list[len(list)-1]
			return row.(map[string]any)["State"] == state
		}, patience, time.Millisecond, "%s does not come", state)
		rows = append(rows, row)
		if id, ok := r.holds[prefix+state]; ok {
			r.cluster.Faults().Remove(id)
		}
	}
	return rows
}

// rowsOf turns an answer into objects by column.
func rowsOf(answer any) []any {
	object := answer.(map[string]any)
	list := []any{}
	for _, cells := range object["rows"].([]any) {
		row := map[string]any{}
		for i, column := range object["columns"].([]any) {
			row[column.(string)] = cells.([]any)[i]
		}
		list = append(list, row)
	}
	return list
}

// answerOfSQL runs a statement and returns its answer as recordings hold it.
func (s *side) answerOfSQL(statement string) any {
	s.t.Helper()
	rows, err := s.db.QueryContext(ctx, statement)
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		return map[string]any{"error": []any{json.Number(fmt.Sprint(refusal.Number)), refusal.Message}}
	}
	require.NoError(s.t, err, statement)
	defer rows.Close()
	titles, err := rows.Columns()
	require.NoError(s.t, err)
	columns, list := []any{}, []any{}
	for _, c := range titles {
		columns = append(columns, c)
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(titles))
		targets := make([]any, len(titles))
		for i := range cells {
			targets[i] = &cells[i]
		}
		require.NoError(s.t, rows.Scan(targets...))
		row := make([]any, len(titles))
		for i, cell := range cells {
			if cell.Valid {
				row[i] = cell.String
			}
		}
		list = append(list, row)
	}
	if errors.As(rows.Err(), &refusal) {
		return map[string]any{"error": []any{json.Number(fmt.Sprint(refusal.Number)), refusal.Message}}
	}
	require.NoError(s.t, rows.Err())
	if len(columns) == 0 {
		return map[string]any{"ok": true}
	}
	return map[string]any{"columns": columns, "rows": list}
}

// call sends a recorded request, with the simulator's ids and snapshot in it.
func (r *rpcReplay) call(call recordedCall) any {
	r.t.Helper()
	method := reflect.ValueOf(r.fe).MethodByName(strings.ToUpper(call.Method[:1]) + call.Method[1:])
	require.True(r.t, method.IsValid(), call.Method)
	request := reflect.New(method.Type().In(1).Elem())
	r.fill(request, call)
	out := method.Call([]reflect.Value{reflect.ValueOf(context.Context(ctx)), request})
	if err, _ := out[1].Interface().(error); err != nil {
		return map[string]any{"transport": err.Error()}
	}
	if snapshot, ok := out[0].Interface().(*frontendservice.TGetSnapshotResult_); ok && call.Name == "snapshot" {
		r.meta, r.jobInfo = snapshot.Meta, string(snapshot.JobInfo)
	}
	return wireFields(out[0])
}

// unzipAnswer replaces a compressed job_info by its text; the recording has the bytes
// in hex.
func unzipAnswer(t *testing.T, answer any) {
	t.Helper()
	object, ok := answer.(map[string]any)
	if !ok || object["compressed"] != true {
		return
	}
	packed := object["job_info"].(string)
	if raw, err := hex.DecodeString(packed); err == nil {
		packed = string(raw)
	}
	reader, err := gzip.NewReader(strings.NewReader(packed))
	require.NoError(t, err)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	object["job_info"] = string(text)
}

// fill decodes the recorded request into a Thrift struct.
func (r *rpcReplay) fill(request reflect.Value, call recordedCall) {
	r.t.Helper()
	fields, err := decode(call.Request)
	require.NoError(r.t, err)
	object := fields.(map[string]any)
	delete(object, "meta") // bytes: they are set below
	delete(object, "job_info")
	if kind, ok := object["snapshot_type"]; ok { // the generated code reads names
		object["snapshot_type"] = map[string]string{"0": "REMOTE", "1": "LOCAL"}[fmt.Sprint(kind)]
	}
	text, err := json.Marshal(r.translated("", object))
	require.NoError(r.t, err)
	require.NoError(r.t, json.NewDecoder(bytes.NewReader(text)).Decode(request.Interface()))
	var has map[string]json.RawMessage
	require.NoError(r.t, json.Unmarshal(call.Request, &has))
	restore, ok := request.Interface().(*frontendservice.TRestoreSnapshotRequest)
	if !ok {
		return
	}
	if has["meta"] != nil {
		restore.Meta = r.meta
	}
	if info := has["job_info"]; info != nil {
		restore.JobInfo = []byte(r.jobInfo)
		if len(info) < 100 { // a text of its own
			var own string
			require.NoError(r.t, json.Unmarshal(info, &own))
			restore.JobInfo = []byte(own)
		}
	}
}

// requestIDs are fields of requests that name objects.
var requestIDs = setOf("id", "table_ids", "table_id", "txn_id", "db_id", "tabletId", "backendId")

// translated replaces recorded ids by simulated ones.
func (r *rpcReplay) translated(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = r.translated(k, v[k])
		}
	case []any:
		for i := range v {
			v[i] = r.translated(key, v[i])
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && requestIDs[key] {
			return r.simulated(n)
		}
	}
	return v
}

// addExtraInfo does to the job info what a client does (doris-rpc.md 5.4).
func (r *rpcReplay) addExtraInfo() {
	r.t.Helper()
	info := decodeJobInfo(r.t, []byte(r.jobInfo))
	backends := map[string]any{}
	meta, err := r.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{User: new("root"), Passwd: new("")})
	require.NoError(r.t, err)
	for _, b := range meta.Backends {
		backends[fmt.Sprint(b.GetID())] = map[string]any{"ip": b.Host, "port": b.HTTPPort}
	}
	info["extra_info"] = map[string]any{"be_network_map": backends, "token": r.cluster.Core().Token()}
	text, err := json.Marshal(info)
	require.NoError(r.t, err)
	r.jobInfo = string(text)
}
