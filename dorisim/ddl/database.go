package ddl

import (
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

func (e *Executor) createDatabase(s *parser.CreateDatabase) error {
	e.core.Lock()
	defer e.core.Unlock()
	if _, exists := e.core.Database(s.Name); exists || systemDatabases[s.Name] {
		if s.IfNotExists {
			return nil
		}
		return core.CodeErrorf(codeDatabaseExists, "Can't create database '%s'; database exists", s.Name)
	}
	props := map[string]string{}
	maps.Copy(props, s.Properties)
	if e.core.FEConfig("force_enable_feature_binlog") == "true" {
		props[binlogEnable] = "true"
	}
	if err := e.checkBinlogProperties(props); err != nil {
		return err
	}
	e.core.PutDatabase(&catalog.Database{
		ID: e.core.NextID(), Name: s.Name, Properties: props, Tables: map[string]*catalog.Table{}, Created: e.core.Now(),
	})
	e.core.NextJournal()
	return nil
}

func (e *Executor) dropDatabase(s *parser.DropDatabase) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, ok := e.core.Database(s.Name)
	if !ok {
		if s.IfExists {
			return nil
		}
		return core.CodeErrorf(codeDatabaseMissing, "Can't drop database '%s'; database doesn't exist", s.Name)
	}
	if !s.Force {
		for _, name := range slices.Sorted(maps.Keys(db.Tables)) {
			if err := core.CheckDrop(db.Tables[name], false); err != nil {
				return err
			}
			if pendingVersions(core.Partitions(db.Tables[name])...) {
				return core.Errorf("There are still some transactions in the COMMITTED state waiting to be completed. The database [%s] cannot be dropped."+
					` If you want to forcibly drop(cannot be recovered), please use "DROP database FORCE".`, db.Name)
			}
		}
	}
	e.core.NextJournal()
	if !s.Force {
		e.core.RecycleDatabase(db)
		return nil
	}
	for _, t := range db.Tables {
		e.core.DropTable(t)
	}
	e.core.EraseRecycled(db.ID)
	e.core.RemoveDatabase(db.ID)
	return nil
}

func (e *Executor) alterDatabase(s *parser.AlterDatabase) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database("", s.Name)
	if err != nil {
		return err
	}
	if s.NewName != "" {
		return e.renameDatabase(db, s.NewName)
	}
	if s.DataQuota > 0 {
		db.DataQuota = s.DataQuota
		e.core.NextJournal()
		return nil
	}
	return e.setDatabaseProperties(db, s.Properties)
}

func (e *Executor) renameDatabase(db *catalog.Database, name string) error {
	if name == db.Name {
		return core.Errorf("Same database name")
	}
	if _, exists := e.core.Database(name); exists {
		return core.Errorf("Database name[%s] is already used", name)
	}
	db.Name = name
	e.core.PutDatabase(db)
	e.core.NextJournal()
	return nil
}

// setDatabaseProperties applies the rules of doris-binlogs.md 1.1.
func (e *Executor) setDatabaseProperties(db *catalog.Database, props parser.Properties) error {
	if err := e.checkBinlogProperties(props); err != nil {
		return err
	}
	if strings.EqualFold(props[binlogEnable], "true") {
		for _, name := range slices.Sorted(maps.Keys(db.Tables)) {
			if t := db.Tables[name]; t.Kind == catalog.OLAP && t.Properties[binlogEnable] != "true" {
				return core.Errorf("binlog is not enable in table[%s] in db [%s]", t.Name, db.Name)
			}
		}
	}
	off := db.Properties[binlogEnable] == "true" && strings.EqualFold(props[binlogEnable], "false")
	if db.Properties == nil {
		db.Properties = map[string]string{}
	}
	for key, value := range props {
		if isBinlogProperty(key) {
			value = strings.ToLower(value)
		}
		db.Properties[key] = value
	}
	changed := maps.Clone(props)
	e.core.Record(core.Event{
		DB: db.ID, Type: binlog.TypeAlterDatabaseProperty, RemoveEnableCache: true, SwitchedOff: off,
		Payload: func(int64) any {
			return alterDatabasePayload{DBID: db.ID, DBName: db.Name, Properties: changed}
		},
	})
	return nil
}
