package ddl

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/alter"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// submitColumns starts the job of a heavy column change.
func (e *Executor) submitColumns(t *catalog.Table, change *columnChange, rawSQL string, apply func(*catalog.Table)) error {
	r := alter.Request{Kind: alter.SchemaChange, RawSQL: rawSQL}
	for _, x := range change.indexes {
		if x.changed {
			r.Indexes = append(r.Indexes, shadowOf(x.index, x.columns, x.maxUniqueID))
		}
	}
	if len(r.Indexes) == 0 {
		return core.Errorf("Nothing is changed. please check your alter stmt.")
	}
	dropped := change.dropped
	r.Apply = func(t *catalog.Table) {
		t.Secondary = withoutColumns(t.Secondary, dropped)
		t.Properties = maps.Clone(t.Properties)
		dropBloomFilters(t.Properties, dropped)
		if apply != nil {
			apply(t)
		}
	}
	e.alters.Submit(t, r)
	return nil
}

func dropBloomFilters(props map[string]string, dropped []string) {
	list, ok := props[bloomFilterColumns]
	if !ok || len(dropped) == 0 {
		return
	}
	kept := slices.DeleteFunc(strings.Split(list, ", "), func(name string) bool { return slices.Contains(dropped, name) })
	if props[bloomFilterColumns] = strings.Join(kept, ", "); len(kept) == 0 {
		delete(props, bloomFilterColumns)
	}
}

// rewriteAll starts a job that rewrites every index of the table as it is, to
// bring about what apply changes.
func (e *Executor) rewriteAll(t *catalog.Table, rawSQL string, apply func(*catalog.Table)) {
	r := alter.Request{Kind: alter.SchemaChange, RawSQL: rawSQL, Apply: apply}
	for _, index := range core.SortedIndexes(t) {
		r.Indexes = append(r.Indexes, shadowOf(index, index.Schema.Columns, maxUniqueID(index)))
	}
	e.alters.Submit(t, r)
}

// shadowOf is the index with other columns.
func shadowOf(origin *catalog.Index, columns []types.Column, maxUniqueID int32) alter.NewIndex {
	schema := origin.Schema
	schema.Columns, schema.Hash = columns, rand.Int32()
	schema.Version++
	if at := schema.ColumnIndex(hiddenSequence); at >= 0 && schema.Columns[at].Hidden {
		schema.Sequence = hiddenSequence
	}
	shadow := &catalog.Index{
		Schema: schema, ShortKey: shortKeyColumns(&schema), MaxUniqueID: maxUniqueID, Statement: origin.Statement, Where: origin.Where,
	}
	return alter.NewIndex{Index: shadow, OriginID: origin.ID, Convert: converter(&origin.Schema, &schema)}
}

// converter makes rows of one schema from rows of another, by column names;
// columns that are new get their defaults.
func converter(from, to *types.Schema) func([]types.Row) (be.RowsetData, error) {
	source := slices.Clone(from.Columns)
	target := slices.Clone(to.Columns)
	names, origin := make([]string, len(target)), make([]int, len(target))
	for i := range target {
		names[i], origin[i] = target[i].Name, from.ColumnIndex(target[i].Name)
	}
	return func(rows []types.Row) (be.RowsetData, error) {
		data := be.RowsetData{Columns: names, Rows: make([]types.Row, len(rows))}
		for n, row := range rows {
			out := make(types.Row, len(target))
			for i, at := range origin {
				if at < 0 {
					out[i] = types.DefaultValue(&target[i])
					continue
				}
				var err error
				if out[i], err = types.Convert(row[at], source[at].Type, target[i].Type); err != nil {
					return data, err
				}
			}
			data.Rows[n] = out
		}
		return data, nil
	}
}

// setHeavyProperty is ALTER TABLE SET of a property that rewrites data: bloom
// filters, the row store (doris-sql.md 5.4).
func (e *Executor) setHeavyProperty(db *catalog.Database, t *catalog.Table, given parser.Properties) error {
	props, err := canonical(given)
	if err != nil {
		return err
	}
	if value, ok := props[skipBitmapColumn]; ok {
		return e.setSkipBitmapProperty(db, t, value)
	}
	trial := *t
	trial.Properties = maps.Clone(props)
	removeFilters := false
	if list, ok := trial.Properties[bloomFilterColumns]; ok && strings.TrimSpace(list) == "" {
		removeFilters = true
		delete(trial.Properties, bloomFilterColumns)
	}
	if err := checkColumnProperties(&trial); err != nil {
		return err
	}
	if !removeFilters && unchanged(t.Properties, trial.Properties) {
		return core.Errorf("Nothing is changed. please check your alter stmt.")
	}
	var items []string
	for _, key := range slices.Sorted(maps.Keys(given)) {
		items = append(items, quoteText(key)+" = "+quoteText(given[key]))
	}
	rawSQL := "ALTER TABLE " + parser.QuoteIdent(db.Name) + "." + parser.QuoteIdent(t.Name) + " PROPERTIES (" + strings.Join(items, ", ") + ")"
	if err := checkTemporary(t); err != nil {
		return err
	}
	e.rewriteAll(t, rawSQL, func(t *catalog.Table) {
		t.Properties = maps.Clone(t.Properties)
		maps.Copy(t.Properties, trial.Properties)
		if removeFilters {
			delete(t.Properties, bloomFilterColumns)
			delete(t.Properties, "bloom_filter_fpp")
		}
		storeDefaults(t)
	})
	return nil
}

func unchanged(have, want map[string]string) bool {
	for key, value := range want {
		if have[key] != value {
			return false
		}
	}
	return true
}

// fitsIndexes tells whether a recycled partition still has exactly the indexes
// of its table: schema changes and rollups pass the recycle bin by.
func fitsIndexes(t *catalog.Table, p *catalog.Partition) bool {
	for id := range t.Indexes {
		if _, ok := p.Tablets[id]; !ok {
			return false
		}
	}
	return len(p.Tablets) == len(t.Indexes)
}
