package ddl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/schema"
	"github.com/doris-ccr/ccr/replication/schematest"
)

// mow is the destination's t_mow before the first of the recorded changes.
func mow(t *testing.T) schema.Definition {
	return parse(t, strings.Replace(schematest.ShowCreate(t)["t_mow"], "  `c1` int NULL DEFAULT \"3\" COMMENT 'new one',\n", "", 1), "d4")
}

// TestPlanColumns replays what a real frontend recorded, one statement after the
// other: the clauses are what was ordered, not what rawSql says.
func TestPlanColumns(t *testing.T) {
	payloads, texts := schematest.DDL(t), schematest.ShowCreate(t)
	dup := parse(t, texts["t_dup"], "d4")
	dup.Columns[2].Type = "largeint" // by the heavy change before it
	have := map[string]schema.Definition{"t_mow": mow(t), "t_agg": parse(t, texts["t_agg"], "d4"), "t_dup": dup}
	for _, c := range []struct {
		statement string
		want      string
	}{
		{`ALTER TABLE t_mow ADD COLUMN c1 INT NULL DEFAULT "3" COMMENT "new one" AFTER v1`, "ADD COLUMN `c1` int NULL DEFAULT \"3\" COMMENT \"new one\" AFTER `v1`"},
		{`ALTER TABLE t_mow ADD COLUMN (c2 VARCHAR(5) DEFAULT "x'y", c3 DATETIME(3) DEFAULT CURRENT_TIMESTAMP(3))`,
			"ADD COLUMN `c2` varchar(5) NULL DEFAULT \"x\\'y\" COMMENT \"\", ADD COLUMN `c3` datetime(3) NULL DEFAULT CURRENT_TIMESTAMP(3) COMMENT \"\""},
		{`ALTER TABLE t_mow DROP COLUMN c2`, "DROP COLUMN `c2`"},
		{`ALTER TABLE t_mow ADD COLUMN c4 BIGINT, DROP COLUMN c1`, "DROP COLUMN `c1`, ADD COLUMN `c4` bigint NULL COMMENT \"\""},
		{`ALTER TABLE t_agg ADD COLUMN s2 BIGINT SUM DEFAULT "0"`, "ADD COLUMN `s2` bigint SUM NULL DEFAULT \"0\" COMMENT \"\""},
		{`ALTER TABLE t_dup MODIFY COLUMN k2 VARCHAR(40) NULL`, "MODIFY COLUMN `k2` varchar(40) NULL COMMENT \"\""},
	} {
		modify, err := binlog.DecodeModifyColumns(payloads[c.statement])
		require.NoError(t, err)
		base, ambiguous := largestSchema(modify.IndexSchema)
		require.False(t, ambiguous)
		table := strings.Fields(c.statement)[2]
		d := have[table]
		plan := planColumns(d, base)
		require.Empty(t, plan.conflict+plan.unclear, c.statement)
		require.Equal(t, c.want, strings.Join(plan.clauses, ", "), c.statement)

		d.Columns = nil
		for _, column := range base {
			if column.Visible {
				defined, err := schema.DefinedColumn(column, d.Aggregates())
				require.NoError(t, err)
				d.Columns = append(d.Columns, defined)
			}
		}
		have[table] = d
		require.Equal(t, columnPlan{}, planColumns(d, base), "it is there already: %s", c.statement)
	}
}

// TestPlanColumnsDoubts has what no statement can be built of.
func TestPlanColumnsDoubts(t *testing.T) {
	column := func(name, typ string, id int64) binlog.Column {
		return binlog.Column{Name: name, Type: []byte(typ), AllowNull: true, Visible: true, UniqueID: id}
	}
	const integer, text = `{"clazz":"ScalarType","type":"INT"}`, `{"clazz":"ScalarType","type":"VARCHAR","len":10}`
	defined := func(columns ...string) (d schema.Definition) {
		for _, c := range columns {
			name, typ, _ := strings.Cut(c, " ")
			d.Columns = append(d.Columns, schema.ColumnDefinition{Name: name, Type: typ, Nullable: true})
		}
		return d
	}
	for name, c := range map[string]struct {
		have              schema.Definition
		want              []binlog.Column
		clauses           string
		unclear, conflict string
	}{
		"in the order of their unique ids": {have: defined("k int", "v int"),
			want:    []binlog.Column{column("k", integer, 0), column("b", integer, 5), column("a", integer, 4), column("v", integer, 1)},
			clauses: "ADD COLUMN `a` int NULL COMMENT \"\" AFTER `k`, ADD COLUMN `b` int NULL COMMENT \"\" AFTER `k`"},
		"first": {have: defined("k int"), want: []binlog.Column{column("a", integer, 4), column("k", integer, 0)},
			clauses: "ADD COLUMN `a` int NULL COMMENT \"\" FIRST"},
		"another type": {have: defined("k int", "e varchar(100)"), want: []binlog.Column{column("k", integer, 0), column("e", integer, 1)},
			conflict: "column e is"},
		"a shorter text": {have: defined("k int", "e varchar(100)"), want: []binlog.Column{column("k", integer, 0), column("e", text, 1)},
			conflict: "column e is"},
		"another order": {have: defined("a int", "k int"), want: []binlog.Column{column("k", integer, 0), column("a", integer, 1)},
			conflict: "the order"},
		"a type that is not known": {have: defined("k int"), want: []binlog.Column{column("k", integer, 0), column("a", `{"clazz":"AggStateType"}`, 1)},
			unclear: "unknown type"},
		"an unknown type that is there": {have: defined("k agg_state<max(int)>"), want: []binlog.Column{column("k", `{"clazz":"AggStateType"}`, 0), column("a", integer, 1)},
			clauses: "ADD COLUMN `a` int NULL COMMENT \"\""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := planColumns(c.have, c.want)
			if c.unclear+c.conflict == "" {
				require.Empty(t, plan.unclear+plan.conflict)
				require.Equal(t, c.clauses, strings.Join(plan.clauses, ", "))
				return
			}
			require.Contains(t, plan.unclear, c.unclear)
			require.Contains(t, plan.conflict, c.conflict)
		})
	}
}

// TestColumnClause quotes what rawSql does not.
func TestColumnClause(t *testing.T) {
	d := schema.ColumnDefinition{Name: "c`", Type: "varchar(9)", Nullable: true, Default: `"a"b\"`, OnUpdate: "", Comment: "say \"hi\"\nit's"}
	require.Equal(t, "`c``` varchar(9) NULL DEFAULT \"a\\\"b\\\\\" COMMENT \"say \\\"hi\\\"\nit\\'s\"", d.Clause(false))
	nul, now := "\x00", "CURRENT_TIMESTAMP"
	for typ, want := range map[string]string{
		"HLL":        "`x` hll NOT NULL COMMENT \"\"",
		"BITMAP":     "`x` bitmap NOT NULL DEFAULT BITMAP_EMPTY COMMENT \"\"",
		"DATETIMEV2": "`x` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT \"\"",
	} {
		value := &nul
		if typ == "DATETIMEV2" {
			value = &now
		}
		d, err := schema.DefinedColumn(binlog.Column{Name: "x", Type: fmt.Appendf(nil, `{"clazz":"ScalarType","type":%q}`, typ), Default: value}, false)
		require.NoError(t, err)
		require.Equal(t, want, d.Clause(false))
	}
}

// columnsJob is a job at a recorded change of t_mow; the destination's table is
// as the text says before the statement, and as after says behind it.
func columnsJob(t *testing.T, statement, before, after string) *applied {
	a := applying(binlog.TypeModifyTableAddOrDropColumns, strings.ReplaceAll(schematest.DDL(t)[statement], `"tableId": 10095`, `"tableId": 10`), 10)
	a.dst.create, a.dst.hidden = before, []string{"__DORIS_DELETE_SIGN__", "__DORIS_VERSION_COL__"}
	a.dst.onExec = func(string) { a.dst.create = after }
	return a
}

// TestApplyColumns: the destination's columns before and behind the statement
// decide.
func TestApplyColumns(t *testing.T) {
	const add = `ALTER TABLE t_mow ADD COLUMN c1 INT NULL DEFAULT "3" COMMENT "new one" AFTER v1`
	with := schematest.ShowCreate(t)["t_mow"]
	line := "  `c1` int NULL DEFAULT \"3\" COMMENT 'new one',\n"
	without := strings.Replace(with, line, "", 1)
	statements := []string{"ALTER TABLE `dst`.`t` ADD COLUMN `c1` int NULL DEFAULT \"3\" COMMENT \"new one\" AFTER `v1`"}
	for name, c := range map[string]struct {
		before, after string
		change        func(*applied)
		statements    []string
		snapshot      string // part of its reason
		conflict      bool
	}{
		"added":            {before: without, after: with, statements: statements},
		"there already":    {before: with},
		"of another type":  {before: strings.Replace(with, "`c1` int", "`c1` varchar(100)", 1), snapshot: "column c1 is `c1` int", conflict: true},
		"of another kind":  {before: strings.Replace(with, "`c1` int NULL DEFAULT \"3\"", "`c1` int NULL DEFAULT \"4\"", 1), snapshot: "column c1 is", conflict: true},
		"became another":   {before: without, after: strings.Replace(with, "`c1` int", "`c1` bigint", 1), statements: statements, snapshot: "the columns of destination and source differ", conflict: true},
		"hidden one lacks": {before: without, change: func(a *applied) { a.dst.hidden = a.dst.hidden[:1] }, snapshot: "hidden column __DORIS_VERSION_COL__"},
		"hidden not shown": {before: without, after: with, change: func(a *applied) { a.dst.hidden = nil }, statements: statements},
		"dropped and added": {before: without, change: func(a *applied) {
			a.in.Progress.Pending.Data = strings.Replace(a.in.Progress.Pending.Data, "ADD COLUMN `c1`", "DROP COLUMN `c1`, ADD COLUMN `c1`", 1)
		}, snapshot: "dropped and added again"},
		"refused": {before: without, change: func(a *applied) {
			a.dst.refuse = map[string]error{"ADD COLUMN": pairtest.SQLRefusal("errCode = 2, detailMessage = Syntax error in line 1")}
		}, snapshot: "Syntax error"},
		"no usable schema": {before: without, after: with, change: func(a *applied) {
			a.in.Progress.Pending.Data = `{"tableId":10,"rawSql":"ALTER TABLE ` + "`d1`.`t_mow` ADD COLUMN `c1` int" + `"}`
		}, statements: []string{"ALTER TABLE `dst`.`t` ADD COLUMN `c1` int"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := columnsJob(t, add, c.before, c.after)
			if c.change != nil {
				c.change(a)
			}
			got := a.run(t)
			require.Nil(t, got.Problem)
			require.Equal(t, c.statements, a.dst.Executed)
			if c.snapshot == "" {
				require.True(t, got.Done)
				return
			}
			require.NotNil(t, got.Wanted)
			require.Equal(t, whole, got.Wanted.Partial)
			require.Contains(t, got.Wanted.Reason, c.snapshot)
			require.Equal(t, c.conflict, got.Conflict != "")
		})
	}
	a := columnsJob(t, add, without, with)
	a.dst.refuse = map[string]error{"ADD COLUMN": errors.New("connection lost")}
	_, err := a.job().Apply(t.Context(), a.in)
	require.ErrorContains(t, err, "connection lost")
}

// TestApplyColumnsWithRollups: a change that shows in a rollup only is not done
// because the base index has its columns already.
func TestApplyColumnsWithRollups(t *testing.T) {
	const payload = `{"tableId":10,"rawSql":"ALTER TABLE ...","indexSchemaMap":{
		"30":[{"name":"k","type":{"type":"INT"},"isKey":true,"isAllowNull":true},{"name":"v","type":{"type":"INT"},"isAllowNull":true}%s],
		"31":[{"name":"v","type":{"type":"INT"},"isKey":true,"isAllowNull":true}%s]}}`
	const table = "CREATE TABLE `t` (\n  `k` int NULL,\n  `v` int NULL%s\n) ENGINE=OLAP\nDUPLICATE KEY(`k`)\nDISTRIBUTED BY HASH(`k`) BUCKETS 1\nPROPERTIES (\n\"x\" = \"y\"\n);"
	column := `,{"name":"c","type":{"type":"INT"},"isAllowNull":true,"uniqueId":7}`
	line := ",\n  `c` int NULL"
	for name, c := range map[string]struct {
		base, rollup  string
		before, after string
		rollups       map[string][]string
		executed      int
		snapshot      string
	}{
		"base only":             {column, "", "", line, map[string][]string{"t": {"k", "v", "c"}, "r": {"v"}}, 1, ""},
		"both":                  {column, column, "", line, map[string][]string{"t": {"k", "v"}, "r": {"v"}}, 0, "added to a rollup"},
		"rollup only":           {column, column, line, line, map[string][]string{"t": {"k", "v", "c"}, "r": {"v"}}, 0, "the indexes of the destination"},
		"both, done already":    {column, column, line, line, map[string][]string{"t": {"k", "v", "c"}, "r": {"v", "c"}}, 0, ""},
		"rollup of another job": {column, "", "", line, map[string][]string{"t": {"k", "v", "c"}, "r": {"k"}}, 1, "the indexes of the destination"},
	} {
		t.Run(name, func(t *testing.T) {
			a := applying(binlog.TypeModifyTableAddOrDropColumns, fmt.Sprintf(payload, c.base, c.rollup), 10)
			a.dst.create, a.dst.indexColumns = fmt.Sprintf(table, c.before), c.rollups
			a.dst.onExec = func(string) { a.dst.create = fmt.Sprintf(table, c.after) }
			got := a.run(t)
			require.Len(t, a.dst.Executed, c.executed)
			if c.snapshot == "" {
				require.True(t, got.Done, "%+v", got)
				return
			}
			require.NotNil(t, got.Wanted)
			require.Contains(t, got.Wanted.Reason, c.snapshot)
		})
	}
}

func parse(t *testing.T, text, database string) schema.Definition {
	t.Helper()
	d, err := schema.ParseDefinition(text, database)
	require.NoError(t, err, text)
	return d
}
