package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
)

// bare is a session that can rewrite, and nothing else.
func bare(t testing.TB) *session {
	c := core.New(core.Config{Name: "bare", GCPeriod: -1})
	t.Cleanup(c.Close)
	return &session{server: &Server{core: c, cfg: Config{Version: "v", DDL: ddl.New(c, nil)}}, vars: map[string]string{}}
}

func TestRewrite(t *testing.T) {
	session := bare(t)
	for in, want := range map[string]string{
		"SELECT a -- note\n FROM t;":                                        "SELECT a FROM t",
		"SELECT /*+ hint */ a FROM `internal`.`d`.`t`":                      "SELECT a FROM `d`.`t`",
		"SELECT internal.d.t.k FROM d.t":                                    "SELECT d.t.k FROM d.t",
		"SELECT internal FROM t":                                            "SELECT internal FROM t",
		"SELECT count( ), count(*) FROM t":                                  "SELECT count(*), count(*) FROM t",
		"SELECT cast(a AS string) FROM t":                                   "SELECT dorisim_text(a) AS `cast(a AS string)` FROM t",
		"SELECT cast(f(a, 'x') AS varchar(5)), 1":                           "SELECT dorisim_text(f(a, 'x')) AS `cast(f(a, 'x') AS varchar(5))`, 1",
		"SELECT a->'$.x' <=> 1 FROM t":                                      "SELECT a->'$.x' <=> 1 FROM t",
		"((SELECT 1))":                                                      "SELECT 1",
		"(SELECT 1) UNION (SELECT 2)":                                       "(SELECT 1) UNION (SELECT 2)",
		"SELECT @@wait_timeout":                                             "SELECT 28800 AS `@@wait_timeout`",
		"SELECT @@version AS v, 1":                                          "SELECT '5.7.99' AS v, 1",
		"SELECT x FROM (SELECT @@wait_timeout x) y":                         "SELECT x FROM (SELECT 28800 x) y",
		"SELECT row_number() OVER (PARTITION BY a) FROM t, s":               "SELECT row_number() OVER (PARTITION BY a) FROM t, s",
		"SELECT a FROM t PARTITION (p) WHERE a":                             "SELECT a FROM `t\x01partitions\x01p` AS `t` WHERE a",
		"SELECT a FROM `d`.`t` TEMPORARY PARTITION (p, q) x":                "SELECT a FROM `d`.`t\x01temporary\x01p,q` x",
		"SELECT a, max(b) FROM frontends() f":                               "SELECT a, max(b) FROM information_schema.`\x01function\x01frontends\x01function\x01` f",
		"SELECT a FROM t WHERE a LIKE 'x%' AND b":                           `SELECT a FROM t WHERE a LIKE 'x%' ESCAPE '\\' AND b`,
		"SELECT a FROM t WHERE a LIKE 'x' ESCAPE '!'":                       "SELECT a FROM t WHERE a LIKE 'x' ESCAPE '!'",
		"SELECT a FROM `internal`.`d`.`t` PARTITION (p, q) TABLET (1, 2) x": "SELECT a FROM `d`.`t\x01partitions\x01p,q\x01tablets\x011,2` x",
		"SELECT a FROM t TABLET(7) LEFT JOIN s ON a = b":                    "SELECT a FROM `t\x01tablets\x017` AS `t` LEFT JOIN s ON a = b",
		"SELECT a FROM d.t INDEX r TABLET(7) AS x":                          "SELECT a FROM d.`t\x01index\x01r\x01tablets\x017` AS x",
		"SELECT a, b index FROM t":                                          "SELECT a, b index FROM t",
		"SELECT 1 + cast(a AS text) FROM t":                                 "SELECT 1 + dorisim_text(a) FROM t",
		"SELECT x FROM t WHERE cast(cast(a AS int) AS text)":                "SELECT x FROM t WHERE dorisim_text(cast(a AS SIGNED))",
		"SELECT sum(a), sum(DISTINCT a), sum(a) OVER () FROM t":             "SELECT first(a ) AS `sum(a)`, sum(DISTINCT a), sum(a) OVER () FROM t",
		"SELECT x FROM t GROUP BY x HAVING sum(a + 1) > 2":                  "SELECT x FROM t GROUP BY x HAVING first(a + 1 ) > 2",
		"SELECT 1, concat('a', 'b')":                                        "SELECT 1, concat('a', 'b')",
	} {
		c, err := newCursor(in)
		require.NoError(t, err)
		got, err := session.rewrite(c)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
}

func TestLike(t *testing.T) {
	for _, test := range []struct {
		text, pattern string
		want          bool
	}{
		{"abc", "abc", true}, {"abc", "a%", true}, {"abc", "%c", true}, {"abc", "a_c", true}, {"abc", "a_", false},
		{"a_c", `a\_c`, true}, {"abc", `a\_c`, false}, {"", "%", true}, {"", "_", false}, {"aXbXc", "%X%c", true}, {"abc", "", false},
	} {
		require.Equal(t, test.want, like(test.text, test.pattern, false), "%s LIKE %s", test.text, test.pattern)
	}
	require.True(t, like("ABC", "abc", true))
	require.False(t, like("ABC", "abc", false))
}

func FuzzRewrite(f *testing.F) {
	for _, seed := range []string{
		"SELECT a FROM t PARTITION (p)", "SELECT CAST(a AS", "((", "SELECT @@", "FROM frontends(", "`internal`.`a`.", "PARTITION(x)", "count()", "",
	} {
		f.Add(seed)
	}
	session := bare(f)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := newCursor(text)
		if err != nil {
			return
		}
		_, _ = session.rewrite(c) // any answer is good that comes
	})
}
