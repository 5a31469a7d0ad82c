package apiserver

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// Workers of an older release refuse a workflow that they do not know, for ever: whoever
// waits is told so at once, and the workflow ends.
func TestOlderWorkers(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add("sales", nil)
	f.old = []string{job.WorkflowTypeClusters, job.WorkflowTypeCheckChange}
	s := newServer(t, f, nil)
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/jobs/sales/clusters", ""}, {"POST", "/update_credentials", newLogins},
	} {
		answer := askBy(s, request.method, request.path, strings.ReplaceAll(request.body, `"j1"`, `"sales"`)).Body.String()
		require.Contains(t, answer, "the workers are older than this server", request.path)
		require.Contains(t, answer, "upgrade the workers", request.path)
	}
	require.Len(t, f.terminated, 2)
}

// A worker that knows the workflow may ask one that does not know its step.
func TestOlderWorkerTakesTheStep(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.add("sales", nil)
	s := newServer(t, f, nil)
	f.onLook = func(job.ClustersWanted) (job.ClustersSeen, error) {
		return job.ClustersSeen{}, temporal.NewApplicationError("unable to find activityType=DescribeClusters. Supported types: []", "ActivityNotRegisteredError")
	}
	require.Contains(t, askBy(s, "GET", "/jobs/sales/clusters", "").Body.String(), "the workers are older than this server")
	f.onLook = func(job.ClustersWanted) (job.ClustersSeen, error) {
		return job.ClustersSeen{}, errors.New("no route to host")
	}
	require.NotContains(t, askBy(s, "GET", "/jobs/sales/clusters", "").Body.String(), "older")
}

// The table of docs/upgrade.md names what older workers may not know.
func TestShortWorkflowsAreDocumented(t *testing.T) {
	t.Parallel()
	upgrade, err := os.ReadFile("../docs/upgrade.md")
	require.NoError(t, err)
	for _, kind := range []string{job.WorkflowTypeCheck, job.WorkflowTypeCheckChange, job.WorkflowTypeClusters, job.WorkflowTypeTableSizes, job.WorkflowTypeBinlogs} {
		require.Regexp(t, "(?m)^\\| .* \\| `"+kind+"` \\| 0\\.\\d \\|$", string(upgrade))
	}
}
