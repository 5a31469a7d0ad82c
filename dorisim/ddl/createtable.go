package ddl

import (
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

const (
	// defaultBuckets is what DISTRIBUTED BY without BUCKETS means.
	defaultBuckets = 10
	// autoBuckets is what BUCKETS AUTO comes to: without data to estimate from,
	// Doris takes ten as well.
	autoBuckets = 10
)

func (e *Executor) createTable(currentDB string, s *parser.CreateTable) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.Table.Database)
	if err != nil {
		return err
	}
	return e.createIn(db, s)
}

// createIn creates a table in db. It needs the lock.
func (e *Executor) createIn(db *catalog.Database, s *parser.CreateTable) error {
	if _, exists := db.Tables[s.Table.Name]; exists {
		if s.IfNotExists {
			return nil
		}
		return core.Errorf("Table '%s' already exists", s.Table.Name)
	}
	if kind, err := e.externalKind(s); err != nil || kind != "" {
		if err != nil {
			return err
		}
		return e.createExternal(db, s, kind)
	}
	t, err := e.buildTable(db, s)
	if err != nil {
		return err
	}
	if err := e.initialPartitions(t, s); err != nil {
		e.core.DropTable(t)
		return err
	}
	db.Tables[t.Name] = t
	e.recordCreate(db, t)
	return e.runDynamicPartition(db, t)
}

func (e *Executor) recordCreate(db *catalog.Database, t *catalog.Table) {
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeCreateTable,
		Payload: func(seq int64) any {
			return createTablePayload{
				CommitSeq: seq, DBID: db.ID, DBName: db.Name, TableID: t.ID, TableName: t.Name, TableType: string(t.Kind),
				SQL: e.ShowCreateTable(db, t, true),
			}
		},
	})
}

// buildTable makes the table without partitions.
func (e *Executor) buildTable(db *catalog.Database, s *parser.CreateTable) (*catalog.Table, error) {
	t := &catalog.Table{
		ID: e.core.NextID(), DBID: db.ID, Name: s.Table.Name, Kind: catalog.OLAP, State: catalog.StateNormal,
		Comment: s.Comment, Created: e.core.Now(), Version: 1, VersionTime: e.core.Now(), Indexes: map[int64]*catalog.Index{},
		Partitions: map[string]*catalog.Partition{}, Temporary: map[string]*catalog.Partition{},
	}
	schema, err := buildSchema(t, s)
	if err != nil {
		return nil, err
	}
	base := &catalog.Index{
		ID: e.core.NextID(), Name: t.Name, State: catalog.IndexNormal, Schema: schema,
		ShortKey: shortKeyColumns(&schema), MaxUniqueID: int32(len(schema.Columns) - 1),
	}
	if t.Keys == types.UniqueKeys {
		base.FirstHidden = base.MaxUniqueID + 1
		base.MaxUniqueID += hiddenColumns
	}
	t.BaseIndexID, t.Indexes[base.ID] = base.ID, base
	for _, c := range schema.Columns {
		if c.AutoInc {
			t.NextAutoInc = c.AutoIncInit
		}
	}
	if err := partitioning(t, s.Partitioning); err != nil {
		return nil, err
	}
	if t.Distribution, t.AutoBucket, err = distribution(t, s.Distribution); err != nil {
		return nil, err
	}
	for i := range s.Indexes {
		if err := e.addSecondary(t, &s.Indexes[i]); err != nil {
			return nil, err
		}
	}
	if err := e.tableProperties(db, t, s.Properties); err != nil {
		return nil, err
	}
	if err := clusterBy(t, s.ClusterBy); err != nil {
		return nil, err
	}
	return t, e.createRollups(t, s.Rollups)
}

// baseSchema returns the schema of the base index.
func baseSchema(t *catalog.Table) *types.Schema { return &t.Indexes[t.BaseIndexID].Schema }

// clusterBy checks CLUSTER BY and stores it; it only tells how rows are sorted in
// files.
func clusterBy(t *catalog.Table, names []string) error {
	if len(names) > 0 && (t.Keys != types.UniqueKeys || t.Properties["enable_unique_key_merge_on_write"] != "true") {
		return core.Errorf("Cluster keys only support unique keys table which enabled enable_unique_key_merge_on_write")
	}
	for _, name := range names {
		i := baseSchema(t).ColumnIndex(name)
		if i < 0 {
			return core.Errorf("Cluster key column[%s] doesn't exist.", name)
		}
		column := baseSchema(t).Columns[i].Name
		if slices.Contains(t.ClusterBy, column) {
			return core.Errorf("Duplicate cluster key column[%s].", column)
		}
		t.ClusterBy = append(t.ClusterBy, column)
	}
	return nil
}

// partitioning checks PARTITION BY and stores it.
func partitioning(t *catalog.Table, by *parser.PartitionBy) error {
	if by == nil {
		return nil
	}
	t.Partitioning = catalog.Partitioning{Kind: catalog.RangePartition, Auto: by.Auto, AutoExpr: by.Expr}
	if by.List {
		t.Partitioning.Kind = catalog.ListPartition
	}
	if by.Auto && !by.List && by.Expr == "" {
		return core.Errorf("auto create partition need use partition expression, e.g. date_trunc")
	}
	schema := baseSchema(t)
	for _, name := range by.Columns {
		i := schema.ColumnIndex(name)
		if i < 0 {
			return core.Errorf("partition key %s is not exists", name)
		}
		c := &schema.Columns[i]
		if !c.Key && t.Keys != types.DupKeys {
			return core.Errorf("The partition column must be key column: %s", name)
		}
		if err := checkPartitionType(c, by.List); err != nil {
			return err
		}
		t.Partitioning.Columns = append(t.Partitioning.Columns, c.Name)
	}
	if by.Expr != "" {
		if _, err := truncUnit(t); err != nil {
			return err
		}
	}
	return nil
}

func checkPartitionType(c *types.Column, list bool) error {
	switch c.Type.Kind {
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt, types.LargeInt, types.Date, types.DateTime:
		return nil
	case types.Boolean, types.Char, types.Varchar:
		if list {
			return nil
		}
	}
	return core.Errorf("Column[%s] type[%s] cannot be a %s partition key.", c.Name, c.Type.Kind,
		map[bool]string{true: "list", false: "range"}[list])
}

// distribution checks DISTRIBUTED BY; nil means RANDOM BUCKETS AUTO.
func distribution(t *catalog.Table, d *parser.Distribution) (result catalog.Distribution, auto bool, err error) {
	if d == nil {
		d = &parser.Distribution{Random: true, Auto: true}
	}
	buckets := d.Buckets
	switch {
	case d.Auto:
		buckets = autoBuckets
	case buckets == 0:
		buckets = defaultBuckets
	}
	if d.Random {
		return catalog.Distribution{Kind: catalog.RandomDistribution, Buckets: buckets}, d.Auto, checkRandom(t)
	}
	result = catalog.Distribution{Kind: catalog.HashDistribution, Buckets: buckets}
	schema := baseSchema(t)
	for _, name := range d.Columns {
		i := schema.ColumnIndex(name)
		switch {
		case i < 0:
			return result, false, core.Errorf("Distribution column(%s) doesn't exist.", name)
		case !schema.Columns[i].Key && t.Keys != types.DupKeys:
			return result, false, core.Errorf("Distribution column[%s] is not key column", name)
		}
		result.Columns = append(result.Columns, schema.Columns[i].Name)
	}
	return result, d.Auto, nil
}

// checkRandom refuses RANDOM where equal keys must meet in one bucket.
func checkRandom(t *catalog.Table) error {
	if t.Keys == types.UniqueKeys {
		return core.Errorf("Create unique keys table should not contain random distribution desc")
	}
	replaces := func(c types.Column) bool { return strings.HasPrefix(string(c.Agg), "REPLACE") }
	if t.Keys == types.AggKeys && slices.ContainsFunc(baseSchema(t).Columns, replaces) {
		return core.Errorf("Create aggregate keys table with value columns of which aggregate type is REPLACE should not contain random distribution desc")
	}
	return nil
}

// addSecondary registers an index of CREATE TABLE.
func (e *Executor) addSecondary(t *catalog.Table, def *parser.IndexDef) error {
	if !slices.Contains([]string{"INVERTED", "BITMAP", "NGRAM_BF"}, def.Kind) {
		return core.Errorf("Invalid index type: %s", def.Kind)
	}
	if slices.ContainsFunc(t.Secondary, func(s catalog.SecondaryIndex) bool { return strings.EqualFold(s.Name, def.Name) }) {
		return core.Errorf("index name[%s] is already used", def.Name)
	}
	if err := checkBloom(t, def); err != nil {
		return err
	}
	index := catalog.SecondaryIndex{ID: e.core.NextID(), Name: def.Name, Kind: def.Kind, Properties: indexProperties(def), Comment: def.Comment}
	schema := baseSchema(t)
	for _, name := range def.Columns {
		i := schema.ColumnIndex(name)
		if i < 0 {
			return core.Errorf("Column does not exist in table. invalid index: %s, invalid column: %s", def.Name, name)
		}
		index.Columns = append(index.Columns, schema.Columns[i].Name)
	}
	t.Secondary = append(t.Secondary, index)
	return nil
}

// checkBloom refuses a second bloom filter of a column.
func checkBloom(t *catalog.Table, def *parser.IndexDef) error {
	if def.Kind != "NGRAM_BF" {
		return nil
	}
	filters := strings.Split(t.Properties[bloomFilterColumns], ", ")
	for _, s := range t.Secondary {
		if s.Kind == def.Kind {
			filters = append(filters, s.Columns...)
		}
	}
	for _, name := range def.Columns {
		if slices.ContainsFunc(filters, func(f string) bool { return strings.EqualFold(f, name) }) {
			return core.Errorf("%s should have only one ngram bloom filter index or bloom filter index", name)
		}
	}
	return nil
}

// indexProperties are those of the statement, and what a parser of an inverted
// index brings along (doris-sql.md 3.2).
func indexProperties(def *parser.IndexDef) map[string]string {
	props := map[string]string(maps.Clone(def.Properties))
	if parser := props["parser"]; def.Kind == invertedKind && parser != "" && parser != "none" {
		setDefault(props, "lower_case", "true")
		setDefault(props, "support_phrase", "true")
	}
	return props
}

// initialPartitions creates the partitions that CREATE TABLE lists: one with
// the table's name if it is not partitioned, none for an empty list.
func (e *Executor) initialPartitions(t *catalog.Table, s *parser.CreateTable) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		p, err := e.core.NewPartition(t, t.Name, catalog.Item{}, t.Distribution, t.ReplicaNum)
		if err != nil {
			return err
		}
		t.Partitions[p.Name] = p
		return nil
	}
	siblings := newPartitionSet(t, t.Partitions)
	for i := range s.Partitioning.Partitions {
		def := &s.Partitioning.Partitions[i]
		list := []parser.PartitionDef{*def}
		if def.Bulk != nil {
			var err error
			if list, err = expandBulk(t, def); err != nil {
				return err
			}
		}
		for j := range list {
			if _, err := e.addPartitionTo(t, siblings, &list[j], t.Distribution, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// createTableLike creates a table from the text of another one.
func (e *Executor) createTableLike(currentDB string, s *parser.CreateTableLike) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.Table.Database)
	if err != nil {
		return err
	}
	_, like, err := e.table(currentDB, s.Like, "SHOW CREATE")
	if err != nil {
		return err
	}
	statement, err := parser.Parse(e.ShowCreateTable(db, like, false))
	if err != nil {
		return core.Errorf("Failed to execute CREATE TABLE LIKE %s. Reason: %s", s.Like.Name, err)
	}
	create, ok := statement.(*parser.CreateTable)
	if !ok {
		return core.Errorf("Failed to execute CREATE TABLE LIKE %s. Reason: it is no table", s.Like.Name)
	}
	parser.Allow(create, s.Allowed)
	if err := e.checkCreateTable(create, namesOf(s.Allowed)); err != nil {
		return core.Errorf("Failed to execute CREATE TABLE LIKE %s. Reason: %s", s.Like.Name, err)
	}
	create.IfNotExists, create.Table = s.IfNotExists, parser.Name{Name: s.Table.Name}
	delete(create.Properties, isBeingSynced)
	if s.WithRollup {
		create.Rollups = rollupDefs(like)
	}
	return e.createIn(db, create)
}
