package ddl

import (
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// checkNestedChange lets a STRUCT get more fields at its end, and the VARCHARs
// inside of nested types grow (doris-sql.md 4.12).
func checkNestedChange(from, to types.Type) error {
	if from.Kind == types.Struct && to.Kind == types.Struct {
		return checkStructChange(from, to)
	}
	if from == to || from.Kind == types.Varchar && to.Kind == types.Varchar && to.Len >= from.Len {
		return nil
	}
	return core.Errorf("Cannot change %s to %s in nested types", parser.FormatType(from), parser.FormatType(to))
}

func checkStructChange(from, to types.Type) error {
	old, fields := types.StructFields(from), types.StructFields(to)
	if len(fields) < len(old) {
		return core.Errorf("Cannot reduce struct fields from %s to %s", parser.FormatType(from), parser.FormatType(to))
	}
	seen := map[string]bool{}
	for i, f := range fields {
		name := strings.ToLower(f.Name)
		switch {
		case i < len(old) && !strings.EqualFold(f.Name, old[i].Name):
			return core.Errorf("Cannot rename struct field from '%s' to '%s'", old[i].Name, f.Name)
		case seen[name]:
			return core.Errorf("Added struct field '%s' conflicts with existing field", f.Name)
		case i < len(old):
			if err := checkFieldChange(old[i].Type, f.Type); err != nil {
				return err
			}
		}
		seen[name] = true
	}
	return nil
}

func checkFieldChange(from, to string) error {
	if from == to {
		return nil
	}
	x, err := parser.ParseType(from)
	if err != nil {
		return core.Errorf("%s", err.Error())
	}
	y, err := parser.ParseType(to)
	if err != nil {
		return core.Errorf("%s", err.Error())
	}
	return checkNestedChange(x, y)
}

// checkTypes refuses what only later releases than the imitated one can parse.
func (e *Executor) checkTypes(stmt parser.Statement) error {
	if e.core.Version() == core.VersionNew {
		return nil
	}
	var defs []parser.ColumnDef
	switch s := stmt.(type) {
	case *parser.CreateTable:
		defs = s.Columns
	case *parser.AlterTable:
		for _, clause := range s.Clauses {
			switch c := clause.(type) {
			case *parser.AddColumns:
				defs = append(defs, c.Columns...)
			case *parser.ModifyColumn:
				defs = append(defs, c.Column)
			}
		}
	}
	for _, d := range defs {
		if d.Type.Kind == types.Variant && d.Type.Text != "" {
			return core.Errorf("mismatched input '<' expecting {')', ','} (column %s)", d.Name)
		}
	}
	return nil
}

// grown tells whether a STRUCT gets fields and nothing else changes, which is
// light.
func grown(old, col *types.Column, at parser.Position) bool {
	return at == parser.Position{} && old.Type.Kind == types.Struct && col.Type.Kind == types.Struct && old.Nullable == col.Nullable
}
