package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// hook is a receiver that refuses the first requests.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	refuse  int
	refused int
	events  []string
	wrong   []string
}

func newHook(t *testing.T, secret string, refuse int) *hook {
	h := &hook{refuse: refuse}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.refused < h.refuse {
			h.refused++
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		var notice struct{ Event, Job string }
		if err != nil || json.Unmarshal(body, &notice) != nil || r.Header.Get("X-Ccr-Signature-256") != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
			h.wrong = append(h.wrong, string(body))
		}
		h.events = append(h.events, notice.Event)
	}))
	t.Cleanup(h.Close)
	return h
}

// TestWebhook: a receiver that fails first hears of everything in order, signed,
// and the job does not wait for it.
func TestWebhook(t *testing.T) {
	t.Parallel()
	e := clusters(t, harness.PairOptions{})
	h := newHook(t, "webhook s3cret", 3)
	var err error
	e.ccr, err = harness.NewCCR(t.TempDir(), false)
	require.NoError(t, err)
	e.ccr.Args = []string{"--webhook-url", h.URL + "/told", "--compare-every", "1s"}
	e.ccr.Env = []string{"CCR_WEBHOOK_SECRET=webhook s3cret"}
	require.NoError(t, e.ccr.Start(e.ctx))
	t.Cleanup(func() { _ = e.ccr.Stop() })

	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	job := e.createJob("d", "", "d", "")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	e.awaitEqual(job, "d", "d")
	healthy := e.refuseLoads()
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	e.hears(h, "created", "full_sync", "stalled")
	healthy()
	e.hears(h, "created", "full_sync", "stalled", "recovered")
	e.execDestination("INSERT INTO d.t VALUES (3, 'of somebody else')")
	e.hears(h, "created", "full_sync", "stalled", "recovered", "differs")
	e.execDestination("DELETE FROM d.t WHERE id = 3")
	e.hears(h, "created", "full_sync", "stalled", "recovered", "differs", "differs_no_more")
	for _, operator := range []string{"pause", "resume", "force_fullsync"} {
		_, err = e.ccr.Call(e.ctx, operator, map[string]any{"name": job})
		require.NoError(t, err)
	}
	e.awaitEqual(job, "d", "d")
	e.recordHistory(job)
	_, err = e.ccr.Call(e.ctx, "delete", map[string]any{"name": job})
	require.NoError(t, err)
	e.hears(h, "created", "full_sync", "stalled", "recovered", "differs", "differs_no_more", "paused", "running", "full_sync", "deleted")
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Equal(t, 3, h.refused)
	require.Empty(t, h.wrong)
}

// hears waits until the receiver has heard exactly these events.
func (e *env) hears(h *hook, want ...string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(context.Context) error {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !slices.Equal(h.events, want) {
			return fmt.Errorf("heard %v, not %v", h.events, want)
		}
		return nil
	}))
}
