package load

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// RowError says that a row cannot be stored; in strict mode it fails the load,
// otherwise the row is left out.
type RowError struct{ Reason string }

// Error implements error.
func (e *RowError) Error() string { return e.Reason }

// Refusal is the error that strict mode answers with.
func (e *RowError) Refusal() *core.Error { return FilteredError(e.Reason) }

// Cell converts a value to the column's canonical form. A value that is not of
// the column's type is NULL when not strict, as in Doris. Errors are *RowError,
// or *core.Error for a constant that the planner refuses.
func Cell(c *types.Column, v types.Value, strict bool) (types.Value, error) {
	if v == nil {
		if !c.Nullable {
			return nil, &RowError{Reason: fmt.Sprintf("null value for not null column, column name: %s", c.Name)}
		}
		return nil, nil
	}
	if stored, ok := asIs(c.Type.Kind, v); ok {
		return stored, nil
	}
	text := valueText(v)
	parsed, err := types.Parse(text, c.Type)
	if err == nil {
		return parsed, nil
	}
	switch {
	case errors.Is(err, types.ErrTooLong):
		return nil, &RowError{Reason: fmt.Sprintf("column_name[%s], the length of input is too long than schema. first 32 bytes of input str: [%s] schema length: %d; actual length: %d",
			c.Name, firstBytes(text, 32), c.Type.Len, len(text))}
	case errors.Is(err, types.ErrOutOfRange) && strict:
		return nil, core.Errorf("Number out of range[%s]. type: %s", text, kindName(c.Type))
	case errors.Is(err, types.ErrOutOfRange):
		return nil, &RowError{Reason: fmt.Sprintf("column(%s) value(%s) is out of range of %s", c.Name, text, kindName(c.Type))}
	case !strict && c.Nullable:
		return nil, nil
	}
	return nil, &RowError{Reason: fmt.Sprintf("column(%s) value is incorrect while strict mode is %t, src value is %s", c.Name, strict, text)}
}

// asIs returns values that need no parsing.
func asIs(k types.Kind, v types.Value) (types.Value, bool) {
	switch x := v.(type) {
	case int64:
		return x, k == types.BigInt || k == types.Int && x == int64(int32(x))
	case float64:
		return x, k == types.Double
	case string:
		switch k {
		case types.String, types.HLL, types.QuantileState, types.AggState:
			return x, true
		}
	}
	return nil, false
}

func valueText(v types.Value) string {
	switch x := v.(type) {
	case string:
		return x
	case int64:
		return strconv.FormatInt(x, 10)
	default:
		return types.Format(v, types.Type{Kind: types.Double})
	}
}

func firstBytes(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// kindName is the type without the suffixes of the second generation.
func kindName(t types.Type) string {
	name := strings.TrimSuffix(string(t.Kind), "V2")
	if t.Kind == types.Decimal {
		return fmt.Sprintf("DECIMALV3(%d, %d)", t.Precision, t.Scale)
	}
	return name
}
