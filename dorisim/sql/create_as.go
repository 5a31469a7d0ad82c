package sql

import (
	"context"
	"math"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// createAs is CREATE TABLE ... AS SELECT: a table with the columns of the
// result, and an INSERT. When the INSERT fails the table goes away again.
func (s *session) createAs(ctx context.Context, statement *parser.CreateTableAs) (*sqltypes.Result, error) {
	c, err := newCursor(statement.Query)
	if err != nil {
		return nil, asRefusal(err)
	}
	result, err := s.query(ctx, c, relations{session: s})
	if err != nil {
		return nil, err
	}
	create := statement.Create
	if len(create.Columns) > 0 {
		return nil, core.Errorf("Should not specify column type in CTAS")
	}
	if statement.Names != nil && len(statement.Names) != len(result.Fields) {
		return nil, core.Errorf("ctas column size is not equal to the query's")
	}
	for i, field := range result.Fields {
		name := field.Name
		if statement.Names != nil {
			name = statement.Names[i]
		}
		create.Columns = append(create.Columns, parser.ColumnDef{Name: name, Type: resultType(result, i)})
	}
	if create.Keys == "" && len(create.Columns) > 0 {
		create.Keys, create.KeyColumns = types.DupKeys, []string{create.Columns[0].Name}
	}
	if err := s.executeStatement(ctx, create); err != nil {
		return nil, err
	}
	inserted, err := s.insertResult(ctx, create.Table, result)
	if err != nil {
		drop := &parser.DropTable{Table: create.Table, Force: true, IfExists: true}
		if derr := s.server.cfg.DDL.Exec(context.WithoutCancel(ctx), s.db, drop); derr != nil {
			s.server.log.Debug("drop after a failed CREATE TABLE AS SELECT", "error", derr)
		}
		return nil, err
	}
	return inserted, nil
}

func (s *session) insertResult(ctx context.Context, table parser.Name, result *sqltypes.Result) (*sqltypes.Result, error) {
	t, err := s.target(table.Database, table.Name)
	if err != nil {
		return nil, err
	}
	positions, err := t.insertColumns(nil)
	if err != nil {
		return nil, err
	}
	given := make([][]types.Value, len(result.Rows))
	for i, cells := range result.Rows {
		for _, cell := range cells {
			given[i] = append(given[i], cellValue(cell))
		}
	}
	b, filtered, err := s.insertBatch(ctx, t, positions, false, given)
	if err != nil {
		return nil, err
	}
	s.warnings = uint16(min(filtered, math.MaxUint16))
	return s.write(ctx, writeRequest{batch: b})
}

// resultType is the type of a column made from a result; the first one is a key
// and cannot be a STRING or a floating point number.
func resultType(result *sqltypes.Result, column int) types.Type {
	f, key := result.Fields[column], column == 0
	switch f.Type {
	case sqltypes.Int8, sqltypes.Uint8:
		return types.Type{Kind: types.TinyInt}
	case sqltypes.Int16, sqltypes.Uint16:
		return types.Type{Kind: types.SmallInt}
	case sqltypes.Int24, sqltypes.Int32, sqltypes.Uint24, sqltypes.Uint32, sqltypes.Year:
		return types.Type{Kind: types.Int}
	case sqltypes.Int64, sqltypes.Uint64:
		return types.Type{Kind: types.BigInt}
	case sqltypes.Decimal:
		return types.Type{Kind: types.Decimal, Precision: 38, Scale: fraction(result, column)}
	case sqltypes.Date:
		return types.Type{Kind: types.Date}
	case sqltypes.Datetime, sqltypes.Timestamp:
		return types.Type{Kind: types.DateTime, Scale: min(fraction(result, column), 6)}
	case sqltypes.Float32, sqltypes.Float64:
		if !key {
			return types.Type{Kind: types.Double}
		}
	}
	if key {
		return types.Type{Kind: types.Varchar, Len: 65533}
	}
	return types.Type{Kind: types.String}
}

// fraction is how many digits follow the point in the column's values: the
// engine does not tell the scale.
func fraction(result *sqltypes.Result, column int) int {
	digits := 0
	for _, row := range result.Rows {
		_, after, _ := strings.Cut(row[column].ToString(), ".")
		digits = max(digits, len(after))
	}
	return digits
}
