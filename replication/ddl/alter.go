package ddl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// applyAlterJob keeps the books of heavy schema changes and rollups; a finished
// one is brought by a snapshot of the table (doris-binlogs.md 2.7). The books are
// kept for contained binlogs as well.
func applyAlterJob(a *application) (job.ApplyResult, error) {
	alter, err := binlog.DecodeAlterJob(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	shadows := maps.Clone(a.p.ShadowIndexes)
	if shadows == nil {
		shadows = map[int64]int64{}
	}
	over := alter.State == binlog.StateFinished || alter.State == binlog.StateCancelled
	origins := alter.Origins()
	if alter.Type == binlog.AlterRollup && alter.RollupIndexID == 0 && alter.JobID > 0 {
		origins[pair.RunningRollup(alter.JobID)] = alter.TableID
	}
	for shadow, origin := range origins {
		if over {
			delete(shadows, shadow)
		} else {
			shadows[shadow] = origin
		}
	}
	result := job.ApplyResult{Summary: fmt.Sprintf("%s of %s: %s", alter.Type, alter.TableName, alter.State)}
	features := a.j.Options.Features
	switch {
	case alter.Type == binlog.AlterRollup && features.SkipRollupBinlogs && !a.containedIn(alter.TableID):
		result.Summary = fmt.Sprintf("ignored by feature_skip_rollup_binlogs: %s", result.Summary)
		if alter.State == binlog.StateFinished {
			for rollup := range alter.Origins() {
				shadows[rollup] = pair.ExcludedRollup // its loads are passed over for good
			}
		}
	case alter.State == binlog.StateFinished:
		result, err = a.replaceTable(alter.TableID, "%s of table %s finished", alter.Type, alter.TableName)
		if want := wantedBy(err); want != nil {
			if !features.SchemaChangePartialSync {
				want.Partial = nil
			}
			result, err = job.ApplyResult{Wanted: want}, nil
		}
	}
	result.ShadowIndexes, result.SetShadowIndexes = shadows, true
	return result, err
}

// wantedBy is the snapshot that an error asks for, nil if it does not.
func wantedBy(err error) *job.SnapshotWanted {
	if want, ok := err.(*problem.WantSnapshot); ok {
		return &want.Wanted
	}
	return nil
}

// applyRecover brings a recovered table, or the table of a recovered partition,
// by a snapshot (doris-binlogs.md 2.25). A table that was found gone is there
// again, and brings what the job has passed over since.
func applyRecover(a *application) (job.ApplyResult, error) {
	recovered, err := binlog.DecodeRecover(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	what := "table " + recovered.TableName
	if recovered.PartitionID > 0 {
		what = fmt.Sprintf("partition %s of table %s", recovered.PartitionName, recovered.TableName)
	}
	if a.p.Tables[recovered.TableID].Gone {
		return a.bringTable(recovered.TableID, "%s was recovered", what)
	}
	return a.replaceTable(recovered.TableID, "%s was recovered", what)
}

// unsyncedProperties are never replayed: each side has its own (doris-binlogs.md
// 2.11).
var unsyncedProperties = []string{
	"binlog.enable", "light_schema_change", "dynamic_partition.enable", "colocate_with", "storage_policy",
	"replication_num", "replication_allocation", "is_being_synced", "dynamic_partition.storage_policy",
}

// applyTableProperty replays ALTER TABLE SET. Doris takes one property, or one
// family of them, in a statement. A property that the destination, being older,
// does not know says nothing about its rows: the job tells of it and goes on.
func applyTableProperty(a *application) (job.ApplyResult, error) {
	set, err := binlog.DecodeTableProperty(a.rec.Data)
	if err != nil {
		return job.ApplyResult{}, err
	}
	groups := propertyGroups(set.Properties)
	if len(groups) == 0 {
		return job.ApplyResult{Summary: "nothing to do: only properties that each side has for itself"}, nil
	}
	var result job.ApplyResult
	var unknown []string
	for _, group := range groups {
		result, err = a.onTable(set.TableID, func(table string) (string, error) {
			return fmt.Sprintf("ALTER TABLE %s SET (%s)", sqlclient.Name(a.j.Spec.Destination.Database, table), group), nil
		})
		var refused *sqlclient.Error
		switch {
		case errors.As(err, &refused) && refused.Contains("Unknown table property"):
			unknown = append(unknown, refused.Error())
			result.Summary = "not set: " + group
		case err != nil:
			return result, err
		}
	}
	result.Refused = strings.Join(unknown, "; ")
	return result, nil
}

// propertyGroups renders the properties to replay, one text for each statement.
func propertyGroups(properties map[string]string) []string {
	families := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(unsyncedProperties, key) {
			continue
		}
		family := key
		for _, prefix := range []string{"dynamic_partition.", "binlog."} {
			if strings.HasPrefix(key, prefix) {
				family = prefix
			}
		}
		families[family] = append(families[family], sqlclient.QuoteString(key)+" = "+sqlclient.QuoteString(properties[key]))
	}
	groups := make([]string, 0, len(families))
	for _, family := range slices.Sorted(maps.Keys(families)) {
		groups = append(groups, strings.Join(families[family], ", "))
	}
	return groups
}
