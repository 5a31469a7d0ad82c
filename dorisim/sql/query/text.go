package query

import (
	"errors"
	"math"
	"strconv"
	"strings"

	gmstypes "github.com/dolthub/go-mysql-server/sql/types"
)

// Text is the name under which a SELECT calls Doris' cast to a text.
const Text = "dorisim_text"

// textFunctions are functions of texts, for which the engine's own would print
// their arguments as MySQL does.
var textFunctions = map[string]objectSpec{
	Text:        {1, 1, gmstypes.LongText, needed(func(args []string) (any, error) { return args[0], nil })},
	"concat_ws": {2, -1, gmstypes.LongText, concatWS},
	"concat":    {1, -1, gmstypes.LongText, needed(func(args []string) (any, error) { return strings.Join(args, ""), nil })},
}

// concatWS passes NULLs over, but not that between the texts.
func concatWS(args []*string) (any, error) {
	if args[0] == nil {
		return nil, nil
	}
	var texts []string
	for _, a := range args[1:] {
		if a != nil {
			texts = append(texts, *a)
		}
	}
	return strings.Join(texts, *args[0]), nil
}

// bitFunctions are Doris' names of operators, over BIGINT.
var bitFunctions = map[string]objectSpec{
	"bitand":          {2, 2, gmstypes.Int64, bits(func(a, b int64) int64 { return a & b })},
	"bitor":           {2, 2, gmstypes.Int64, bits(func(a, b int64) int64 { return a | b })},
	"bitxor":          {2, 2, gmstypes.Int64, bits(func(a, b int64) int64 { return a ^ b })},
	"bitnot":          {1, 1, gmstypes.Int64, bits(func(a, _ int64) int64 { return ^a })},
	"bit_shift_left":  {2, 2, gmstypes.Int64, bits(func(a, b int64) int64 { return shifted(a, b, func(n uint64) uint64 { return n << b }) })},
	"bit_shift_right": {2, 2, gmstypes.Int64, bits(func(a, b int64) int64 { return shifted(a, b, func(n uint64) uint64 { return n >> b }) })},
}

var errNoBigInt = errors.New("argument should be a BIGINT")

// bits makes a function of one or two integers.
func bits(eval func(a, b int64) int64) func([]*string) (any, error) {
	return needed(func(args []string) (any, error) {
		var operands [2]int64
		for i, a := range args {
			n, err := strconv.ParseInt(a, 10, 64)
			if err != nil {
				return nil, errNoBigInt
			}
			operands[i] = n
		}
		return eval(operands[0], operands[1]), nil
	})
}

// shifted shifts without regard of the sign; a shift out of range gives 0.
func shifted(a, by int64, shift func(uint64) uint64) int64 {
	if by < 0 || by >= 64 {
		return 0
	}
	return int64(shift(uint64(a)))
}

// floatText is Doris' cast of a FLOAT to a text: at most six digits if they tell
// the value, else eight. A result set has the shortest text instead.
func floatText(f float32) string {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return strings.ToLower(strings.TrimPrefix(strconv.FormatFloat(float64(f), 'g', -1, 32), "+"))
	}
	text := general(float64(f), 6)
	if parsed, err := strconv.ParseFloat(text, 32); err != nil || float32(parsed) != f {
		text = general(float64(f), 8)
	}
	return text
}

// general is C's %.*g: trailing zeros go, and the exponent has two digits.
func general(f float64, digits int) string {
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', digits-1, 64), "e")
	e, _ := strconv.Atoi(exponent) // of FormatFloat
	if e < -4 || e >= digits {
		return trimZeros(mantissa) + "e" + exponent
	}
	return trimZeros(strconv.FormatFloat(f, 'f', digits-1-e, 64))
}

func trimZeros(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return strings.TrimSuffix(strings.TrimRight(number, "0"), ".")
}
