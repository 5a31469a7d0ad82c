package query

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	enginetypes "github.com/dolthub/go-mysql-server/sql/types"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Function implements sql.FunctionProvider: functions of Doris that MySQL has
// not, or has under another name.
func (provider) Function(_ *sql.Context, name string) (sql.Function, bool) {
	switch strings.ToLower(name) {
	case "date_trunc":
		return sql.Function2{Name: "date_trunc", Fn: newDateTrunc}, true
	case "nvl":
		return sql.Function2{Name: "nvl", Fn: function.NewIfNull}, true
	case "strleft":
		return sql.Function2{Name: "strleft", Fn: function.NewLeft}, true
	case "strright":
		return sql.Function2{Name: "strright", Fn: function.NewRight}, true
	case Sum:
		return sql.Function1{Name: Sum, Fn: newSum}, true
	case "to_date":
		return sql.Function1{Name: "to_date", Fn: function.NewDate}, true
	}
	return objectFunctionNamed(strings.ToLower(name))
}

// dateTrunc is date_trunc(time, unit).
type dateTrunc struct {
	expression.BinaryExpressionStub
}

func newDateTrunc(at, unit sql.Expression) sql.Expression {
	return &dateTrunc{expression.BinaryExpressionStub{LeftChild: at, RightChild: unit}}
}

// truncUnits are what date_trunc knows.
var truncUnits = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second"}

// FunctionName implements sql.FunctionExpression.
func (*dateTrunc) FunctionName() string { return "date_trunc" }

// Description implements sql.FunctionExpression.
func (*dateTrunc) Description() string { return "the begin of the unit that contains the time" }

// String implements fmt.Stringer.
func (d *dateTrunc) String() string {
	return fmt.Sprintf("date_trunc(%s, %s)", d.LeftChild, d.RightChild)
}

// Type implements sql.Expression: a DATE stays one.
func (d *dateTrunc) Type() sql.Type {
	if enginetypes.IsDateType(d.LeftChild.Type()) {
		return enginetypes.Date
	}
	return enginetypes.Datetime
}

// WithChildren implements sql.Expression.
func (d *dateTrunc) WithChildren(children ...sql.Expression) (sql.Expression, error) {
	if len(children) != 2 {
		return nil, sql.ErrInvalidChildrenNumber.New(d, len(children), 2)
	}
	return newDateTrunc(children[0], children[1]), nil
}

// Eval implements sql.Expression.
func (d *dateTrunc) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	at, err := d.LeftChild.Eval(ctx, row)
	if err != nil || at == nil {
		return nil, err
	}
	unit, err := d.RightChild.Eval(ctx, row)
	if err != nil || unit == nil {
		return nil, err
	}
	name := strings.ToLower(fmt.Sprint(unit))
	if !slices.Contains(truncUnits, name) {
		return nil, fmt.Errorf("date_trunc function second param only support argument is %s", strings.Join(truncUnits, "|"))
	}
	converted, _, err := enginetypes.DatetimeMaxPrecision.Convert(ctx, at)
	if err != nil {
		return nil, nil // what is no time gives NULL
	}
	moment, ok := converted.(time.Time)
	if !ok {
		return nil, nil
	}
	return types.TruncateTime(moment, name), nil
}
