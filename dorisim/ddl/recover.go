package ddl

import (
	"cmp"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// recoverPayload is the record of RECOVER_INFO (doris-binlogs.md 2.25).
type recoverPayload struct {
	DBID         int64  `json:"dbId"`
	NewDBName    string `json:"newDbName"`
	TableID      int64  `json:"tableId"`
	TableName    string `json:"tableName"`
	NewTableName string `json:"newTableName"`
	PartitionID  int64  `json:"partitionId"` // -1 for a table
	Partition    string `json:"partitionName"`
	NewPartition string `json:"newPartitionName"`
}

// recover brings back what was dropped without FORCE, with its old ids
// (doris-sql.md 4.12).
func (e *Executor) recover(currentDB string, s *parser.Recover) error {
	e.core.Lock()
	defer e.core.Unlock()
	if s.Database != "" {
		return e.recoverDatabase(s)
	}
	db, err := e.database(currentDB, s.Table.Database)
	if err != nil {
		return err
	}
	if s.Partition != "" {
		return e.recoverPartition(db, s)
	}
	return e.recoverTable(db, s)
}

// recoverDatabase brings a database back with the tables it had when it was
// dropped; its binlogs are gone.
func (e *Executor) recoverDatabase(s *parser.Recover) error {
	name := cmp.Or(s.As, s.Database)
	if _, taken := e.core.Database(name); taken {
		return core.CodeErrorf(codeDatabaseExists, "Can't create database '%s'; database exists", name)
	}
	db, ok := e.core.RecycledDatabase(s.Database, s.ID)
	if !ok {
		return core.CodeErrorf(codeUnknownDatabase, "Unknown database '%s'", s.Database)
	}
	db.Name = name
	e.core.PutDatabase(db)
	for _, t := range db.Tables {
		e.core.SyncTabletSettings(t)
	}
	e.core.NextJournal()
	return nil
}

func (e *Executor) recoverTable(db *catalog.Database, s *parser.Recover) error {
	name := s.Table.Name
	if s.As != "" {
		name = s.As
	}
	if _, taken := db.Tables[name]; taken {
		return core.CodeErrorf(codeTableExists, "Table '%s' already exists", name)
	}
	t, ok := e.core.RecycledTable(db.ID, s.Table.Name, s.ID)
	if !ok {
		return core.CodeErrorf(codeUnknownInDatabase, "Unknown table '%s' in %s", s.Table.Name, db.Name)
	}
	old := t.Name
	setTableName(t, name)
	db.Tables[name] = t
	e.core.SyncTabletSettings(t)
	e.recordRecover(db, t, recoverPayload{TableName: old, NewTableName: s.As, PartitionID: -1})
	return nil
}

func (e *Executor) recoverPartition(db *catalog.Database, s *parser.Recover) error {
	t, err := olapTable(db, s.Table.Name, "ALTER")
	if err != nil {
		return err
	}
	if err := core.CheckAlter(t); err != nil {
		return err
	}
	name := s.Partition
	if s.As != "" {
		name = s.As
	}
	if _, taken := catalog.FindPartition(t.Partitions, name); taken {
		return core.Errorf("partition[%s] already exist in table[%s]", name, t.Name)
	}
	p, ok := e.core.RecycledPartition(t, s.Partition, s.ID)
	if !ok {
		return core.Errorf("No partition named '%s' or partition id '%d' in table %s", s.Partition, max(s.ID, -1), t.Name)
	}
	if !fitsIndexes(t, p) {
		e.core.RecyclePartition(t, p)
		return core.Errorf("table's index not equal with partition's index. please check again.")
	}
	for _, other := range t.Partitions {
		if rangetext.Overlap(t, p.Item, other.Item) {
			e.core.RecyclePartition(t, p)
			return core.Errorf("Can not recover partition[%s]. Range conflict.", s.Partition)
		}
	}
	old := p.Name
	p.Name = name
	if s.As == "" {
		p.Name = old
	}
	t.Partitions[p.Name] = p
	if p.Distribution.Kind == catalog.HashDistribution {
		p.Distribution.Columns = t.Distribution.Columns // a column may have been renamed meanwhile
	}
	e.core.SyncTabletSettings(t)
	e.recordRecover(db, t, recoverPayload{TableName: t.Name, PartitionID: p.ID, Partition: old, NewPartition: s.As})
	return nil
}

// recordRecover writes the binlog, once the object is back: its own setting
// counts.
func (e *Executor) recordRecover(db *catalog.Database, t *catalog.Table, record recoverPayload) {
	record.DBID, record.TableID = db.ID, t.ID
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeRecoverInfo, Payload: func(int64) any { return record },
	})
}
