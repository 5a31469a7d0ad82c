package ddl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// applyInvertedIndices drops inverted indexes. Added ones come by a snapshot of
// the table: index ids are part of the names of index files, so that they must
// agree (doris-binlogs.md 2.21).
func applyInvertedIndices(a *application) (job.ApplyResult, error) {
	change, err := binlog.DecodeInvertedIndices(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	var names []string
	for _, index := range change.Changed {
		names = append(names, index.Name)
	}
	if !change.Drop {
		return a.replaceTable(change.TableID, "inverted indexes were added: %s", strings.Join(names, ", "))
	}
	return a.onTable(change.TableID, func(table string) (string, error) {
		existing, err := a.names(table, a.j.Destination.SQL.SecondaryIndexes)
		if err != nil {
			return "", err
		}
		var clauses []string
		for _, name := range names {
			if slices.ContainsFunc(existing, func(e string) bool { return strings.EqualFold(e, name) }) {
				clauses = append(clauses, "DROP INDEX "+sqlclient.Quote(name))
			}
		}
		if len(clauses) == 0 {
			return "", nil
		}
		return "ALTER TABLE " + sqlclient.Name(a.j.Spec.Destination.Database, table) + " " + strings.Join(clauses, ", "), nil
	})
}

// applyIndexChange builds indexes for the rows that a partition had before
// (doris-binlogs.md 2.22). Dropped ones need nothing: DROP INDEX did it.
func applyIndexChange(a *application) (job.ApplyResult, error) {
	change, err := binlog.DecodeIndexChangeJob(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	if change.State != binlog.StateFinished || change.Drop || len(change.Changed) == 0 {
		return job.ApplyResult{Summary: fmt.Sprintf("nothing to do: index job of %s is %s", change.TableName, change.State)}, nil
	}
	var result job.ApplyResult
	for _, index := range change.Changed {
		if result, err = a.buildIndex(change, index.Name); err != nil || result.Wanted != nil {
			break
		}
	}
	return result, err
}

// buildIndex builds one index in the partition, or in the table if it has no
// partitions there.
func (a *application) buildIndex(change binlog.IndexChangeJob, index string) (job.ApplyResult, error) {
	build := func(partition string) (job.ApplyResult, error) {
		return a.onTable(change.TableID, func(table string) (string, error) {
			return fmt.Sprintf("BUILD INDEX %s ON %s%s", sqlclient.Quote(index), sqlclient.Name(a.j.Spec.Destination.Database, table), partition), nil
		})
	}
	if change.PartitionName == "" {
		return build("")
	}
	result, err := build(" PARTITION (" + sqlclient.Quote(change.PartitionName) + ")")
	var refused *sqlclient.Error
	if errors.As(err, &refused) && refused.Contains("is not partitioned, cannot build index with partitions") {
		return build("")
	}
	return result, err
}
