package replication

import (
	"context"
	"errors"

	"github.com/doris-ccr/ccr/job"
)

type Connector struct{}

func NewConnector(opts Options) *Connector { return &Connector{} }
func (c *Connector) Close() error          { return nil }

type Job struct{}

func (c *Connector) Open(spec job.Spec, passwords Passwords) *Job { return &Job{} }
func (j *Job) Close()                                             {}

var errLater = errors.New("not written yet")

func (j *Job) Check(ctx context.Context) (job.Checked, error) { return job.Checked{}, errLater }
func (j *Job) TakeSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
	return job.SnapshotTaken{}, errLater
}
func (j *Job) RestoreSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotRestored, error) {
	return job.SnapshotRestored{}, errLater
}
func (j *Job) FinishSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	return job.SnapshotFinished{}, errLater
}
func (j *Job) Stream(ctx context.Context, in job.StreamInput, h StreamHooks) (job.StreamResult, error) {
	return job.StreamResult{}, errLater
}
func (j *Job) Apply(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
	return job.ApplyResult{}, errLater
}
func (j *Job) Lag(ctx context.Context, in job.StepInput) (job.Lag, error) { return job.Lag{}, errLater }
func (j *Job) CleanUp(ctx context.Context, in job.CleanUpInput) (job.CleanedUp, error) {
	return job.CleanedUp{}, errLater
}

// Refusal is a check that failed: the job must not start. Its text is what
// create_ccr answers.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

func Classify(err error) (kind job.Kind, retryable bool) { return job.KindNormal, true }
func Remedy(err error) string                            { return "" }
