package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
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
	stop := v.load(100*time.Millisecond, "busy")

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
	v.nothingElseWasRestored(len(tables))

	// Found and repaired at once.
	v.plant(&tables[0].planted)
	done = v.verify(job.VerifyRequest{Tables: []string{tables[0].name}, Repair: true})
	v.repairsOf(done, tables[:1], job.RepairSuccess)
	require.NoError(t, restoredOnly("of_p2", "p2")(v.ctx, &scene{dst: v.dst, dstDB: v.dstDB}))

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
		if table.name != "gone" { // nobody has counted the rows of that
			require.Positive(v, r.Rows, "%+v", r)
		}
	}
}

func (v *verifying) partialSyncs() int64 {
	v.Helper()
	s, err := v.ccr.Status(v.ctx, v.job)
	require.NoError(v, err)
	return s.PartialSyncs
}

// nothingElseWasRestored looks at the last n restores.
func (v *verifying) nothingElseWasRestored(n int) {
	v.Helper()
	objects, err := column(v.ctx, v.dst, "SHOW RESTORE FROM "+v.dstDB, "RestoreObjs")
	require.NoError(v, err)
	require.GreaterOrEqual(v, len(objects), n)
	for _, o := range objects[len(objects)-n:] {
		require.NotContains(v, o, "busy")
		require.NotContains(v, o, "equal")
	}
}

// A verification and a repair go on when their process dies in the middle, and
// report the same as they would have.
func TestVerifySurvives(t *testing.T) {
	t.Parallel()
	tables := []planted{
		{name: "t1", damage: damages(damaged("drop", "103"))}, {name: "t2"},
		{name: "t3", by: []string{"ALTER TABLE {t} DROP PARTITION p2"}},
	}
	v := newVerifying(newOwnEnv(t, harness.PairOptions{}), "survives", tables)
	for _, p := range tables {
		v.plant(&p)
	}
	request := job.VerifyRequest{Method: job.VerifyRows}
	before := v.verify(request)
	require.Equal(t, 2, before.Different, inText(before))

	killed := v.killedAt(request, "be.scan", 4)
	require.Equal(t, withoutTimes(before), withoutTimes(killed))

	request.Repair, request.DryRun = true, true
	plan := v.verify(request)
	request.DryRun = false
	repaired := v.killedAt(request, "restore.DOWNLOADING", 0)
	require.Zero(t, repaired.Different, inText(repaired))
	require.Equal(t, 2, repaired.Repaired, inText(repaired))
	require.Equal(t, partials(plan), partials(repaired))
	for _, r := range repaired.Repairs {
		require.Equal(t, job.RepairSuccess, r.State, "%+v", r)
	}
	v.awaitEqual(v.job, v.srcDB, v.dstDB)
	v.requireFullSyncs(v.job, 1)
	require.GreaterOrEqual(t, v.partialSyncs(), int64(2))
}

// killedAt begins a verification and kills the process while the destination
// holds it at a point, after so many passes.
func (v *verifying) killedAt(request job.VerifyRequest, point string, skip int) job.VerifyReport {
	v.Helper()
	held, err := v.pair.Destination.Faults().Add(faults.Rule{Point: point, Action: faults.Hold, Skip: skip})
	require.NoError(v, err)
	id, err := v.ccr.Verify(v.ctx, v.job, request)
	require.NoError(v, err)
	v.struckBy(v.pair.Destination, held)
	v.ccr.Kill()
	require.True(v, v.pair.Destination.Faults().Remove(held))
	require.NoError(v, v.ccr.Start(v.ctx))
	report, err := v.ccr.AwaitVerified(v.ctx, v.job, id, catchUp)
	require.NoError(v, err)
	require.Equal(v, job.VerifyDone, report.State, report.Error)
	return report
}

// withoutTimes is what a report says of the tables.
func withoutTimes(report job.VerifyReport) []job.VerifiedTable {
	tables := slices.Clone(report.Tables)
	for i := range tables {
		t := &tables[i]
		t.At, t.Took, t.Position = time.Time{}, 0, 0
		t.RowsRead, t.BytesRead = 0, 0 // what was read in vain counts, too
	}
	return tables
}

// partials are the repairs of a report, by table.
func partials(report job.VerifyReport) map[string][]string {
	all := map[string][]string{}
	for _, r := range report.Repairs {
		all[r.Partial.Table] = r.Partial.Partitions
	}
	return all
}
