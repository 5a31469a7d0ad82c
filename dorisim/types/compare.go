package types

import (
	"cmp"
	"strings"
)

// Compare orders two values of one type: NULL first, numbers by magnitude,
// text by bytes. Canonical dates order correctly as text.
func Compare(a, b Value, t Type) int { return Comparator(t)(a, b) }

// Comparator returns Compare for one type, to be kept where many values are
// compared. Values of unexpected dynamic types order by their text.
func Comparator(t Type) func(a, b Value) int {
	text := strings.Compare
	switch t.Kind {
	case LargeInt, Decimal:
		text = compareDecimalText
	case IPv4, IPv6:
		text = compareIP
	}
	return func(a, b Value) int {
		if a == nil || b == nil {
			return compareNull(a, b)
		}
		switch x := a.(type) {
		case int64:
			if y, ok := b.(int64); ok {
				return cmp.Compare(x, y)
			}
		case float64:
			if y, ok := b.(float64); ok {
				return cmp.Compare(x, y)
			}
		case string:
			if y, ok := b.(string); ok {
				return text(x, y)
			}
		}
		return text(Format(a, t), Format(b, t))
	}
}

func compareNull(a, b Value) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	default:
		return 1
	}
}

// compareDecimalText compares canonical decimal texts ("-12.50") by magnitude
// without converting them.
func compareDecimalText(a, b string) int {
	an, bn := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case an && !bn:
		if isZeroText(a) && isZeroText(b) {
			return 0
		}
		return -1
	case !an && bn:
		return -compareDecimalText(b, a)
	case an:
		return compareMagnitude(b[1:], a[1:])
	default:
		return compareMagnitude(a, b)
	}
}

func isZeroText(s string) bool { return strings.Trim(s, "-0.") == "" }

func compareMagnitude(a, b string) int {
	aInt, aFrac, _ := strings.Cut(a, ".")
	bInt, bFrac, _ := strings.Cut(b, ".")
	aInt, bInt = strings.TrimLeft(aInt, "0"), strings.TrimLeft(bInt, "0")
	if len(aInt) != len(bInt) {
		return cmp.Compare(len(aInt), len(bInt))
	}
	if c := strings.Compare(aInt, bInt); c != 0 {
		return c
	}
	return strings.Compare(strings.TrimRight(aFrac, "0"), strings.TrimRight(bFrac, "0"))
}
