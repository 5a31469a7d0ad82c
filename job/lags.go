package job

import (
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// Every worker process has a workflow of its own, on a task queue of its own, for
// as long as it runs. Its query QueryLags reads what the process knows of its
// shifts at that moment: one question about hundreds of jobs, and no event in any
// history. Names are part of the interface.
const (
	WorkflowTypeWorker     = "CcrWorker"
	WorkerWorkflowIDPrefix = "ccr-worker-"
	SignalWorkerStops      = "worker_stops"
	QueryLags              = "lags"

	// QueryLagInput asks a job for what is needed to observe its lag from outside:
	// a StepInput with nothing but name, source (password sealed) and position.
	QueryLagInput = "lag_input"
)

// RunningWorkersQuery finds the workflows of worker processes in Temporal's visibility:
// those that run, and those that have died only lately.
const RunningWorkersQuery = "WorkflowType = '" + WorkflowTypeWorker + "' AND ExecutionStatus = 'Running'"

// LagsWanted is the argument of QueryLags.
type LagsWanted struct {
	// Jobs are the names of jobs whose shifts may run in the process.
	Jobs []string `json:"jobs,omitempty"`
	// Watch are jobs that do not stream: the process looks at their sources.
	Watch []StepInput `json:"watch,omitempty"`
}

// LagsKnown is the answer, by name of the job. Jobs that the process knows nothing of
// are left out. So are those whose sources it has begun to look at: they are there
// when it is asked again.
type LagsKnown map[string]LagAnswer

// LagAnswer is the lag of a job as one process knows it.
type LagAnswer struct {
	Lag binlog.Lag `json:"lag"`
	// Age is how long ago the source was asked, in ns: clocks of two machines
	// need not agree.
	Age time.Duration `json:"age"`
	// Error says why the source could not be asked; then there is no Lag.
	Error string `json:"error,omitempty"`
}
