package sql

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// formalPartitions are the partitions of a table in the order of their items.
func formalPartitions(t *catalog.Table) []*catalog.Partition {
	return rangetext.Sorted(t, t.Partitions)
}

func sortedTables(db *catalog.Database) []*catalog.Table {
	names := slices.Sorted(maps.Keys(db.Tables))
	list := make([]*catalog.Table, len(names))
	for i, name := range names {
		list[i] = db.Tables[name]
	}
	return list
}

// showTables is SHOW [FULL] TABLES and SHOW VIEWS (doris-sql.md 2.4); only, if
// given, restricts the kind.
func (s *session) showTables(ctx context.Context, c *cursor, full bool, only catalog.TableKind) (*sqltypes.Result, error) {
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	titles := []string{"Tables_in_" + database}
	if full {
		titles = append(titles, "Table_type", "Storage_format", "Inverted_index_storage_format")
	}
	l := newListing(titles...)
	for _, t := range s.tableTypes(database) {
		if only != "" && t.kind != only || t.kind != "" && !s.seesTable(database, t.name) {
			continue
		}
		if full {
			l.add(t.name, t.typeName, t.format, t.indexFormat)
		} else {
			l.add(t.name)
		}
	}
	return s.filter(ctx, c, l, titles[0], false)
}

type tableType struct {
	name, typeName, format, indexFormat string
	kind                                catalog.TableKind
}

func (s *session) tableTypes(database string) []tableType {
	var list []tableType
	if strings.EqualFold(database, informationSchema) {
		for _, name := range []string{"columns", "partitions", "schemata", "session_variables", "tables", "views"} {
			list = append(list, tableType{name: name, typeName: "SYSTEM VIEW", format: "NONE", indexFormat: "NONE"})
		}
		return list
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(database)
	if !ok {
		return nil
	}
	for _, t := range sortedTables(db) {
		row := tableType{name: t.Name, kind: t.Kind, typeName: "BASE TABLE", format: "V2", indexFormat: t.Properties["inverted_index_storage_format"]}
		if t.Kind == catalog.View {
			row.typeName, row.format, row.indexFormat = "VIEW", "NONE", "NONE"
		}
		list = append(list, row)
	}
	return list
}

// showTableStatus is SHOW TABLE STATUS.
func (s *session) showTableStatus(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	if !s.sees(database) {
		return nil, s.errDatabaseDenied(database)
	}
	l := newListing("Name", "Engine", "Version", "Row_format", "Rows", "Avg_row_length", "Data_length", "Max_data_length", "Index_length",
		"Data_free", "Auto_increment", "Create_time", "Update_time", "Check_time", "Collation", "Checksum", "Create_options", "Comment")
	s.server.core.RLock()
	if db, ok := s.server.core.Database(database); ok {
		for _, t := range sortedTables(db) {
			engine := "Doris"
			if t.Kind == catalog.View {
				engine = "View"
			}
			if !s.seesTable(db.Name, t.Name) {
				continue
			}
			stats := s.server.core.TableStats(t)
			l.add(t.Name, engine, null, null, stats.Rows, stats.Bytes/max(stats.Rows, 1), stats.Bytes, null, null, null, null, s.timeText(t.Created), s.updateTime(t), null, "utf-8", null, null, t.Comment)
		}
	}
	s.server.core.RUnlock()
	return s.filter(ctx, c, l, "Name", false)
}

// updateTime is the Update_time of a table: of what has no partitions, NULL.
func (s *session) updateTime(t *catalog.Table) string { return s.timeText(newest(t)) }

// timeText is a moment in the session's time zone, NULL for none (doris-sql.md 5.6).
func (s *session) timeText(at time.Time) string {
	if at.IsZero() || at.Unix() <= 0 {
		return null
	}
	zone := time.Local
	if name, set := s.vars["time_zone"]; set {
		if offset, err := time.Parse("-07:00", name); err == nil {
			zone = offset.Location()
		} else if known, err := time.LoadLocation(name); err == nil {
			zone = known
		}
	}
	return at.In(zone).Format(time.DateTime)
}

// showCreate is SHOW CREATE TABLE|VIEW|DATABASE|MATERIALIZED VIEW
// (doris-sql.md 3.1).
func (s *session) showCreate(c *cursor) (*sqltypes.Result, error) {
	switch {
	case c.keyword("DATABASE"), c.keyword("SCHEMA"):
		return s.showCreateDatabase(c)
	case c.keyword("TABLE"):
		return s.showCreateTable(c, false)
	case c.keyword("VIEW"):
		return s.showCreateTable(c, true)
	case c.keyword("MATERIALIZED", "VIEW"):
		return s.showCreateRollup(c)
	}
	return nil, c.mismatch()
}

func (s *session) showCreateDatabase(c *cursor) (*sqltypes.Result, error) {
	_, name, err := c.name()
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if !s.account().May(core.ShowPriv, name, "") {
		return nil, core.CodeErrorf(codeAccessDenied, "Access denied; you need (at least one of) the (%s) privilege(s) on database %s for this operation",
			core.AdminPriv|core.ShowPriv, name)
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(name)
	if !ok {
		return nil, errUnknownDatabase(name)
	}
	l := newListing("Database", "Create Database")
	l.add(db.Name, s.server.cfg.DDL.ShowCreateDatabase(db))
	return l.result(), nil
}

func (s *session) showCreateTable(c *cursor, wantView bool) (*sqltypes.Result, error) {
	database, table, err := c.name()
	if err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	if database, err = s.database(database); err != nil {
		return nil, err
	}
	var l *listing
	err = s.withTable("SHOW CREATE TABLE", database, table, func(db *catalog.Database, t *catalog.Table) error {
		if t.Kind == catalog.View { // to read it is not enough
			if err := s.needTable(core.AlterPriv|core.CreatePriv|core.DropPriv|core.ShowViewPriv, "SHOW CREATE TABLE", database, table); err != nil {
				return err
			}
		}
		switch {
		case t.Kind == catalog.View:
			l = newListing("View", "Create View", "character_set_client", "collation_connection")
			l.add(t.Name, s.server.cfg.DDL.ShowCreateTable(db, t, false), "utf8mb4", "utf8mb4_0900_bin")
		case wantView:
			return core.CodeErrorf(codeWrongObject, "'%s.%s' is not VIEW. Use 'SHOW CREATE TABLE '%s.", database, table, table) // sic
		default:
			l = newListing("Table", "Create Table")
			l.add(t.Name, s.server.cfg.DDL.ShowCreateTable(db, t, false))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.result(), nil
}

// showCreateMaterialized is SHOW CREATE MATERIALIZED VIEW of an asynchronous one.
func (s *session) showCreateMaterialized(c *cursor, database, name string) (*sqltypes.Result, error) {
	if err := c.finish(); err != nil {
		return nil, err
	}
	database, err := s.database(database)
	if err != nil {
		return nil, err
	}
	l := newListing("Materialized View", "Create Materialized View")
	err = s.withTable("SHOW CREATE MATERIALIZED VIEW", database, name, func(_ *catalog.Database, t *catalog.Table) error {
		if t.Kind != catalog.MaterializedView {
			return core.CodeErrorf(codeWrongObject, "'%s.%s' is not MATERIALIZED_VIEW. Use 'SHOW CREATE TABLE %s.%s'.", database, name, database, name)
		}
		l.add(t.Name, s.server.cfg.DDL.ShowCreateMaterialized(t))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return l.result(), nil
}

// showCreateRollup is SHOW CREATE MATERIALIZED VIEW r ON t: plain rollups give
// no row.
func (s *session) showCreateRollup(c *cursor) (*sqltypes.Result, error) {
	ownDatabase, rollup, err := c.name()
	if err != nil {
		return nil, err
	}
	if !c.keyword("ON") {
		return s.showCreateMaterialized(c, ownDatabase, rollup)
	}
	database, table, err := c.name()
	if err != nil {
		return nil, err
	}
	if database, err = s.database(database); err != nil {
		return nil, err
	}
	l := newListing("TableName", "ViewName", "CreateStmt")
	err = s.withTable("SHOW CREATE MATERIALIZED VIEW", database, table, func(_ *catalog.Database, t *catalog.Table) error {
		for _, idx := range t.Indexes {
			if idx.Name == rollup && idx.Statement != "" {
				l.add(t.Name, idx.Name, idx.Statement)
			}
		}
		return nil
	})
	return l.result(), err
}

// showIndexes is SHOW INDEX FROM t: the secondary indexes (doris-sql.md 5.6).
func (s *session) showIndexes(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	return s.showOfTable(ctx, c, "SHOW INDEX", "Key_name", true, func(db *catalog.Database, t *catalog.Table) (*listing, error) {
		return secondaryIndexes(db.Name, t), nil
	})
}

func secondaryIndexes(database string, t *catalog.Table) *listing {
	l := newListing("Table", "Non_unique", "Key_name", "Seq_in_index", "Column_name", "Collation", "Cardinality", "Sub_part",
		"Packed", "Null", "Index_type", "Comment", "Properties")
	for _, i := range t.Secondary {
		l.add(database+"."+t.Name, "", i.Name, "", strings.Join(i.Columns, ","), "", "", "", "", "", i.Kind, i.Comment, indexProperties(&i))
	}
	return l
}

// indexProperties prints ("parser" = "english", ...), the parser first: Doris'
// order is that of a hash.
func indexProperties(i *catalog.SecondaryIndex) string {
	var properties []string
	add := func(key string) { properties = append(properties, `"`+key+`" = "`+i.Properties[key]+`"`) }
	if _, ok := i.Properties["parser"]; ok {
		add("parser")
	}
	for _, key := range slices.Sorted(maps.Keys(i.Properties)) {
		if key != "parser" {
			add(key)
		}
	}
	if len(properties) == 0 {
		return ""
	}
	return "(" + strings.Join(properties, ", ") + ")"
}

// showView is SHOW VIEW FROM t.
func (s *session) showView(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	return s.showOfTable(ctx, c, "SHOW", "View", false, func(db *catalog.Database, t *catalog.Table) (*listing, error) {
		return s.viewsOf(db, t), nil
	})
}

// viewsOf lists the views whose definition names the table.
func (s *session) viewsOf(db *catalog.Database, t *catalog.Table) *listing {
	l := newListing("View", "Create View")
	for _, v := range sortedTables(db) {
		if v.Kind == catalog.View && strings.Contains(v.ViewDefinition, quoteName(db.Name)+"."+quoteName(t.Name)) {
			l.add(v.Name, s.server.cfg.DDL.ShowCreateTable(db, v, false))
		}
	}
	return l
}

func (s *session) showTablet(c *cursor) (*sqltypes.Result, error) {
	if err := s.needGlobal(core.AdminPriv, "SHOW TABLET"); err != nil {
		return nil, err
	}
	t := c.next()
	if t.Kind != parser.Number {
		return nil, errSyntax(t.Text)
	}
	l := newListing("DbName", "TableName", "PartitionName", "IndexName", "DbId", "TableId", "PartitionId", "IndexId", "IsSync", "Order", "QueryHits", "DetailCmd")
	id, err := parseID(t.Text)
	if err != nil {
		return nil, errSyntax(t.Text)
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	home, ok := s.server.core.Tablet(id)
	if !ok {
		return l.result(), nil
	}
	db, table, ok := s.server.core.TableByID(home.TableID)
	if !ok {
		return l.result(), nil
	}
	order := slices.IndexFunc(home.Partition.Tablets[home.IndexID], func(x *catalog.Tablet) bool { return x.ID == id })
	detail := "SHOW PROC '" + strings.Join([]string{"/dbs", cellText(db.ID), cellText(table.ID), "partitions", cellText(home.Partition.ID), cellText(home.IndexID), cellText(id)}, "/") + "';"
	l.add(db.Name, table.Name, home.Partition.Name, indexName(table, home.IndexID), db.ID, table.ID, home.Partition.ID, home.IndexID, true, order, 0, detail)
	return l.result(), c.finish()
}

// indexName is the index' name; the base index is always called as its table.
func indexName(t *catalog.Table, id int64) string {
	if id == t.BaseIndexID {
		return t.Name
	}
	if idx, ok := t.Indexes[id]; ok {
		return idx.Name
	}
	return ""
}
