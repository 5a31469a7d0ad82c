package apiserver

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// newVerified has the job db1 of a database, tab1 of a table, and off, which is deleted.
func newVerified(t *testing.T) (*fakeTemporal, *Server) {
	t.Helper()
	f := newFake()
	f.add("db1", nil)
	f.add("tab1", func(j *fakeJob) { j.spec.Source.Table, j.spec.Destination.Table = "t", "t" })
	f.add("off", func(j *fakeJob) { j.closed = true })
	return f, newServer(t, f, nil)
}

// errorOf is the error_msg of an operators' reply, "" for a success.
func errorOf(t *testing.T, s *Server, path, body string) string {
	t.Helper()
	var reply base
	rec := ask(s, path, body)
	require.Equal(t, http.StatusOK, rec.Code)
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &reply), rec.Body.String())
	require.Equal(t, reply.ErrorMsg == "", reply.Success)
	return reply.ErrorMsg
}

func TestVerifyStartsOneAtATime(t *testing.T) {
	f, s := newVerified(t)
	require.Equal(t, `{"success":true,"report":"run1"}`,
		ask(s, "/verify", `{"name":"db1","tables":["o*"],"method":"ROWS","repair":true,"rate":5,"byte_rate":6,"query_timeout":"15m"}`).Body.String())
	require.Equal(t, job.VerifyRequest{Tables: []string{"o*"}, Method: job.VerifyRows, Repair: true, Rate: 5, ByteRate: 6, MaxRows: 100, QueryTimeout: 15 * time.Minute}, f.verifications[0].Request)
	require.Equal(t, "db1", f.verifications[0].Job)
	require.NotEmpty(t, f.verifications[0].By)
	require.Equal(t, "a verification of job db1 is under way already: verify_status shows it, verify_cancel ends it", errorOf(t, s, "/verify", `{"name":"db1"}`))
	requireProblem(t, askBy(s, "POST", "/jobs/db1/verification", `{}`), http.StatusConflict, "under way already")
	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"tab1","partitions":["p1"]}`))
	require.Len(t, f.verifications, 2)
}

func TestVerifyRefusals(t *testing.T) {
	f, s := newVerified(t)
	for body, text := range map[string]string{
		`{}`:                                "name is empty",
		`{"name":"off"}`:                    "job off not exist",
		`{"name":"db1","method":"md5"}`:     `[normal] there is no method "md5": it is one of count, checksum, checksum_columns, rows`,
		`{"name":"tab1","tables":["t"]}`:    "[normal] tables is for database jobs; this job replicates a single table, and that is what is verified",
		`{"name":"db1","partitions":["p"]}`: "[normal] partitions need exactly one table: name it in tables, without * and ?",
		`{"name":"db1","tables":["a*"],"partitions":["p"]}`:                 "[normal] partitions need exactly one table: name it in tables, without * and ?",
		`{"name":"db1","tables":["db.t"]}`:                                  `[normal] tables: the pattern "db.t" is not one of a table name alone (no database, no quotes)`,
		`{"name":"db1","max_rows":99999}`:                                   "[normal] max_rows is 99999: it has to be from 1 to 10000",
		`{"name":"db1","rate":-1}`:                                          "[normal] rate, byte_rate, mem_limit and query_timeout must not be negative; 0 is no bound",
		`{"name":"db1","byte_rate":-1}`:                                     "[normal] rate, byte_rate, mem_limit and query_timeout must not be negative; 0 is no bound",
		`{"name":"db1","query_timeout":"soon"}`:                             `[normal] query_timeout is "soon": it has to be a length of time like "90s", "15m" or "24h"`,
		`{"name":"db1","every":"5s"}`:                                       "[normal] every is 5s: it has to be 1m0s at least",
		`{"name":"db1","every":"24h","jitter":"24h"}`:                       "[normal] jitter is 24h0m0s: it has to be less than every",
		`{"name":"db1","every":"24h","window":"night"}`:                     `[normal] window is "night": it has to be a part of the day in UTC, like "01:00-05:00"`,
		`{"name":"db1","every":"7h","window":"01:00-05:00"}`:                "[normal] every is 7h0m0s: with a window it has to be a part of a day, or whole days, or it would begin at another time each day",
		`{"name":"db1","every":"24h","jitter":"5h","window":"01:00-05:00"}`: "[normal] jitter is 5h0m0s: the window has only 4h0m0s",
	} {
		require.Equal(t, text, errorOf(t, s, "/verify", body), body)
	}
	require.Empty(t, f.verifications)
	require.Empty(t, f.schedules)
	requireProblem(t, askBy(s, "POST", "/jobs/db1/verification", `{"method":"md5"}`), http.StatusUnprocessableEntity, "it is one of count")
	requireProblem(t, askBy(s, "POST", "/jobs/db1/verification", `{"methd":"rows"}`), http.StatusBadRequest, "methd")
	for _, path := range []string{"/verify_pause", "/verify_resume", "/verify_cancel"} {
		require.Equal(t, "no verification of job db1 is running: verify starts one, verify_status shows the last", errorOf(t, s, path, `{"name":"db1"}`), path)
		require.Equal(t, "job off not exist", errorOf(t, s, path, `{"name":"off"}`), path)
	}
}

func TestVerifyStatus(t *testing.T) {
	f, s := newVerified(t)
	require.Equal(t, `{"success":true}`, ask(s, "/verify_status", `{"name":"db1"}`).Body.String())
	require.Equal(t, "not verified yet\n", ask(s, "/verify_status", `{"name":"db1","format":"text"}`).Body.String())
	require.Equal(t, `[normal] there is no format "xml": it is json or text`, errorOf(t, s, "/verify_status", `{"name":"db1","format":"xml"}`))
	require.Contains(t, errorOf(t, s, "/verify_status", `{"name":"db1","report":"r9"}`), "there is no such verification")
	requireProblem(t, askBy(s, "GET", "/jobs/db1/verification?report=r9", ""), http.StatusNotFound, "there is no such verification")

	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1"}`))
	v := f.jobs[job.VerifyWorkflowID("db1")]
	f.with(func() {
		v.report.Doing, v.report.Total = "orders", 3
		v.activity = job.ActivityVerifyTable
		v.beat = &job.Heartbeat{Verifying: &job.Verifying{Table: "orders", Of: 10, Done: make([]job.VerifiedPartition, 4)}}
	})
	var reply verifyReply
	require.NoError(t, json.Unmarshal(ask(s, "/verify_status", `{"name":"db1"}`).Body.Bytes(), &reply))
	require.Equal(t, "orders (4 of 10 partitions)", reply.Report.Doing)
	require.Empty(t, reply.Result, "it has not ended")

	f.with(func() {
		v.closed, v.activity = true, ""
		v.report.State, v.report.EndedAt, v.report.Different, v.report.Doing = job.VerifyDone, time.Unix(1_800_000_000, 0), 1, ""
		v.report.Tables = []job.VerifiedTable{{Table: "orders", TableID: 11, Outcome: job.VerifyDifferent, Differences: []job.VerifyDifference{{Kind: "rows", Partition: "p1", Buckets: []int{3, 4}, Text: "the source has 3 rows, the destination 2"}}}}
	})
	reply = verifyReply{}
	require.NoError(t, json.Unmarshal(askBy(s, "GET", "/jobs/db1/verification", "").Body.Bytes(), &reply.verifyObject))
	require.Equal(t, "different", reply.Result)
	text := ask(s, "/verify_status", `{"name":"db1","format":"text"}`).Body.String()
	require.Contains(t, text, "orders: different\n  rows, partition p1, buckets 3 4: the source has 3 rows, the destination 2\n")
}

func TestVerifyIsSteered(t *testing.T) {
	f, s := newVerified(t)
	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1"}`))
	v := f.jobs[job.VerifyWorkflowID("db1")]
	v.onSignal = func(j *fakeJob, name string, _ job.Command) {
		switch name {
		case job.SignalPause:
			j.report.State = job.VerifyPaused
		case job.SignalResume:
			j.report.State = job.VerifyRunning
		case job.SignalVerifyCancel:
			j.report.State, j.report.EndedAt, j.closed = job.VerifyCancelled, time.Unix(1, 0), true
		}
	}
	require.Equal(t, "", errorOf(t, s, "/verify_pause", `{"name":"db1"}`))
	require.Equal(t, job.VerifyPaused, v.report.State)
	require.Equal(t, http.StatusNoContent, askBy(s, "POST", "/jobs/db1/verification/resume", "").Code)
	require.Equal(t, job.VerifyRunning, v.report.State)
	require.Equal(t, http.StatusNoContent, askBy(s, "DELETE", "/jobs/db1/verification", "").Code)
	require.Equal(t, job.VerifyCancelled, v.report.State)
	require.Contains(t, errorOf(t, s, "/verify_cancel", `{"name":"db1"}`), "no verification of job db1 is running")
}

func TestRepairTakesWhatWasFound(t *testing.T) {
	f, s := newVerified(t)
	require.Contains(t, errorOf(t, s, "/repair", `{"name":"db1"}`), "there is no such verification")
	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1","tables":["o"],"partitions":["p1"]}`))
	require.Contains(t, errorOf(t, s, "/repair", `{"name":"db1"}`), "is under way: wait for its end")
	v := f.jobs[job.VerifyWorkflowID("db1")]
	end := func(tables ...job.VerifiedTable) {
		f.with(func() {
			v.closed, v.report.State, v.report.EndedAt, v.report.Tables = true, job.VerifyDone, time.Unix(1, 0), tables
		})
	}
	end(job.VerifiedTable{Table: "a", Outcome: job.VerifyEqual})
	require.Contains(t, errorOf(t, s, "/repair", `{"name":"db1"}`), "has left nothing to repair")
	end(job.VerifiedTable{Table: "a", Outcome: job.VerifyEqual}, job.VerifiedTable{Table: "o", TableID: 4, Outcome: job.VerifyDifferent})
	require.Equal(t, http.StatusOK, askBy(s, "POST", "/jobs/db1/repair", `{"report":"run1","dry_run":true}`).Code)
	in := f.verifications[1]
	require.Equal(t, "run1", in.Of)
	require.Equal(t, []string{"p1"}, in.Request.Partitions, "nothing else was compared")
	require.True(t, in.Request.Repair && in.Request.DryRun)
	require.Len(t, in.Found, 1)
	require.Equal(t, "o", in.Found[0].Table)
}

func TestVerifyRegularly(t *testing.T) {
	f, s := newVerified(t)
	var reply startedReply
	require.NoError(t, json.Unmarshal(ask(s, "/verify", `{"name":"db1","every":"24h","window":"01:30-05:00","jitter":"1h","tables":["o"]}`).Body.Bytes(), &reply))
	require.True(t, reply.Success)
	require.Empty(t, f.verifications, "not now")
	require.Equal(t, "24h0m0s", reply.Schedule.Every)
	require.Equal(t, []string{"o"}, reply.Schedule.Request.Tables)
	o := f.schedules[job.VerifyScheduleID("db1")]
	require.Equal(t, []client.ScheduleIntervalSpec{{Every: 24 * time.Hour, Offset: 90 * time.Minute}}, o.Spec.Intervals)
	require.Equal(t, time.Hour, o.Spec.Jitter)

	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1","every":"6h"}`))
	o = f.schedules[job.VerifyScheduleID("db1")]
	require.Equal(t, 6*time.Hour, o.Spec.Intervals[0].Every)
	require.Empty(t, o.Spec.Skip)
	text := ask(s, "/verify_status", `{"name":"db1","format":"text"}`).Body.String()
	require.Contains(t, text, "verified every 6h0m0s, next at 2027-01-15T08:00:00Z")

	for range 2 {
		require.Equal(t, `{"success":true}`, ask(s, "/verify", `{"name":"db1","every":""}`).Body.String())
	}
	require.Empty(t, f.schedules)
}

func TestADeletedJobIsNotVerifiedAnyMore(t *testing.T) {
	f, s := newVerified(t)
	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1","every":"6h"}`))
	require.Equal(t, "", errorOf(t, s, "/verify", `{"name":"db1"}`))
	f.jobs[job.WorkflowID("db1")].onSignal = func(j *fakeJob, _ string, _ job.Command) { j.closed = true }
	require.Equal(t, "", errorOf(t, s, "/delete", `{"name":"db1"}`))
	require.Empty(t, f.schedules)
	require.Equal(t, job.SignalVerifyCancel, f.jobs[job.VerifyWorkflowID("db1")].signals[0].name)
}

// minutesOf are the minutes of the day that are in times.
func minutesOf(times []client.ScheduleCalendarSpec) map[int]bool {
	minutes := map[int]bool{}
	for _, c := range times {
		for h := c.Hour[0].Start; h <= c.Hour[0].End; h++ {
			for m := c.Minute[0].Start; m <= c.Minute[0].End; m++ {
				minutes[h*60+m] = true
			}
		}
	}
	return minutes
}

func TestOutsideOfAWindow(t *testing.T) {
	for _, w := range []string{"01:30-05:00", "22:00-04:15", "00:00-00:01", "13:59-14:00", "00:00-23:59"} {
		from, to, err := (&job.VerifySchedule{Window: w}).Span()
		require.NoError(t, err)
		skipped := minutesOf(outside(from, to))
		for m := range dayMinutes {
			in := m >= from && m < to
			if to < from {
				in = m >= from || m < to
			}
			require.Equal(t, !in, skipped[m], "%s, minute %d", w, m)
		}
	}
}
