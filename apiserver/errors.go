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
	// errNoWorker: nothing can happen, because nobody works on jobs.
	errNoWorker = errors.New("no worker is running")
)

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
