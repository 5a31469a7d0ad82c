package apiserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// refusedError is a command that the job declined; its text is the answer.
type refusedError struct{ reason string }

func (e *refusedError) Error() string { return e.reason }

// command signals the job and waits until it has carried the command out, so
// that the caller learns the truth. It waits no longer than timeout. An error is
// errUnknownJob, a refusedError, or says that the command is recorded but not yet
// carried out.
func (j *jobs) command(ctx context.Context, name, signal string, cmd job.Command, timeout time.Duration) error {
	id, err := randomHex(8)
	if err != nil {
		return err
	}
	cmd.RequestID = id
	if err := j.signal(ctx, name, signal, cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		var s job.Status
		if err := j.query(ctx, name, job.QueryStatus, &s); err != nil {
			return false, err
		}
		outcome, found := s.Outcome(id)
		if found && outcome.Refused != "" {
			return false, &refusedError{outcome.Refused}
		}
		return found, nil
	})
	return recorded(signal, name, err)
}

// signal hands cmd to the job. errUnknownJob if there is no open workflow.
func (j *jobs) signal(ctx context.Context, name, signal string, cmd job.Command) error {
	if !job.NameAllowed(name) {
		return errUnknownJob
	}
	err := j.client.SignalWorkflow(ctx, job.WorkflowID(name), "", signal, cmd)
	if missing(err) {
		return errUnknownJob
	}
	if err != nil {
		return fmt.Errorf("send %s to job %s: %w", signal, name, j.explain(ctx, err))
	}
	return nil
}

// remove deletes the job and waits until its workflow has ended: only then may
// the name be used again. If that takes longer than one try, remove asks whether any
// worker runs, and gives up if none does.
func (j *jobs) remove(ctx context.Context, name string, cmd job.Command) error {
	// A signal reaches a workflow that is closing, too. So the state of the workflow
	// has to say whether the job exists.
	if open, err := j.open(ctx, name); err != nil || !open {
		if err == nil {
			err = errUnknownJob
		}
		return err
	}
	if err := j.signal(ctx, name, job.SignalDelete, cmd); err != nil {
		return err
	}
	closed := func(ctx context.Context) (bool, error) {
		open, err := j.open(ctx, name)
		return !open, err
	}
	first, cancel := context.WithTimeout(ctx, j.try)
	defer cancel()
	err := poll(first, closed)
	if err != nil && timedOut(err) && ctx.Err() == nil {
		if err = j.explain(ctx, err); !errors.Is(err, errNoWorker) {
			err = poll(ctx, closed)
		}
	}
	return recorded(job.SignalDelete, name, err)
}

// recorded words the error of a caller that has not seen its command carried out.
// The signal is in the job's history, and the job will act on it whatever happens to
// this server.
func recorded(signal, name string, err error) error {
	var refused *refusedError
	if err == nil || errors.As(err, &refused) || errors.Is(err, errUnknownJob) {
		return err
	}
	if timedOut(err) {
		where := "its events (job_events) will tell what became of it"
		if signal == job.SignalDelete {
			where = "list_jobs shows it until it is gone"
		}
		return classify(errPending, fmt.Errorf("%s of job %s is recorded, but not carried out yet: the job is busy; %s", signal, name, where))
	}
	return classify(errPending, fmt.Errorf("%s of job %s is recorded, but not carried out yet: %w", signal, name, err))
}

func randomHex(bytes int) (string, error) {
	b := make([]byte, bytes)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make a random id: %w", err)
	}
	return hex.EncodeToString(b), nil
}
