package cli

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// fakeAPI answers /verify and /verify_status; each look finds the next report.
type fakeAPI struct {
	*httptest.Server
	mu      sync.Mutex
	reports []job.VerifyReport
	calls   []string // path and body
}

func newFakeAPI(t *testing.T, reports ...job.VerifyReport) *fakeAPI {
	f := &fakeAPI{reports: reports}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		f.calls = append(f.calls, r.URL.Path+" "+string(body))
		if r.Header.Get("Authorization") != "Bearer t1" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"success":false,"error_msg":"no token"}`)
			return
		}
		reply := map[string]any{"success": true}
		switch {
		case r.URL.Path == "/verify_status" && len(f.reports) > 0:
			next := f.reports[0]
			if len(f.reports) > 1 {
				f.reports = f.reports[1:]
			}
			reply["report"] = next
			if !next.EndedAt.IsZero() {
				reply["result"] = next.Result()
			}
		case r.URL.Path == "/verify":
			reply["report"] = "r1"
		case r.URL.Path == "/verify_cancel":
			reply = map[string]any{"success": false, "error_msg": "no verification of job j1 is running"}
		}
		_ = json.NewEncoder(w).Encode(reply)
	}))
	t.Cleanup(f.Close)
	return f
}

func report(change func(*job.VerifyReport)) job.VerifyReport {
	r := job.VerifyReport{ID: "r1", Job: "j1", State: job.VerifyDone, Total: 3, Equal: 3, EndedAt: time.Unix(1_800_000_000, 0)}
	if change != nil {
		change(&r)
	}
	return r
}

func TestVerifyTellsByItsStatus(t *testing.T) {
	running := report(func(r *job.VerifyReport) {
		r.State, r.EndedAt, r.Equal, r.Doing = job.VerifyRunning, time.Time{}, 1, "orders"
	})
	for name, tt := range map[string]struct {
		last   job.VerifyReport
		status int
		text   string
	}{
		"equal":      {report(nil), 0, "equal 3, different 0"},
		"repaired":   {report(func(r *job.VerifyReport) { r.Equal, r.Repaired = 2, 1 }), 0, "repaired 1"},
		"different":  {report(func(r *job.VerifyReport) { r.Different, r.Busy = 1, 1 }), 2, "1 of 3 tables are different"},
		"busy":       {report(func(r *job.VerifyReport) { r.Busy = 1 }), 3, "1 of 3 tables could not be compared"},
		"unreadable": {report(func(r *job.VerifyReport) { r.NotComparable = 2 }), 3, "2 of 3 tables could not be compared"},
		"cancelled":  {report(func(r *job.VerifyReport) { r.State = job.VerifyCancelled }), 3, "was cancelled"},
		"failed":     {report(func(r *job.VerifyReport) { r.State, r.Error = job.VerifyFailed, "no such table" }), 1, "has failed: no such table"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t, running, tt.last)
			out, err := run(t.Context(), []string{"CCR_TOKEN=t1"}, "verify", "j1", "--api", api.URL, "--watch")
			require.Contains(t, out, "running: 1 of 3 tables, 0 different, 0 rows, now orders\n")
			require.Contains(t, out, "verification of j1")
			if tt.status == 0 {
				require.NoError(t, err)
				require.Contains(t, out, tt.text)
				return
			}
			require.ErrorContains(t, err, tt.text)
			require.Equal(t, tt.status, exitStatus(err))
		})
	}
}

func TestVerifyAsksForWhatItIsTold(t *testing.T) {
	api := newFakeAPI(t, report(nil))
	env := []string{"CCR_TOKEN=t1"}
	out, err := run(t.Context(), env, "verify", "j1", "--api", api.URL, "--detach", "--table", "a*", "--table", "b", "--method", "rows", "--repair", "--dry-run",
		"--rate", "5", "--query-timeout", "15m", "--workload-group", "low")
	require.NoError(t, err)
	require.Equal(t, "r1\n", out)
	require.Equal(t, `/verify {"name":"j1","tables":["a*","b"],"method":"rows","repair":true,"dry_run":true,"rate":5,"workload_group":"low","query_timeout":"15m"}`, api.calls[0])
	out, err = run(t.Context(), env, "verify", "j1", "--api", api.URL, "--every", "")
	require.NoError(t, err)
	require.Equal(t, "job j1 is not verified regularly any more\n", out)
	require.Equal(t, `/verify {"name":"j1","every":""}`, api.calls[1])

	out, err = run(t.Context(), env, "verify", "status", "j1", "--api", api.URL, "--format", "json", "--report", "r1")
	require.NoError(t, err)
	var r job.VerifyReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	require.Equal(t, "r1", r.ID)
	require.Equal(t, `/verify_status {"name":"j1","report":"r1"}`, api.calls[2])

	_, err = run(t.Context(), env, "verify", "cancel", "j1", "--api", api.URL)
	require.ErrorContains(t, err, "no verification of job j1 is running")
	_, err = run(t.Context(), nil, "verify", "j1", "--api", api.URL)
	require.ErrorContains(t, err, "set CCR_TOKEN to a token with the role operate")
	_, err = run(t.Context(), env, "verify", "j1", "--format", "xml")
	require.ErrorContains(t, err, "it is text or json")
	_, err = run(t.Context(), env, "verify", "status", "j1", "--api", newFakeAPI(t).URL)
	require.ErrorContains(t, err, "has not been verified yet")
	require.Equal(t, 1, exitStatus(err))
}

func TestVerifyGoesOnWhenNobodyWaits(t *testing.T) {
	api := newFakeAPI(t, report(func(r *job.VerifyReport) { r.State, r.EndedAt = job.VerifyRunning, time.Time{} }))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := run(ctx, []string{"CCR_TOKEN=t1"}, "verify", "j1", "--api", api.URL)
	require.ErrorContains(t, err, "the verification goes on; see it with: ccr verify status j1")
}
