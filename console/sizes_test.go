package console

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// TestTablesAreCountedOnDemand: opening the page asks no cluster; with the link both say what they know.
func TestTablesAreCountedOnDemand(t *testing.T) {
	f := withTables()
	b := newSite(t, f, false)
	page := b.get("/console/job?name=good&tab=tables")
	require.Contains(t, page, "&amp;count=1")
	require.Empty(t, f.counted, "nobody has asked")

	f.sizes.Source.Tables = map[string]job.TableSize{"orders": {Rows: 1234567, Bytes: 3 << 29, Changed: time.Now().Add(-5 * time.Hour)}}
	f.sizes.Destination.Error = "destination: no answer"
	page = b.get("/console/job?name=good&tab=tables&count=1")
	require.Equal(t, []job.TableSizesWanted{{Job: "good", Source: []string{"orders"}, Destination: []string{"orders"}}}, f.counted, "a view has no rows")
	for _, text := range []string{"1,234,567", "1.5 GiB", "destination: no answer", "minutes old", "last changed <time", "5 h ago", `data-renew="0"`} {
		require.Contains(t, page, text)
	}

	f.sizesErr = errors.New("no worker")
	require.Contains(t, b.get("/console/job?name=good&tab=tables&count=1"), "no worker")
}

func TestATableOfAnotherNameIsCounted(t *testing.T) {
	f := withTables()
	f.jobs[2].Spec.Destination.Table = "u"
	f.progress["one"] = job.Progress{Tables: map[int64]job.Table{1: {Name: "t"}}}
	b := newSite(t, f, false)
	f.sizes.Destination.Tables = map[string]job.TableSize{"u": {Rows: 4321}}
	require.Contains(t, b.get("/console/job?name=one&tab=tables&count=1"), "4,321")
	require.Equal(t, []string{"u"}, f.counted[0].Destination)
}

func TestTablesTellTheirLastVerification(t *testing.T) {
	f := withTables()
	f.jobs[0].Status.Verified = &job.Verified{Report: "r1"}
	f.report = &job.VerifyReport{ID: "r1", State: job.VerifyDone, EndedAt: time.Now(), Tables: []job.VerifiedTable{{Table: "was-orders", TableID: 7, Outcome: job.VerifyEqual, At: time.Now().Add(-3 * time.Hour)}}}
	page := newSite(t, f, false).get("/console/job?name=good&tab=tables")
	require.Contains(t, page, `class="result equal"`)
	require.Contains(t, page, "3 h ago")
}

func TestHistoryOfSyncs(t *testing.T) {
	f := withTables()
	p := f.progress["good"]
	for _, text := range []string{"full sync starts at commit seq 0: new job", "db sync done, going on after commit seq 7", "partial sync of orders starts at commit seq 9: asked", "paused"} {
		p.Events = append(p.Events, job.Event{Text: text, Level: "info", Sync: text != "paused"})
	}
	f.progress["good"] = p
	page := newSite(t, f, false).get("/console/job?name=good")
	part := page[strings.Index(page, `id="copies"`):strings.Index(page, `id="sides"`)]
	require.Less(t, strings.Index(part, "partial sync of orders"), strings.Index(part, "full sync starts"), "the newest first")
	require.Contains(t, part, "sync done")
	require.NotContains(t, part, "paused")
}

func TestTablesTellTheirLastSnapshot(t *testing.T) {
	f := withTables()
	p := f.progress["good"]
	p.Tables[9] = job.Table{Name: "young"}
	p.Brought = job.Brought{
		Full: &job.FullSnapshot{At: time.Now().Add(-30 * time.Hour), Reason: "new job", Newest: 8}, Before: time.Now().Add(-2 * time.Hour),
		Own: []job.OwnSnapshot{{TableID: 7, At: time.Now().Add(-time.Hour), Reason: "schema change of <orders>"}},
	}
	f.progress["good"] = p
	page := newSite(t, f, false).get("/console/job?name=good&tab=tables")
	rows := strings.Split(page, `<th scope="row">`)
	require.Contains(t, rows[1], "partial sync <time")
	require.Contains(t, rows[1], "schema change of &lt;orders&gt;")
	require.NotContains(t, rows[1], "not remembered")
	require.Contains(t, rows[2], "full sync <time")
	require.Contains(t, rows[2], "or a partial sync that is not remembered any more, before")
	require.Contains(t, rows[3], "its binlogs")
}
