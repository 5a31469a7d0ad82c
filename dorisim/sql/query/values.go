package query

import (
	"fmt"
	"strconv"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	gmstypes "github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// largeIntPrecision is the number of digits that a LARGEINT may have.
const largeIntPrecision = 39

// engineType is the engine's type for a Doris type. What the engine has no type
// for is text.
func engineType(t types.Type) sql.Type {
	switch t.Kind {
	case types.Boolean, types.TinyInt:
		return gmstypes.Int8
	case types.SmallInt:
		return gmstypes.Int16
	case types.Int:
		return gmstypes.Int32
	case types.BigInt:
		return gmstypes.Int64
	case types.LargeInt:
		return gmstypes.MustCreateDecimalType(largeIntPrecision, 0)
	case types.Float:
		return gmstypes.Float32
	case types.Double:
		return gmstypes.Float64
	case types.Decimal:
		d, err := gmstypes.CreateDecimalType(uint8(t.Precision), uint8(t.Scale))
		if err == nil {
			return d
		}
	case types.HLL, types.Bitmap, types.QuantileState, types.AggState:
		return objects
	case types.Date:
		return gmstypes.Date
	case types.DateTime:
		d, err := gmstypes.CreateDatetimeType(sqltypes.Datetime, t.Scale)
		if err == nil {
			return d
		}
	}
	return gmstypes.CreateLongText(sql.Collation_utf8mb4_0900_bin)
}

// engineValue turns a stored value into the engine's.
func engineValue(ctx *sql.Context, et sql.Type, t types.Type, v types.Value) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch t.Kind {
	case types.Boolean, types.TinyInt, types.SmallInt, types.Int, types.BigInt:
		n, ok := v.(int64)
		if !ok {
			return nil, fmt.Errorf("%v is not an integer", v)
		}
		switch t.Kind {
		case types.BigInt:
			return n, nil
		case types.Int:
			return int32(n), nil
		case types.SmallInt:
			return int16(n), nil
		default:
			return int8(n), nil
		}
	case types.Struct:
		v = types.Widened(v, t)
	case types.Date, types.DateTime:
		text, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not a time", v)
		}
		if at, err := parseTime(text); err == nil {
			return at, nil
		}
	}
	out, _, err := et.Convert(ctx, v)
	return out, err
}

func parseTime(text string) (time.Time, error) {
	if len(text) == len(time.DateOnly) {
		return time.Parse(time.DateOnly, text)
	}
	return time.Parse("2006-01-02 15:04:05.999999", text)
}

// fieldType is the protocol type of a result column (doris-sql.md 1.2).
func fieldType(t sql.Type) querypb.Type {
	if d, ok := t.(sql.DecimalType); ok && d.Precision() == largeIntPrecision && d.Scale() == 0 {
		return sqltypes.VarChar
	}
	switch q := t.Type(); q {
	case sqltypes.Text, sqltypes.Blob, sqltypes.TypeJSON, sqltypes.Char, sqltypes.VarBinary, sqltypes.Binary:
		return sqltypes.VarChar
	default:
		return q
	}
}

// encodeRow renders a result row; objects are NULL unless they are to be shown
// (doris-sql.md 1.2).
func encodeRow(ctx *sql.Context, schema sql.Schema, row sql.Row, showObjects bool) ([]sqltypes.Value, error) {
	out := make([]sqltypes.Value, len(row))
	for i, v := range row {
		cell, err := encodeValue(ctx, schema[i].Type, v, showObjects)
		if err != nil {
			return nil, err
		}
		out[i] = cell
	}
	return out, nil
}

func encodeValue(ctx *sql.Context, t sql.Type, v any, showObjects bool) (sqltypes.Value, error) {
	if _, isObject := t.(objectType); isObject && !showObjects {
		return sqltypes.NULL, nil
	}
	field := fieldType(t)
	switch x := v.(type) {
	case nil:
		return sqltypes.NULL, nil
	case bool:
		if x {
			return sqltypes.MakeTrusted(sqltypes.Int8, []byte("1")), nil
		}
		return sqltypes.MakeTrusted(sqltypes.Int8, []byte("0")), nil
	case int8:
		return integer(field, int64(x)), nil
	case int16:
		return integer(field, int64(x)), nil
	case int32:
		return integer(field, int64(x)), nil
	case int64:
		return integer(field, x), nil
	case string:
		return sqltypes.MakeTrusted(field, []byte(x)), nil
	case float64:
		return sqltypes.MakeTrusted(field, []byte(types.Format(x, types.Type{Kind: types.Double}))), nil
	case float32:
		return sqltypes.MakeTrusted(field, []byte(types.Format(float64(x), types.Type{Kind: types.Float}))), nil
	case time.Time:
		if d, ok := t.(sql.DatetimeType); ok && field == sqltypes.Datetime {
			return sqltypes.MakeTrusted(field, []byte(x.Format(timeLayout(d.Precision())))), nil
		}
	}
	cell, err := t.SQL(ctx, nil, v)
	if err != nil {
		return sqltypes.NULL, err
	}
	return sqltypes.MakeTrusted(field, cell.ToBytes()), nil
}

func integer(field querypb.Type, n int64) sqltypes.Value {
	return sqltypes.MakeTrusted(field, strconv.AppendInt(nil, n, 10))
}

// timeLayout prints exactly the fraction digits of the type.
func timeLayout(precision int) string {
	const full = "2006-01-02 15:04:05.000000"
	if precision <= 0 {
		return full[:len("2006-01-02 15:04:05")]
	}
	return full[:len("2006-01-02 15:04:05.")+precision]
}
