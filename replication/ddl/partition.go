package ddl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// applyAddPartition adds a partition with the bucket count of the source
// (doris-binlogs.md 2.4).
func applyAddPartition(a *application) (job.ApplyResult, error) {
	add, err := binlog.DecodeAddPartition(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if add.Temporary {
		return applyNothing(a) // its rows come with the snapshot that replaces it
	}
	d := distribution{
		Random:  strings.EqualFold(add.Partition.Distribution.Type, "RANDOM"),
		Buckets: add.Partition.Distribution.BucketNum,
	}
	for _, c := range add.Partition.Distribution.Columns {
		d.Columns = append(d.Columns, c.Name)
	}
	var conflict string
	result, err := a.onTable(add.TableID, func(table string) (statement string, err error) {
		// IF NOT EXISTS is content with any partition of the name.
		if conflict, err = a.otherPartition(add.TableID, add.Partition.ID, add.Partition.Name, table); err != nil || conflict != "" {
			return "", err
		}
		return rewriteAddPartition(add.SQL, a.j.Spec.Destination.Database, table, d)
	})
	if err == nil && conflict != "" {
		return a.bringConflicting(add.TableID, "%s", conflict)
	}
	var refused *sqlclient.Error
	if errors.As(err, &refused) && refused.Contains("is intersected with range") {
		return a.replaceTable(add.TableID, "partition %s does not fit the destination: %s", add.Partition.Name, refused.Message)
	}
	return result, err
}

// applyDropPartition drops a partition (doris-binlogs.md 2.5).
func applyDropPartition(a *application) (job.ApplyResult, error) {
	drop, err := binlog.DecodeDropPartition(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if drop.Temporary {
		return applyNothing(a)
	}
	return a.onTable(drop.TableID, func(table string) (string, error) {
		if drop.PartitionName == "" {
			return "", fmt.Errorf("the DROP_PARTITION record at commit seq %d names no partition", a.rec.CommitSeq)
		}
		statement := fmt.Sprintf("ALTER TABLE %s DROP PARTITION IF EXISTS %s",
			sqlclient.Name(a.j.Spec.Destination.Database, table), sqlclient.Quote(drop.PartitionName))
		if drop.Force {
			statement += " FORCE"
		}
		return statement, nil
	})
}

// applyReplacePartitions brings the new content of partitions by a snapshot
// (doris-binlogs.md 2.14): of those partitions alone where their names and
// ranges stay, else of the table.
func applyReplacePartitions(a *application) (job.ApplyResult, error) {
	replace, err := binlog.DecodeReplacePartitions(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	id := replace.TableID
	if a.containedIn(id) {
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	}
	table, _, err := a.j.Source.TableByID(a.ctx, id)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if table == nil || table.AsyncView() {
		return ignored()
	}
	destination, err := a.destinationTable(id)
	if errors.Is(err, errNotReplicated) {
		return ignored()
	}
	if err != nil {
		return job.ApplyResult{}, err
	}
	unpartitioned := len(replace.Partitions) == 1 && slices.Contains(replace.Partitions, replace.TableName)
	if !replace.StrictRange || replace.UseTempName || unpartitioned || len(replace.Partitions) == 0 || destination != table.Name {
		return a.replaceTable(id, "partitions of %s were replaced: %s", table.Name, strings.Join(replace.Partitions, ", "))
	}
	if gone := missing(table, replace.Partitions); gone != "" {
		// BACKUP would say so: one snapshot does instead of two.
		return a.replaceTable(id, "partitions of %s were replaced, and %s is gone since", table.Name, gone)
	}
	return job.ApplyResult{Wanted: &job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: id, Table: table.Name, Partitions: replace.Partitions},
		Reason:  fmt.Sprintf("partitions of %s were replaced: %s", table.Name, strings.Join(replace.Partitions, ", ")),
	}}, nil
}

// missing is the first of the names that no formal partition of the table has,
// "" if all are there.
func missing(table *meta.Table, names []string) string {
	for _, name := range names {
		if !slices.ContainsFunc(table.Partitions, func(p *meta.Partition) bool { return p.Name == name && !p.Temporary }) {
			return name
		}
	}
	return ""
}

// applyTruncate empties a table or some of its partitions (doris-binlogs.md
// 2.15). Partitions that a later snapshot has filled must not be emptied: then
// the whole table is brought anew.
func applyTruncate(a *application) (job.ApplyResult, error) {
	truncate, err := binlog.DecodeTruncate(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	for id := range truncate.OldPartitions {
		if a.rec.CommitSeq <= a.p.Partitions[id] {
			return a.replaceTable(truncate.TableID, "TRUNCATE of a partition that a snapshot has filled since")
		}
	}
	result, err := a.onTable(truncate.TableID, func(table string) (string, error) {
		statement := "TRUNCATE TABLE " + sqlclient.Name(a.j.Spec.Destination.Database, table)
		if !truncate.EntireTable && truncate.RawSQL != "" {
			statement += " " + truncate.RawSQL
		}
		return statement, nil
	})
	if errors.Is(err, sqlclient.ErrUnknownPartition) {
		return a.replaceTable(truncate.TableID, "TRUNCATE of a partition that the destination does not have: %v", err)
	}
	return result, err
}
