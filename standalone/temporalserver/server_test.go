package temporalserver

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

func answer(ctx workflow.Context) (int, error) { return 42, nil }

// A workflow started before a restart is still known after it, under the same
// data file and with the search attributes registered.
func TestServerKeepsItsDataOverARestart(t *testing.T) {
	ctx := t.Context()
	opts := Options{Path: filepath.Join(t.TempDir(), "data", "temporal.db"), Frontend: "127.0.0.1:0", UI: "127.0.0.1:0"}

	first, err := Start(ctx, opts)
	require.NoError(t, err)

	resp, err := http.Get("http://" + first.UIAddress() + "/")
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, string(body), "<html")
	requireHarmlessButtons(t, first.UIAddress())

	c, err := client.Dial(client.Options{HostPort: first.Address()})
	require.NoError(t, err)
	w := worker.New(c, "q", worker.Options{})
	w.RegisterWorkflow(answer)
	require.NoError(t, w.Start())
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "w", TaskQueue: "q", TypedSearchAttributes: temporal.NewSearchAttributes(temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeSyncType).ValueSet("db_sync"))}, answer)
	require.NoError(t, err)
	var got int
	require.NoError(t, run.Get(ctx, &got))
	require.Equal(t, 42, got)
	w.Stop()
	c.Close()
	require.NoError(t, first.Stop())

	second, err := Start(ctx, opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, second.Stop()) }()
	c, err = client.Dial(client.Options{HostPort: second.Address()})
	require.NoError(t, err)
	defer c.Close()
	got = 0
	require.NoError(t, c.GetWorkflow(ctx, "w", "").Get(ctx, &got))
	require.Equal(t, 42, got)
}

func TestTwoServersInMemory(t *testing.T) {
	for range 2 {
		s, err := Start(t.Context(), Options{Frontend: "127.0.0.1:0"})
		require.NoError(t, err)
		defer s.Stop()
	}
}

func TestStartRefusesATakenAddress(t *testing.T) {
	s, err := Start(t.Context(), Options{Frontend: "127.0.0.1:0"})
	require.NoError(t, err)
	defer s.Stop()
	_, err = Start(t.Context(), Options{Frontend: s.Address()})
	require.ErrorContains(t, err, "address already in use")
}

// requireHarmlessButtons: the pages of the Web UI ask for these settings.
func requireHarmlessButtons(t *testing.T, address string) {
	t.Helper()
	resp, err := http.Get("http://" + address + "/api/v1/settings")
	require.NoError(t, err)
	defer resp.Body.Close()
	var settings map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&settings))
	for _, name := range []string{"WorkflowTerminate", "WorkflowCancel", "WorkflowReset", "WorkflowPause", "BatchActions", "StartWorkflow", "ActivityCommands"} {
		require.Equal(t, true, settings[name+"Disabled"], name)
	}
	require.Equal(t, false, settings["WorkflowSignalDisabled"])
}

// What keeps Temporal from starting is told in a line, not as the graph of the parts
// that could not be made because of it, in which nobody finds it.
func TestStartupErrorIsItsCause(t *testing.T) {
	ctx := t.Context()
	opts := Options{Path: filepath.Join(t.TempDir(), "temporal.db"), Frontend: "127.0.0.1:0"}
	s, err := Start(ctx, opts)
	require.NoError(t, err)
	require.NoError(t, s.Stop())
	db, err := sql.Open("sqlite", opts.Path)
	require.NoError(t, err)
	_, err = db.ExecContext(ctx, "DROP TABLE cluster_metadata_info")
	require.NoError(t, err)
	require.NoError(t, db.Close())

	var log bytes.Buffer
	opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
	_, err = Start(ctx, opts)
	require.ErrorContains(t, err, "no such table: cluster_metadata_info")
	for _, said := range []string{err.Error(), log.String()} {
		require.NotContains(t, said, "could not build")
		require.NotContains(t, said, ".go:")
	}
	require.Less(t, len(err.Error()), 300)
	require.NotContains(t, err.Error(), "\n")
}
