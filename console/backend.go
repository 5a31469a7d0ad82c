package console

import (
	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// Backend is what the console shows and orders: the API server. Who asks is in the context of the request
// (Options.Enter).
type Backend interface {
	// Jobs are all jobs, sorted by name.
	Jobs(c echo.Context) ([]Job, error)
	// Job is one job. ErrUnknownJob if there is none.
	Job(c echo.Context, name string) (Job, error)
	// Progress is the whole state of a job.
	Progress(c echo.Context, name string) (job.Progress, error)
}

// Job is a job as an overview has it. With Err nothing else is known but the name.
type Job struct {
	Name   string
	Spec   job.Spec // passwords are masked
	Status job.Status
	Err    error
}
