package apiserver

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// startPause is the pause between tries to start a job on a Temporal cluster
// that is not quite ready.
const startPause = 250 * time.Millisecond

// start starts the workflow of a job. After the search attributes of jobs have
// been registered, some seconds pass until all servers of a Temporal cluster
// know them; until then some refuse to start a job. by says who asked for it; ctx
// bounds the tries.
func (j *jobs) start(ctx context.Context, in job.WorkflowInput, by string) (client.WorkflowRun, error) {
	for {
		run, err := j.client.ExecuteWorkflow(ctx, startOptions(in.Spec, by), job.WorkflowType, in)
		if !attributeUnknown(err) {
			return run, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(startPause):
		}
	}
}

// attributeUnknown tells the refusal of a server that does not know a search
// attribute; it has no type of its own.
func attributeUnknown(err error) bool {
	var invalid *serviceerror.InvalidArgument
	return errors.As(err, &invalid) && strings.Contains(invalid.Message, "no mapping defined for search attribute")
}
