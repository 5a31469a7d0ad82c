package sql

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/doris-ccr/ccr/dorisim/sql/query"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// null is how the inside of an FE spells a missing cell of SHOW and PROC; the
// wire gets a SQL NULL (doris-sql.md 1.2).
const null = `\N`

// listing is the result of a SHOW statement: text columns.
type listing struct {
	titles []string
	rows   [][]string
}

func newListing(titles ...string) *listing { return &listing{titles: titles} }

// add appends a row; the cells are printed, times as yyyy-MM-dd HH:mm:ss.
func (l *listing) add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = cellText(c)
	}
	l.rows = append(l.rows, row)
}

func cellText(c any) string {
	switch x := c.(type) {
	case nil:
		return null
	case string:
		return x
	case int:
		return strconv.Itoa(x)
	case int64:
		return strconv.FormatInt(x, 10)
	case bool:
		return strconv.FormatBool(x)
	case time.Time:
		if x.IsZero() || x.Unix() <= 0 {
			return null
		}
		return x.Local().Format(time.DateTime)
	default:
		return fmt.Sprint(x)
	}
}

// project keeps the named columns, in that order.
func (l *listing) project(titles ...string) *listing {
	out := newListing(titles...)
	for _, row := range l.rows {
		cells := make([]string, len(titles))
		for i, title := range titles {
			cells[i] = null
			for j, have := range l.titles {
				if have == title {
					cells[i] = row[j]
				}
			}
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

// result is the listing on the wire.
func (l *listing) result() *sqltypes.Result {
	r := &sqltypes.Result{Fields: make([]*querypb.Field, len(l.titles)), Rows: make([][]sqltypes.Value, len(l.rows))}
	for i, title := range l.titles {
		r.Fields[i] = &querypb.Field{Name: title, OrgName: title, Type: sqltypes.VarChar, Charset: charsetUTF8, ColumnLength: 65535}
	}
	for i, row := range l.rows {
		r.Rows[i] = make([]sqltypes.Value, len(row))
		for j, cell := range row {
			if cell != null {
				r.Rows[i][j] = sqltypes.MakeTrusted(sqltypes.VarChar, []byte(cell))
			}
		}
	}
	return r
}

// relation is the listing as a table that a query can read.
func (l *listing) relation(name string) *query.Relation {
	r := &query.Relation{Name: name, Columns: make([]types.Column, len(l.titles))}
	for i, title := range l.titles {
		r.Columns[i] = types.Column{Name: title, Type: types.Type{Kind: types.String}, Nullable: true}
	}
	r.Rows = staticRows(l.rows)
	return r
}

// charsetUTF8 is utf8_general_ci.
const charsetUTF8 = 33

// done is the result of a statement without rows.
func done() *sqltypes.Result { return &sqltypes.Result{} }
