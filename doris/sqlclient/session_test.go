package sqlclient_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// TestSessionVariables: a statement has the variables that it needs, and nobody
// after it has.
func TestSessionVariables(t *testing.T) {
	ctx := context.Background()
	f := startFrontend(t, func(statement string) reply {
		switch {
		case strings.Contains(statement, "no_such"):
			return refuse(1193, "errCode = 2, detailMessage = Unknown system variable 'no_such'")
		case strings.Contains(statement, "forbidden"):
			return refuse(1227, "errCode = 2, detailMessage = Access denied")
		case strings.HasPrefix(statement, "DESC"):
			return table([]string{"Field"}, []any{"k"}, []any{"__DORIS_DELETE_SIGN__"})
		}
		return reply{}
	})
	c := sqlclient.New(sqlclient.Config{Frontends: []sqlclient.Endpoint{f.endpoint}, User: "root"})
	t.Cleanup(func() { _ = c.Close() })
	connections := func() int {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.conns)
	}

	require.NoError(t, c.Exec(ctx, "ALTER TABLE `d`.`t` RENAME `u`"))
	require.NoError(t, c.Exec(ctx, "ALTER TABLE `d`.`t` MODIFY COMMENT \"日本\""))
	require.Equal(t, 1, connections())
	require.NoError(t, c.Exec(ctx, "ALTER TABLE `d`.`t` RENAME `表`"))
	require.NoError(t, c.ExecWith(ctx, sqlclient.Setting{"no_such": "1", "enable_agg_state": "true", "s": "a b"}, "CREATE TABLE x"))
	require.Equal(t, 2, connections(), "a session with variables serves one statement")
	hidden, err := c.HiddenColumns(ctx, "d", "t")
	require.NoError(t, err)
	require.Equal(t, []string{"__DORIS_DELETE_SIGN__"}, hidden)
	require.NoError(t, c.Exec(ctx, "SELECT 1"))
	require.Equal(t, 4, connections())
	require.Equal(t, []string{
		"ALTER TABLE `d`.`t` RENAME `u`",
		"ALTER TABLE `d`.`t` MODIFY COMMENT \"日本\"",
		"SET enable_unicode_name_support = true",
		"ALTER TABLE `d`.`t` RENAME `表`",
		"SET enable_agg_state = true",
		"SET no_such = 1",
		`SET s = "a b"`,
		"CREATE TABLE x",
		"SET show_hidden_columns = true",
		"DESC `d`.`t`",
		"SELECT 1",
	}, f.seen())

	require.ErrorIs(t, c.ExecWith(ctx, sqlclient.Setting{"forbidden": "1"}, "SELECT 1"), sqlclient.ErrAccessDenied)
}

func TestIndexColumns(t *testing.T) {
	f := startFrontend(t, func(string) reply {
		return table([]string{"IndexName", "Field"}, []any{"t", "k"}, []any{"", "v"}, []any{"", ""}, []any{"r", "v"}, []any{"", "k"})
	})
	c := sqlclient.New(sqlclient.Config{Frontends: []sqlclient.Endpoint{f.endpoint}, User: "root"})
	t.Cleanup(func() { _ = c.Close() })
	got, err := c.IndexColumns(context.Background(), "d", "t")
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"t": {"k", "v"}, "r": {"v", "k"}}, got)
}
