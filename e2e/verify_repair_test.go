package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// repairedTable is a table that is different, and what its repair copies: partitions,
// or nil for the whole table.
type repairedTable struct {
	planted
	partitions []string
}

func repairedTables() []repairedTable {
	return []repairedTable{
		{planted{name: "of_p2", damage: damages(damaged("drop", "103"))}, []string{"p2"}},
		{planted{name: "of_p1_and_p2", create: strings.Replace(twoPartitions, `LESS THAN ("200"))`, `LESS THAN ("200"), PARTITION p3 VALUES LESS THAN ("300"))`, 1),
			damage: damages(changed("3", "v", "w"), damaged("double", "103"))}, []string{"p1", "p2"}},
		{planted{name: "unpartitioned", create: `(id INT, v VARCHAR(40), n INT) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
			damage: damages(damaged("drop", "103"))}, nil},
		{planted{name: "other_column", by: []string{"ALTER TABLE {t} ADD COLUMN more INT"}}, nil},
		{planted{name: "gone", by: []string{"DROP TABLE {t} FORCE"}}, nil},
	}
}

// A repair copies what differs and nothing else, and both sides are equal then.
// A dry run says what it would be. Never is there a full sync.
func TestVerifyRepair(t *testing.T) {
	t.Parallel()
	tables := repairedTables()
	all := []planted{{name: "equal"}}
	for _, table := range tables {
		all = append(all, table.planted)
	}
	v := newVerifying(newEnv(t, harness.PairOptions{}), "repair", all)
	for _, table := range tables {
		v.plant(&table.planted)
	}
	stop := v.load(8*time.Second, "busy")

	plan := v.verify(job.VerifyRequest{Repair: true, DryRun: true})
	require.Equal(t, len(tables), plan.Different, inText(plan))
	v.repairsOf(plan, tables, job.RepairPlanned)
	require.Zero(t, v.partialSyncs(), "a dry run orders nothing")

	id, err := v.ccr.Repair(v.ctx, v.job, plan.ID, false)
	require.NoError(t, err)
	done, err := v.ccr.AwaitVerified(v.ctx, v.job, id, catchUp)
	require.NoError(t, err)
	require.Equal(t, job.VerifyDone, done.State, done.Error)
	v.repairsOf(done, tables, job.RepairSuccess)
	require.Zero(t, done.Different, inText(done))
	require.Equal(t, len(tables), done.Repaired, inText(done))
	require.Equal(t, int64(len(tables)), v.partialSyncs(), "one for each table")
	v.onlyRestored(tables)
	v.awaitTold(done)

	require.NoError(t, stop())
	v.awaitEqual(v.job, v.srcDB, v.dstDB)
	last := v.verify(job.VerifyRequest{Method: job.VerifyRows})
	require.Equal(t, "equal", last.Result(), inText(last))
	v.requireFullSyncs(v.job, 1)
}

// repairsOf requires that a report has exactly the repairs of these tables, each
// of what differs.
func (v *verifying) repairsOf(report job.VerifyReport, tables []repairedTable, state string) {
	v.Helper()
	require.Len(v, report.Repairs, len(tables), "%+v", report.Repairs)
	for _, table := range tables {
		at := slices.IndexFunc(report.Repairs, func(r job.Repair) bool { return r.Partial.Table == table.name })
		require.GreaterOrEqual(v, at, 0, "no repair of %s: %+v", table.name, report.Repairs)
		r := report.Repairs[at]
		require.Equal(v, state, r.State, "%+v", r)
		require.ElementsMatch(v, table.partitions, r.Partial.Partitions, "%+v", r)
		require.Positive(v, r.Rows, "%+v", r)
		require.Positive(v, r.Bytes, "%+v", r)
	}
}

func (v *verifying) partialSyncs() int64 {
	v.Helper()
	s, err := v.ccr.Status(v.ctx, v.job)
	require.NoError(v, err)
	return s.PartialSyncs
}

// onlyRestored looks at the last restores: one for each table, of the partitions that
// differ.
func (v *verifying) onlyRestored(tables []repairedTable) {
	v.Helper()
	objects, err := column(v.ctx, v.dst, "SHOW RESTORE FROM "+v.dstDB, "RestoreObjs")
	require.NoError(v, err)
	require.GreaterOrEqual(v, len(objects), len(tables))
	objects = objects[len(objects)-len(tables):]
	for _, o := range objects {
		require.NotContains(v, o, "busy")
		require.NotContains(v, o, "equal")
	}
	for _, table := range tables {
		at := slices.IndexFunc(objects, func(o string) bool { return strings.Contains(o, table.name) })
		require.GreaterOrEqual(v, at, 0, "%s was not restored: %v", table.name, objects)
		for _, p := range []string{"p1", "p2", "p3"} {
			if table.partitions != nil && slices.Contains(table.partitions, p) != strings.Contains(objects[at], `"`+p+`"`) {
				v.Errorf("of %s were restored: %s, not partitions %v", table.name, objects[at], table.partitions)
			}
		}
	}
}

// awaitTold waits until job_status tells of the repairs.
func (v *verifying) awaitTold(report job.VerifyReport) {
	v.Helper()
	require.NoError(v, harness.Await(v.ctx, catchUp, func(ctx context.Context) error {
		reply, err := v.ccr.Call(ctx, "job_status", map[string]any{"name": v.job})
		if err != nil {
			return err
		}
		told, _ := find(reply, "verified").(map[string]any)
		if got := fmt.Sprintf("%v %v %v", told["report"], told["result"], told["repaired"]); got != fmt.Sprintf("%s equal %d", report.ID, report.Repaired) {
			return fmt.Errorf("the job was told %s", got)
		}
		return nil
	}))
}
