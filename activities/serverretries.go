package activities

import (
	"context"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// A job that has been stalled for a while tries the same step again and again.
// Its workflow would write a dozen events for each try. So the workflow lets the
// step ask the server for a number of tries (job.StepInput.ServerRetries), which
// cost no event. The workflow learns at once when a try succeeds, when the job
// stands at something else, or when there are no more tries.

// serverRetryPause is the time between two such tries. It is the longest pause that
// the workflow makes itself (workflows, lastBackoff).
const serverRetryPause = 30 * time.Second

// serverRetries tells whether the server is to try the step again after p: the
// workflow has allowed it, and knows p already.
func serverRetries(ctx context.Context, in job.StepInput, p job.Problem) bool {
	known := in.Progress.Problem
	return int(activity.GetInfo(ctx).Attempt) < in.ServerRetries &&
		known != nil && known.Kind == p.Kind && known.CommitSeq == p.CommitSeq
}

// retryByServer asks the server for another attempt. Whoever looks at the job finds p
// as the last failure of the pending activity.
func retryByServer(p job.Problem) error {
	return temporal.NewApplicationErrorWithOptions(p.Text, string(p.Kind), temporal.ApplicationErrorOptions{
		Details: []any{p}, NextRetryDelay: serverRetryPause,
	})
}

// withAttempts is p with the tries that the server has made of the step.
func withAttempts(ctx context.Context, in job.StepInput, p job.Problem) job.Problem {
	if in.ServerRetries > 0 {
		p.Tries = int(activity.GetInfo(ctx).Attempt)
	}
	return p
}

// triesBefore is how many tries there were before this attempt: the workflow has counted
// those of earlier steps, and the server those of this one.
func triesBefore(ctx context.Context, in job.StepInput) int {
	known := in.Progress.Problem
	switch {
	case known == nil:
		return 0
	case in.ServerRetries > 0:
		return known.Tries + int(activity.GetInfo(ctx).Attempt) - 1
	}
	return known.Tries
}

// recordAnswer lets the next attempt know that this one was answered with p: its
// outcome is known, nothing was changed.
func recordAnswer(ctx context.Context, p job.Problem) {
	activity.RecordHeartbeat(ctx, job.Heartbeat{At: time.Now(), Problem: &p})
}

// outcomeUnknown tells whether the outcome of an earlier attempt at this step is
// unknown.
func outcomeUnknown(ctx context.Context) bool {
	if activity.GetInfo(ctx).Attempt <= 1 {
		return false
	}
	var last job.Heartbeat
	return !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &last) != nil || last.Problem == nil
}

// onlyBlocked tells whether a shift has nothing to report but its problem.
func onlyBlocked(in job.StreamInput, out job.StreamResult) bool {
	return out.End == job.EndBlocked && out.Problem != nil && out.Position.CommitSeq <= in.Progress.Position.CommitSeq &&
		len(out.Tables.Set)+len(out.Tables.Drop)+len(out.Notes) == 0 && out.Resealed == nil && out.Gap == nil &&
		(out.Comparing == nil || !out.Comparing.Off || len(in.Progress.Differences) == 0) &&
		(out.Differences == nil || slices.EqualFunc(*out.Differences, in.Progress.Differences, job.Difference.Same))
}
