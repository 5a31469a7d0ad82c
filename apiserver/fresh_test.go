package apiserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
)

func TestAnswersAreAsFreshAsTheHeartbeat(t *testing.T) {
	now := time.Now()
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.status.Position.CommitSeq = 100
		j.progress = job.Progress{Phase: job.PhaseStream, State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}}
		j.activity = job.ActivityStream
		j.beat = &job.Heartbeat{Position: job.Position{CommitSeq: 150}, Lag: binlog.Lag{Binlogs: 3, ObservedAt: now}}
	})
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/job_status", `{"name":"j1"}`).Body.String(), `"commit_seq":150,"phase":"stream",`)
	require.Contains(t, ask(s, "/job_progress", `{"name":"j1"}`).Body.String(), `"prev_commit_seq":150,"commit_seq":150`)

	f.with(func() {
		j.beat = &job.Heartbeat{Position: job.Position{CommitSeq: 90}, Problem: &job.Problem{Text: "be down", Kind: job.KindBE, Since: now}}
	})
	status := ask(s, "/job_status", `{"name":"j1"}`).Body.String()
	require.Contains(t, status, `"commit_seq":100`)
	require.Contains(t, status, `"stalled":true,"last_error":{"text":"be down"`)

	f.with(func() {
		j.status.Differences = []job.Difference{{Table: "known"}}
		j.beat = &job.Heartbeat{Differences: &[]job.Difference{{Table: "found"}}, Comparing: &job.Comparing{NotComparedTotal: 7}}
	})
	status = ask(s, "/job_status", `{"name":"j1"}`).Body.String()
	require.Contains(t, status, `"differences":[{"table":"found"`)
	require.Contains(t, status, `"comparing":{"not_compared_total":7}`)
	f.with(func() { j.beat = &job.Heartbeat{Comparing: &job.Comparing{Off: true}} })
	status = ask(s, "/job_status", `{"name":"j1"}`).Body.String()
	require.NotContains(t, status, `"differences"`, "nobody looks")
	require.Contains(t, status, `"comparing":{"off":true}`)

	f.with(func() {
		j.activity = job.ActivityTakeSnapshot
		j.beat = &job.Heartbeat{Position: job.Position{CommitSeq: 999}, Note: "BACKUP is SNAPSHOTING"}
	})
	status = ask(s, "/job_status", `{"name":"j1"}`).Body.String()
	require.Contains(t, status, `"commit_seq":100`)
	require.Contains(t, status, `"doing":"BACKUP is SNAPSHOTING"`)
}

func TestGetLag(t *testing.T) {
	local := func(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05") }
	lag := binlog.Lag{
		Binlogs: 1, FirstCommitSeq: 36388, LastCommitSeq: 36486, NextCommitSeq: 36481,
		FirstTimestamp: 1741846518000, LastTimestamp: 1741846812000, NextTimestamp: 1741846807000, ObservedAt: time.Now(),
	}
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.activity = job.ActivityStream
		j.beat = &job.Heartbeat{Lag: lag}
	})
	s := newServer(t, f, nil)
	answer := ask(s, "/get_lag", `{"name":"j1"}`).Body.Bytes()
	var times struct {
		Behind int64 `json:"behind_secs"`
	}
	require.NoError(t, json.Unmarshal(answer, &times))
	require.InDelta(t, time.Since(time.UnixMilli(lag.NextTimestamp)).Seconds(), times.Behind, 60)
	require.Equal(t, fmt.Sprintf(`{"success":true,"lag":1,"first_commit_seq":36388,"last_commit_seq":36486,`+
		`"first_binlog_timestamp":"%s","last_binlog_timestamp":"%s","time_interval_secs":5,"next_commit_seq":36481,"next_binlog_timestamp":"%s","time_interval":5,"observed_at":"%s","behind_secs":%d}`,
		local(lag.FirstTimestamp), local(lag.LastTimestamp), local(lag.NextTimestamp), local(lag.ObservedAt.UnixMilli()), times.Behind), string(answer))
	require.Empty(t, j.signals, "a job that reports by itself is not asked")

	t.Run("unknown times are the epoch", func(t *testing.T) {
		s := newServer(t, f, nil) // one that has not been told yet
		f.with(func() {
			j.beat = &job.Heartbeat{Lag: binlog.Lag{Binlogs: 1, FirstTimestamp: -1, ObservedAt: time.Now()}}
		})
		require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(), `"first_binlog_timestamp":"`+local(0)+`"`)
	})
}

// TestGetLagWaitsForTheNextHeartbeat: a streaming job is not signalled at once;
// what its last heartbeat said is the answer unless it is too old.
func TestGetLagWaitsForTheNextHeartbeat(t *testing.T) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.activity = job.ActivityStream
		j.beat = &job.Heartbeat{Lag: binlog.Lag{ObservedAt: time.Now().Add(-freshLagAge)}}
	})
	s := newServer(t, f, func(o *Options) { o.CommandTimeout = 10 * time.Second })
	reply := make(chan string, 1)
	go func() { reply <- ask(s, "/get_lag", `{"name":"j1"}`).Body.String() }()
	require.Eventually(t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return j.describes > 2
	}, 5*time.Second, time.Millisecond)
	require.Empty(t, reply)
	f.with(func() { j.beat = &job.Heartbeat{Lag: binlog.Lag{Binlogs: 2, ObservedAt: time.Now()}} })
	require.Contains(t, <-reply, `{"success":true,"lag":2,`)
	require.Empty(t, j.signals)
}

// A shift whose heartbeats come too seldom is asked, with the position that they
// told: what the workflow knows is from the shift's beginning.
func TestGetLagAsksAShiftWithOldHeartbeats(t *testing.T) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.activity = job.ActivityStream
		j.beat = &job.Heartbeat{Position: job.Position{CommitSeq: 777}, Lag: binlog.Lag{ObservedAt: time.Now().Add(-2 * freshLagAge)}}
		j.onSignal = func(j *fakeJob, _ string, cmd job.Command) {
			j.status.Lag = binlog.Lag{Binlogs: 3, NextTimestamp: 1, ObservedAt: time.Now()}
			j.conclude(cmd, "")
		}
	})
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":3,`)
	require.Len(t, j.signals, 1)
	require.Equal(t, int64(777), j.signals[0].cmd.Position)
	describes := j.describes
	require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":3,`)
	require.Equal(t, describes, j.describes, "who asks again at once shares the answer")
}

// A dashboard with hundreds of jobs must not flood their histories.
func TestOrdersToObserveALagAreBounded(t *testing.T) {
	var d lagCache
	asked := 0
	for range 10 * observeRate {
		if d.mayOrder() {
			asked++
		}
	}
	require.LessOrEqual(t, asked, 2*observeRate, "one second's worth, two if one begins in between")
	require.Positive(t, asked)
}

func TestGetLagAsksAPausedJob(t *testing.T) {
	f := newFake()
	j := f.add("j1", func(j *fakeJob) {
		j.status.Running = false
		j.status.Lag = binlog.Lag{Binlogs: 1, ObservedAt: time.Now().Add(-time.Hour)}
		j.onSignal = func(j *fakeJob, _ string, cmd job.Command) {
			j.status.Lag = binlog.Lag{Binlogs: 7, ObservedAt: time.Now()}
			j.conclude(cmd, "")
		}
	})
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":7,`)
	require.Len(t, j.signals, 1)
	require.Equal(t, job.SignalObserveLag, j.signals[0].name)

	t.Run("what is known, if the source does not answer", func(t *testing.T) {
		s = newServer(t, f, nil) // one that has not been told yet
		f.with(func() {
			j.status.Lag.ObservedAt = time.Now().Add(-time.Hour)
			j.onSignal = func(j *fakeJob, _ string, cmd job.Command) { j.conclude(cmd, "source is down") }
		})
		require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(), `{"success":true,"lag":7,`)
	})
	t.Run("no old zero", func(t *testing.T) {
		f.with(func() { j.status.Lag.Binlogs = 0 })
		require.Regexp(t, `^{"success":false,"error_msg":"lag of job j1 was 0 at [-0-9: ]+, what it is now cannot be found out: source is down","lag":0,`,
			ask(s, "/get_lag", `{"name":"j1"}`).Body.String())
	})
	t.Run("no made-up zero, if nothing is known", func(t *testing.T) {
		f.with(func() { j.status.Lag = binlog.Lag{} })
		require.Contains(t, ask(s, "/get_lag", `{"name":"j1"}`).Body.String(),
			`{"success":false,"error_msg":"lag of job j1 is not known yet: source is down","lag":0,`)
	})
}

func TestListJobs(t *testing.T) {
	f := newFake()
	f.pageSize = 2
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":true,"jobs":[]}`, ask(s, "/list_jobs", "{}").Body.String())
	for _, name := range []string{"c", "a", "e", "b", "d"} {
		f.add(name, nil)
	}
	require.Equal(t, `{"success":true,"jobs":[]}`, ask(s, "/list_jobs", "").Body.String(), "served from the cache")
	require.Equal(t, 1, f.lists)

	s = newServer(t, f, nil)
	require.Equal(t, `{"success":true,"jobs":["a","b","c","d","e"]}`, ask(s, "/list_jobs", "").Body.String())
	require.Equal(t, 4, f.lists, "three pages")

	f.with(func() { f.down = serviceerror.NewUnavailable("gone") })
	s = newServer(t, f, nil)
	require.Equal(t, `{"success":false,"error_msg":"list jobs: gone","jobs":[]}`, ask(s, "/list_jobs", "").Body.String())
}

// TestListKnowsWhatVisibilityDoesNotKnowYet: the list is right the moment after
// this server has created or deleted a job.
func TestListKnowsWhatVisibilityDoesNotKnowYet(t *testing.T) {
	f := newFake()
	j := f.add("old", nil)
	f.listed = []string{"ccr-job-old"}
	j.onSignal = func(j *fakeJob, _ string, _ job.Command) { j.closed = true }
	s := newServer(t, f, nil)
	require.Equal(t, `{"success":true}`, ask(s, "/create_ccr", minimal).Body.String())
	require.Equal(t, `{"success":true,"jobs":["ccr_test","old"]}`, ask(s, "/list_jobs", "").Body.String())
	require.Equal(t, `{"success":true}`, ask(s, "/delete", `{"name":"old"}`).Body.String())
	require.Equal(t, `{"success":true,"jobs":["ccr_test"]}`, ask(s, "/list_jobs", "").Body.String())
}

// TestListAndTwoServers: what another server has done meanwhile to a job that
// this one created or deleted counts, too.
func TestListAndTwoServers(t *testing.T) {
	f := newFake()
	j := f.add("old", nil)
	j.onSignal = func(j *fakeJob, _ string, _ job.Command) { j.closed = true }
	f.onStart = func(j *fakeJob) { j.status.Checked, j.onSignal = true, f.jobs["ccr-job-old"].onSignal }
	s, other := newServer(t, f, nil), newServer(t, f, nil)
	require.Equal(t, `{"success":true}`, ask(s, "/create_ccr", minimal).Body.String())
	require.Equal(t, `{"success":true}`, ask(s, "/delete", `{"name":"old"}`).Body.String())
	require.Equal(t, `{"success":true}`, ask(other, "/delete", `{"name":"ccr_test"}`).Body.String())
	require.Equal(t, `{"success":true}`, ask(other, "/create_ccr", strings.Replace(minimal, "ccr_test", "old", 1)).Body.String())
	require.Equal(t, `{"success":true,"jobs":["old"]}`, ask(s, "/list_jobs", "").Body.String())
	require.Equal(t, `{"success":true,"jobs":["old"]}`, ask(other, "/list_jobs", "").Body.String())
}

func TestMetrics(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.status.Stalled = true
		j.status.FullSyncs, j.status.PartialSyncs = 2, 5
		j.status.Verified = &job.Verified{Result: "different", Equal: 7, Different: 1, StillDifferent: make([]job.VerifyFinding, 2), MoreDifferent: 1, BytesRead: 5, RowsRead: 900, Seconds: 12, At: time.Unix(1_800_000_000, 0)}
		j.status.Lag = binlog.Lag{Binlogs: 4, NextTimestamp: 1000, LastTimestamp: 9000, ObservedAt: time.Now()}
	})
	f.add("new", nil)
	f.add("even", func(j *fakeJob) { j.status.Lag = binlog.Lag{LastTimestamp: 9000, ObservedAt: time.Now()} })
	f.add("old", func(j *fakeJob) { j.status.Lag = binlog.Lag{Binlogs: 4, ObservedAt: time.Now()} })
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ccr_other_total"}, func() float64 { return 1 }))
	s := newServer(t, f, func(o *Options) { o.Registry = registry })
	rec := askBy(s, "GET", "/metrics", "")
	require.Contains(t, rec.Header().Get("Content-Type"), "text/plain; version=0.0.4")
	for _, line := range []string{
		"ccr_job_running_total 4", `ccr_job_running_sync_state{name="j1"} 3`, `ccr_job_running_sub_sync_state{name="j1"} -1`,
		`ccr_job_running_lag_total{name="j1"} 4`, `ccr_job_running_lag_seconds{name="j1"} 8`, `ccr_job_stalled{name="j1"} 1`, "ccr_other_total 1",
		`ccr_job_full_syncs_total{name="j1"} 2`, `ccr_job_partial_syncs_total{name="j1"} 5`, "# TYPE ccr_job_full_syncs_total counter",
		`ccr_job_behind_seconds{name="even"} 0`, `ccr_verify_tables{name="j1",result="equal"} 7`, `ccr_verify_tables{name="j1",result="different"} 1`, `ccr_verify_tables{name="j1",result="busy"} 0`,
		`ccr_verify_tables_still_different{name="j1"} 3`, `ccr_verify_bytes_read{name="j1"} 5`,
		`ccr_verify_rows_read{name="j1"} 900`, `ccr_verify_duration_seconds{name="j1"} 12`, `ccr_verify_last_timestamp_seconds{name="j1"} 1.8e+09`,
	} {
		require.Contains(t, rec.Body.String(), line+"\n")
	}
	require.Regexp(t, `ccr_job_behind_seconds\{name="j1"\} 1\.\d+e\+09\n`, rec.Body.String(), "its next binlog is of 1970")
	require.NotContains(t, rec.Body.String(), `ccr_job_behind_seconds{name="new"}`)
	require.NotContains(t, rec.Body.String(), `ccr_job_behind_seconds{name="old"}`, "its source does not tell times")
	require.NotContains(t, rec.Body.String(), `_lag_total{name="new"}`, "not known is not 0")
	require.NotContains(t, rec.Body.String(), `_lag_seconds{name="new"}`)
	require.NotContains(t, rec.Body.String(), "ccr_verify_last_equal_timestamp_seconds{", "never")
	require.NotContains(t, rec.Body.String(), `ccr_verify_tables{name="new"`)
}

func TestUnreachableTemporalIsSaid(t *testing.T) {
	f := newFake()
	f.down = serviceerror.NewDeadlineExceeded("too slow")
	s := newServer(t, f, nil)
	for _, path := range []string{"/job_status", "/pause", "/delete", "/list_jobs", "/create_ccr"} {
		require.Contains(t, ask(s, path, `{"name":"j1"}`).Body.String(), "temporal is not reachable: too slow", path)
	}
}

// A paused job does not look at its source by itself: scraping makes it, now and
// then, so that the alerts about its lag are not blind.
func TestMetricsKeepTheLagOfAPausedJobFresh(t *testing.T) {
	f := newFake()
	observed := func(age time.Duration) func(*fakeJob) {
		return func(j *fakeJob) {
			j.status.Running, j.status.Checked = false, true
			j.status.Lag = binlog.Lag{ObservedAt: time.Now().Add(-age)}
		}
	}
	old, fresh := f.add("old", observed(time.Hour)), f.add("fresh", observed(time.Second))
	unchecked := f.add("unchecked", func(j *fakeJob) { j.status.Checked = false })
	s := newServer(t, f, func(o *Options) { o.Registry = prometheus.NewRegistry() })
	askBy(s, "GET", "/metrics", "")
	f.with(func() {
		require.Len(t, old.signals, 1)
		require.Equal(t, job.SignalObserveLag, old.signals[0].name)
		require.Empty(t, fresh.signals)
		require.Empty(t, unchecked.signals)
	})
	askBy(newServer(t, f, nil), "GET", "/view", "")
	f.with(func() {
		require.Len(t, old.signals, 2, "the page as well")
		require.Empty(t, fresh.signals)
	})
}

// While processes are replaced, the worker of a job may know one form of its state only.
func TestProgressOfAJobOnAnOlderWorker(t *testing.T) {
	f := newFake()
	f.add("j1", func(j *fakeJob) {
		j.unpacked = true
		j.progress.Tables = map[int64]job.Table{11: {DestID: 22, Name: "t"}}
	})
	require.Contains(t, ask(newServer(t, f, nil), "/job_progress", `{"name":"j1"}`).Body.String(), `"table_mapping":{"11":22}`)
}
