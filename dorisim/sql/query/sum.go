package query

import (
	"fmt"
	"math/big"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	gmstypes "github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"
)

// Sum is the name under which a SELECT calls Doris' sum. The engine takes only
// names for aggregate functions that it knows, gives its own sum the type DOUBLE,
// and has a function of this one that Doris has not. Sums over windows and of
// distinct values are left to the engine.
const Sum = "first"

// sum adds in the type that Doris adds in: BIGINT and LARGEINT wrap, DECIMAL is
// exact, anything else is DOUBLE (doris-sql.md 5.9).
type sum struct{ *aggregation.Sum }

func newSum(argument sql.Expression) sql.Expression { return &sum{aggregation.NewSum(argument)} }

// Type implements sql.Expression.
func (s *sum) Type() sql.Type {
	t := s.Child.Type()
	switch {
	case gmstypes.IsInteger(t):
		return gmstypes.Int64
	case isLargeInt(t), isCast(t):
		return t
	case gmstypes.IsDecimal(t):
		if d, ok := t.(sql.DecimalType); ok {
			return gmstypes.MustCreateDecimalType(maxDecimalPrecision, d.Scale())
		}
	}
	return gmstypes.Float64
}

// isCast tells whether the type is what the engine gives a CAST to a LARGEINT or
// to a DECIMAL without digits behind the point.
func isCast(t sql.Type) bool { return gmstypes.InternalDecimalType.Equals(t) }

// maxDecimalPrecision is that of a sum of DECIMALs.
const maxDecimalPrecision = 38

func isLargeInt(t sql.Type) bool {
	d, ok := t.(sql.DecimalType)
	return ok && d.Precision() == largeIntPrecision && d.Scale() == 0
}

// IsNullable implements sql.Expression: the sum of nothing is NULL.
func (s *sum) IsNullable() bool { return true }

// String implements fmt.Stringer; the engine recognises equal sums by it.
func (s *sum) String() string { return fmt.Sprintf("%s(%s)", Sum, s.Child) }

// WithChildren implements sql.Expression.
func (s *sum) WithChildren(children ...sql.Expression) (sql.Expression, error) {
	changed, err := s.Sum.WithChildren(children...)
	if err != nil {
		return nil, err
	}
	return &sum{changed.(*aggregation.Sum)}, nil
}

// WithId implements sql.IdExpression.
func (s *sum) WithId(id sql.ColumnId) sql.IdExpression {
	return &sum{s.Sum.WithId(id).(*aggregation.Sum)}
}

// WithWindow implements sql.WindowAdaptableExpression.
func (s *sum) WithWindow(w *sql.WindowDefinition) sql.WindowAdaptableExpression {
	return &sum{s.Sum.WithWindow(w).(*aggregation.Sum)}
}

// NewBuffer implements sql.Aggregation.
func (s *sum) NewBuffer() (sql.AggregationBuffer, error) {
	return &sumBuffer{argument: s.Child, typ: s.Type()}, nil
}

// sumBuffer is the sum of one group so far.
type sumBuffer struct {
	argument sql.Expression
	typ      sql.Type
	any      bool
	whole    int64
	float    float64
	exact    decimal.Decimal
}

// Update implements sql.AggregationBuffer.
func (b *sumBuffer) Update(ctx *sql.Context, row sql.Row) error {
	v, err := b.argument.Eval(ctx, row)
	if err != nil || v == nil {
		return err
	}
	if n, ok := v.(decimal.Decimal); ok && gmstypes.IsDecimal(b.typ) {
		b.any, b.exact = true, b.exact.Add(n)
		return nil
	}
	converted, _, err := b.typ.Convert(ctx, v)
	if err != nil {
		if b.typ != gmstypes.Float64 {
			return fmt.Errorf("sum of %v: %w", v, err)
		}
		return nil // a text that is no number is NULL
	}
	b.any = true
	switch n := converted.(type) {
	case int64:
		b.whole += n // wraps
	case float64:
		b.float += n
	case decimal.Decimal:
		b.exact = b.exact.Add(n)
	default:
		return fmt.Errorf("sum of %T", converted)
	}
	return nil
}

// Eval implements sql.AggregationBuffer.
func (b *sumBuffer) Eval(*sql.Context) (any, error) {
	switch {
	case !b.any:
		return nil, nil
	case b.typ == gmstypes.Int64:
		return b.whole, nil
	case b.typ == gmstypes.Float64:
		return b.float, nil
	case isLargeInt(b.typ), isCast(b.typ) && b.exact.IsInteger(): // both have 128 bits
		return decimal.NewFromBigInt(wrapped128(b.exact.BigInt()), 0), nil
	}
	return b.exact, nil
}

// Dispose implements sql.Disposable.
func (b *sumBuffer) Dispose() { expression.Dispose(b.argument) }

// wrapped128 is n as a 128-bit integer in two's complement.
func wrapped128(n *big.Int) *big.Int {
	modulus := new(big.Int).Lsh(big.NewInt(1), 128)
	n = new(big.Int).Mod(n, modulus)
	if n.Bit(127) == 1 {
		n.Sub(n, modulus)
	}
	return n
}
