package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

const evil = `<script>alert("x")</script>`

// viewFake has a job that is well but for what differs, one that is stalled with an error that tries
// to be a script, one that is paused and one that does not answer.
func viewFake() *fakeTemporal {
	f := newFake()
	f.add("good", func(j *fakeJob) {
		j.spec = job.Spec{Name: "good", Source: job.Cluster{Table: "t", HostMapping: map[string]string{"a": "b"}},
			Destination: job.Cluster{Table: "t2"}, CommitOrder: job.CommitOrderPerTable, ReplicationNum: 2}
		j.status.Lag = binlog.Lag{Binlogs: 4, NextTimestamp: 1000, LastTimestamp: 9000, ObservedAt: time.Now()}
		j.status.FullSyncAt, j.status.FullSyncReason = time.Unix(1700000000, 0), "new job"
		j.status.LastEvent = &job.Event{At: time.Unix(1700000001, 0), Text: "full sync finished"}
		j.status.Differences = []job.Difference{{Table: "t", Kind: job.DifferentRows, Text: "2 rows & 3"}, {Table: "u", Text: "a column"}}
	})
	f.add("paused", func(j *fakeJob) {
		j.status.Running = false
		j.status.Lag = binlog.Lag{Binlogs: 7, ObservedAt: time.Unix(1700000002, 0)}
	})
	f.add("stuck", func(j *fakeJob) {
		j.status.Stalled, j.status.Problem = true, &job.Problem{Text: evil + "\nsecond line"}
	})
	f.add("silent", func(j *fakeJob) {
		for range 100 {
			j.queriesFail = append(j.queriesFail, errors.New("broken"))
		}
	})
	return f
}

func TestView(t *testing.T) {
	s := newServer(t, viewFake(), nil)
	get := func(kind string) *httptest.ResponseRecorder { return askBy(s, "GET", "/view"+kind, "") }

	var rows []map[string]string // all values are strings, or this fails
	require.NoError(t, json.Unmarshal(get("?type=json").Body.Bytes(), &rows))
	require.Len(t, rows, 4)
	require.Equal(t, map[string]string{
		"jobName": "good", "type": "table_sync_with_alias", "lag": "4", "lagSec": "8", "syncState": "DBIncrementalSync", "subSyncState": "Done",
		"lastFullSyncTime": localTime(1700000000000), "lastFullSyncReason": "new job", "isHostMapping": "true",
		"otherArgs": "replication_num=2, commit_order=per_table", "state": "running", "error": "",
		"lastEvent": localTime(1700000001000) + " full sync finished", "lagObservedAt": rows[0]["lagObservedAt"],
		"differences": "t: 2 rows & 3; u: a column", "behindSecs": rows[0]["behindSecs"],
	}, rows[0])
	behind, err := strconv.ParseInt(rows[0]["behindSecs"], 10, 64)
	require.NoError(t, err)
	require.InDelta(t, time.Now().Unix(), behind, 60, "its next binlog is of 1970")
	require.Empty(t, rows[1]["behindSecs"], "its source does not tell times")
	require.NotEmpty(t, rows[0]["lagObservedAt"])
	states := map[string]string{}
	for _, r := range rows {
		states[r["jobName"]] = r["state"]
	}
	require.Equal(t, map[string]string{"good": "running", "paused": "paused", "stuck": "stalled", "silent": "unknown"}, states)

	for _, kind := range []string{"", "?type=html"} {
		rec := get(kind)
		require.Equal(t, http.StatusOK, rec.Code)
		require.Equal(t, "text/html; charset=UTF-8", rec.Header().Get("Content-Type"))
		require.Contains(t, rec.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'sha256-")
		html := rec.Body.String()
		for _, name := range []string{"good", "paused", "stuck", "silent"} {
			require.Contains(t, html, ">"+name+"</th>")
		}
		require.Equal(t, 1, strings.Count(html, "<small>at "), "the lag of paused is old")
		require.Contains(t, html, `7 <small>at `+localTime(1700000002000)+`</small>`)
		require.NotContains(t, html, "<script")
		require.Contains(t, html, "&lt;script&gt;")
		require.Contains(t, html, "ask job silent for job_status: broken")
		require.Equal(t, 2, strings.Count(html, `action="view/pause"`), "good and stuck")
		require.Equal(t, 1, strings.Count(html, `action="view/resume"`), "paused")
		require.Contains(t, html, "4 jobs: 1 stalled, 1 unknown, 1 paused, 1 running; source and destination of 1 differ at ")
		require.Contains(t, html, `<tbody class="running different">`)
		require.Contains(t, html, "t: 2 rows &amp; 3; u: a column")
		require.Regexp(t, `(?s)>stuck</th>.*>silent</th>.*>good</th>.*>paused</th>`, html, "what needs a person comes first")
	}

	table := get("?type=table").Body.String()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	require.Len(t, lines, 5, "a line break in a text does not break the table")
	require.Regexp(t, `^Job Name +Type +Lag +Lag\(Secs\) +Sync State +Sub Sync State +Last Fullsync Time +Last Fullsync Reason +Is Hostmapping +Other Args`, lines[0])
	require.Regexp(t, `^good +table_sync_with_alias +4 +8 +DBIncrementalSync +Done`, lines[1])
	raw := get("?type=raw").Body.String()
	require.Contains(t, raw, "Job Name: good\nType: table_sync_with_alias\nLag: 4\nLag(Secs): 8\n")
	require.Equal(t, "show job state with unknow type: <b>", get("?type=<b>").Body.String())
	require.Equal(t, contentType, get("?type=<b>").Header().Get("Content-Type"))
}

// An event that only repeats the error above it is not shown.
func TestViewSaysAnErrorOnce(t *testing.T) {
	f := newFake()
	f.add("stuck", func(j *fakeJob) {
		j.status.Stalled, j.status.Problem = true, &job.Problem{Text: "no such host"}
		j.status.LastEvent = &job.Event{At: time.Unix(1700000001, 0), Text: "cannot go on: no such host"}
	})
	page := askBy(newServer(t, f, nil), "GET", "/view", "").Body.String()
	require.Equal(t, 1, strings.Count(page, "no such host"))
	f.jobs["ccr-job-stuck"].status.LastEvent.Text = "the user required a full sync"
	page = askBy(newServer(t, f, nil), "GET", "/view", "").Body.String()
	require.Contains(t, page, "no such host")
	require.Contains(t, page, "the user required a full sync")
}

func TestViewWithoutJobs(t *testing.T) {
	s := newServer(t, newFake(), nil)
	require.Contains(t, askBy(s, "GET", "/view", "").Body.String(), "There are no jobs.")
	require.Equal(t, `[]`, askBy(s, "GET", "/view?type=json", "").Body.String())
}

func TestButtonsNeedTheRole(t *testing.T) {
	s := newGuardedServer(t, viewFake(), nil)
	rec := askAs(s, "", "GET", "/view", "")
	require.Equal(t, http.StatusUnauthorized, rec.Code)
	require.Contains(t, rec.Header().Get("WWW-Authenticate"), "Basic realm=", "so that browsers ask")
	r := httptest.NewRequest("GET", "/view", nil)
	r.SetBasicAuth("", tokenOf("read"))
	rec = httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, r)
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), "seen by reader")
	require.NotContains(t, rec.Body.String(), "<form")
	require.Contains(t, askAs(s, "operate", "GET", "/view", "").Body.String(), "<form")
}

func TestButtonsOnlyWorkOnTheirPage(t *testing.T) {
	f := viewFake()
	s := newServer(t, f, nil)
	press := func(header, value, name string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://ccr.example.com/view/pause", strings.NewReader("name="+name))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if header != "" {
			r.Header.Set(header, value)
		}
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, r)
		return rec
	}
	good := f.jobs["ccr-job-good"]
	for _, tt := range []struct{ header, value string }{
		{"", ""},
		{"Origin", "http://evil.example.com"},
		{"Origin", "null"},
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "none"},
	} {
		require.Equal(t, http.StatusForbidden, press(tt.header, tt.value, "good").Code, tt)
		require.Empty(t, good.signals)
	}
	for i, tt := range []struct{ header, value string }{{"Origin", "http://ccr.example.com"}, {"Sec-Fetch-Site", "same-origin"}} {
		rec := press(tt.header, tt.value, "good")
		require.Equal(t, http.StatusSeeOther, rec.Code)
		require.Equal(t, "../view", rec.Header().Get("Location"))
		require.Len(t, good.signals, i+1)
		require.Equal(t, job.SignalPause, good.signals[i].name)
	}
	rec := press("Sec-Fetch-Site", "same-origin", "%3Cb%3E")
	require.Equal(t, http.StatusNotFound, rec.Code)
	require.Contains(t, rec.Body.String(), "job &lt;b&gt; not exist")
	require.Equal(t, http.StatusUnprocessableEntity, press("Sec-Fetch-Site", "same-origin", "").Code)
}

// The text forms are read on terminals, and have texts of frontends.
func TestFlatTextOrdersNoTerminal(t *testing.T) {
	require.Equal(t, "a [2Jb 1mc d e", flat("a\x1b[2Jb\u009b1mc\u202ed\r\n\te"))
}
