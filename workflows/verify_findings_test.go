package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// names are the tables of findings.
func names(found []job.VerifyFinding) (list []string) {
	for _, f := range found {
		list = append(list, f.Table)
	}
	return list
}

func TestVerifySettlesWhatEarlierOnesHaveFound(t *testing.T) {
	b := newVerifyBench(t)
	b.earlier = []job.VerifyFinding{{Table: "a", TableID: 11}, {Table: "b", TableID: 12}, {Table: "gone", TableID: 5}, {Table: "c", TableID: 13, Partitions: []string{"p1"}}}
	b.found["b"] = []job.VerifiedTable{{Outcome: job.VerifyBusy}}
	b.found["c"] = []job.VerifiedTable{differs("p1")}
	b.report(job.VerifyInput{Request: job.VerifyRequest{Method: job.VerifyChecksum}})
	require.Equal(t, []string{"gone", "a"}, names(b.settled), "nothing is known of b")
	require.Equal(t, []string{"c"}, names(b.told[0].StillDifferent))
	require.Equal(t, b.ask().ID, b.told[0].StillDifferent[0].Report)

	some := newVerifyBench(t)
	some.earlier = b.earlier
	some.report(job.VerifyInput{Request: job.VerifyRequest{Tables: []string{"a"}}})
	require.NotContains(t, names(some.settled), "gone", "nobody has asked for it")

	counts := newVerifyBench(t)
	counts.earlier = []job.VerifyFinding{{Table: "a", TableID: 11, Method: job.VerifyRows}}
	counts.report(job.VerifyInput{Request: job.VerifyRequest{Method: job.VerifyCount}})
	require.Empty(t, counts.settled)
}

func TestVerifyRemembersFindingsOverContinueAsNew(t *testing.T) {
	b := newVerifyBench(t)
	b.earlier = []job.VerifyFinding{{Table: "a", TableID: 11}, {Table: "c", TableID: 13}}
	b.at(90*time.Second, func() { b.SetContinueAsNewSuggested(true) })
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, b.run(job.VerifyInput{Schedule: &job.VerifySchedule{Every: time.Hour}}), &next)
	var in job.VerifyInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(next.Input, &in))
	require.NotNil(t, in.Schedule)
	rest := newVerifyBench(t)
	rest.report(in)
	require.Equal(t, []string{"a", "c"}, names(rest.settled))
}

// A repair that was ordered by an older report takes back what that had found.
func TestARepairSettlesWhatItRepairs(t *testing.T) {
	b := newVerifyBench(t)
	found := differs("p1")
	found.Table, found.TableID = "b", 12
	other := differs("p1")
	other.Table, other.TableID = "c", 13
	b.found["c"] = []job.VerifiedTable{differs("p1")}
	b.report(job.VerifyInput{Request: job.VerifyRequest{Repair: true}, Found: []job.VerifiedTable{found, other}, Of: "older"})
	require.Equal(t, []string{"b"}, names(b.settled))
	require.Equal(t, []string{"c"}, names(b.told[0].StillDifferent))
}

// What one verification has found is told until another one finds it equal, even if
// one of other tables comes in between; or until the table is dropped.
func TestFindingsAreToldUntilTheyAreSettled(t *testing.T) {
	b := newBench(t)
	b.idle()
	first := job.Verified{Result: "different", Different: 3, StillDifferent: []job.VerifyFinding{{Table: "orders", TableID: 11}, {Table: "foreign", TableID: 99}, {Table: "copy"}}}
	other := job.Verified{Result: "equal", Equal: 1}
	repaired := job.Verified{Result: "equal", Repaired: 1}
	for i, c := range []job.Command{{Verified: &first}, {Verified: &other}, {Verified: &repaired, Settled: []job.VerifyFinding{{Table: "orders", TableID: 11}}}} {
		b.signal(time.Duration(i+1)*time.Minute, job.SignalVerified, c)
	}
	told := func(text string, want ...string) func() {
		return func() {
			v := b.status().Verified
			require.Equal(t, want, names(v.StillDifferent))
			require.Equal(t, len(want), v.CountDifferent())
			require.Contains(t, b.events(), text)
		}
	}
	b.at(90*time.Second, told("warn verified: different", "orders", "foreign", "copy"))
	b.at(150*time.Second, told("0 cannot be compared; 3 that differed in earlier ones are not known to be equal", "orders", "foreign", "copy"))
	b.at(210*time.Second, told("1 were repaired", "foreign", "copy"))
	b.deleteAt(4 * time.Minute)
	b.mustRun()
}

func TestFindingsOfDroppedTables(t *testing.T) {
	found := []job.VerifyFinding{{Table: "a", TableID: 11}, {Table: "dropped", TableID: 12}, {Table: "vanished", TableID: 13}, {Table: "copy"}}
	r := &run{p: job.Progress{Phase: job.PhaseStream, Tables: map[int64]job.Table{11: {}, 13: {Gone: true}}, Verified: &job.Verified{StillDifferent: found}}}
	require.Equal(t, []string{"a", "copy"}, names(r.verified().StillDifferent))
	require.Len(t, r.p.Verified.StillDifferent, 4)
	r.p.Phase = job.PhaseRestore
	require.Len(t, r.verified().StillDifferent, 4, "tables are on their way")
}
