package be

import (
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// DamageKind is what may silently happen to rows.
type DamageKind string

const (
	// DropRows loses rows, DoubleRows shows them twice, whatever the key model,
	// ChangeRows alters the value of a column that is no key.
	DropRows   DamageKind = "drop"
	DoubleRows DamageKind = "double"
	ChangeRows DamageKind = "change"
	// DeleteRows gives rows of a UNIQUE table the delete sign, UndeleteRows takes it
	// from rows that have it, as far as compaction has left them.
	DeleteRows   DamageKind = "delete"
	UndeleteRows DamageKind = "undelete"
)

// damageKinds are all of them.
var damageKinds = []DamageKind{DropRows, DoubleRows, ChangeRows, DeleteRows, UndeleteRows}

// Damage is what happens to which rows of a tablet.
type Damage struct {
	Kind DamageKind
	// Rows is to how many rows it happens, in the order of a scan.
	Rows int
	// Key restricts it to rows whose first column is that text; nil: any.
	Key *string
	// Column is the one that ChangeRows alters; "": the last one that can be.
	Column string
	// Value is the text of what the column gets, or Null; neither: another value.
	Value *string
	Null  bool
}

// Damage does it to the visible rows of a tablet, behind everybody's back:
// versions, binlogs and metadata stay as they are. It returns how many rows it
// was done to.
func (b *Backend) Damage(tabletID int64, d Damage) (int, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return 0, err
	}
	done, err := t.damage(d)
	if err != nil {
		return 0, fmt.Errorf("damage tablet %d: %w", tabletID, err)
	}
	return done, nil
}

func (t *tablet) damage(d Damage) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, err := t.merge(t.version(), true)
	if err != nil {
		return 0, err
	}
	s := t.schema()
	change, err := d.change(&s.Schema)
	if err != nil {
		return 0, err
	}
	kept, strays := []entry{}, slices.Clone(m.strays)
	done := 0
	for _, e := range m.stored() {
		if done >= d.Rows || !d.strikes(e, &s.Schema) {
			kept = append(kept, e)
			continue
		}
		changed, stray, err := change(e)
		if err != nil {
			return 0, err
		}
		done++
		kept = append(kept, changed...)
		strays = append(strays, stray...)
	}
	t.base = base{version: t.version(), schema: s, rows: kept, strays: strays}
	t.rowsets = nil
	t.generation++
	t.lastScan = scan{}
	return done, nil
}

// strikes tells whether it happens to a row.
func (d *Damage) strikes(e entry, s *types.Schema) bool {
	if e.deleted != (d.Kind == UndeleteRows) {
		return false
	}
	return d.Key == nil || types.Format(e.row[0], s.Columns[0].Type) == *d.Key
}

// change returns what makes other rows of one, and rows that are seen besides.
func (d *Damage) change(s *types.Schema) (func(entry) (kept, strays []entry, err error), error) {
	switch d.Kind {
	case DropRows:
		return func(entry) (kept, strays []entry, err error) { return nil, nil, nil }, nil
	case DoubleRows:
		return func(e entry) (kept, strays []entry, err error) {
			if s.Keys == types.DupKeys {
				return []entry{e, e}, nil, nil
			}
			return []entry{e}, []entry{{row: e.row, stray: true, version: e.version}}, nil
		}, nil
	case DeleteRows, UndeleteRows:
		if s.Keys != types.UniqueKeys {
			return nil, errors.New("only rows of UNIQUE tables have a delete sign")
		}
		return func(e entry) (kept, strays []entry, err error) {
			e.deleted = d.Kind == DeleteRows
			return []entry{e}, nil, nil
		}, nil
	case ChangeRows:
		column, err := d.column(s)
		if err != nil {
			return nil, err
		}
		return func(e entry) (kept, strays []entry, err error) {
			e.row = slices.Clone(e.row)
			e.row[column], err = d.value(e.row[column], &s.Columns[column])
			return []entry{e}, nil, err
		}, nil
	}
	return nil, fmt.Errorf("unknown damage %q: there are %v", d.Kind, damageKinds)
}

// column is where ChangeRows alters: a column whose values can change without
// moving the row.
func (d *Damage) column(s *types.Schema) (int, error) {
	for i := len(s.Columns) - 1; i >= 0 && d.Column == ""; i-- {
		c := &s.Columns[i]
		if c.Hidden || c.Key && s.Keys != types.DupKeys || s.Sequence == c.Name {
			continue
		}
		if d.Null || d.Value != nil || hasOthers(c.Type.Kind) {
			return i, nil
		}
	}
	if d.Column == "" {
		return 0, errors.New("it has no column whose values can be changed")
	}
	i := s.ColumnIndex(d.Column)
	switch {
	case i < 0:
		return 0, fmt.Errorf("it has no column %s", d.Column)
	case s.Columns[i].Key && s.Keys != types.DupKeys:
		return 0, fmt.Errorf("column %s is a key", d.Column)
	}
	return i, nil
}

// value is what a cell becomes.
func (d *Damage) value(old types.Value, c *types.Column) (types.Value, error) {
	switch {
	case d.Null:
		return nil, nil // even where the column is NOT NULL
	case d.Value != nil:
		return types.Parse(*d.Value, c.Type)
	case !hasOthers(c.Type.Kind):
		return nil, fmt.Errorf("column %s is %s: say which value it gets", c.Name, c.Type.Kind)
	}
	return changed(old, c.Type), nil
}

// hasOthers tells whether changed finds another value of the type.
func hasOthers(k types.Kind) bool {
	switch k {
	case types.Boolean, types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.Float, types.Double, types.Char, types.Varchar, types.String:
		return true
	}
	return false
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
