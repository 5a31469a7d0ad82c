package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// mortals are the processes of a small installation: each can die by itself.
type mortals struct {
	*harness.Fleet
	temporal *harness.Process
}

// newMortalEnv starts two clusters and a Temporal, an API server and a worker.
func newMortalEnv(t *testing.T) (*env, *mortals) {
	e := clusters(t, harness.PairOptions{})
	dir := t.TempDir()
	temporal, address, err := harness.StartEmbeddedTemporal(e.ctx, dir, "")
	require.NoError(t, err)
	m := &mortals{temporal: temporal}
	t.Cleanup(func() { m.temporal.Kill() })
	m.Fleet = newFleet(e, dir, address)
	require.NoError(t, m.AddAPI(e.ctx))
	require.NoError(t, m.AddWorker(e.ctx, "--heartbeat-timeout", "4s"))
	e.ccr = m.APIs[0].CCR
	return e, m
}

// A death kills processes and returns what starts them again.
type death func(*verifying) (revive func())

func (m *mortals) temporalDies(v *verifying) (revive func()) {
	m.temporal.Kill()
	return func() {
		temporal, err := harness.StartEmbeddedTemporalAt(v.ctx, m.Dir, m.Temporal, "")
		require.NoError(v, err)
		m.temporal = temporal
	}
}

func (m *mortals) workerDies(v *verifying) (revive func()) {
	m.Workers[0].Kill()
	return func() { require.NoError(v, m.Workers[0].Start(v.ctx)) }
}

func (m *mortals) apiDies(v *verifying) (revive func()) {
	m.APIs[0].Member.Kill()
	return func() { require.NoError(v, m.APIs[0].Member.Start(v.ctx)) }
}

// allDie is what the death of a ccr-standalone is.
func (m *mortals) allDie(v *verifying) (revive func()) {
	temporal, worker, api := m.temporalDies(v), m.workerDies(v), m.apiDies(v)
	return func() {
		temporal()
		worker()
		api()
	}
}

// A verification and a repair go on when Temporal, their worker, the API server or all
// of them die in the middle, and report the same as they would have.
func TestVerifySurvives(t *testing.T) {
	t.Parallel()
	tables := []planted{
		{name: "t1", damage: damages(damaged("drop", "103"))}, {name: "t2"},
		{name: "t3", by: []string{"ALTER TABLE {t} DROP PARTITION p2"}},
	}
	e, m := newMortalEnv(t)
	v := newVerifying(e, "survives", tables)
	for _, p := range tables {
		v.plant(&p)
	}
	request := job.VerifyRequest{Method: job.VerifyRows}
	before := v.verify(request)
	require.Equal(t, 2, before.Different, inText(before))

	killed := v.killedAt("be.scan", request, m.temporalDies, m.workerDies, m.apiDies)
	require.Equal(t, withoutTimes(before), withoutTimes(killed))

	request.Repair = true
	repaired := v.killedAt("restore.DOWNLOADING", request, m.temporalDies, m.allDie)
	require.Zero(t, repaired.Different, inText(repaired))
	require.Equal(t, 2, repaired.Repaired, inText(repaired))
	v.repairsOf(repaired, []repairedTable{{tables[0], []string{"p2"}}, {tables[2], nil}}, job.RepairSuccess)
	v.awaitEqual(v.job, v.srcDB, v.dstDB)
	v.requireFullSyncs(v.job, 1)
	require.GreaterOrEqual(t, v.partialSyncs(), int64(2))
}

// killedAt begins a verification. One after the other dies while the destination holds
// it at a point, and comes back when the destination has gone on.
func (v *verifying) killedAt(point string, request job.VerifyRequest, deaths ...death) job.VerifyReport {
	v.Helper()
	hold := func() int {
		held, err := v.pair.Destination.Faults().Add(faults.Rule{Point: point, Action: faults.Hold, Count: 1})
		require.NoError(v, err)
		return held
	}
	held := hold()
	id, err := v.ccr.Verify(v.ctx, v.job, request)
	require.NoError(v, err)
	for i, dies := range deaths {
		v.struckBy(v.pair.Destination, held)
		revive, next := dies(v), 0
		if i+1 < len(deaths) {
			next = hold() // before the last is over: it is sure to be met
		}
		require.True(v, v.pair.Destination.Faults().Remove(held))
		held = next
		revive()
	}
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
