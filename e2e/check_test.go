package e2e

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

type checkLine struct{ Check, Status, Detail, Remedy string }

// check asks check_ccr and returns its lines by name.
func (e *env) check(change func(body map[string]any)) (overall string, lines map[string]checkLine) {
	e.Helper()
	body := map[string]any{"name": e.jobName(), "src": e.pair.Source.Spec("d", ""), "dest": e.pair.Destination.Spec("d", "")}
	change(body)
	b, err := json.Marshal(body)
	require.NoError(e, err)
	_, text, err := e.ccr.Raw(e.ctx, "check_ccr", string(b))
	require.NoError(e, err)
	var reply struct {
		Success bool
		Overall string
		Checks  []checkLine
	}
	require.NoError(e, json.Unmarshal([]byte(text), &reply), text)
	require.True(e, reply.Success, text)
	lines = map[string]checkLine{}
	for _, line := range reply.Checks {
		lines[line.Check] = line
	}
	return reply.Overall, lines
}

func side(body map[string]any, name string) map[string]any { return body[name].(map[string]any) }

// Every fault that can be seen beforehand has its line, which says what to do.
func TestCheckSetup(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	as := func(body map[string]any) {}

	overall, lines := e.check(as)
	require.Equal(t, "pass", overall, "%v", lines)
	for _, name := range []string{"name", "other jobs", "versions", "backends to backends", "source: frontend", "source: all frontends", "source: backends",
		"source: recorded changes", "destination: transactions", "destination: label memory", "source: binlogs of backends", "source: database", "source: tables", "source: binlog retention", "source: tablets",
		"destination: frontend", "destination: all frontends", "destination: backends", "destination: database", "destination: replicas"} {
		require.Equal(t, "pass", lines[name].Status, name)
	}
	_, err := e.dst.ExecContext(e.ctx, "USE d")
	require.Error(t, err, "nothing is changed: the database is not there")

	e.exec(`ALTER TABLE d.t SET ("binlog.ttl_seconds" = "600")`)
	tests := []struct {
		name, check, status, detail string
		change                      func(body map[string]any)
	}{
		{"short ttl", "source: binlog retention", "warn", "t (600 s)", as},
		{"no such database", "source: database", "fail", "src database nothing not exists", func(b map[string]any) { side(b, "src")["database"] = "nothing" }},
		{"too many replicas", "destination: replicas", "fail", "replication_num 3, but the destination has 2 backends alive", func(b map[string]any) { b["replication_num"] = 3 }},
		{"wrong password", "destination: frontend", "fail", "Access denied", func(b map[string]any) { side(b, "dest")["password"] = "wrong" }},
		{"wrong port", "source: frontend", "fail", "connection refused", func(b map[string]any) { side(b, "src")["port"] = "1" }},
		{"wrong thrift port", "source: backends", "fail", "connection refused", func(b map[string]any) { side(b, "src")["thrift_port"] = "1" }},
		{"host mapping to nowhere", "source: frontend", "fail", "127.1.2.3", func(b map[string]any) {
			side(b, "src")["host_mapping"] = map[string]string{"127.0.0.1": "127.1.2.3"}
		}},
		{"no such table", "source: database", "fail", "src table d.none not exists", func(b map[string]any) {
			side(b, "src")["table"], side(b, "dest")["table"] = "none", "none"
		}},
		{"nothing selected", "source: tables", "warn", "no table is selected", func(b map[string]any) { b["include_tables"] = []string{"x"} }},
	}
	for _, tt := range tests {
		overall, lines := e.check(tt.change)
		require.Equal(t, tt.status, overall, "%s: %v", tt.name, lines)
		require.Equal(t, tt.status, lines[tt.check].Status, "%s: %v", tt.name, lines)
		require.Contains(t, lines[tt.check].Detail, tt.detail, tt.name)
		if tt.status == "fail" {
			require.NotEmpty(t, lines[tt.check].Remedy, tt.name)
		}
	}

	// What is there already, and who writes to it.
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	overall, lines = e.check(func(b map[string]any) { b["name"] = job + "_2" })
	require.Equal(t, "fail", overall)
	require.Contains(t, lines["other jobs"].Detail, job)
	require.Contains(t, lines["destination: database"].Detail, "replaces tables that d has already: t, u")
	_, lines = e.check(as)
	require.Contains(t, lines["name"].Detail, "already exist")

	// A database without binlogs, one of its tables without them.
	e.exec("CREATE DATABASE e", fmt.Sprintf(duplicateTable, "e", "on1"), fmt.Sprintf(duplicateTable, "e", "off1"),
		`ALTER TABLE e.on1 SET ("binlog.enable" = "true")`)
	other := func(b map[string]any) {
		side(b, "src")["database"], side(b, "dest")["database"] = "e", "e"
	}
	_, lines = e.check(other)
	require.Contains(t, lines["source: database"].Detail, "src database e not enable binlog")
	require.Contains(t, lines["source: tables"].Detail, "1 of 2 tables record no binlogs")
	require.Contains(t, lines["source: tables"].Detail, "off1")

	// Temporary partitions, which Doris does not back up unless told so.
	e.exec("CREATE DATABASE f", `CREATE TABLE f.p (id INT) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("10"))
		DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES("replication_num" = "1")`)
	e.enableBinlog("f", "p")
	e.exec(`ALTER TABLE f.p ADD TEMPORARY PARTITION tp VALUES LESS THAN ("10")`)
	parted := func(b map[string]any) {
		b["name"] = job + "_2"
		side(b, "src")["database"], side(b, "dest")["database"] = "f", "f"
	}
	_, lines = e.check(parted)
	require.Equal(t, "fail", lines["source: temporary partitions"].Status, "%v", lines)
	require.Contains(t, lines["source: temporary partitions"].Remedy, "ignore_backup_tmp_partitions")
	e.exec(`ADMIN SET FRONTEND CONFIG ("ignore_backup_tmp_partitions" = "true")`)
	overall, lines = e.check(parted)
	require.Equal(t, "pass", overall, "%v", lines)
}

// A job into its own source would replace what it reads from: nobody gets it
// created, whatever addresses and options are used. Two databases of one cluster
// are all right.
func TestNoJobIntoItsOwnSource(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), "INSERT INTO d.t VALUES (1, 'a')")
	e.enableBinlog("d", "t")
	for _, table := range []string{"", "t"} {
		itself := func(b map[string]any) {
			b["src"], b["dest"] = e.pair.Source.Spec("d", table), e.pair.Source.Spec("d", table)
			b["allow_table_exists"] = true
			host := side(b, "dest")["host"].(string)
			side(b, "dest")["host_mapping"] = map[string]string{host: "localhost"} // another address of the same
			side(b, "dest")["host"] = "localhost"
		}
		_, lines := e.check(itself)
		require.Equal(t, "fail", lines["source and destination"].Status, "%v", lines)
		body := map[string]any{"name": e.jobName()}
		itself(body)
		_, err := e.ccr.Call(e.ctx, "create_ccr", body)
		require.ErrorContains(t, err, "the job would replace it by a copy of itself")
	}
	overall, lines := e.check(func(b map[string]any) {
		b["src"], b["dest"] = e.pair.Source.Spec("d", ""), e.pair.Source.Spec("d2", "")
	})
	require.Equal(t, "pass", overall, "%v", lines)
}
