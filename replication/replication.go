// Package replication knows what replicating means: how a snapshot of a source
// database or table reaches the destination, how the binlogs that follow are
// applied exactly once and in order, and what each kind of binlog does.
//
// It knows nothing of Temporal. A Connector holds what all jobs of a process
// share (connections, limits, metrics); Open gives a Job, whose methods are the
// steps of job/steps.go. Every step may be started again after it died halfway:
// it finds its own backups, restores and transactions by their names and goes on.
//
// The steps are in rooms of their own, which know nothing of each other: stream,
// ddl, snapshot, verify, preflight and adopt. They stand on compare, pair (the two clusters
// of a job, and how they are asked), schema (what SHOW CREATE says) and problem
// (errors and what a person can do about them).
package replication

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/adopt"
	"github.com/doris-ccr/ccr/replication/ahead"
	"github.com/doris-ccr/ccr/replication/ddl"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/preflight"
	"github.com/doris-ccr/ccr/replication/snapshot"
	"github.com/doris-ccr/ccr/replication/stream"
	"github.com/doris-ccr/ccr/replication/verify"
)

// Options configure a Connector.
type Options = pair.Options

// Passwords are the clear passwords of the two clusters of a job. They live in
// memory only.
type Passwords = pair.Passwords

// Connector holds what the jobs of a process share. It is safe for concurrent
// use.
type Connector struct {
	pair      *pair.Connector
	books     *stream.Books
	verifying *verify.Shared
}

// NewConnector returns a connector; it makes no call.
func NewConnector(opts Options) *Connector {
	c := pair.NewConnector(opts)
	return &Connector{pair: c, books: stream.NewBooks(&c.Options), verifying: verify.NewShared()}
}

// NewMetrics returns the metrics of what a process replicates; r nil: nobody reads
// them.
func NewMetrics(r prometheus.Registerer) *pair.Metrics { return pair.NewMetrics(r) }

// Close closes the connections. Steps still running fail.
func (c *Connector) Close() error { return c.pair.Close() }

// Open returns the job that spec describes. It makes no call; the spec's host
// mappings are applied to every address that the clusters tell.
func (c *Connector) Open(spec job.Spec, passwords Passwords) *Job {
	return &Job{pair: c.pair.Open(spec, passwords), books: c.books, verifying: c.verifying}
}

// Job is one replication job with its connections. Its methods are the steps
// that the job's workflow asks for, one at a time.
type Job struct {
	pair      *pair.Job
	books     *stream.Books
	verifying *verify.Shared
}

// Guard makes may decide before each change of a cluster whether this attempt of a
// step is still the current one.
func (j *Job) Guard(may func(context.Context) error) { j.pair.Guard(may) }

// Close gives up the job's connections.
func (j *Job) Close() { j.pair.Close() }

// Check runs the checks before a job's first snapshot. An error is a
// *problem.Refusal, or one of a cluster that cannot be asked.
func (j *Job) Check(ctx context.Context) (job.Checked, error) {
	return preflight.New(j.pair).Check(ctx)
}

// CheckSetup looks at everything that a job needs, and collects what it finds.
func (j *Job) CheckSetup(ctx context.Context) (job.CheckReport, error) {
	return preflight.New(j.pair).CheckSetup(ctx)
}

// DescribeClusters looks at both clusters as they are now.
func (j *Job) DescribeClusters(ctx context.Context, wanted job.ClustersWanted) job.ClustersSeen {
	return preflight.New(j.pair).DescribeClusters(ctx, wanted)
}

// DescribeTables asks both clusters for the sizes of tables.
func (j *Job) DescribeTables(ctx context.Context, wanted job.TableSizesWanted) job.TableSizes {
	return preflight.New(j.pair).DescribeTables(ctx, wanted)
}

// DescribeBinlogs looks at the binlogs that the job has still to handle.
func (j *Job) DescribeBinlogs(ctx context.Context, in job.StepInput, wanted job.BinlogsWanted) job.BinlogsAhead {
	return ahead.New(j.pair).DescribeBinlogs(ctx, in, wanted)
}

// CheckChange tries a change of the job at the clusters that it is about.
func (j *Job) CheckChange(ctx context.Context, in job.ChangeCheck) (job.ChangeChecked, error) {
	return preflight.New(j.pair).CheckChange(ctx, in)
}

// TakeSnapshot makes the backup that the progress asks for.
func (j *Job) TakeSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotTaken, error) {
	return snapshot.New(j.pair).TakeSnapshot(ctx, in, report)
}

// RestoreSnapshot restores the backup on the destination.
func (j *Job) RestoreSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotRestored, error) {
	return snapshot.New(j.pair).RestoreSnapshot(ctx, in, report)
}

// FinishSnapshot swaps aliases in and reads the ids of what was restored.
func (j *Job) FinishSnapshot(ctx context.Context, in job.StepInput) (job.SnapshotFinished, error) {
	return snapshot.New(j.pair).FinishSnapshot(ctx, in)
}

// SelectTables finds the tables and views that have to come by snapshots.
func (j *Job) SelectTables(ctx context.Context, in job.StepInput) (job.TablesSelected, error) {
	return snapshot.New(j.pair).SelectTables(ctx, in)
}

// CleanUp removes what the job has left on the clusters.
func (j *Job) CleanUp(ctx context.Context, in job.CleanUpInput) (job.CleanedUp, error) {
	return snapshot.New(j.pair).CleanUp(ctx, in)
}

// Stream follows the source's binlogs until there is a reason to end.
func (j *Job) Stream(ctx context.Context, in job.StreamInput, h stream.Hooks) (job.StreamResult, error) {
	return stream.New(j.pair, j.books).Stream(ctx, in, h)
}

// Apply applies one binlog that is no UPSERT.
func (j *Job) Apply(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
	return ddl.New(j.pair).Apply(ctx, in)
}

// ApplySeveral applies binlogs that are no UPSERTs and follow each other.
func (j *Job) ApplySeveral(ctx context.Context, in job.ApplySeveralInput, s ddl.Steps) ([]job.ApplyResult, error) {
	return ddl.New(j.pair).ApplySeveral(ctx, in, s)
}

// Lag measures how far the job is behind its source.
func (j *Job) Lag(ctx context.Context, in job.StepInput) (binlog.Lag, error) {
	return j.pair.Lag(ctx, in)
}

// PlanVerification lists what a verification is to compare.
func (j *Job) PlanVerification(ctx context.Context, in job.StepInput, request job.VerifyRequest) (job.VerifyPlan, error) {
	return verify.New(j.pair, j.verifying).Plan(ctx, in, request)
}

// VerifyTable compares a table or view on both sides.
func (j *Job) VerifyTable(ctx context.Context, in job.StepInput, what job.VerifyTableInput, h verify.Hooks) (job.VerifiedTable, error) {
	return verify.New(j.pair, j.verifying).Table(ctx, in, what, h)
}

// Adopt goes on with the job of the existing syncer at a position.
func (j *Job) Adopt(ctx context.Context, position job.Position, change bool) (adopt.Taken, error) {
	return adopt.New(j.pair).Adopt(ctx, position, change)
}
