package be

import (
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// Damage is what may silently happen to rows.
type Damage string

const (
	// DropRows loses rows, DoubleRows shows them twice, whatever the key model,
	// ChangeRows alters the value of a column that is no key.
	DropRows   Damage = "drop"
	DoubleRows Damage = "double"
	ChangeRows Damage = "change"
)

// Damage does it to the first n visible rows of a tablet, behind everybody's
// back: versions, binlogs and metadata stay as they are. It returns how many
// rows it was done to.
func (b *Backend) Damage(tabletID int64, kind Damage, n int) (int, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return 0, err
	}
	done, err := t.damage(kind, n)
	if err != nil {
		return 0, fmt.Errorf("damage tablet %d: %w", tabletID, err)
	}
	return done, nil
}

func (t *tablet) damage(kind Damage, n int) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, err := t.merge(t.version(), true)
	if err != nil {
		return 0, err
	}
	s := t.schema()
	column := -1
	if kind == ChangeRows {
		if column = changeable(&s.Schema); column < 0 {
			return 0, errors.New("it has no column whose values can be changed")
		}
	}
	kept, strays := []entry{}, slices.Clone(m.strays)
	done := 0
	for _, e := range m.stored() {
		if e.deleted || done >= n {
			kept = append(kept, e)
			continue
		}
		done++
		switch kind {
		case DropRows:
			continue
		case DoubleRows:
			if s.Keys == types.DupKeys {
				kept = append(kept, e)
			} else {
				strays = append(strays, entry{row: e.row, stray: true})
			}
		case ChangeRows:
			e.row = slices.Clone(e.row)
			e.row[column] = changed(e.row[column], s.Columns[column].Type)
		default:
			return 0, fmt.Errorf("unknown damage %q: there are %s, %s and %s", kind, DropRows, DoubleRows, ChangeRows)
		}
		kept = append(kept, e)
	}
	t.base = base{version: t.version(), schema: s, rows: kept, strays: strays}
	t.rowsets = nil
	t.generation++
	t.lastScan = scan{}
	return done, nil
}

// changeable returns the last visible column whose values can be changed without
// moving the row, -1 if there is none.
func changeable(s *types.Schema) int {
	for i := len(s.Columns) - 1; i >= 0; i-- {
		c := &s.Columns[i]
		if c.Hidden || c.Key && s.Keys != types.DupKeys || s.Sequence == c.Name {
			continue
		}
		switch c.Type.Kind {
		case types.Boolean, types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Float, types.Double, types.Char, types.Varchar, types.String:
			return i
		}
	}
	return -1
}

// changed returns another value of the type.
func changed(v types.Value, t types.Type) types.Value {
	switch x := v.(type) {
	case int64:
		return x ^ 1 // never leaves the type
	case float64:
		return x + 1
	case string:
		if len(x) > 0 {
			return string(x[:len(x)-1]) + string('0'+x[len(x)-1]%2^1)
		}
		return "0"
	}
	switch t.Kind {
	case types.Char, types.Varchar, types.String:
		return "0"
	case types.Float, types.Double:
		return float64(0)
	}
	return int64(0)
}
