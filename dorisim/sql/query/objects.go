package query

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	gmstypes "github.com/dolthub/go-mysql-server/sql/types"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// objectType is the type of BITMAP, HLL, QUANTILE_STATE and AGG_STATE values: texts
// that results show as NULL (doris-sql.md 1.2).
type objectType struct{ sql.StringType }

var objects = objectType{gmstypes.CreateLongText(sql.Collation_utf8mb4_0900_bin)}

// Promote implements sql.Type.
func (t objectType) Promote() sql.Type { return t }

// Equals implements sql.Type.
func (t objectType) Equals(other sql.Type) bool {
	_, ok := other.(objectType)
	return ok
}

// ShowsObjects is implemented by catalogs whose statements see the text of objects
// instead of NULL, as with return_object_data_as_binary.
type ShowsObjects interface{ ShowsObjects() bool }

// objectFunction is a scalar function over objects. Its arguments are texts, nil for
// NULL.
type objectFunction struct {
	expression.NaryExpression
	name string
	typ  sql.Type
	eval func(args []*string) (any, error)
}

// String implements fmt.Stringer.
func (f *objectFunction) String() string {
	args := make([]string, len(f.ChildExpressions))
	for i, c := range f.ChildExpressions {
		args[i] = c.String()
	}
	return f.name + "(" + strings.Join(args, ",") + ")"
}

// FunctionName implements sql.FunctionExpression.
func (f *objectFunction) FunctionName() string { return f.name }

// Description implements sql.FunctionExpression.
func (f *objectFunction) Description() string { return "a function of Doris over objects" }

// Type implements sql.Expression.
func (f *objectFunction) Type() sql.Type { return f.typ }

// IsNullable implements sql.Expression.
func (f *objectFunction) IsNullable() bool { return true }

// WithChildren implements sql.Expression.
func (f *objectFunction) WithChildren(children ...sql.Expression) (sql.Expression, error) {
	if len(children) != len(f.ChildExpressions) {
		return nil, sql.ErrInvalidChildrenNumber.New(f, len(children), len(f.ChildExpressions))
	}
	changed := *f
	changed.ChildExpressions = children
	return &changed, nil
}

// Eval implements sql.Expression.
func (f *objectFunction) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	args := make([]*string, len(f.ChildExpressions))
	for i, c := range f.ChildExpressions {
		v, err := c.Eval(ctx, row)
		if err != nil {
			return nil, err
		}
		if v == nil {
			continue
		}
		text, err := argumentText(ctx, c.Type(), v)
		if err != nil {
			return nil, err
		}
		args[i] = &text
	}
	return f.eval(args)
}

func argumentText(ctx *sql.Context, t sql.Type, v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case float32:
		return floatText(x), nil
	}
	cell, err := encodeValue(ctx, t, v, true)
	if err != nil {
		return "", err
	}
	return cell.ToString(), nil
}

type objectSpec struct {
	min, max int // number of arguments; max < 0: any
	typ      sql.Type
	eval     func(args []*string) (any, error)
}

// needed makes a function that gives NULL when an argument is NULL.
func needed(eval func(args []string) (any, error)) func([]*string) (any, error) {
	return func(args []*string) (any, error) {
		texts := make([]string, len(args))
		for i, a := range args {
			if a == nil {
				return nil, nil
			}
			texts[i] = *a
		}
		return eval(texts)
	}
}

// sets makes a function of bitmaps.
func sets(eval func(sets [][]uint64) any) func([]*string) (any, error) {
	return needed(func(args []string) (any, error) {
		list := make([][]uint64, len(args))
		for i, a := range args {
			members, ok := types.BitmapMembers(a)
			if !ok {
				return nil, errNoBitmap
			}
			list[i] = members
		}
		return eval(list), nil
	})
}

// takesTexts tells whether a function casts its arguments to texts.
func takesTexts(name string) bool {
	_, hashes := hashFunctions[name]
	_, joins := textFunctions[name]
	return hashes || joins
}

func isObject(e sql.Expression) bool {
	_, ok := e.Type().(objectType)
	return ok
}

var errNoText = errors.New("cannot cast a BITMAP, HLL, QUANTILE_STATE or AGG_STATE to a text")

var errNoBitmap = errors.New("argument should be a BITMAP")

// objectFunctions are the functions that the simulator evaluates over objects. Names
// with a blank are what the rewriter makes of aggregate functions: their argument is
// the array of all values.
var objectFunctions = map[string]objectSpec{
	"to_bitmap":          {1, 1, objects, needed(toBitmap)},
	"bitmap_from_string": {1, 1, objects, needed(bitmapFromString)},
	"bitmap_empty":       {0, 0, objects, needed(func([]string) (any, error) { return "", nil })},
	"bitmap_hash":        {1, 1, objects, func(a []*string) (any, error) { return bitmapHash(a, 32) }},
	"bitmap_hash64":      {1, 1, objects, func(a []*string) (any, error) { return bitmapHash(a, 64) }},
	"bitmap_count":       {1, 1, gmstypes.Int64, countOf},
	"bitmap_to_string":   {1, 1, gmstypes.LongText, sets(func(s [][]uint64) any { return types.BitmapOf(s[0]) })},
	"bitmap_contains":    {2, 2, gmstypes.Int8, needed(bitmapContains)},
	"bitmap_has_any":     {2, 2, gmstypes.Int8, sets(func(s [][]uint64) any { return flag(len(common(s[0], s[1])) > 0) })},
	"bitmap_or":          {2, -1, objects, sets(func(s [][]uint64) any { return types.BitmapOf(slices.Concat(s...)) })},
	"bitmap_and": {2, -1, objects, sets(func(s [][]uint64) any {
		kept := s[0]
		for _, other := range s[1:] {
			kept = common(kept, other)
		}
		return types.BitmapOf(kept)
	})},
	"bitmap_and_not": {2, 2, objects, sets(func(s [][]uint64) any { return types.BitmapOf(without(s[0], s[1])) })},
	"bitmap_not":     {2, 2, objects, sets(func(s [][]uint64) any { return types.BitmapOf(without(s[0], s[1])) })},
	"bitmap_xor": {2, 2, objects, sets(func(s [][]uint64) any {
		return types.BitmapOf(append(without(s[0], s[1]), without(s[1], s[0])...))
	})},
	"bitmap_min":      {1, 1, gmstypes.Int64, sets(func(s [][]uint64) any { return edge(s[0], slices.Min[[]uint64]) })},
	"bitmap_max":      {1, 1, gmstypes.Int64, sets(func(s [][]uint64) any { return edge(s[0], slices.Max[[]uint64]) })},
	"hll_hash":        {1, 1, objects, hllHash},
	"hll_empty":       {0, 0, objects, needed(func([]string) (any, error) { return "", nil })},
	"hll_cardinality": {1, 1, gmstypes.Int64, countOf},
}

// aggregateStates are the aggregate functions that have states.
var aggregateStates = []string{"max_by", "min_by", "sum", "min", "max", "avg", "count", "group_concat"}

// foldFunctions turn the array of all values of a group into the result of an
// aggregate function.
var foldFunctions = map[string]objectSpec{
	"union":     {1, 1, objects, fold(types.ObjectUnion, func(s string) any { return s }, "")},
	"count":     {1, 1, gmstypes.Int64, fold(types.ObjectUnion, func(s string) any { return types.ObjectCount(s) }, int64(0))},
	"intersect": {1, 1, objects, fold(intersect, func(s string) any { return s }, "")},
	"states":    {1, 1, objects, fold(types.AggStateMerge, func(s string) any { return s }, nil)},
	"merge":     {1, 1, gmstypes.LongText, fold(types.AggStateMerge, func(s string) any { return types.AggStateResult(s) }, nil)},
	"number":    {1, 1, gmstypes.Float64, fold(types.AggStateMerge, numberResult, nil)},
}

func numberResult(state string) any {
	text, ok := types.AggStateResult(state).(string)
	if !ok {
		return nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil
	}
	return n
}

// Fold is the name under which a SELECT calls a function of foldFunctions.
func Fold(name string) string { return "dorisim_fold_" + name }

// aggregates are Doris' aggregate functions that become foldFunctions, and what is
// done to their argument before.
var aggregates = map[string]struct{ fold, argument string }{
	"bitmap_union": {"union", ""}, "bitmap_union_count": {"count", ""}, "bitmap_intersect": {"intersect", ""},
	"bitmap_agg": {"union", "to_bitmap"}, "bitmap_union_int": {"count", "to_bitmap"},
	"hll_union": {"union", ""}, "hll_raw_agg": {"union", ""}, "hll_union_agg": {"count", ""},
	"ndv": {"count", "hll_hash"}, "approx_count_distinct": {"count", "hll_hash"},
	"max_by": {"merge", "max_by_state"}, "min_by": {"merge", "min_by_state"},
}

// Aggregate tells how to evaluate one of Doris' aggregate functions that MySQL does
// not have: fold over the array of what argument ("" = nothing) makes of its
// arguments.
func Aggregate(name string) (fold, argument string, ok bool) {
	name = strings.ToLower(name)
	if a, known := aggregates[name]; known {
		return a.fold, a.argument, true
	}
	for _, f := range aggregateStates {
		switch name {
		case f + "_union":
			return "states", "", true
		case f + "_merge":
			if f == "sum" || f == "avg" || f == "count" {
				return "number", "", true
			}
			return "merge", "", true
		}
	}
	return "", "", false
}

func objectFunctionNamed(name string) (sql.Function, bool) {
	var spec objectSpec
	ok := false
	for _, family := range []map[string]objectSpec{objectFunctions, hashFunctions, textFunctions, bitFunctions} {
		if s, found := family[name]; found {
			spec, ok = s, true
		}
	}
	if !ok {
		for fold, s := range foldFunctions {
			if name == Fold(fold) {
				spec, ok = s, true
			}
		}
	}
	if f, isState := strings.CutSuffix(name, "_state"); !ok && isState && slices.Contains(aggregateStates, f) {
		spec, ok = objectSpec{1, -1, objects, stateOf(f)}, true
	}
	if !ok {
		return nil, false
	}
	return sql.FunctionN{Name: name, Fn: func(args ...sql.Expression) (sql.Expression, error) {
		if len(args) < spec.min || spec.max >= 0 && len(args) > spec.max {
			return nil, sql.ErrInvalidArgumentNumber.New(name, spec.min, len(args))
		}
		if takesTexts(name) && slices.ContainsFunc(args, isObject) {
			return nil, errNoText
		}
		return &objectFunction{expression.NaryExpression{ChildExpressions: args}, name, spec.typ, spec.eval}, nil
	}}, true
}

func stateOf(function string) func([]*string) (any, error) {
	return func(args []*string) (any, error) {
		values := make([]types.Value, len(args))
		for i, a := range args {
			if a != nil {
				values[i] = *a
			}
		}
		state, ok := types.AggStateOf(function, values)
		if !ok {
			return nil, fmt.Errorf("%s_state has too few arguments", function)
		}
		return state, nil
	}
}

func flag(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

func common(a, b []uint64) []uint64 {
	return slices.DeleteFunc(slices.Clone(a), func(n uint64) bool { return !slices.Contains(b, n) })
}

func without(a, b []uint64) []uint64 {
	return slices.DeleteFunc(slices.Clone(a), func(n uint64) bool { return slices.Contains(b, n) })
}

func edge(set []uint64, of func([]uint64) uint64) any {
	if len(set) == 0 {
		return nil
	}
	return int64(of(set))
}

// toBitmap is NULL for what is no number that a BITMAP can hold.
func toBitmap(args []string) (any, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(args[0]), 10, 64)
	if err != nil {
		return nil, nil
	}
	return types.BitmapOf([]uint64{n}), nil
}

func bitmapFromString(args []string) (any, error) {
	members, ok := types.BitmapMembers(args[0])
	if !ok {
		return nil, nil
	}
	return types.BitmapOf(members), nil
}

// bitmapHash is the empty BITMAP for NULL.
func bitmapHash(args []*string, bits int) (any, error) {
	if args[0] == nil {
		return "", nil
	}
	return types.BitmapOf([]uint64{types.Hash(*args[0]) >> (64 - bits)}), nil
}

func bitmapContains(args []string) (any, error) {
	members, ok := types.BitmapMembers(args[0])
	if !ok {
		return nil, errNoBitmap
	}
	n, err := strconv.ParseUint(args[1], 10, 64)
	return flag(err == nil && slices.Contains(members, n)), nil
}

// hllHash is the empty HLL for NULL.
func hllHash(args []*string) (any, error) {
	if args[0] == nil {
		return "", nil
	}
	return types.HLLOf(*args[0]), nil
}

// countOf is 0 for NULL.
func countOf(args []*string) (any, error) {
	if args[0] == nil {
		return int64(0), nil
	}
	return types.ObjectCount(*args[0]), nil
}

func intersect(a, b string) string {
	x, okX := types.BitmapMembers(a)
	y, okY := types.BitmapMembers(b)
	if !okX || !okY {
		return ""
	}
	return types.BitmapOf(common(x, y))
}
