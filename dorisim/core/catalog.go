package core

import (
	"cmp"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// tableHome remembers where a table was found last.
type tableHome struct {
	db    *catalog.Database
	table *catalog.Table
}

// Database returns a database by name. It needs the lock.
func (c *Core) Database(name string) (*catalog.Database, bool) {
	id, ok := c.databaseIDs[name]
	if !ok {
		return nil, false
	}
	return c.DatabaseByID(id)
}

// DatabaseByID returns a database by id. It needs the lock.
func (c *Core) DatabaseByID(id int64) (*catalog.Database, bool) {
	db, ok := c.databases[id]
	return db, ok
}

// Databases returns all databases by id. It needs the lock.
func (c *Core) Databases() []*catalog.Database {
	return slices.SortedFunc(maps.Values(c.databases), func(a, b *catalog.Database) int { return cmp.Compare(a.ID, b.ID) })
}

// PutDatabase adds a database, or registers it under a changed name. It needs
// the lock.
func (c *Core) PutDatabase(db *catalog.Database) {
	maps.DeleteFunc(c.databaseIDs, func(_ string, id int64) bool { return id == db.ID })
	c.databases[db.ID] = db
	c.databaseIDs[db.Name] = db.ID
	if db.Tables == nil {
		db.Tables = map[string]*catalog.Table{}
	}
}

// RemoveDatabase forgets a database and its binlogs; its tables' tablets are
// the caller's affair (DropTable). It needs the lock.
func (c *Core) RemoveDatabase(id int64) {
	if db, ok := c.databases[id]; ok {
		delete(c.databaseIDs, db.Name)
		delete(c.databases, id)
	}
	c.binlogs.drop(id)
}

// TableByID finds a table or view in any database. It needs the lock.
func (c *Core) TableByID(id int64) (*catalog.Database, *catalog.Table, bool) {
	if v, ok := c.tableHomes.Load(id); ok {
		home := v.(tableHome)
		if c.databases[home.db.ID] == home.db && home.db.Tables[home.table.Name] == home.table && home.table.ID == id {
			return home.db, home.table, true
		}
	}
	for _, db := range c.databases {
		for _, t := range db.Tables {
			if t.ID == id {
				c.tableHomes.Store(id, tableHome{db, t})
				return db, t, true
			}
		}
	}
	c.tableHomes.Delete(id)
	return nil, nil, false
}

// BinlogEnabled tells whether events of the table are kept for binlog: t nil
// asks for the database itself, views and external tables follow their database, and the feature
// switch of the FE rules all (doris-binlogs.md 1.1). It needs the lock.
func (c *Core) BinlogEnabled(db *catalog.Database, t *catalog.Table) bool {
	if c.FEConfig("enable_feature_binlog") != "true" {
		return false
	}
	if t == nil || t.Kind == catalog.View || t.Kind.External() {
		return db != nil && db.Properties["binlog.enable"] == "true"
	}
	return t.Kind == catalog.OLAP && t.Properties["binlog.enable"] == "true"
}
