package be

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// errSchemaMismatch tells that files were written for a table with other
// columns. Real Doris would fail, or read nonsense; the simulator refuses.
var errSchemaMismatch = errors.New("schema of the rowset does not fit the tablet")

// sameLayout tells whether rows written under a can be read under b: the same
// model and the same columns by name, type and key.
func sameLayout(a, b *types.Schema) error {
	if a.Keys != b.Keys {
		return fmt.Errorf("%w: %s keys, want %s", errSchemaMismatch, a.Keys, b.Keys)
	}
	if len(a.Columns) != len(b.Columns) {
		return fmt.Errorf("%w: %d columns, want %d", errSchemaMismatch, len(a.Columns), len(b.Columns))
	}
	for i := range a.Columns {
		j := b.ColumnIndex(a.Columns[i].Name)
		if j < 0 {
			return fmt.Errorf("%w: column %s is not there", errSchemaMismatch, a.Columns[i].Name)
		}
		if !sameColumn(&a.Columns[i], &b.Columns[j]) {
			return fmt.Errorf("%w: column %s is %+v, want %+v", errSchemaMismatch, a.Columns[i].Name, a.Columns[i].Type, b.Columns[j].Type)
		}
	}
	return nil
}

func sameColumn(a, b *types.Column) bool {
	return a.Key == b.Key && a.Nullable == b.Nullable && aggregation(a) == aggregation(b) && sameType(a.Type, b.Type)
}

// aggregation is how values merge: no aggregation and REPLACE are spelled both
// ways for columns of the UNIQUE model.
func aggregation(c *types.Column) types.Agg {
	if c.Agg == "NONE" || (c.AggImplicit && c.Agg == "REPLACE") {
		return ""
	}
	return c.Agg
}

// sameType ignores what does not change how cells are stored: the length of
// VARCHAR, which a light schema change may raise.
func sameType(a, b types.Type) bool {
	if a.Kind != b.Kind || !strings.EqualFold(a.Text, b.Text) {
		return false
	}
	switch a.Kind {
	case types.Char:
		return a.Len == b.Len
	case types.Decimal:
		return a.Precision == b.Precision && a.Scale == b.Scale
	case types.DateTime:
		return a.Scale == b.Scale
	default:
		return true
	}
}

// localSchema finds the schema, among those the tablet has had (newest last),
// under which the encoded foreign schema makes sense.
func localSchema(history []*schema, foreign []byte) (*schema, error) {
	var f types.Schema
	if err := json.Unmarshal(foreign, &f); err != nil {
		return nil, fmt.Errorf("decode schema of the rowset: %w", err)
	}
	var first error
	for i := len(history) - 1; i >= 0; i-- {
		err := sameLayout(&f, &history[i].Schema)
		if err == nil {
			return history[i], nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// columnIDs identifies columns through renames: by unique id where the schema
// has distinct ones, else by lower-case name.
func columnIDs(s *types.Schema) []any {
	ids := make([]any, len(s.Columns))
	seen := make(map[int32]bool, len(s.Columns))
	for i := range s.Columns {
		id := s.Columns[i].UniqueID
		if seen[id] {
			return columnNames(s)
		}
		seen[id] = true
		ids[i] = id
	}
	return ids
}

func columnNames(s *types.Schema) []any {
	ids := make([]any, len(s.Columns))
	for i := range s.Columns {
		ids[i] = strings.ToLower(s.Columns[i].Name)
	}
	return ids
}

// Where a cell of a projected row comes from, if not from a stored cell.
const (
	fromDefault = -1 // the column is younger than the row
	fromOld     = -2 // partial update: keep what is there
)

// projection says, for each column of the target schema, which cell of a stored
// row it is, or fromDefault or fromOld.
type projection struct {
	source   []int
	defaults types.Row
	identity bool
}

// project relates the columns stored in rs to target.
func project(rs *rowset, target *types.Schema) projection {
	from, to := columnIDs(&rs.schema.Schema), columnIDs(target)
	if len(from) > 0 && len(to) > 0 && fmt.Sprintf("%T", from[0]) != fmt.Sprintf("%T", to[0]) {
		from, to = columnNames(&rs.schema.Schema), columnNames(target)
	}
	stored := make(map[any]int, len(rs.columns))
	for cell, name := range rs.columns {
		stored[from[rs.schema.ColumnIndex(name)]] = cell
	}
	p := projection{source: make([]int, len(to)), defaults: make(types.Row, len(to)), identity: len(rs.columns) == len(to)}
	for i, id := range to {
		cell, ok := stored[id]
		switch {
		case ok:
			p.source[i] = cell
		case rs.partial:
			p.source[i] = fromOld
		default:
			p.source[i] = fromDefault
		}
		p.identity = p.identity && p.source[i] == i
		p.defaults[i] = types.DefaultValue(&target.Columns[i])
	}
	return p
}

// apply makes a row of the target schema; old is the row that a partial update
// changes, nil if there is none.
func (p *projection) apply(stored, old types.Row) types.Row {
	if p.identity {
		return stored
	}
	row := make(types.Row, len(p.source))
	for i, cell := range p.source {
		switch {
		case cell >= 0:
			row[i] = stored[cell]
		case cell == fromOld && old != nil:
			row[i] = old[i]
		default:
			row[i] = p.defaults[i]
		}
	}
	return row
}
