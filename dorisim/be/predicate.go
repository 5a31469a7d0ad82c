package be

import (
	"encoding/binary"
	"fmt"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// encodePredicate serializes a delete predicate for a rowset meta.
func encodePredicate(p *DeletePredicate) ([]byte, error) {
	b := binary.AppendUvarint(nil, uint64(len(p.Conditions)))
	var err error
	for _, c := range p.Conditions {
		for _, text := range []string{c.Column, c.Op} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		b = binary.AppendUvarint(b, uint64(len(c.Values)))
		for _, v := range c.Values {
			if b, err = appendValue(b, v); err != nil {
				return nil, fmt.Errorf("delete condition on %s: %w", c.Column, err)
			}
		}
	}
	return b, nil
}

func decodePredicate(b []byte) (*DeletePredicate, error) {
	r := reader{b: b}
	p := &DeletePredicate{}
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		c := Condition{Column: string(r.bytes(r.uvarint())), Op: string(r.bytes(r.uvarint()))}
		for k := r.uvarint(); k > 0 && r.err == nil; k-- {
			c.Values = append(c.Values, r.value())
		}
		p.Conditions = append(p.Conditions, c)
	}
	if r.err != nil {
		return nil, fmt.Errorf("delete predicate: %w", r.err)
	}
	return p, nil
}

// matcher compiles a predicate for rows of target; rs is the rowset that carries
// it. A condition on a column that is gone matches nothing.
func matcher(rs *rowset, target *types.Schema) func(types.Row) bool {
	type check func(types.Row) bool
	ids, targetIDs := columnIDs(&rs.schema.Schema), columnIDs(target)
	var checks []check
	for _, c := range rs.predicate.Conditions {
		column := -1
		if i := rs.schema.ColumnIndex(c.Column); i >= 0 {
			for j := range targetIDs {
				if targetIDs[j] == ids[i] {
					column = j
				}
			}
		}
		if column < 0 {
			return func(types.Row) bool { return false }
		}
		compare := types.Comparator(target.Columns[column].Type)
		checks = append(checks, func(row types.Row) bool { return c.holds(row[column], compare) })
	}
	return func(row types.Row) bool {
		for _, ok := range checks {
			if !ok(row) {
				return false
			}
		}
		return true
	}
}

// holds evaluates the condition; comparisons with NULL hold never.
func (c *Condition) holds(v types.Value, compare func(a, b types.Value) int) bool {
	switch c.Op {
	case "IS_NULL":
		return v == nil
	case "IS_NOT_NULL":
		return v != nil
	case "IN":
		return v != nil && c.contains(v, compare)
	case "NOT_IN":
		return v != nil && !c.contains(v, compare)
	}
	if v == nil || len(c.Values) == 0 || c.Values[0] == nil {
		return false
	}
	order := compare(v, c.Values[0])
	switch c.Op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	default:
		return false
	}
}

func (c *Condition) contains(v types.Value, compare func(a, b types.Value) int) bool {
	for _, candidate := range c.Values {
		if candidate != nil && compare(v, candidate) == 0 {
			return true
		}
	}
	return false
}
