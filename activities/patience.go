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
// Its workflow would write a dozen events for each try; so it lends the step
// some patience (job.StepInput), and the step asks the server for the next try
// itself, which costs no event. The workflow learns at once when a try succeeds,
// when the job stands at something else, or when its patience is over.

// patientPause is the time between two such tries: the longest pause that the
// workflow makes (workflows, lastBackoff).
const patientPause = 30 * time.Second

// patient tells whether the server is to try the step again after p, of which
// the workflow knows already.
func patient(ctx context.Context, in job.StepInput, p job.Problem) bool {
	known := in.Progress.Problem
	return int(activity.GetInfo(ctx).Attempt) < in.Patience &&
		known != nil && known.Kind == p.Kind && known.CommitSeq == p.CommitSeq
}

// tryAgain asks the server for another attempt. Whoever looks at the job finds p
// as the last failure of the pending activity.
func tryAgain(p job.Problem) error {
	return temporal.NewApplicationErrorWithOptions(p.Text, string(p.Kind), temporal.ApplicationErrorOptions{
		Details: []any{p}, NextRetryDelay: patientPause,
	})
}

// counted is p with the tries that the step has made since the workflow lent it
// patience.
func counted(ctx context.Context, in job.StepInput, p job.Problem) job.Problem {
	if in.Patience > 0 {
		p.Tries = int(activity.GetInfo(ctx).Attempt)
	}
	return p
}

// answered leaves word for the next attempt that this one ended with p and not
// in the dark: nothing was changed.
func answered(ctx context.Context, p job.Problem) {
	activity.RecordHeartbeat(ctx, job.Heartbeat{At: time.Now(), Problem: &p})
}

// inTheDark tells whether the outcome of an earlier attempt at this step is
// unknown.
func inTheDark(ctx context.Context) bool {
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
