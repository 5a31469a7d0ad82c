package ddl

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

func TestViewDefinitions(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (id INT, test INT) DISTRIBUTED BY HASH(id) BUCKETS 1")
	f.run("CREATE TABLE d.u (id INT, name VARCHAR(9)) DISTRIBUTED BY HASH(id) BUCKETS 1")
	tests := []struct{ view, want, columns string }{
		{"v (k1, s) AS SELECT test AS k1, SUM(id) FROM t GROUP BY test",
			"SELECT `internal`.`s`.`t`.`test` AS `k1`, SUM(`internal`.`s`.`t`.`id`) AS `s` FROM `internal`.`s`.`t` GROUP BY `internal`.`s`.`t`.`test`", "k1,s"},
		{"v AS select * from t", "select `internal`.`s`.`t`.`id`, `internal`.`s`.`t`.`test` from `internal`.`s`.`t`", "id,test"},
		{"v AS SELECT t.id x, u.name FROM s.t JOIN `internal`.d.u AS u ON t.id = u.id, t AS w WHERE w.id IN (SELECT id FROM d.u)",
			"SELECT t.id AS `x`, u.name FROM `internal`.`s`.`t` JOIN `internal`.`d`.`u` AS u ON t.id = u.id, `internal`.`s`.`t` AS w WHERE w.id IN (SELECT id FROM `internal`.`d`.`u`)", "x,name"},
		{"v AS SELECT `s`.`t`.`id` FROM t ORDER BY 1 LIMIT 3", "SELECT `internal`.`s`.`t`.`id` FROM `internal`.`s`.`t` ORDER BY 1 LIMIT 3", "id"},
		{"v AS WITH c AS (SELECT id FROM t) SELECT id FROM c", "WITH c AS (SELECT id FROM `internal`.`s`.`t`) SELECT id FROM c", "id"},
		{"v AS SELECT id FROM (SELECT id FROM t) x UNION ALL SELECT id FROM d.u",
			"SELECT id FROM (SELECT id FROM `internal`.`s`.`t`) x UNION ALL SELECT id FROM `internal`.`d`.`u`", "id"},
		{"v AS SELECT DISTINCT CASE WHEN id > 0 THEN 'a,b' ELSE ')' END, id + 1 FROM (t)",
			"SELECT DISTINCT CASE WHEN id > 0 THEN 'a,b' ELSE ')' END AS `CASE WHEN id > 0 THEN 'a,b' ELSE ')' END`, id + 1 AS `id + 1` FROM (`internal`.`s`.`t`)",
			"CASE WHEN id > 0 THEN 'a,b' ELSE ')' END,id + 1"},
		{"v AS SELECT EXTRACT(YEAR FROM now()) AS y, count(*) c FROM numbers('number' = '10')",
			"SELECT EXTRACT(YEAR FROM now()) AS `y`, count(*) AS `c` FROM numbers('number' = '10')", "y,c"},
		{"v AS SELECT 1", "SELECT 1 AS `1`", "1"},
		{"v (a, b) AS SELECT * FROM t", "SELECT `internal`.`s`.`t`.`id` AS `a`, `internal`.`s`.`t`.`test` AS `b` FROM `internal`.`s`.`t`", "a,b"},
		{"v AS SELECT x.test, u.id FROM t x JOIN d.u ON x.id = u.id WHERE name > 'a' AND test > 1", "SELECT `x`.`test`, `internal`.`d`.`u`.`id` FROM `internal`.`s`.`t` x " +
			"JOIN `internal`.`d`.`u` ON `x`.`id` = `internal`.`d`.`u`.`id` WHERE `internal`.`d`.`u`.`name` > 'a' AND `x`.`test` > 1", "test,id"},
	}
	for _, tt := range tests {
		f.run("CREATE OR REPLACE VIEW " + tt.view)
		v := f.tab("v")
		require.Equal(t, tt.want, v.ViewDefinition)
		require.Equal(t, tt.columns, strings.Join(viewColumnNames(v), ","))
		require.Equal(t, "CREATE VIEW `v` AS "+tt.want+";", f.show("s", "v"))
		// What is stored stays as it is when it is run again.
		f.run("ALTER VIEW v AS " + tt.want)
		require.Equal(t, tt.want, f.tab("v").ViewDefinition)
	}
}

func viewColumnNames(v *catalog.Table) (names []string) {
	for _, c := range v.ViewColumns {
		names = append(names, c.Name)
	}
	return names
}

func TestViewColumnComments(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE VIEW v (a COMMENT 'x', b) COMMENT 'y' AS SELECT 1, 2")
	require.Equal(t, "CREATE VIEW `v` COMMENT 'y' AS SELECT 1 AS `a`, 2 AS `b`;", f.show("s", "v"))
	text := f.show("s", "v")
	f.run("DROP VIEW v")
	f.run(text)
	require.Equal(t, text, f.show("s", "v"))
}

// FuzzViewDefinition looks for queries that confuse the rewriting.
func FuzzViewDefinition(f *testing.F) {
	for _, seed := range []string{
		"SELECT * FROM t", "WITH a AS (SELECT 1) SELECT x.y z FROM a, (b JOIN c ON 1=1) WHERE a IN (SELECT 1)", "SELECT", "SELECT a AS FROM", "(SELECT 1)",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		d, err := newDefinition(query, "s", func(_, _ string) ([]string, error) { return []string{"a", "b"}, nil })
		if err != nil {
			return
		}
		if _, err := d.alias(nil); err != nil {
			return
		}
		_, err = parser.Lex(d.text())
		require.NoError(t, err)
	})
}

// A view has to find its columns: doris-binlogs.md 2.3 and 2.19.
func TestViewsOverUnknownColumns(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (id INT, name VARCHAR(9)) DISTRIBUTED BY HASH(id) BUCKETS 1")
	f.run("CREATE VIEW v AS SELECT id FROM t")
	for _, query := range []string{"SELECT nope FROM t", "SELECT id, t.nope AS x FROM t", "SELECT `s`.`t`.`nope` FROM t WHERE id > 0"} {
		for _, head := range []string{"CREATE VIEW w AS ", "ALTER VIEW v AS "} {
			require.ErrorContains(t, f.try(head+query), "Unknown column 'nope' in 'table list'", head+query)
		}
	}
	for _, query := range []string{
		"SELECT NAME, CURRENT_DATE, NULL, TRUE x FROM t", "SELECT x FROM (SELECT id AS x FROM t) y", "WITH c AS (SELECT 1 AS one) SELECT one FROM c",
		"SELECT id + 1 FROM t", "SELECT id FROM t UNION SELECT 1",
	} {
		f.run("ALTER VIEW v AS " + query)
	}
}
