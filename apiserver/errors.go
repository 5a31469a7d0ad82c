package apiserver

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
)

var (
	// errNameEmpty is the answer to a request without a job name.
	errNameEmpty = errors.New("name is empty")
	// errUnknownJob: there is no open workflow for the name. Endpoints word it
	// differently (http-api.md 1.1).
	errUnknownJob = errors.New("job not exist")
	// errNoWorker: no worker runs, so nothing can happen.
	errNoWorker = errors.New("no worker is running")
	// errOldWorkers: the workers that have taken a short workflow do not know it.
	errOldWorkers = errors.New("the workers are older than this server")
	// errTaskFails: the job's workflow task fails again and again, so that it can
	// answer nothing.
	errTaskFails = errors.New("its workflow task fails again and again: look at the workers' log; run workers of the version that the job ran on before, or a newer one")
	// errPaused: the workflow of the job is paused in Temporal, and does not answer.
	errPaused = errors.New("the workflow is paused in Temporal")
	// errTemporalDown: Temporal, which has the state of all jobs, cannot be reached.
	errTemporalDown = errors.New("temporal is not reachable")

	// The classes of errors that the REST form tells apart (problem.go); classify
	// gives one to an error. Their own texts are not shown.
	errUnreadable    = errors.New("the request cannot be read")
	errInvalid       = errors.New("the request cannot be carried out, whatever the state of the job")
	errTaken         = errors.New("the name is in use")
	errPending       = errors.New("what was asked for is recorded and goes on")
	errUnknownReport = errors.New("there is no such report")
	errUndecided     = errors.New("whether the request can be carried out is not known now")
)

// classified is an error that belongs to a class; its text is unchanged, since
// scripts may look for parts of it.
type classified struct {
	error
	class error
}

func classify(class, err error) error {
	if err == nil {
		return nil
	}
	return &classified{err, class}
}

// Is makes errors.Is find the class.
func (c *classified) Is(target error) bool { return target == c.class }

// Unwrap returns the error itself.
func (c *classified) Unwrap() error { return c.error }

// unknownJob is the usual wording for a job that does not exist.
func unknownJob(name string) error { return fmt.Errorf("job %s not exist", name) }

// describe gives an error of a request about the job called name the text that
// the interface uses.
func describe(err error, name string) error {
	if errors.Is(err, errUnknownJob) {
		return unknownJob(name)
	}
	return err
}

// timedOut tells whether err comes from a deadline, ours or the server's.
func timedOut(err error) bool {
	var deadline *serviceerror.DeadlineExceeded
	return errors.As(err, &deadline) || errors.Is(err, context.DeadlineExceeded)
}

// missing tells whether err says that there is no such workflow.
func missing(err error) bool {
	var notFound *serviceerror.NotFound
	return errors.As(err, &notFound)
}
