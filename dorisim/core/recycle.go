package core

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// recycled is a table, or with partition one of its partitions, that was dropped
// without FORCE. Its tablets stay on the backends until it expires.
type recycled struct {
	db, tableID int64
	table       *catalog.Table     // nil for a partition
	partition   *catalog.Partition // nil for a table
	at          time.Time
}

func (r recycled) name() string {
	if r.partition != nil {
		return r.partition.Name
	}
	return r.table.Name
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
	if (a.partition == nil) != (b.partition == nil) || a.db != b.db || a.name() != b.name() {
		return false
	}
	return a.partition == nil || a.tableID == b.tableID
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
	if r.partition != nil {
		c.DropPartition(r.partition)
		return
	}
	c.DropTable(r.table)
}
