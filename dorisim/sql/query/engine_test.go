package query

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// shop is a catalog with one database.
type shop map[string]*Relation

func (shop) HasDatabase(name string) bool { return name == "shop" || name == "information_schema" }
func (s shop) Relation(_ context.Context, db, name string) (*Relation, error) {
	return s[db+"."+name], nil
}

func newShop() shop {
	col := func(name string, t types.Type) types.Column { return types.Column{Name: name, Type: t} }
	rows := func(rows ...types.Row) func(context.Context) ([]types.Row, error) {
		return func(context.Context) ([]types.Row, error) { return rows, nil }
	}
	return shop{
		"shop.orders": {
			Name: "orders",
			Columns: []types.Column{
				col("id", types.Type{Kind: types.Int}),
				col("customer", types.Type{Kind: types.Varchar, Len: 20}),
				col("price", types.Type{Kind: types.Decimal, Precision: 10, Scale: 2}),
				col("at", types.Type{Kind: types.DateTime, Scale: 3}),
				col("day", types.Type{Kind: types.Date}),
				col("big", types.Type{Kind: types.LargeInt}),
				col("open", types.Type{Kind: types.Boolean}),
			},
			Rows: rows(
				types.Row{int64(1), "ann", "10.50", "2024-01-02 03:04:05.100", "2024-01-02", "170141183460469231731687303715884105727", int64(1)},
				types.Row{int64(2), "Ann", "0.05", "2024-01-03 00:00:00.000", "2024-01-03", "-5", int64(0)},
				types.Row{int64(3), "bob", nil, nil, nil, nil, nil},
			),
		},
		"shop.cheap":                {Name: "cheap", View: "SELECT id, customer FROM orders WHERE price < 1", Create: "CREATE VIEW `cheap` AS SELECT `id`, `customer` FROM `shop`.`orders` WHERE price < 1"},
		"information_schema.tables": {Name: "tables", Columns: []types.Column{col("TABLE_NAME", types.Type{Kind: types.String})}, Rows: rows(types.Row{"orders"})},
	}
}

func TestRun(t *testing.T) {
	engine := NewEngine()
	for _, test := range []struct{ query, want string }{
		{"SELECT * FROM orders WHERE id = 1", "1,ann,10.50,2024-01-02 03:04:05.100,2024-01-02,170141183460469231731687303715884105727,1"},
		{"SELECT id FROM orders WHERE customer = 'ann'", "1"},
		{"SELECT id FROM shop.orders WHERE day >= '2024-01-02' ORDER BY id DESC LIMIT 1", "2"},
		{"SELECT count(*) FROM orders", "3"},
		{"SELECT price FROM orders WHERE id = 3", "NULL"},
		{"SELECT o.id, c.customer FROM orders o JOIN cheap c ON o.id = c.id", "2,Ann"},
		{"SELECT * FROM cheap", "2,Ann"},
		{"SELECT table_name FROM information_schema.tables", "orders"},
		{"SELECT 1, 'a', 1.5", "1,a,1.5"},
		{"SELECT big + 1 FROM orders WHERE id = 2", "-4"},
		{`SELECT id FROM orders WHERE customer = "bob" OR price > 10`, "1|3"},
	} {
		result, err := engine.Run(context.Background(), newShop(), "shop", test.query)
		require.NoError(t, err, test.query)
		var lines []string
		for _, row := range result.Rows {
			var cells []string
			for _, v := range row {
				if v.IsNull() {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, v.ToString())
				}
			}
			lines = append(lines, strings.Join(cells, ","))
		}
		require.Equal(t, test.want, strings.Join(lines, "|"), test.query)
	}
}

func TestRunErrors(t *testing.T) {
	engine := NewEngine()
	for _, test := range []struct {
		query string
		kind  error
		name  string
	}{
		{"SELECT * FROM nothing", ErrUnknownTable, "nothing"},
		{"SELECT nope FROM orders", ErrUnknownColumn, "nope"},
		{"SELECT * FROM elsewhere.orders", ErrUnknownDatabase, "elsewhere"},
		{"SELECT FROM WHERE", ErrSyntax, ""},
	} {
		_, err := engine.Run(context.Background(), newShop(), "shop", test.query)
		require.ErrorIs(t, err, test.kind, test.query)
		var e *Error
		require.ErrorAs(t, err, &e)
		if test.name != "" {
			require.Equal(t, test.name, e.Name)
		}
	}
}
