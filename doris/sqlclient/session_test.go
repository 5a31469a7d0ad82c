package sqlclient_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// TestSession: all statements of a session are one connection's, which is not used
// again; a lost connection begins all of it again elsewhere; what work itself says is
// no matter of frontends.
func TestSession(t *testing.T) {
	ctx := context.Background()
	var statements atomic.Int64 // rows that were answered
	answer := func(statement string) reply {
		switch statement {
		case "SELECT lost":
			return reply{drop: true}
		case "SELECT refused":
			return refuse(1105, "errCode = 2, detailMessage = no")
		}
		if strings.HasPrefix(statement, "SET ") {
			return reply{}
		}
		return table([]string{"n"}, []any{strconv.FormatInt(statements.Add(1), 10)})
	}
	bad, good := startFrontend(t, answer), startFrontend(t, func(statement string) reply {
		if statement == "SELECT lost" {
			return table([]string{"n"}, []any{"found"})
		}
		return answer(statement)
	})
	c := sqlclient.New(sqlclient.Config{Frontends: []sqlclient.Endpoint{bad.endpoint, good.endpoint}, User: "root"})
	t.Cleanup(func() { _ = c.Close() })
	var got []string
	session := func(texts ...string) error {
		got = nil
		return c.Session(ctx, sqlclient.Setting{"query_timeout": "5"}, time.Minute, func(ctx context.Context, query sqlclient.QueryFunc) error {
			got = nil
			for _, text := range texts {
				rows, err := query(ctx, text)
				if err != nil {
					return err
				}
				got = append(got, rows[0].Get("n"))
			}
			return nil
		})
	}
	require.NoError(t, session("SELECT 1", "SELECT 2"))
	require.Equal(t, []string{"1", "2"}, got)
	require.Equal(t, []string{"SET query_timeout = 5", "SELECT 1", "SELECT 2"}, bad.seen())

	require.NoError(t, session("SELECT 3", "SELECT lost"))
	require.Equal(t, []string{"4", "found"}, got, "from the beginning, on the other frontend")

	var refused *sqlclient.Error
	require.ErrorAs(t, session("SELECT refused"), &refused)
	require.Equal(t, uint16(1105), refused.Code)

	own := errors.New("its own")
	require.Equal(t, own, c.Session(ctx, nil, time.Minute, func(context.Context, sqlclient.QueryFunc) error { return own }))
}
