package ddl

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/alter"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// dropRollupPayload is doris-binlogs.md 2.24.
type dropRollupPayload struct {
	DBID        int64  `json:"dbId"`
	TableID     int64  `json:"tableId"`
	TableName   string `json:"tableName"`
	IndexID     int64  `json:"indexId"`
	IndexName   string `json:"indexName"`
	IsView      bool   `json:"isView"`
	Force       bool   `json:"forceDrop"`
	RecycleTime int64  `json:"recycleTime"`
}

// rollup finds a visible rollup by name.
func rollup(t *catalog.Table, name string) (*catalog.Index, bool) {
	for _, index := range t.Indexes {
		if index.ID != t.BaseIndexID && index.State != catalog.IndexShadow && index.Name == name {
			return index, true
		}
	}
	return nil, false
}

// addRollups starts a job for each rollup of ADD ROLLUP.
func (e *Executor) addRollups(t *catalog.Table, defs []parser.RollupDef) error {
	if err := checkTemporary(t); err != nil {
		return err
	}
	made := make([]*catalog.Index, len(defs))
	for i := range defs {
		schema, err := rollupSchema(t, defs[i].Columns)
		if err != nil {
			return err
		}
		if t.Keys == types.DupKeys && prefixOf(baseSchema(t), &schema) {
			return core.Errorf("Rollup contain the columns of the base table in prefix order for duplicate table is useless.")
		}
		if err := e.checkRollupName(t, defs[i].Name, made[:i]); err != nil {
			return err
		}
		made[i] = newRollup(defs[i].Name, schema)
	}
	for _, index := range made {
		e.submitRollup(t, index, "")
	}
	return nil
}

func (e *Executor) checkRollupName(t *catalog.Table, name string, others []*catalog.Index) error {
	same := func(index *catalog.Index) bool { return index.Name == name }
	if _, taken := rollup(t, name); taken || name == t.Name || slices.ContainsFunc(others, same) {
		return core.Errorf("Rollup index[%s] already exists", name)
	}
	return nil
}

func newRollup(name string, schema types.Schema) *catalog.Index {
	return &catalog.Index{Name: name, State: catalog.IndexNormal, Schema: schema, ShortKey: shortKeyColumns(&schema), MaxUniqueID: int32(len(schema.Columns) - 1)}
}

func (e *Executor) submitRollup(t *catalog.Table, index *catalog.Index, rawSQL string) {
	base := t.Indexes[t.BaseIndexID]
	e.alters.Submit(t, alter.Request{Kind: alter.Rollup, RawSQL: rawSQL, Indexes: []alter.NewIndex{
		{Index: index, OriginID: base.ID, Convert: converter(&base.Schema, &index.Schema)},
	}})
}

// rollupSchema makes the schema of a rollup with those columns of the base
// index, in that order. Hidden columns come along.
func rollupSchema(t *catalog.Table, names []string) (types.Schema, error) {
	base := baseSchema(t)
	schema := types.Schema{Hash: rand.Int32(), Keys: t.Keys, Sequence: base.Sequence}
	for _, name := range names {
		i := base.ColumnIndex(name)
		switch {
		case i < 0 || base.Columns[i].Hidden:
			return schema, core.Errorf("Column[%s] does not exist", name)
		case schema.ColumnIndex(name) >= 0:
			return schema, core.Errorf("Duplicated column name[%s] in rollup", name)
		}
		schema.Columns = append(schema.Columns, base.Columns[i])
	}
	if t.Keys == types.DupKeys {
		duplicateKeys(&schema)
	} else if err := checkRollupKeys(t, &schema); err != nil {
		return schema, err
	}
	for i := range base.Columns {
		if c := &base.Columns[i]; c.Hidden || c.Name == base.Sequence && schema.ColumnIndex(c.Name) < 0 {
			schema.Columns = append(schema.Columns, *c)
		}
	}
	for i := range schema.Columns {
		schema.Columns[i].UniqueID = int32(i)
	}
	return schema, nil
}

// prefixOf tells whether the rollup has the first columns of the base index, in
// their order.
func prefixOf(base, rollup *types.Schema) bool {
	for i, c := range rollup.Columns {
		if i >= len(base.Columns) || base.Columns[i].Name != c.Name {
			return false
		}
	}
	return true
}

// duplicateKeys chooses the sort columns of a rollup of a DUPLICATE table: the
// first ones that fit a short key.
func duplicateKeys(s *types.Schema) {
	keys := true
	for i := range s.Columns {
		c := &s.Columns[i]
		c.Key = keys && i < maxShortKeyColumns && checkKeyType(c) == nil
		c.Agg, c.AggImplicit = "", false
		if !c.Key {
			c.Agg, c.AggImplicit = valueAgg(types.DupKeys), true
		}
		keys = c.Key && c.Type.Kind != types.Varchar
	}
}

// checkRollupKeys demands keys before values, and all keys where values replace
// each other.
func checkRollupKeys(t *catalog.Table, s *types.Schema) error {
	keys, values := 0, false
	for _, c := range s.Columns {
		if c.Key && values {
			return core.Errorf("Invalid column order. value should be after key")
		}
		if c.Key {
			keys++
		}
		values = values || !c.Key
	}
	all, replaces := 0, false
	for _, c := range baseSchema(t).Columns {
		if c.Key {
			all++
		}
	}
	for _, c := range s.Columns {
		replaces = replaces || strings.HasPrefix(string(c.Agg), "REPLACE")
	}
	switch {
	case keys == 0:
		return core.Errorf("No key column is found")
	case t.Keys == types.UniqueKeys && keys < all:
		return core.Errorf("Rollup should contains all unique keys in basetable")
	case replaces && keys < all:
		return core.Errorf("Rollup should contains all keys if there is a REPLACE value")
	}
	return nil
}

// createRollups makes the rollups of CREATE TABLE, which need no job.
func (e *Executor) createRollups(t *catalog.Table, defs []parser.RollupDef) error {
	for _, def := range defs {
		if err := e.checkRollupName(t, def.Name, nil); err != nil {
			return err
		}
		schema, err := rollupSchema(t, def.Columns)
		if err != nil {
			return err
		}
		index := newRollup(def.Name, schema)
		index.ID = e.core.NextID()
		t.Indexes[index.ID] = index
	}
	return nil
}

// dropRollups is DROP ROLLUP: all or none. Each gets a journal id of its own,
// so that no record is lost (doris-binlogs.md 1.2).
func (e *Executor) dropRollups(db *catalog.Database, t *catalog.Table, names []string) error {
	var drop []*catalog.Index
	for _, name := range names {
		index, ok := rollup(t, name)
		if !ok {
			return core.MetaErrorf("Materialized view [%s] does not exist in table [%s]", name, t.Name)
		}
		drop = append(drop, index)
	}
	for _, index := range drop {
		e.core.DropIndexTablets(t, index.ID)
		delete(t.Indexes, index.ID)
		e.core.Record(core.Event{
			DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeDropRollup,
			Payload: func(int64) any {
				return dropRollupPayload{DBID: db.ID, TableID: t.ID, TableName: t.Name, IndexID: index.ID, IndexName: index.Name}
			},
		})
	}
	return nil
}

// renameRollup is RENAME ROLLUP (doris-binlogs.md 2.23).
func (e *Executor) renameRollup(db *catalog.Database, t *catalog.Table, old, name string) error {
	index, ok := rollup(t, old)
	switch {
	case old == t.Name:
		return core.Errorf("Using ALTER TABLE RENAME to change table name")
	case !ok:
		return core.Errorf("Rollup index[%s] does not exists", old)
	case old == name:
		return core.Errorf("Same rollup name")
	}
	if _, taken := rollup(t, name); taken || name == t.Name {
		return core.Errorf("Rollup name[%s] is already used", name)
	}
	index.Name = name
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeRenameRollup,
		Payload: func(int64) any {
			return renamePayload{DBID: db.ID, TableID: t.ID, IndexID: index.ID, PartitionID: -1, NewRollup: name, OldRollup: old}
		},
	})
	return nil
}

// createRollupView is CREATE MATERIALIZED VIEW of the synchronous kind. Its
// columns keep the names they have in the table.
func (e *Executor) createRollupView(_ *catalog.Database, t *catalog.Table, s *parser.CreateRollupView) error {
	if err := checkTemporary(t); err != nil {
		return err
	}
	if _, taken := rollup(t, s.Name); taken || s.Name == t.Name {
		if s.IfNotExists {
			return nil
		}
		return core.Errorf("Materialized view[%s] already exists", s.Name)
	}
	schema, err := viewSchema(t, s)
	if err != nil {
		return err
	}
	index := newRollup(s.Name, schema)
	index.Statement, index.Where = s.Statement, s.Where
	e.submitRollup(t, index, s.Statement)
	return nil
}

func viewSchema(t *catalog.Table, s *parser.CreateRollupView) (types.Schema, error) {
	names := make([]string, len(s.Items))
	aggregated, expressions := false, false
	for i, item := range s.Items {
		names[i] = item.Column
		aggregated = aggregated || item.Agg != ""
		expressions = expressions || item.Expr != ""
	}
	if err := checkViewExpressions(t, s); err != nil {
		return types.Schema{}, err
	}
	if aggregated && !s.Grouped {
		return types.Schema{}, core.Errorf("The materialized view must have a GROUP BY clause for its aggregate functions")
	}
	if !expressions && (!aggregated && !s.Grouped || t.Keys != types.DupKeys) {
		return rollupSchema(t, names)
	}
	schema := types.Schema{Hash: rand.Int32(), Keys: t.Keys}
	if t.Keys == types.DupKeys && (aggregated || s.Grouped) {
		schema.Keys = types.AggKeys // the grouped columns are the keys
	}
	for i, item := range s.Items {
		c, err := viewColumn(t, item)
		switch {
		case err != nil:
			return schema, err
		case item.Agg == "" && i > 0 && !schema.Columns[i-1].Key && schema.Keys == types.AggKeys:
			return schema, core.Errorf("The aggregate column should be after none agg column")
		case schema.ColumnIndex(c.Name) >= 0:
			return schema, core.Errorf("Duplicated column name[%s] in materialized view", c.Name)
		}
		c.Key, c.Agg, c.AggImplicit, c.UniqueID = item.Agg == "", item.Agg, false, int32(i)
		schema.Columns = append(schema.Columns, c)
	}
	if schema.Keys == types.DupKeys {
		duplicateKeys(&schema)
	}
	return schema, nil
}

// viewColumn makes a column of a materialized view. What an expression gives is only
// known by name: its values are not kept (every SELECT reads the base index).
func viewColumn(t *catalog.Table, item parser.RollupItem) (types.Column, error) {
	if item.Expr != "" {
		c := types.Column{Name: item.Expr, Define: item.Expr, Nullable: true, Type: types.Type{Kind: types.BigInt}}
		switch item.Agg {
		case "BITMAP_UNION":
			c.Type = types.Type{Kind: types.Bitmap}
		case "HLL_UNION":
			c.Type = types.Type{Kind: types.HLL}
		}
		return c, nil
	}
	base := baseSchema(t)
	at := base.ColumnIndex(item.Column)
	if at < 0 {
		return types.Column{}, core.Errorf("Column[%s] does not exist", item.Column)
	}
	c := base.Columns[at]
	if item.Agg == "SUM" && slices.Contains(integers, c.Type.Kind) && c.Type.Kind != types.LargeInt {
		c.Type = types.Type{Kind: types.BigInt}
	}
	return c, nil
}

// checkViewExpressions wants every name in expressions and in WHERE to be a column.
func checkViewExpressions(t *catalog.Table, s *parser.CreateRollupView) error {
	texts := []string{s.Where}
	for _, item := range s.Items {
		texts = append(texts, item.Expr)
	}
	for _, text := range texts {
		tokens, err := parser.Lex(text)
		if err != nil {
			return core.Errorf("%s", err.Error())
		}
		for _, token := range tokens {
			if token.Kind == parser.QuotedIdent && baseSchema(t).ColumnIndex(token.Text) < 0 {
				return core.Errorf("Unknown column '%s' in 'table list'", token.Text)
			}
		}
	}
	return nil
}

// dropRollupView is DROP MATERIALIZED VIEW r ON t.
func (e *Executor) dropRollupView(db *catalog.Database, t *catalog.Table, s *parser.DropRollupView) error {
	if _, ok := rollup(t, s.Name); !ok && s.IfExists {
		return nil
	}
	return e.dropRollups(db, t, []string{s.Name})
}

// rollupDefs describes the rollups of a table as CREATE TABLE would.
func rollupDefs(t *catalog.Table) []parser.RollupDef {
	var defs []parser.RollupDef
	for _, index := range core.SortedIndexes(t) {
		if index.ID == t.BaseIndexID || index.State == catalog.IndexShadow {
			continue
		}
		def := parser.RollupDef{Name: index.Name}
		for _, c := range index.Schema.Columns {
			if !c.Hidden {
				def.Columns = append(def.Columns, c.Name)
			}
		}
		defs = append(defs, def)
	}
	return defs
}
