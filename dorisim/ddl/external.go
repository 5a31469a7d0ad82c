package ddl

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// engines of external tables, by the name in ENGINE=.
var engines = map[string]catalog.TableKind{
	"ODBC": catalog.ODBC, "MYSQL": catalog.MySQL, "JDBC": catalog.JDBC, "ELASTICSEARCH": catalog.Elasticsearch, "ES": catalog.Elasticsearch,
	"BROKER": catalog.Broker, "HIVE": catalog.Hive, "ICEBERG": catalog.Iceberg, "HUDI": catalog.Hudi,
}

// resourceKey is the property that names the resource of an external table.
var resourceKey = map[catalog.TableKind]string{
	catalog.ODBC: "odbc_catalog_resource", catalog.MySQL: "odbc_catalog_resource", catalog.JDBC: "resource", catalog.Elasticsearch: "resource",
}

// needed are the properties without which an external table is refused, in
// addition to the resource or what stands for it.
var needed = map[catalog.TableKind][]string{
	catalog.ODBC: {"database", "table"}, catalog.MySQL: {"database", "table"}, catalog.JDBC: {"resource", "table"},
	catalog.Elasticsearch: {"hosts", "index"}, catalog.Broker: {"broker_name", "path"}, catalog.Hive: {"database", "table"},
}

// externalKind decides from the engine whether a statement makes an external
// table: "" = it does not.
func (e *Executor) externalKind(s *parser.CreateTable) (catalog.TableKind, error) {
	engine := strings.ToUpper(cmp.Or(s.Engine, "OLAP"))
	kind, external := engines[engine]
	switch {
	case engine == "OLAP" && s.External:
		return "", core.Errorf("Do not support external table with engine name = olap")
	case engine == "OLAP":
		return "", nil
	case !external:
		return "", core.Errorf("Unknown engine name: %s", s.Engine)
	case s.Partitioning != nil || s.Distribution != nil:
		return "", core.Errorf("%s table should not contain partition or distribution desc", strings.ToLower(engine))
	case s.Keys != "":
		return "", core.Errorf("%s table should not contain keys desc", strings.ToLower(engine))
	}
	return kind, nil
}

// createExternal makes an external table. It needs the lock.
func (e *Executor) createExternal(db *catalog.Database, s *parser.CreateTable, kind catalog.TableKind) error {
	if err := e.checkExternal(kind, s.Properties); err != nil {
		return err
	}
	t := &catalog.Table{
		ID: e.core.NextID(), DBID: db.ID, Name: s.Table.Name, Kind: kind, State: catalog.StateNormal, Comment: s.Comment,
		Created: e.core.Now(), Keys: types.DupKeys, KeysHidden: true, Properties: maps.Clone(s.Properties),
		Partitions: map[string]*catalog.Partition{}, Temporary: map[string]*catalog.Partition{},
	}
	schema := types.Schema{Keys: types.DupKeys}
	for i := range s.Columns {
		c, err := column(&s.Columns[i], types.DupKeys, false)
		if err != nil {
			return err
		}
		if schema.ColumnIndex(c.Name) >= 0 {
			return core.CodeErrorf(codeDuplicateColumn, "Duplicate column name '%s'", c.Name)
		}
		schema.Columns = append(schema.Columns, c)
	}
	base := &catalog.Index{ID: e.core.NextID(), Name: t.Name, State: catalog.IndexNormal, Schema: schema}
	t.BaseIndexID, t.Indexes = base.ID, map[int64]*catalog.Index{base.ID: base}
	db.Tables[t.Name] = t
	e.recordCreate(db, t)
	return nil
}

func (e *Executor) checkExternal(kind catalog.TableKind, properties parser.Properties) error {
	old := kind == catalog.ODBC || kind == catalog.MySQL || kind == catalog.Broker
	if old && e.core.FEConfig("enable_odbc_mysql_broker_table") == "false" {
		return core.Errorf("odbc, mysql and broker table is no longer supported. For odbc and mysql external table, use jdbc table or jdbc catalog instead." +
			" For broker table, use table valued function instead.")
	}
	resource := properties[resourceKey[kind]]
	if resource != "" && !e.hasResource(resource) {
		return missingResource(resource)
	}
	if (kind == catalog.ODBC || kind == catalog.MySQL) && resource == "" && properties["host"] == "" {
		return core.Errorf("Please set properties of %s table, they are: odbc_catalog_resource or [host, port, user, password] and database and table", strings.ToLower(string(kind)))
	}
	for _, key := range needed[kind] {
		if properties[key] == "" && !(kind == catalog.Elasticsearch && resource != "" && key == "hosts") {
			return core.Errorf("property %s must be set", key)
		}
	}
	return nil
}

// showCreateExternal prints an external table; passwords are masked.
func (e *Executor) showCreateExternal(t *catalog.Table) string {
	var definitions []string
	for _, c := range baseSchema(t).Columns {
		definitions = append(definitions, "  "+e.columnLine(c, t.Keys))
	}
	lines := []string{
		"CREATE EXTERNAL TABLE " + parser.QuoteIdent(t.Name) + " (",
		strings.Join(definitions, ",\n"),
		") ENGINE=" + string(t.Kind),
	}
	if t.Comment != "" {
		lines = append(lines, "COMMENT '"+t.Comment+"'")
	}
	var properties []string
	for _, key := range slices.Sorted(maps.Keys(t.Properties)) {
		value := t.Properties[key]
		if strings.EqualFold(key, "password") {
			value = ""
		}
		properties = append(properties, quoteText(key)+" = "+quoteText(value))
	}
	return strings.Join(append(lines, "PROPERTIES (", strings.Join(properties, ",\n"), ");"), "\n")
}

// alterExternal renames or comments an external table: it has nothing else.
func (e *Executor) alterExternal(db *catalog.Database, t *catalog.Table, clauses []parser.AlterClause) error {
	if len(clauses) == 1 {
		switch c := clauses[0].(type) {
		case *parser.Rename:
			if c.Kind == parser.RenameTable {
				return e.renameTable(db, t, c.New)
			}
		case *parser.ModifyComment:
			if c.Column == "" {
				return e.commentTable(db, t, c.Comment)
			}
		}
	}
	return core.Errorf("Do not support alter %s table[%s]", t.Kind, t.Name)
}
