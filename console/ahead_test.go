package console

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// The page that leaves a binlog out shows what it is and what it would do, and works where that
// cannot be found out.
func TestBinlogIsSeenBeforeItIsLeftOut(t *testing.T) {
	f := &fakeBackend{jobs: []Job{makeJob("stuck", stalled)}}
	b := newSite(t, f, false)
	f.ahead = job.BinlogsAhead{LostTo: 77, Binlogs: []job.BinlogSeen{
		{CommitSeq: 101, Type: "TRUNCATE_TABLE", CommittedAt: time.Unix(1_700_000_000, 0).UTC(), Bytes: 12, Tables: []job.BinlogTable{{ID: 10, Name: "orders"}},
			Effect: "runs on the destination what is below", Statements: []string{"TRUNCATE TABLE `d`.`orders`"}, Record: `{"table":"<orders>"}`, Cut: true},
		{CommitSeq: 102, Type: "UPSERT", Effect: "passed over: a snapshot of the table contains it"},
	}}
	const page = "/console/do?action=skip&name=stuck"
	text := b.get(page)
	for _, want := range []string{
		"TRUNCATE_TABLE, commit seq 101, 12 B", "2023-11-14 22:13:20 UTC", "orders (10)", "<code>TRUNCATE TABLE `d`.`orders`</code>",
		"&lt;orders&gt;", "its beginning", "up to commit seq 77", "more=1",
	} {
		require.Contains(t, text, want)
	}
	require.NotContains(t, text, "commit seq 102")
	require.Contains(t, b.get(page+"&more=1"), "commit seq 102")

	require.Contains(t, b.get("/console/job?name=stuck"), "console/binlogs?name=stuck")
	next := b.get("/console/binlogs?name=stuck")
	require.Contains(t, next, "commit seq 101")
	require.Contains(t, next, "commit seq 102")
	require.Equal(t, http.StatusNotFound, b.do(http.MethodGet, "/console/binlogs?name=nobody", nil).Code)

	f.aheadErr = errors.New("no route to host")
	text = b.get(page)
	require.Contains(t, text, "no route to host")
	require.Contains(t, text, `value="101"`)
}
