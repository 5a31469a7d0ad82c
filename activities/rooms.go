package activities

import (
	"context"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/replication/ddl"
	"github.com/doris-ccr/ccr/replication/stream"
	"github.com/doris-ccr/ccr/replication/verify"
)

// rooms are a *replication.Job, each of them a part of what it does: a step uses
// one of them. Tests have others.
type rooms struct {
	connection
	preflight checker
	snapshot  snapshotter
	ddl       applier
	stream    streamer
	verify    verifier
	ahead     foreseer
}

type (
	// connection is the pair of clusters of a job.
	connection interface {
		// Guard has may asked before anything is changed.
		Guard(may func(context.Context) error)
		Close()
	}
	// checker looks whether a job can run, and what its clusters are like.
	checker interface {
		Check(context.Context) (job.Checked, error)
		CheckSetup(context.Context) (job.CheckReport, error)
		DescribeClusters(context.Context, job.ClustersWanted) job.ClustersSeen
		DescribeTables(context.Context, job.TableSizesWanted) job.TableSizes
		CheckChange(context.Context, job.ChangeCheck) (job.ChangeChecked, error)
	}
	// snapshotter brings a database or a table as a whole, and removes what is left of it.
	snapshotter interface {
		TakeSnapshot(context.Context, job.StepInput, func(job.Heartbeat)) (job.SnapshotTaken, error)
		RestoreSnapshot(context.Context, job.StepInput, func(job.Heartbeat)) (job.SnapshotRestored, error)
		FinishSnapshot(context.Context, job.StepInput) (job.SnapshotFinished, error)
		SelectTables(context.Context, job.StepInput) (job.TablesSelected, error)
		CleanUp(context.Context, job.CleanUpInput) (job.CleanedUp, error)
	}
	// applier applies binlogs that are not UPSERTs.
	applier interface {
		Apply(context.Context, job.ApplyInput) (job.ApplyResult, error)
		ApplySeveral(context.Context, job.ApplySeveralInput, ddl.Steps) ([]job.ApplyResult, error)
	}
	// streamer follows UPSERTs, and tells how far a job is behind.
	streamer interface {
		Stream(context.Context, job.StreamInput, stream.Hooks) (job.StreamResult, error)
		Lag(context.Context, job.StepInput) (binlog.Lag, error)
	}
	// foreseer looks at the binlogs that a job has still to handle.
	foreseer interface {
		DescribeBinlogs(context.Context, job.StepInput, job.BinlogsWanted) job.BinlogsAhead
	}
	// verifier compares the content of tables.
	verifier interface {
		PlanVerification(context.Context, job.StepInput, job.VerifyRequest) (job.VerifyPlan, error)
		VerifyTable(context.Context, job.StepInput, job.VerifyTableInput, verify.Hooks) (job.VerifiedTable, error)
	}
)

// roomsOf are the rooms of an open job.
func roomsOf(j *replication.Job) rooms {
	return rooms{connection: j, preflight: j, snapshot: j, ddl: j, stream: j, verify: j, ahead: j}
}
