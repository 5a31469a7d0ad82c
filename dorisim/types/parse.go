package types

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Reasons why a text is no value of a type; see ParseError.
var (
	ErrSyntax     = errors.New("not a value of this type")
	ErrOutOfRange = errors.New("out of range")
	ErrTooLong    = errors.New("longer than the column allows")
)

// ParseError tells which text did not fit which type. It unwraps to ErrSyntax,
// ErrOutOfRange or ErrTooLong.
type ParseError struct {
	Text   string
	Type   Type
	Reason error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%q is no %s: %v", e.Text, e.Type.Kind, e.Reason)
}

func (e *ParseError) Unwrap() error { return e.Reason }

// Parse converts a text to the canonical value of the type (see the package
// comment). Errors are *ParseError.
func Parse(text string, t Type) (Value, error) {
	v, err := parse(text, t)
	if err != nil {
		return nil, &ParseError{Text: text, Type: t, Reason: err}
	}
	return v, nil
}

func parse(text string, t Type) (Value, error) {
	switch t.Kind {
	case Boolean:
		return parseBoolean(text)
	case TinyInt:
		return parseInt(text, 8)
	case SmallInt:
		return parseInt(text, 16)
	case Int:
		return parseInt(text, 32)
	case BigInt:
		return parseInt(text, 64)
	case LargeInt:
		return parseLargeInt(text)
	case Float, Double:
		return parseFloat(text, t.Kind)
	case Decimal:
		return parseDecimal(text, t)
	case Date:
		return parseDate(text)
	case DateTime:
		return parseDateTime(text, t.Scale)
	case Char, Varchar:
		if t.Len > 0 && len(text) > t.Len {
			return nil, ErrTooLong
		}
		return text, nil
	case IPv4, IPv6:
		return parseIP(text, t.Kind)
	case Struct:
		if v, err := parseStruct(text, t); err == nil {
			return v, nil
		}
		return text, nil
	case Bitmap:
		members, ok := BitmapMembers(text)
		if !ok {
			return nil, ErrSyntax
		}
		return BitmapOf(members), nil
	case JSON:
		return parseJSON(text)
	case Variant:
		if v, err := parseJSON(text); err == nil {
			return v, nil
		}
		return text, nil
	default:
		return text, nil
	}
}

func parseBoolean(text string) (Value, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return int64(1), nil
	case "false":
		return int64(0), nil
	}
	r, err := number(text)
	if err != nil {
		return nil, err
	}
	if r.Sign() == 0 {
		return int64(0), nil
	}
	return int64(1), nil
}

func parseInt(text string, bits int) (Value, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, bits); err == nil {
		return n, nil
	}
	i, err := truncated(text)
	if err != nil {
		return nil, err
	}
	limit := int64(math.MaxInt64) >> (64 - bits)
	if !i.IsInt64() || i.Int64() > limit || i.Int64() < -limit-1 {
		return nil, ErrOutOfRange
	}
	return i.Int64(), nil
}

func parseLargeInt(text string) (Value, error) {
	i, err := truncated(text)
	if err != nil {
		return nil, err
	}
	limit := new(big.Int).Lsh(big.NewInt(1), 127)
	if i.Cmp(limit) >= 0 || i.Cmp(limit.Neg(limit)) < 0 {
		return nil, ErrOutOfRange
	}
	return i.String(), nil
}

func parseFloat(text string, k Kind) (Value, error) {
	bits := 64
	if k == Float {
		bits = 32
	}
	if strings.ContainsAny(text, "nNiIxXpP_") { // Go's spellings, not SQL's
		return nil, ErrSyntax
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(text), bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, ErrOutOfRange
	case err != nil:
		return nil, ErrSyntax
	}
	return f, nil
}

// maxExponent keeps a literal such as 1e999999999 from filling the memory.
const maxExponent = 400

// number reads a decimal literal exactly.
func number(text string) (*big.Rat, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, "/_xXpPbBoO") || len(text) > 2*maxExponent {
		return nil, ErrSyntax
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		if e, err := strconv.Atoi(text[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return nil, ErrSyntax
		}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, ErrSyntax
	}
	return r, nil
}

// truncated reads a number and cuts its fraction off.
func truncated(text string) (*big.Int, error) {
	r, err := number(text)
	if err != nil {
		return nil, err
	}
	return new(big.Int).Quo(r.Num(), r.Denom()), nil
}

// parseDecimal rounds half up to the scale. A type without precision is
// DECIMAL(38, 9).
func parseDecimal(text string, t Type) (Value, error) {
	if t.Precision == 0 {
		t.Precision, t.Scale = 38, 9
	}
	r, err := number(text)
	if err != nil {
		return nil, err
	}
	canonical := r.FloatString(t.Scale)
	whole, _, _ := strings.Cut(strings.TrimPrefix(canonical, "-"), ".")
	if len(strings.TrimLeft(whole, "0")) > t.Precision-t.Scale {
		return nil, ErrOutOfRange
	}
	if isZeroText(canonical) {
		canonical = strings.TrimPrefix(canonical, "-")
	}
	return canonical, nil
}

func parseJSON(text string) (Value, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		return nil, ErrSyntax
	}
	return out.String(), nil
}
