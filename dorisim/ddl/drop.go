package ddl

import (
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

func (e *Executor) dropTable(currentDB string, s *parser.DropTable) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database(currentDB, s.Table.Database)
	if err != nil {
		return err
	}
	if _, ok := db.Tables[s.Table.Name]; !ok {
		return missing(db, s.Table.Name, s.IfExists)
	}
	t, err := olapTable(db, s.Table.Name, "DROP")
	if err != nil {
		return err
	}
	if err := core.CheckDrop(t, s.Force); err != nil {
		return err
	}
	if !s.Force && pendingVersions(core.Partitions(t)...) {
		return core.Errorf("There are still some transactions in the COMMITTED state waiting to be completed. The table [%s] cannot be dropped."+
			` If you want to forcibly drop(cannot be recovered), please use "DROP table FORCE".`, t.Name)
	}
	// Recorded while the table is there: its own binlog setting counts.
	e.recordDrop(db, t, "DROP TABLE IF EXISTS ")
	delete(db.Tables, t.Name)
	e.discardTable(t, s.Force)
	return nil
}

// missing answers the drop of what is not there.
func missing(db *catalog.Database, name string, ifExists bool) error {
	if ifExists {
		return nil
	}
	return core.CodeErrorf(codeUnknownInDatabase, "Unknown table '%s' in %s", name, db.Name)
}

// discardTable erases a table that is out of its database, or without force
// puts it into the recycle bin.
func (e *Executor) discardTable(t *catalog.Table, force bool) {
	if force {
		e.core.DropTable(t)
		return
	}
	e.core.RecycleTable(t)
}

func (e *Executor) recordDrop(db *catalog.Database, t *catalog.Table, verb string) {
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeDropTable,
		Payload: func(seq int64) any {
			return dropTablePayload{
				CommitSeq: seq, DBID: db.ID, TableID: t.ID, TableName: t.Name,
				IsView: t.Kind == catalog.View, RawSQL: verb + parser.QuoteIdent(t.Name),
			}
		},
	})
}

// truncateTable replaces non-empty partitions by new ones with new ids
// (doris-sql.md 4.12).
func (e *Executor) truncateTable(db *catalog.Database, t *catalog.Table, s *parser.TruncateTable) error {
	if t.Kind != catalog.OLAP {
		return core.Errorf("Only support truncate OLAP table")
	}
	victims, err := truncated(t, s.Partitions)
	if err != nil {
		return err
	}
	if len(victims) == 0 {
		return nil
	}
	if err := e.replaceByEmpty(t, victims); err != nil {
		return err
	}
	e.recordTruncate(db, t, s.Partitions, victims)
	return nil
}

// truncated returns the partitions that hold something, of those named or all.
// What is committed and not visible yet counts: it is lost with them.
func truncated(t *catalog.Table, names []string) ([]*catalog.Partition, error) {
	candidates := rangetext.Sorted(t, t.Partitions)
	if len(names) > 0 {
		missing := ""
		if candidates, missing = catalog.FindPartitions(t.Partitions, names); missing != "" {
			return nil, core.Errorf("Partition %s does not exist", missing)
		}
	}
	var full []*catalog.Partition
	for _, p := range candidates {
		if p.NextVersion > 2 {
			full = append(full, p)
		}
	}
	return full, nil
}

func (e *Executor) replaceByEmpty(t *catalog.Table, victims []*catalog.Partition) error {
	var fresh []*catalog.Partition
	for _, old := range victims {
		p, err := e.core.NewPartition(t, old.Name, old.Item, old.Distribution, old.ReplicaNum)
		if err != nil {
			for _, p := range fresh {
				e.core.DropPartition(p)
			}
			return err
		}
		p.Properties = old.Properties
		fresh = append(fresh, p)
	}
	for i, old := range victims {
		t.Partitions[old.Name] = fresh[i]
		e.core.DropPartition(old)
	}
	return nil
}

func (e *Executor) recordTruncate(db *catalog.Database, t *catalog.Table, names []string, victims []*catalog.Partition) {
	old := map[int64]string{}
	for _, p := range victims {
		old[p.ID] = p.Name
	}
	rawSQL := ""
	if len(names) > 0 {
		rawSQL = "PARTITIONS (" + strings.Join(names, ", ") + ")" // bare names (doris-sql.md 1.5)
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeTruncateTable,
		Payload: func(int64) any {
			return truncatePayload{
				DBID: db.ID, DB: db.Name, TableID: t.ID, Table: t.Name, EntireTable: len(names) == 0, RawSQL: rawSQL, Old: old,
			}
		},
	})
}
