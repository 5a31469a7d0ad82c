package types

import (
	"fmt"
	"math"
	"strconv"
)

// Format returns the text of a value as Doris prints it in results; NULL gives
// "NULL" (a result set marks NULL itself and does not ask for its text).
func Format(v Value, t Type) string {
	switch x := v.(type) {
	case nil:
		return "NULL"
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		bits := 64
		if t.Kind == Float {
			bits = 32
		}
		return formatFloat(x, bits)
	case string:
		return x
	default:
		return fmt.Sprint(x)
	}
}

func formatFloat(f float64, bits int) string {
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}
