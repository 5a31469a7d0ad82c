package ddl

import (
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// alterTable runs ALTER TABLE. Clauses that change columns, or comments of
// columns, may come together; others stand alone.
func (e *Executor) alterTable(db *catalog.Database, t *catalog.Table, s *parser.AlterTable) error {
	if t.Kind.External() {
		return e.alterExternal(db, t, s.Clauses)
	}
	switch {
	case all(s.Clauses, isColumnClause):
		return e.changeColumns(db, t, s.Clauses)
	case all(s.Clauses, isColumnComment):
		return e.commentColumns(db, t, s.Clauses)
	case all(s.Clauses, isIndexClause):
		return e.changeIndexes(db, t, s.Clauses)
	case len(s.Clauses) != 1:
		return core.Errorf("Alter operations of different kinds conflict with each other: do one at a time")
	}
	return e.alterAlone(db, t, s.Clauses[0])
}

func all(clauses []parser.AlterClause, is func(parser.AlterClause) bool) bool {
	for _, c := range clauses {
		if !is(c) {
			return false
		}
	}
	return true
}

func isColumnClause(c parser.AlterClause) bool {
	switch c.(type) {
	case *parser.AddColumns, *parser.DropColumn, *parser.ModifyColumn, *parser.OrderBy:
		return true
	}
	return false
}

func isColumnComment(c parser.AlterClause) bool {
	m, ok := c.(*parser.ModifyComment)
	return ok && m.Column != ""
}

func isIndexClause(c parser.AlterClause) bool {
	switch c.(type) {
	case *parser.AddIndex, *parser.DropIndex:
		return true
	}
	return false
}

func (e *Executor) alterAlone(db *catalog.Database, t *catalog.Table, clause parser.AlterClause) error {
	switch c := clause.(type) {
	case *parser.AddPartition:
		return e.addPartition(db, t, c)
	case *parser.DropPartition:
		return e.dropPartition(db, t, c)
	case *parser.Rename:
		return e.rename(db, t, c)
	case *parser.ReplaceTable:
		return e.replaceTable(db, t, c)
	case *parser.SetProperties:
		return e.setProperties(db, t, c.Properties)
	case *parser.ModifyComment:
		return e.commentTable(db, t, c.Comment)
	case *parser.ModifyDistribution:
		return e.modifyDistribution(db, t, &c.Distribution)
	case *parser.ReplacePartition:
		return e.replacePartitions(db, t, c)
	case *parser.ModifyPartition:
		return e.modifyPartitions(db, t, c)
	case *parser.AddRollup:
		return e.addRollups(t, c.Rollups)
	case *parser.DropRollup:
		return e.dropRollups(db, t, c.Names)
	case *parser.EnableFeature:
		return e.enableFeature(db, t, c)
	}
	return notYet("ALTER TABLE %T", clause)
}

func (e *Executor) commentTable(db *catalog.Database, t *catalog.Table, comment string) error {
	t.Comment = comment
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyComment,
		Payload: func(int64) any {
			return commentPayload{Type: "TABLE", DBID: db.ID, TableID: t.ID, TableTxt: &comment}
		},
	})
	return nil
}

func (e *Executor) commentColumns(db *catalog.Database, t *catalog.Table, clauses []parser.AlterClause) error {
	comments := map[string]string{}
	for _, clause := range clauses {
		c, ok := clause.(*parser.ModifyComment)
		if !ok {
			continue
		}
		i := baseSchema(t).ColumnIndex(c.Column)
		if i < 0 {
			return core.Errorf("Unknown column '%s' in table '%s'", c.Column, t.Name)
		}
		comments[baseSchema(t).Columns[i].Name] = c.Comment
	}
	for _, index := range t.Indexes {
		columns := slices.Clone(index.Schema.Columns) // backends share the old slice
		for i := range columns {
			if text, ok := comments[columns[i].Name]; ok {
				columns[i].Comment = text
			}
		}
		index.Schema.Columns = columns
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyComment,
		Payload: func(int64) any {
			return commentPayload{Type: "COLUMN", DBID: db.ID, TableID: t.ID, Columns: comments}
		},
	})
	return nil
}

// modifyDistribution changes the default of future partitions
// (doris-binlogs.md 2.26).
func (e *Executor) modifyDistribution(db *catalog.Database, t *catalog.Table, d *parser.Distribution) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return core.Errorf("Only support change partitioned table's distribution.")
	}
	if t.Properties[colocateWith] != "" {
		return core.Errorf("Cannot change default bucket number of colocate table.")
	}
	if d.Random && e.core.Version() == core.VersionM24 {
		return core.Uncaught("not implemented")
	}
	changed, err := newDistribution(t, d)
	if err != nil {
		return err
	}
	t.Distribution, t.AutoBucket = changed, d.Auto
	columns := ""
	for i, name := range changed.Columns {
		if i > 0 {
			columns += ","
		}
		columns += name
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyDistributionBucketNum,
		Payload: func(int64) any {
			return bucketNumPayload{
				DBID: db.ID, TableID: t.ID, Type: string(changed.Kind), AutoBucket: d.Auto, Buckets: changed.Buckets, Columns: columns,
			}
		},
	})
	return nil
}
