package sqlclient_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

func TestOneStatementIsOne(t *testing.T) {
	for _, text := range []string{
		"DROP TABLE `d`.`t`", "DROP TABLE t;", "DROP TABLE t ; \n", "ALTER TABLE t MODIFY COMMENT \"a; b -- /* #\"", `ALTER TABLE t MODIFY COMMENT 'it''s; \'; "'`,
		"ALTER VIEW v AS SELECT split_by_string(`a;`, ';') FROM `t;``;`", "ALTER VIEW v AS SELECT 1 -- a comment\n", "CREATE VIEW v AS SELECT /*+ SET_VAR(a=1) */ 1", "",
	} {
		require.NoError(t, sqlclient.CheckSingle(text), text)
	}
	for _, text := range []string{
		`ALTER TABLE t ADD PARTITION p VALUES IN (("x")); DROP TABLE victim.keep; -- ")) DISTRIBUTED BY HASH(k) BUCKETS 1`,
		`ALTER TABLE t MODIFY COMMENT "a\\"; DROP TABLE x`, `SELECT 'it''s'; DROP TABLE x`, "SELECT `a```; DROP TABLE x",
		// What a quote is depends on what a comment is.
		"SELECT /* ' */ 1; DROP TABLE x /* ' */", "SELECT 1 -- '\n; DROP TABLE x -- '", "SELECT 1 # '\n; DROP TABLE x # '",
		"SELECT /*+ ' */ ; DROP TABLE x /* ' */",
	} {
		require.ErrorIs(t, sqlclient.CheckSingle(text), sqlclient.ErrSeveralStatements, text)
	}
}

// What is not one statement does not reach the frontend.
func TestSeveralStatementsAreNotSent(t *testing.T) {
	f := startFrontend(t, always(reply{}))
	c := newClient(t, sqlclient.Config{}, f)
	require.ErrorIs(t, c.Exec(t.Context(), "TRUNCATE TABLE t; DROP TABLE x"), sqlclient.ErrSeveralStatements)
	_, err := c.Query(t.Context(), "SELECT 1; DROP TABLE x")
	require.ErrorIs(t, err, sqlclient.ErrSeveralStatements)
	require.NoError(t, c.Exec(t.Context(), "TRUNCATE TABLE t;"))
	require.Equal(t, []string{"TRUNCATE TABLE t;"}, f.seen())
}
