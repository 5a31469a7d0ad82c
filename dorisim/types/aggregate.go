package types

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// Aggregate folds a newer value into an older one by the column's aggregation
// (doris-sql.md 5.3). Columns without aggregation take the newer value.
func Aggregate(older, newer Value, c *Column) Value {
	switch c.Agg {
	case "REPLACE_IF_NOT_NULL":
		if newer == nil {
			return older
		}
		return newer
	case "SUM", "MAX", "MIN", "HLL_UNION", "BITMAP_UNION", "QUANTILE_UNION", "GENERIC":
		if newer == nil {
			return older
		}
		if older == nil {
			return newer
		}
		return aggregateValues(older, newer, c)
	default:
		return newer
	}
}

func aggregateValues(older, newer Value, c *Column) Value {
	switch c.Agg {
	case "SUM":
		return add(older, newer, c.Type)
	case "MAX":
		if Compare(newer, older, c.Type) > 0 {
			return newer
		}
		return older
	case "MIN":
		if Compare(newer, older, c.Type) < 0 {
			return newer
		}
		return older
	case "HLL_UNION", "BITMAP_UNION":
		return unionTokens(Format(older, c.Type), Format(newer, c.Type))
	case "GENERIC":
		return AggStateMerge(Format(older, c.Type), Format(newer, c.Type))
	default:
		return concatTokens(Format(older, c.Type), Format(newer, c.Type))
	}
}

func add(a, b Value, t Type) Value {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return x + y
		}
	case float64:
		if y, ok := b.(float64); ok {
			return x + y
		}
	case string:
		if y, ok := b.(string); ok {
			return addText(x, y, t)
		}
	}
	return b
}

func addText(a, b string, t Type) Value {
	x, okX := new(big.Rat).SetString(a)
	y, okY := new(big.Rat).SetString(b)
	if !okX || !okY {
		return b
	}
	scale := 0
	if t.Kind == Decimal {
		scale = t.Scale
		if t.Precision == 0 {
			scale = 9
		}
	}
	return x.Add(x, y).FloatString(scale)
}

// unionTokens merges two opaque states written as comma-separated members into
// the sorted set of both.
func unionTokens(a, b string) string {
	members := append(strings.Split(a, ","), strings.Split(b, ",")...)
	members = slices.DeleteFunc(members, func(s string) bool { return s == "" })
	slices.SortFunc(members, func(x, y string) int {
		nx, errX := strconv.ParseUint(x, 10, 64)
		ny, errY := strconv.ParseUint(y, 10, 64)
		if errX == nil && errY == nil && nx != ny {
			if nx < ny {
				return -1
			}
			return 1
		}
		return strings.Compare(x, y)
	})
	return strings.Join(slices.Compact(members), ",")
}

func concatTokens(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	default:
		return a + "," + b
	}
}

// DefaultValue is what a column holds in rows written before it existed, or
// written without it. A default expression has no value here: the writer of a
// row evaluates it.
func DefaultValue(c *Column) Value {
	if c.Default != nil && !c.DefaultExpr {
		if v, err := Parse(*c.Default, c.Type); err == nil {
			return v
		}
	}
	if c.Nullable {
		return nil
	}
	return zero(c.Type)
}

func zero(t Type) Value {
	switch t.Kind {
	case Boolean, TinyInt, SmallInt, Int, BigInt:
		return int64(0)
	case Float, Double:
		return float64(0)
	case LargeInt:
		return "0"
	case Decimal:
		v, err := parseDecimal("0", t)
		if err != nil {
			return "0"
		}
		return v
	case IPv4:
		return "0.0.0.0"
	case IPv6:
		return "::"
	case Date:
		return "1970-01-01"
	case DateTime:
		v, err := parseDateTime("1970-01-01", t.Scale)
		if err != nil {
			return "1970-01-01 00:00:00"
		}
		return v
	default:
		return ""
	}
}
