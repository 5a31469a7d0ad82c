package activities

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

func TestNotifySignsAndHidesTheAddress(t *testing.T) {
	status := http.StatusInternalServerError
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	a := &Activities{Webhook: Webhook{URL: server.URL + "/hook?token=t0ken", Secret: "s3cret"}}
	n := job.Notice{ID: "u-1", Event: job.NoticePaused, Job: "j1"}
	err := a.Notify(t.Context(), n)
	require.ErrorContains(t, err, "answered 500")
	require.NotContains(t, err.Error(), "t0ken")

	status = http.StatusNoContent
	require.NoError(t, a.Notify(t.Context(), n))
	require.Equal(t, "t0ken", got.URL.Query().Get("token"))
	require.Equal(t, "u-1", got.Header.Get(headerDelivery))
	require.Equal(t, "paused", got.Header.Get(headerEvent))
	require.Equal(t, "sha256="+sign("s3cret", body), got.Header.Get(headerSignature))
	require.Contains(t, string(body), `"event":"paused"`)

	server.Close()
	err = a.Notify(t.Context(), n)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "t0ken")

	a.Webhook.URL = ""
	require.NoError(t, a.Notify(t.Context(), n))
}
