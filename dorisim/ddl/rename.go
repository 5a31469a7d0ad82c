package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

func (e *Executor) rename(db *catalog.Database, t *catalog.Table, c *parser.Rename) error {
	switch c.Kind {
	case parser.RenameTable:
		return e.renameTable(db, t, c.New)
	case parser.RenamePartition:
		return e.renamePartition(db, t, c.Old, c.New)
	case parser.RenameColumn:
		return e.renameColumn(db, t, c.Old, c.New)
	case parser.RenameRollup:
		return e.renameRollup(db, t, c.Old, c.New)
	}
	return notYet("RENAME %s", c.Kind)
}

func (e *Executor) renameTable(db *catalog.Database, t *catalog.Table, name string) error {
	if name == t.Name {
		return core.Errorf("Same table name")
	}
	if other, taken := db.Tables[name]; taken {
		if other.State == catalog.StateRestore {
			return core.Errorf("Table name[%s] is already used (in restoring)", name)
		}
		return core.Errorf("Table name[%s] is already used", name)
	}
	old := t.Name
	delete(db.Tables, old)
	setTableName(t, name)
	db.Tables[name] = t
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeRenameTable,
		Payload: func(int64) any {
			return renamePayload{DBID: db.ID, TableID: t.ID, IndexID: -1, PartitionID: -1, NewTable: name, OldTable: old}
		},
	})
	return nil
}

// setTableName renames the table, its base index, and the only partition of an
// unpartitioned table, which bears the table's name.
func setTableName(t *catalog.Table, name string) {
	if p, ok := t.Partitions[t.Name]; ok && t.Partitioning.Kind == catalog.Unpartitioned {
		delete(t.Partitions, t.Name)
		p.Name = name
		t.Partitions[name] = p
	}
	t.Name = name
	t.Indexes[t.BaseIndexID].Name = name
}

func (e *Executor) renamePartition(db *catalog.Database, t *catalog.Table, old, name string) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return core.Errorf("Table[%s] is single partitioned. no need to rename partition name.", t.Name)
	}
	p, ok := catalog.FindPartition(t.Partitions, old)
	if !ok {
		return core.Errorf("Partition[%s] does not exists", old)
	}
	if p.Name == name {
		return core.Errorf("Same partition name")
	}
	if nameTaken(t, name) && !strings.EqualFold(old, name) {
		return core.Errorf("Partition name[%s] is already used", name)
	}
	old = p.Name
	delete(t.Partitions, old)
	p.Name = name
	t.Partitions[name] = p
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeRenamePartition,
		Payload: func(int64) any {
			return renamePayload{DBID: db.ID, TableID: t.ID, IndexID: -1, PartitionID: p.ID, NewPartition: name, OldPartition: old}
		},
	})
	return nil
}

func (e *Executor) renameColumn(db *catalog.Database, t *catalog.Table, old, name string) error {
	schema := baseSchema(t)
	i := schema.ColumnIndex(old)
	switch {
	case t.Properties[lightSchemaChange] != "true" || len(schema.Columns) == 1:
		// Doris takes the id 0 of the only column for none.
		return core.Errorf("not implemented for table without column unique id, which are created with property 'light_schema_change'.")
	case i < 0 || schema.Columns[i].Hidden:
		return core.Errorf("Column[%s] does not exists", old)
	case schema.Columns[i].Name == name:
		return core.Errorf("Same column name")
	case t.Partitioning.Auto && slices.Contains(t.Partitioning.Columns, schema.Columns[i].Name):
		return core.Errorf("Column[%s] is used by the partition expression", old)
	}
	if j := schema.ColumnIndex(name); j >= 0 && j != i {
		return core.Errorf("Column name[%s] is already used", name)
	}
	old = schema.Columns[i].Name
	versions := setColumnName(t, old, name)
	e.core.SyncTabletSettings(t)
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeRenameColumn,
		Payload: func(int64) any {
			return renameColumnPayload{DBID: db.ID, TableID: t.ID, Old: old, New: name, SchemaVersions: versions}
		},
	})
	return nil
}

// setColumnName renames a column wherever the table mentions it and returns the
// new schema version of every index that has it.
func setColumnName(t *catalog.Table, old, name string) map[int64]int32 {
	versions := map[int64]int32{}
	for id, index := range t.Indexes {
		i := index.Schema.ColumnIndex(old)
		if i < 0 {
			continue
		}
		columns := slices.Clone(index.Schema.Columns) // backends share the old slice
		columns[i].Name = name
		index.Schema.Columns = columns
		if index.Schema.Sequence == old {
			index.Schema.Sequence = name
		}
		index.Schema.Version++
		versions[id] = index.Schema.Version
	}
	t.Partitioning.Columns = renamed(t.Partitioning.Columns, old, name)
	t.Distribution.Columns = renamed(t.Distribution.Columns, old, name)
	for _, p := range core.Partitions(t) {
		p.Distribution.Columns = renamed(p.Distribution.Columns, old, name)
	}
	t.Secondary = slices.Clone(t.Secondary)
	for i := range t.Secondary {
		t.Secondary[i].Columns = renamed(t.Secondary[i].Columns, old, name)
	}
	if list, ok := t.Properties[bloomFilterColumns]; ok {
		t.Properties[bloomFilterColumns] = strings.Join(renamed(strings.Split(list, ", "), old, name), ", ")
	}
	if t.Properties[sequenceColumn] == old {
		t.Properties[sequenceColumn] = name
	}
	return versions
}

// renamed returns a copy of names: a snapshot may share the list.
func renamed(names []string, old, name string) []string {
	names = slices.Clone(names)
	for i := range names {
		if names[i] == old {
			names[i] = name
		}
	}
	return names
}

// replaceTable exchanges two tables, or lets the other one take t's place: ids
// stay with the contents (doris-sql.md 4.12, doris-binlogs.md 2.20).
func (e *Executor) replaceTable(db *catalog.Database, t *catalog.Table, c *parser.ReplaceTable) error {
	swap, err := swapProperty(c.Properties)
	if err != nil {
		return err
	}
	if db.Tables[c.Other] == nil {
		return &core.Error{Code: codeUnknownTable, ErrCode: 7, Message: "table not found, tableName=" + c.Other}
	}
	other, err := olapTable(db, c.Other, "ALTER")
	if err != nil {
		return err
	}
	if other == t {
		return core.Errorf("Same table name")
	}
	if other.Kind.External() {
		return core.Errorf("Table[%s] is not a OLAP table", other.Name)
	}
	if err := core.CheckAlter(other); err != nil {
		return err
	}
	name, otherName := t.Name, other.Name
	// 2.1 and 3.0 know no FORCE here: they always erase.
	force := c.Force || e.core.Version() == core.Version21 || e.core.Version() == core.Version30
	// Recorded while the old table is there: its own binlog setting counts.
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeReplaceTable,
		Payload: func(int64) any {
			return replaceTablePayload{
				DBID: db.ID, OriginID: t.ID, NewID: other.ID, Swap: swap, Force: force && !swap, OriginName: name, NewName: otherName,
			}
		},
	})
	delete(db.Tables, name)
	delete(db.Tables, otherName)
	setTableName(other, name)
	db.Tables[name] = other
	if swap {
		setTableName(t, otherName)
		db.Tables[otherName] = t
		return nil
	}
	e.discardTable(t, force)
	return nil
}

func swapProperty(props parser.Properties) (swap bool, err error) {
	swap = true
	for key, value := range props {
		if key != "swap" {
			return false, core.Errorf("Unknown properties: %s", javaMap(props))
		}
		text, err := boolean(key, value)
		if err != nil {
			return false, err
		}
		swap = text == "true"
	}
	return swap, nil
}
