package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/alter"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// invertedKind is the kind of index that comes and goes without a job.
const invertedKind = "INVERTED"

// invertedPayload is doris-binlogs.md 2.21.
type invertedPayload struct {
	DBID    int64                     `json:"dbId"`
	TableID int64                     `json:"tableId"`
	Schemas map[int64][]columnPayload `json:"indexSchemaMap"`
	Indexes []secondaryPayload        `json:"indexes"`
	Altered []secondaryPayload        `json:"alterInvertedIndexes"`
	Drop    bool                      `json:"isDropInvertedIndex"`
	JobID   int64                     `json:"jobId"`
	RawSQL  string                    `json:"rawSql"`
}

// indexChanges is what ADD INDEX and DROP INDEX clauses come to.
type indexChanges struct {
	after          []catalog.SecondaryIndex
	added, dropped []catalog.SecondaryIndex
	clauses        []string
}

// changeIndexes runs ADD INDEX and DROP INDEX: inverted indexes are light, others
// rewrite the data (doris-sql.md 5.4).
func (e *Executor) changeIndexes(db *catalog.Database, t *catalog.Table, clauses []parser.AlterClause) error {
	changes, err := e.planIndexes(t, clauses)
	if err == nil {
		err = checkTemporary(t)
	}
	if err != nil {
		return err
	}
	if len(changes.added)+len(changes.dropped) == 0 {
		return nil
	}
	rawSQL := "ALTER TABLE " + parser.QuoteIdent(db.Name) + "." + parser.QuoteIdent(t.Name) + " " + strings.Join(changes.clauses, ", ")
	heavy := func(s catalog.SecondaryIndex) bool { return s.Kind != invertedKind }
	if slices.ContainsFunc(changes.added, heavy) || slices.ContainsFunc(changes.dropped, heavy) {
		e.rewriteAll(t, rawSQL, func(t *catalog.Table) { t.Secondary = changes.after })
		return nil
	}
	if len(changes.added) > 0 && len(changes.dropped) > 0 {
		return core.Errorf("Can not alter table when there are both add and drop inverted indexes")
	}
	e.lightIndexes(db, t, changes, rawSQL)
	return nil
}

// planIndexes checks the clauses without changing the table.
func (e *Executor) planIndexes(t *catalog.Table, clauses []parser.AlterClause) (*indexChanges, error) {
	changes := &indexChanges{}
	trial := *t
	trial.Secondary = slices.Clone(t.Secondary)
	for _, clause := range clauses {
		switch c := clause.(type) {
		case *parser.AddIndex:
			if findSecondary(trial.Secondary, c.Index.Name) >= 0 && c.Index.IfNotExists {
				continue
			}
			if err := e.addSecondary(&trial, &c.Index); err != nil {
				return nil, err
			}
			added := trial.Secondary[len(trial.Secondary)-1]
			changes.added = append(changes.added, added)
			changes.clauses = append(changes.clauses, "ADD "+e.quotedIndexText(added))
		case *parser.DropIndex:
			i := findSecondary(trial.Secondary, c.Name)
			if i < 0 && c.IfExists {
				continue
			}
			if i < 0 {
				return nil, core.Errorf("index %s does not exist", c.Name)
			}
			changes.dropped = append(changes.dropped, trial.Secondary[i])
			changes.clauses = append(changes.clauses, "DROP INDEX "+parser.QuoteIdent(c.Name))
			trial.Secondary = slices.Delete(trial.Secondary, i, i+1)
		}
	}
	changes.after = trial.Secondary
	return changes, nil
}

func findSecondary(list []catalog.SecondaryIndex, name string) int {
	return slices.IndexFunc(list, func(s catalog.SecondaryIndex) bool { return strings.EqualFold(s.Name, name) })
}

// quotedIndexText is an index in rawSql: the name quoted, the comment always
// there.
func (e *Executor) quotedIndexText(i catalog.SecondaryIndex) string {
	text := strings.Replace(e.indexText(i), "INDEX "+i.Name, "INDEX "+parser.QuoteIdent(i.Name), 1)
	if i.Comment == "" {
		text += " COMMENT ''"
	}
	return text
}

// lightIndexes changes inverted indexes at once. The files of dropped ones are
// removed by jobs, one a partition.
func (e *Executor) lightIndexes(db *catalog.Database, t *catalog.Table, changes *indexChanges, rawSQL string) {
	drop := len(changes.dropped) > 0
	altered := secondaryRecords(t, append(changes.added, changes.dropped...))
	t.Secondary = changes.after
	t.Indexes[t.BaseIndexID].Schema.Version++
	e.core.SyncTabletSettings(t)
	jobID := e.core.NextID()
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyInvertedIndices,
		Payload: func(int64) any {
			return invertedPayload{
				DBID: db.ID, TableID: t.ID, Schemas: schemaRecords(t, []int64{t.BaseIndexID}), Indexes: secondaryRecord(t),
				Altered: altered, Drop: drop, JobID: jobID, RawSQL: rawSQL,
			}
		},
	})
	e.alters.AddFinished(jobID, t, t.BaseIndexID)
	if drop {
		e.alters.BuildIndex(t, core.Partitions(t), true, e.indexListText("DROP", changes.dropped), altered)
	}
}

// indexListText is what SHOW BUILD INDEX prints of the indexes: each with a comma
// behind it, in one pair of brackets.
func (e *Executor) indexListText(verb string, indexes []catalog.SecondaryIndex) string {
	texts := make([]string, len(indexes))
	for i, index := range indexes {
		texts[i] = verb + " " + e.indexText(index)
	}
	return "[" + strings.Join(texts, ", ") + "], "
}

// buildIndex is BUILD INDEX: a job for each partition (doris-binlogs.md 2.22).
func (e *Executor) buildIndex(_ *catalog.Database, t *catalog.Table, s *parser.BuildIndex) error {
	i := findSecondary(t.Secondary, s.Name)
	switch {
	case len(s.Partitions) > 0 && t.Partitioning.Kind == catalog.Unpartitioned:
		return core.Errorf("table %s is not partitioned, cannot build index with partitions.", t.Name)
	case i < 0:
		return core.Errorf("Index[%s] is not exist in table[%s]", s.Name, t.Name)
	case t.Secondary[i].Kind != invertedKind:
		return core.Errorf("BUILD INDEX operation failed: No need to do it.")
	}
	partitions := core.Partitions(t)
	if len(s.Partitions) > 0 {
		missing := ""
		if partitions, missing = catalog.FindPartitions(t.Partitions, s.Partitions); missing != "" {
			return core.Errorf("Partition %s is not exist in table %s", missing, t.Name)
		}
	}
	index := t.Secondary[i : i+1]
	shown := t.Secondary[i]
	shown.Comment = "" // the statement names the index only
	e.alters.BuildIndex(t, partitions, false, e.indexListText("ADD", []catalog.SecondaryIndex{shown}), secondaryRecords(t, index))
	return nil
}

// cancelAlter is CANCEL ALTER TABLE and CANCEL BUILD INDEX.
func (e *Executor) cancelAlter(currentDB string, s *parser.CancelAlter) error {
	e.core.Lock()
	defer e.core.Unlock()
	_, t, err := e.table(currentDB, s.Table, "ALTER")
	if err != nil {
		return err
	}
	switch s.Kind {
	case parser.IndexJobs:
		if !e.alters.CancelBuilds(t, s.Jobs) {
			return core.Errorf("No job to cancel for Table[%s]", t.Name)
		}
	case parser.RollupJobs:
		if !e.alters.Cancel(t, alter.Rollup, s.Jobs) {
			return core.Errorf("Table[%s] is not under ROLLUP. Use 'ALTER TABLE DROP ROLLUP' if you want to.", t.Name)
		}
	default:
		if !e.alters.Cancel(t, alter.SchemaChange, s.Jobs) {
			return core.Errorf("Table[%s] is not under SCHEMA_CHANGE.", t.Name)
		}
	}
	return nil
}
