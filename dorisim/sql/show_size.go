package sql

import (
	"context"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// databaseStats adds up the tables of a database. It needs core's read lock.
func (s *session) databaseStats(db *catalog.Database) core.Stats {
	var sum core.Stats
	for _, t := range db.Tables {
		one := s.server.core.TableStats(t)
		sum.Rows += one.Rows
		sum.Bytes += one.Bytes
	}
	return sum
}

// showData is SHOW DATA: the tables of the current database, or with FROM the
// indexes of one table.
func (s *session) showData(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if c.peek().Is("FROM") {
		return s.showTableData(ctx, c)
	}
	database, err := s.database("")
	if err != nil {
		return nil, err
	}
	l := newListing("TableName", "Size", "ReplicaCount", "RemoteSize")
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(database)
	if !ok {
		return nil, errUnknownDatabase(database)
	}
	var size int64
	replicas := 0
	for _, t := range sortedTables(db) {
		if t.Kind != catalog.OLAP || !s.seesTable(db.Name, t.Name) {
			continue
		}
		one := s.server.core.TableStats(t)
		l.add(t.Name, core.SizeText(one.Bytes), replicaCount(t), core.SizeText(0))
		size += one.Bytes
		replicas += replicaCount(t)
	}
	l.add("Total", core.SizeText(size), replicas, core.SizeText(0))
	quota := db.DataQuota
	if quota == 0 {
		quota = 1 << 50
	}
	l.add("Quota", core.SizeText(quota), 1073741824, "")
	l.add("Left", core.SizeText(max(0, quota-size)), 1073741824-replicas, "")
	return l.result(), c.finish()
}

func (s *session) showTableData(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	database, table, err := s.fromTable(c)
	if err != nil {
		return nil, err
	}
	if !s.hasTable(database, table) {
		return nil, &core.Error{Code: codeUnknownTable, ErrCode: 7, Message: "table not found, tableName=" + table}
	}
	l := newListing("TableName", "IndexName", "Size", "ReplicaCount", "RowCount", "RemoteSize")
	err = s.withTable("SHOW DATA", database, table, func(_ *catalog.Database, t *catalog.Table) error {
		name := t.Name
		for _, idx := range core.SortedIndexes(t) {
			var tablets []*catalog.Tablet
			for _, p := range core.Partitions(t) { // temporary ones too
				tablets = append(tablets, p.Tablets[idx.ID]...)
			}
			replicas := 0
			for _, tablet := range tablets {
				replicas += len(tablet.Replicas)
			}
			one := s.server.core.Stats(tablets)
			l.add(name, indexName(t, idx.ID), core.SizeText(one.Bytes), replicas, one.Rows, core.SizeText(0))
			name = ""
		}
		all := s.server.core.TableStats(t)
		l.add("", "Total", core.SizeText(all.Bytes), replicaCount(t), "", core.SizeText(0))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "TableName", true)
}

// showRecycleBin is SHOW CATALOG RECYCLE BIN [WHERE NAME = | LIKE ..].
func (s *session) showRecycleBin(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("RECYCLE", "BIN") {
		return nil, c.mismatch()
	}
	if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
		return nil, err
	}
	l := newListing("Type", "Name", "DbId", "TableId", "PartitionId", "DropTime", "DataSize", "RemoteDataSize")
	id := func(n int64) any {
		if n == 0 {
			return ""
		}
		return n
	}
	s.server.core.RLock()
	bin := s.server.core.RecycleBin()
	for _, kind := range []string{"Database", "Table", "Partition"} {
		for _, r := range bin {
			if r.Kind == kind {
				size := s.server.core.Stats(r.Tablets).Bytes
				l.add(r.Kind, r.Name, id(r.Database), id(r.Table), id(r.Partition), r.Dropped, strings.TrimSpace(core.SizeText(size)), core.SizeText(0))
			}
		}
	}
	s.server.core.RUnlock()
	return s.filter(ctx, c, l, "Name", true)
}
