package verifying

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
)

// TestDamage: rows that differ at the same version, which no load has made so.
func TestDamage(t *testing.T) {
	key := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		model  string
		damage dorisim.Damage
		kind   string
		rows   [2]int64
		cols   []string
		keys   []string
	}{
		"dropped, duplicate": {model: "DUPLICATE", damage: dorisim.Damage{Kind: "drop", Key: key("7")}, kind: "rows", rows: [2]int64{50, 49}, keys: []string{"7: missing on the destination"}},
		"dropped, unique":    {model: "UNIQUE", damage: dorisim.Damage{Kind: "drop", Key: key("7")}, kind: "rows", rows: [2]int64{50, 49}, keys: []string{"7: missing on the destination"}},
		"doubled":            {model: "DUPLICATE", damage: dorisim.Damage{Kind: "double", Key: key("9")}, kind: "rows", rows: [2]int64{50, 51}, keys: []string{"9: doubled: 1 on the source, 2 on the destination"}},
		"changed, duplicate": {model: "DUPLICATE", damage: dorisim.Damage{Kind: "change", Key: key("11")}, kind: "content", rows: [2]int64{50, 50}, cols: []string{"s"}, keys: []string{"11: changed"}},
		"changed, unique":    {model: "UNIQUE", damage: dorisim.Damage{Kind: "change", Key: key("11"), Column: "n"}, kind: "content", rows: [2]int64{50, 50}, cols: []string{"n"}, keys: []string{"11: changed"}},
		"to NULL":            {model: "UNIQUE", damage: dorisim.Damage{Kind: "change", Key: key("11"), Column: "s", Null: true}, kind: "content", rows: [2]int64{50, 50}, cols: []string{"s"}, keys: []string{"11: changed"}},
		"to empty":           {model: "UNIQUE", damage: dorisim.Damage{Kind: "change", Key: key("11"), Column: "s", Value: key("")}, kind: "content", rows: [2]int64{50, 50}, cols: []string{"s"}},
		"deleted":            {model: "UNIQUE", damage: dorisim.Damage{Kind: "delete", Key: key("12")}, kind: "rows", rows: [2]int64{50, 49}, keys: []string{"12: missing on the destination"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.both(fmt.Sprintf("CREATE TABLE DB.t (`k` INT NOT NULL, `n` BIGINT NULL, `s` VARCHAR(20) NULL) %s KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 5 %s", c.model, once))
			var rows []string
			for i := range 50 {
				rows = append(rows, fmt.Sprintf("(%d, %d, 'v%d')", i, i%3, i))
			}
			s.both("INSERT INTO DB.t VALUES " + strings.Join(rows, ", "))
			require.Equal(t, job.VerifyEqual, s.verify("t").Outcome)
			c.damage.Database, c.damage.Table = s.name, "t"
			_, err := clusters[1].Damage(c.damage)
			require.NoError(t, err)
			got := s.verify("t")
			require.Equal(t, job.VerifyDifferent, got.Outcome, "%+v", got)
			require.Len(t, got.Differences, 1)
			d := got.Differences[0]
			require.Equal(t, c.kind, d.Kind)
			require.Equal(t, c.rows, [2]int64{d.SourceRows, d.DestinationRows})
			require.Len(t, d.Buckets, 1)
			require.Equal(t, c.cols, d.Columns)
			if c.keys != nil {
				require.Equal(t, c.keys, d.Keys)
			}
			s.method = job.VerifyChecksum
			require.Equal(t, job.VerifyDifferent, s.verify("t").Outcome)
			s.method = job.VerifyCount
			require.Equal(t, c.kind == "rows", s.verify("t").Outcome == job.VerifyDifferent)
		})
	}
}

// TestTypes: a value of each type is compared by a text that tells it from others.
func TestTypes(t *testing.T) {
	for kind, values := range map[string][2]string{
		"BOOLEAN": {"true", "false"}, "TINYINT": {"1", "2"}, "LARGEINT": {"170141183460469231731687303715884105727", "170141183460469231731687303715884105726"},
		"FLOAT": {"1023.99994", "1023.99988"}, "DOUBLE": {"0.1", "0.10000000000000002"}, "DECIMAL(27, 9)": {"1.000000001", "1.000000002"},
		"DATE": {"'2024-02-29'", "'2024-03-01'"}, "DATETIME(6)": {"'2024-02-29 01:02:03.000001'", "'2024-02-29 01:02:03.000002'"},
		"CHAR(5)": {"'a'", "'b'"}, "STRING": {"'a|b'", "'a|c'"}, "JSON": {`'{"a": [1, 2]}'`, `'{"a": [1, 3]}'`}, "VARIANT": {`'{"a": 1}'`, `'{"a": 2}'`},
		"ARRAY<STRING>": {"'[\"1\", null]'", "'[\"1\", \"\"]'"}, "MAP<STRING, INT>": {`'{"a":1}'`, `'{"a":2}'`},
		"STRUCT<a:INT, b:STRING>": {`'{"a":1,"b":"x"}'`, `'{"a":1,"b":"y"}'`}, "IPV4": {"'10.0.0.1'", "'10.0.0.2'"}, "IPV6": {"'2001:db8::1'", "'2001:db8::2'"},
	} {
		t.Run(kind, func(t *testing.T) {
			s := newScene(t)
			s.both(fmt.Sprintf("CREATE TABLE DB.t (`k` INT, `v` %s NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 %s", kind, once))
			s.both(fmt.Sprintf("INSERT INTO DB.t VALUES (1, %s), (2, NULL)", values[0]))
			require.Equal(t, job.VerifyEqual, s.verify("t").Outcome)
			s.exec(0, fmt.Sprintf("INSERT INTO DB.t VALUES (3, %s)", values[0]))
			s.exec(1, fmt.Sprintf("INSERT INTO DB.t VALUES (3, %s)", values[1]))
			got := s.verify("t")
			require.Equal(t, job.VerifyDifferent, got.Outcome)
			require.Equal(t, "content", got.Differences[0].Kind)
			require.Equal(t, []string{"v"}, got.Differences[0].Columns)
			require.Equal(t, []string{"=3: changed"}, got.Differences[0].Keys)
		})
	}
}

// TestAggregateTypes: BITMAP has an exact text; of the others only the rest of the row
// is compared, and that is said.
func TestAggregateTypes(t *testing.T) {
	s := newScene(t)
	s.both("CREATE TABLE DB.t (`k` INT, `b` BITMAP BITMAP_UNION, `h` HLL HLL_UNION, `n` BIGINT SUM) AGGREGATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 "+once,
		"INSERT INTO DB.t VALUES (1, to_bitmap(5), hll_hash(5), 3), (2, to_bitmap(6), hll_hash(6), 4)")
	got := s.verify("t")
	require.Equal(t, job.VerifyEqual, got.Outcome, "%+v", got)
	require.Equal(t, []string{"h"}, got.NotCompared)
	s.exec(0, "INSERT INTO DB.t VALUES (1, to_bitmap(7), hll_hash(7), 0)")
	s.exec(1, "INSERT INTO DB.t VALUES (1, to_bitmap(8), hll_hash(8), 0)")
	got = s.verify("t")
	require.Equal(t, job.VerifyDifferent, got.Outcome)
	require.Equal(t, []string{"b"}, got.Differences[0].Columns)
}

// TestSequence: rows that look the same, of which a later load would show another one.
func TestSequence(t *testing.T) {
	s := newScene(t)
	s.both("CREATE TABLE DB.t (`k` INT, `v` INT) UNIQUE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " +
		`PROPERTIES ("replication_num" = "1", "function_column.sequence_type" = "bigint")`)
	s.both("INSERT INTO DB.t (`k`, `v`, `__DORIS_SEQUENCE_COL__`) VALUES (1, 1, 5)")
	require.Equal(t, job.VerifyEqual, s.verify("t").Outcome)
	s.exec(0, "INSERT INTO DB.t (`k`, `v`, `__DORIS_SEQUENCE_COL__`) VALUES (1, 1, 7)")
	s.exec(1, "INSERT INTO DB.t (`k`, `v`, `__DORIS_SEQUENCE_COL__`) VALUES (1, 1, 6)")
	got := s.verify("t")
	require.Equal(t, job.VerifyDifferent, got.Outcome)
	require.Equal(t, []string{"__DORIS_SEQUENCE_COL__"}, got.Differences[0].Columns)
}

// TestStructure: what differs without rows.
func TestStructure(t *testing.T) {
	const table = "CREATE TABLE DB.t (`k` INT, `a` INT, `s` VARCHAR(20)) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(`k`) BUCKETS %d " + once
	for name, c := range map[string]struct {
		source, destination string
		kind, text          string
	}{
		"a default":            {"CREATE TABLE DB.t (`k` INT, `a` INT DEFAULT '1') DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "CREATE TABLE DB.t (`k` INT, `a` INT DEFAULT '2') DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "definition", "columns"},
		"a type":               {"CREATE TABLE DB.t (`k` INT, `a` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "CREATE TABLE DB.t (`k` INT, `a` BIGINT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "definition", "columns"},
		"the order of columns": {"CREATE TABLE DB.t (`k` INT, `a` INT, `b` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "CREATE TABLE DB.t (`k` INT, `b` INT, `a` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "definition", "the order is"},
		"an index":             {"CREATE TABLE DB.t (`k` INT, `s` STRING, INDEX i (`s`) USING INVERTED) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "CREATE TABLE DB.t (`k` INT, `s` STRING) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "indexes", "only the first has i"},
		"a rollup":             {"CREATE TABLE DB.t (`k` INT, `a` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 ROLLUP (r (`a`, `k`)) " + once, "CREATE TABLE DB.t (`k` INT, `a` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once, "rollups", "does not have the rollup r"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.exec(0, c.source)
			s.exec(1, c.destination)
			if name != "a default" {
				s.both("INSERT INTO DB.t (`k`) VALUES (1)")
			}
			got := s.verify("t")
			require.Equal(t, job.VerifyDifferent, got.Outcome, "%+v", got)
			require.Len(t, got.Differences, 1, "%+v", got)
			require.Equal(t, c.kind, got.Differences[0].Kind, "%+v", got)
			require.Contains(t, got.Differences[0].Text, c.text)
		})
	}
	t.Run("buckets", func(t *testing.T) {
		s := newScene(t)
		s.exec(0, fmt.Sprintf(table, 2))
		s.exec(1, fmt.Sprintf(table, 2))
		s.exec(0, "ALTER TABLE DB.t ADD PARTITION p3 VALUES LESS THAN ('30') DISTRIBUTED BY HASH(`k`) BUCKETS 3")
		s.exec(1, "ALTER TABLE DB.t ADD PARTITION p3 VALUES LESS THAN ('30') DISTRIBUTED BY HASH(`k`) BUCKETS 4")
		s.both("INSERT INTO DB.t VALUES (1, 1, 'a'), (21, 2, 'b'), (22, 2, 'b')")
		got := s.verify("t")
		require.Len(t, got.Differences, 1, "%+v", got)
		require.Equal(t, "buckets", got.Differences[0].Kind)
		require.Equal(t, "p3", got.Differences[0].Partition)
		require.Equal(t, int64(3), got.SourceRows, "its rows are compared all the same")
	})
	t.Run("a partition less", func(t *testing.T) {
		s := newScene(t)
		s.both(fmt.Sprintf(table, 2), "INSERT INTO DB.t VALUES (1, 1, 'a')")
		s.exec(1, "ALTER TABLE DB.t DROP PARTITION p2")
		got := s.verify("t")
		require.Equal(t, "partitions", got.Differences[0].Kind, "%+v", got)
		require.Contains(t, got.Differences[0].Text, "the destination does not have the partition p2")
		require.Equal(t, 1, got.Partitions)
	})
}

// TestObjects: tables and views that one side has.
func TestObjects(t *testing.T) {
	s := newScene(t)
	const create = "CREATE TABLE DB.%s (`k` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 " + once
	s.both(fmt.Sprintf(create, "both"), "CREATE VIEW DB.v AS SELECT `k` FROM DB.both")
	s.exec(0, fmt.Sprintf(create, "ours"))
	s.exec(1, fmt.Sprintf(create, "theirs"))
	s.exec(0, "CREATE VIEW DB.ov AS SELECT `k` FROM DB.both")
	id := s.known("both")
	s.input.Progress.Tables[-5] = job.Table{Name: "v", View: true}
	plan, err := s.job.PlanVerification(ctx, s.input, job.VerifyRequest{})
	require.NoError(t, err)
	ours := s.tableID(0, "ours")
	require.Equal(t, []job.VerifyTarget{{ID: id, Name: "both"}, {ID: ours, Name: "ours"}, {Name: "ov", View: true}, {Name: "theirs"}, {ID: -5, Name: "v", View: true}}, plan.Tables)
	texts := map[string]string{}
	for _, target := range plan.Tables {
		got := s.verifyTarget(target)
		texts[target.Name] = string(got.Outcome)
		for _, d := range got.Differences {
			texts[target.Name] += " " + d.Kind + ": " + d.Text
		}
	}
	require.Equal(t, map[string]string{
		"both": "equal", "v": "equal", "ours": "different objects: the job does not have the source's table ours",
		"ov": "different objects: the destination does not have ov", "theirs": "different objects: only the destination has theirs",
	}, texts)

	plan, err = s.job.PlanVerification(ctx, s.input, job.VerifyRequest{Tables: []string{"b*"}})
	require.NoError(t, err)
	require.Len(t, plan.Tables, 1)
	s.exec(1, "DROP VIEW DB.v")
	s.exec(1, "CREATE VIEW DB.v AS SELECT `k` + 1 AS `k` FROM DB.both")
	require.Equal(t, "definition", s.verifyTarget(job.VerifyTarget{ID: -5, Name: "v", View: true}).Differences[0].Kind)

	// What the job has left since it was planned is no business of its own.
	for name, left := range map[string]func(*job.Spec){
		"a table job follows another table": func(spec *job.Spec) { spec.Source.Table, spec.Destination.Table = "both", "both" },
		"the filter leaves it out":          func(spec *job.Spec) { spec.Exclude = []string{"ours"} },
	} {
		spec := s.input.Spec
		left(&spec)
		connector := replication.NewConnector(replication.Options{SettleTime: 20 * time.Millisecond})
		s.job = connector.Open(spec, replication.Passwords{Source: password, Destination: password})
		require.Equal(t, job.VerifyNotComparable, s.verifyTarget(job.VerifyTarget{ID: ours, Name: "ours"}).Outcome, name)
		s.job.Close()
		require.NoError(t, connector.Close())
	}
}

// TestReplicas: a replica that differs from its siblings.
func TestReplicas(t *testing.T) {
	s := newScene(t)
	s.both("CREATE TABLE DB.t (`k` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 "+`PROPERTIES ("replication_num" = "3")`,
		"INSERT INTO DB.t VALUES (1), (2), (3), (4), (5), (6)")
	s.request.Replicas = true
	require.Equal(t, job.VerifyEqual, s.verify("t").Outcome)
	done, err := clusters[1].Damage(dorisim.Damage{Database: s.name, Table: "t", Kind: be.DropRows, Backend: backend(s, 1)})
	require.NoError(t, err)
	require.Len(t, done.Tablets, 1)
	got := s.verify("t")
	require.Equal(t, job.VerifyDifferent, got.Outcome, "%+v", got)
	d := got.Differences[len(got.Differences)-1]
	require.Equal(t, "replicas", d.Kind)
	require.Len(t, d.Buckets, 1)
	require.Contains(t, d.Text, "the destination's replicas")
}

// backend is the id of one of a cluster's backends.
func backend(s *scene, side int) int64 {
	s.t.Helper()
	rows, err := s.db[side].Query("SHOW BACKENDS")
	require.NoError(s.t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(s.t, err)
	require.True(s.t, rows.Next())
	targets := make([]any, len(names))
	for i := range targets {
		targets[i] = new(any)
	}
	var id int64
	targets[0] = &id
	require.NoError(s.t, rows.Scan(targets...))
	return id
}

// TestSettings: they are set for each query, and what a cluster says of them is told.
func TestSettings(t *testing.T) {
	s := newScene(t)
	s.both("CREATE TABLE DB.t (`k` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 "+once, "INSERT INTO DB.t VALUES (1)")
	s.request.WorkloadGroup = "no_such_group"
	got := s.verify("t")
	require.Equal(t, job.VerifyBusy, got.Outcome, "%+v", got)
	require.Contains(t, got.Why, "no_such_group")
	s.request.WorkloadGroup, s.request.MemLimit, s.request.QueryTimeout = "normal", 1<<30, time.Minute
	require.Equal(t, job.VerifyEqual, s.verify("t").Outcome)
}

// TestPrivilege: what the account may not read is said, with the remedy.
func TestPrivilege(t *testing.T) {
	s := newScene(t)
	s.both("CREATE TABLE DB.t (`k` INT) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 "+once, "INSERT INTO DB.t VALUES (1)")
	user := "u_" + s.name
	s.both("CREATE USER '"+user+"' IDENTIFIED BY 'pw'", "GRANT SELECT_PRIV ON `"+s.name+"`.* TO '"+user+"'")
	as := func() job.VerifiedTable {
		in := s.input
		in.Spec.Source.User, in.Spec.Destination.User = user, user
		s.job = s.connector.Open(in.Spec, replication.Passwords{Source: "pw", Destination: "pw"})
		t.Cleanup(s.job.Close)
		return s.verify("t")
	}
	require.Equal(t, job.VerifyEqual, as().Outcome, "reading is enough")
	s.exec(1, "REVOKE SELECT_PRIV ON `"+s.name+"`.* FROM '"+user+"'")
	s.exec(1, "GRANT LOAD_PRIV ON `"+s.name+"`.* TO '"+user+"'")
	got := as()
	require.Equal(t, job.VerifyNotComparable, got.Outcome, "%+v", got)
	require.Contains(t, got.Why, "grant")
}
