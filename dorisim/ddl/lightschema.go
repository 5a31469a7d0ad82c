package ddl

import (
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// recordColumns writes the binlog of a light schema change.
func (e *Executor) recordColumns(db *catalog.Database, t *catalog.Table, jobID int64, indexes []int64, rawSQL string) {
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyTableAddOrDropColumns,
		Payload: func(int64) any {
			return lightSchemaPayload{
				DBID: db.ID, TableID: t.ID, Schemas: schemaRecords(t, indexes), Indexes: secondaryRecord(t), JobID: jobID, RawSQL: rawSQL,
			}
		},
	})
}

func schemaRecords(t *catalog.Table, indexes []int64) map[int64][]columnPayload {
	records := map[int64][]columnPayload{}
	for _, id := range indexes {
		records[id] = schemaRecord(t, t.Indexes[id])
	}
	return records
}

// schemaRecord lists the columns of an index, with those hidden ones that
// real Doris keeps in every UNIQUE table and the simulator does without.
func schemaRecord(t *catalog.Table, index *catalog.Index) []columnPayload {
	var list []columnPayload
	schema := &index.Schema
	for i := range schema.Columns {
		list = append(list, columnRecord(t, &schema.Columns[i]))
	}
	if t.Keys != types.UniqueKeys {
		return list
	}
	next, at := index.FirstHidden-1, firstHidden(schema.Columns)
	if index.FirstHidden == 0 {
		next = maxUniqueID(index)
	}
	for _, c := range []types.Column{
		{Name: "__DORIS_DELETE_SIGN__", Type: types.Type{Kind: types.TinyInt}, Comment: "doris delete flag hidden column"},
		{Name: "__DORIS_VERSION_COL__", Type: types.Type{Kind: types.BigInt}, Comment: "doris version hidden column"},
	} {
		next++
		zero := "0"
		c.AutoIncInit = noAutoInc
		c.Default, c.Hidden, c.Agg, c.AggImplicit, c.UniqueID = &zero, true, valueAgg(t.Keys), true, next
		list = slices.Insert(list, at, columnRecord(t, &c))
		at++
	}
	return list
}

// firstHidden is where the hidden columns begin that every UNIQUE table has.
func firstHidden(columns []types.Column) int {
	if at := slices.IndexFunc(columns, func(c types.Column) bool { return c.Hidden }); at >= 0 {
		return at
	}
	return len(columns)
}

func secondaryRecord(t *catalog.Table) []secondaryPayload {
	return secondaryRecords(t, t.Secondary)
}

func secondaryRecords(t *catalog.Table, indexes []catalog.SecondaryIndex) []secondaryPayload {
	list := []secondaryPayload{}
	schema := baseSchema(t)
	for _, s := range indexes {
		r := secondaryPayload{ID: s.ID, Name: s.Name, Columns: s.Columns, Kind: s.Kind, Properties: s.Properties, Comment: s.Comment}
		for _, name := range s.Columns {
			if i := schema.ColumnIndex(name); i >= 0 {
				r.ColumnIDs = append(r.ColumnIDs, schema.Columns[i].UniqueID)
			}
		}
		list = append(list, r)
	}
	return list
}

// maxUniqueID is the highest id ever given; catalogs made by hand may lack it.
func maxUniqueID(index *catalog.Index) int32 {
	highest := index.MaxUniqueID
	for _, c := range index.Schema.Columns {
		highest = max(highest, c.UniqueID)
	}
	return highest
}
