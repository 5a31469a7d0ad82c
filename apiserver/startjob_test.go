package apiserver

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// coldServers refuse the first starts as servers do that do not know the search
// attributes yet.
type coldServers struct {
	client.Client
	refusals int
}

func (c *coldServers) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	if c.refusals--; c.refusals >= 0 {
		return nil, serviceerror.NewInvalidArgument("Namespace default has no mapping defined for search attribute CcrJobState")
	}
	return nil, nil
}

func TestAStartWaitsForSearchAttributes(t *testing.T) {
	cold := &coldServers{refusals: 2}
	_, err := (&jobs{client: cold}).start(t.Context(), job.WorkflowInput{Spec: job.Spec{Name: "j"}}, "me")
	require.NoError(t, err)
	require.Equal(t, -1, cold.refusals)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = (&jobs{client: &coldServers{refusals: 1000}}).start(ctx, job.WorkflowInput{Spec: job.Spec{Name: "j"}}, "me")
	require.ErrorContains(t, err, "no mapping defined for search attribute CcrJobState")
}
