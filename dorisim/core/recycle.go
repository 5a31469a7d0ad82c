package core

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// recycled is a database, a table or a partition that was dropped without FORCE:
// exactly one of the three is set. Its tablets stay on the backends until it
// expires.
type recycled struct {
	db, tableID int64
	database    *catalog.Database
	table       *catalog.Table
	partition   *catalog.Partition
	at          time.Time
}

func (r recycled) name() string {
	switch {
	case r.database != nil:
		return r.database.Name
	case r.partition != nil:
		return r.partition.Name
	}
	return r.table.Name
}

// kind is what SHOW CATALOG RECYCLE BIN calls it.
func (r recycled) kind() string {
	switch {
	case r.database != nil:
		return "Database"
	case r.partition != nil:
		return "Partition"
	}
	return "Table"
}

// Recycled is one line of SHOW CATALOG RECYCLE BIN; ids that do not apply are 0.
type Recycled struct {
	Kind, Name                 string
	Database, Table, Partition int64
	Dropped                    time.Time
	Tablets                    []*catalog.Tablet
}

// RecycleBin lists what can be recovered, oldest first. It needs the read lock.
func (c *Core) RecycleBin() []Recycled {
	list := make([]Recycled, len(c.bin.entries))
	for i, r := range c.bin.entries {
		list[i] = Recycled{Kind: r.kind(), Name: r.name(), Database: r.db, Table: r.tableID, Dropped: r.at}
		switch {
		case r.partition != nil:
			list[i].Partition, list[i].Tablets = r.partition.ID, partitionTablets(r.partition)
		case r.table != nil:
			list[i].Tablets = TableTablets(r.table)
		default:
			for _, t := range r.database.Tables {
				list[i].Tablets = append(list[i].Tablets, TableTablets(t)...)
			}
		}
	}
	return list
}

// RecycleDatabase takes a database out of the catalog and puts it, with its
// tables, into the recycle bin. It needs the lock.
func (c *Core) RecycleDatabase(db *catalog.Database) {
	c.RemoveDatabase(db.ID)
	c.recycle(recycled{db: db.ID, database: db, at: c.Now()})
}

// RecycledDatabase takes the database that was dropped last under the name out
// of the recycle bin, or the one with the id if id > 0. It needs the lock.
func (c *Core) RecycledDatabase(name string, id int64) (*catalog.Database, bool) {
	r, ok := c.unrecycle(func(r recycled) bool {
		return r.database != nil && r.database.Name == name && (id <= 0 || r.db == id)
	})
	return r.database, ok
}

// recycleBin keeps what was dropped, oldest first; the metadata lock guards it.
type recycleBin struct{ entries []recycled }

// defaultTrashExpiry and maxSameNameTrash are the defaults of the FE configs
// catalog_trash_expire_second and max_same_name_catalog_trash_num.
const (
	defaultTrashExpiry = 86400
	maxSameNameTrash   = 3
)

// RecycleTable puts a table that the caller has taken out of its database into
// the recycle bin (doris-sql.md 4.12). A view is not kept: RECOVER does not
// bring views back. It needs the lock.
func (c *Core) RecycleTable(t *catalog.Table) {
	if t.Kind == catalog.View {
		return
	}
	c.recycle(recycled{db: t.DBID, tableID: t.ID, table: t, at: c.Now()})
}

// RecyclePartition puts a partition that the caller has taken out of its table
// into the recycle bin. It needs the lock.
func (c *Core) RecyclePartition(t *catalog.Table, p *catalog.Partition) {
	c.recycle(recycled{db: t.DBID, tableID: t.ID, partition: p, at: c.Now()})
}

func (c *Core) recycle(r recycled) {
	c.bin.entries = append(c.bin.entries, r)
	same := 0
	for i := len(c.bin.entries) - 1; i >= 0; i-- {
		if !sameName(c.bin.entries[i], r) {
			continue
		}
		if same++; same > maxSameNameTrash {
			c.erase(c.bin.entries[i])
			c.bin.entries = slices.Delete(c.bin.entries, i, i+1)
		}
	}
}

func sameName(a, b recycled) bool {
	switch {
	case a.kind() != b.kind() || a.name() != b.name():
		return false
	case a.database != nil:
		return true
	}
	return a.db == b.db && (a.partition == nil || a.tableID == b.tableID)
}

// RecycledTable takes the table that was dropped last under the name out of the
// recycle bin, or the one with the id if id > 0. It needs the lock.
func (c *Core) RecycledTable(db int64, name string, id int64) (*catalog.Table, bool) {
	r, ok := c.unrecycle(func(r recycled) bool {
		return r.table != nil && r.db == db && r.table.Name == name && (id <= 0 || r.tableID == id)
	})
	return r.table, ok
}

// RecycledPartition takes a partition of the table out of the recycle bin. It
// needs the lock.
func (c *Core) RecycledPartition(t *catalog.Table, name string, id int64) (*catalog.Partition, bool) {
	r, ok := c.unrecycle(func(r recycled) bool {
		return r.partition != nil && r.tableID == t.ID && strings.EqualFold(r.partition.Name, name) && (id <= 0 || r.partition.ID == id)
	})
	return r.partition, ok
}

// unrecycle takes out the newest entry that matches.
func (c *Core) unrecycle(match func(recycled) bool) (recycled, bool) {
	for i := len(c.bin.entries) - 1; i >= 0; i-- {
		if r := c.bin.entries[i]; match(r) {
			c.bin.entries = slices.Delete(c.bin.entries, i, i+1)
			return r, true
		}
	}
	return recycled{}, false
}

// EraseRecycled erases what the recycle bin has of a database that is gone. It
// needs the lock.
func (c *Core) EraseRecycled(db int64) {
	c.bin.entries = slices.DeleteFunc(c.bin.entries, func(r recycled) bool {
		if r.db == db {
			c.erase(r)
		}
		return r.db == db
	})
}

// eraseExpired is the recycle bin's cleaner.
func (c *Core) eraseExpired() {
	seconds, err := strconv.Atoi(c.FEConfig("catalog_trash_expire_second"))
	if err != nil {
		seconds = defaultTrashExpiry
	}
	c.Lock()
	defer c.Unlock()
	limit := c.Now().Add(-time.Duration(seconds) * time.Second)
	c.bin.entries = slices.DeleteFunc(c.bin.entries, func(r recycled) bool {
		old := r.at.Before(limit)
		if old {
			c.erase(r)
		}
		return old
	})
}

// erase removes the tablets of a recycled table or partition.
func (c *Core) erase(r recycled) {
	switch {
	case r.partition != nil:
		c.DropPartition(r.partition)
	case r.table != nil:
		c.DropTable(r.table)
	default:
		for _, t := range r.database.Tables {
			c.DropTable(t)
		}
	}
}
