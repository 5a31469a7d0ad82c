package sql

import (
	"testing"

	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/parser"
)

// FuzzExpandFunctions calls alias functions in every way.
func FuzzExpandFunctions(f *testing.F) {
	for _, seed := range []string{
		"SELECT twice(1)", "SELECT d.twice(twice(k)) FROM t", "SELECT twice(1", "SELECT twice()", "SELECT 1, twice(a, b)", "SELECT endless(1)", "twice(", "SELECT twice('(', ')')", "SELECT `twice`((1))",
	} {
		f.Add(seed)
	}
	s := bare(f)
	for _, create := range []string{
		"CREATE GLOBAL ALIAS FUNCTION twice(INT) WITH PARAMETER(x) AS x + x", "CREATE GLOBAL ALIAS FUNCTION endless(INT) WITH PARAMETER(x) AS endless(x)",
	} {
		statement, err := parser.Parse(create)
		require.NoError(f, err)
		require.NoError(f, s.server.cfg.DDL.Exec(f.Context(), "", statement))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := newCursor(text); err == nil {
			_, _ = s.rewrite(c)
		}
	})
}

// FuzzBind puts values into prepared statements.
func FuzzBind(f *testing.F) {
	for _, seed := range []string{"SELECT ?", "SELECT '?', ?", "?", "SELECT ? -- ?", "`?` ? ?", ""} {
		f.Add(seed, "va'l\\ue")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		bound, err := bind(text, map[string]*querypb.BindVariable{"v1": {Type: querypb.Type_VARCHAR, Value: []byte(value)}})
		if err != nil {
			return
		}
		_, err = parser.Lex(bound)
		require.NoError(t, err, "the value must not end its own quotes")
	})
}

// FuzzGrant reads what changes accounts.
func FuzzGrant(f *testing.F) {
	for _, seed := range []string{
		"SELECT_PRIV, LOAD_PRIV ON internal.d.* TO 'u'@'%'", "ALL ON *.* TO u", "'admin' TO u", "SELECT ON", "x ON RESOURCE 'r' TO u", "SELECT ON a.b.c.d TO u", "SELECT ON * TO USER u", "", ",",
	} {
		f.Add(seed)
	}
	s := bare(f)
	f.Fuzz(func(t *testing.T, text string) {
		for _, revoke := range []bool{false, true} {
			if c, err := newCursor(text); err == nil {
				_ = s.grant(c, revoke)
			}
		}
	})
}
