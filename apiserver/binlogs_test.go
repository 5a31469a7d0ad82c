package apiserver

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// A look begins at the binlog at which the job stands, at the next, or at the one that is named.
func TestJobBinlogs(t *testing.T) {
	t.Parallel()
	f := newFake()
	stuck := f.add("stuck", func(j *fakeJob) {
		j.progress.Position.CommitSeq = 100
		j.progress.Problem = &job.Problem{Text: "refused", CommitSeq: 105}
	})
	s := newServer(t, f, nil)
	f.ahead = job.BinlogsAhead{Binlogs: []job.BinlogSeen{{CommitSeq: 105, Type: "UPSERT", Effect: "copies", Bytes: 3}}}
	require.Contains(t, ask(s, "/job_binlogs", `{"name":"stuck"}`).Body.String(), `"effect":"copies"`)
	f.with(func() { stuck.progress.Problem = nil })
	s.answers.forget()
	require.Equal(t, http.StatusOK, askBy(s, "GET", "/jobs/stuck/binlogs?limit=20", "").Code)
	require.Equal(t, http.StatusOK, askBy(s, "GET", "/jobs/stuck/binlogs?commit_seq=777", "").Code)
	require.Equal(t, []job.BinlogsWanted{
		{Job: "stuck", After: 104, Limit: 1}, {Job: "stuck", After: 100, Limit: 20}, {Job: "stuck", After: 776, Limit: 1},
	}, f.aheads)

	for _, query := range []string{"limit=21", "limit=x", "commit_seq=-1"} {
		require.Equal(t, http.StatusUnprocessableEntity, askBy(s, "GET", "/jobs/stuck/binlogs?"+query, "").Code, query)
	}
	require.Equal(t, http.StatusNotFound, askBy(s, "GET", "/jobs/other/binlogs", "").Code)
	f.ahead = job.BinlogsAhead{Error: "no route to host"}
	s.answers.forget()
	rec := askBy(s, "GET", "/jobs/stuck/binlogs", "")
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	require.Contains(t, rec.Body.String(), "no route to host")
}
