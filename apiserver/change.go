package apiserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// What changes a running job is tried at the clusters first, by a worker, as a new job
// is. The job itself only takes over what it is told.

// credentialsRequest is the request of /update_credentials.
type credentialsRequest struct {
	nameRequest
	credentialsChange
}

// credentialsChange are new logins; a side, user or password that is absent stays.
type credentialsChange struct {
	Src  *loginRequest `json:"src"`
	Dest *loginRequest `json:"dest"`
	// Force has the job told without the logins being tried.
	Force bool `json:"force"`
}

type loginRequest struct {
	User     string  `json:"user"`
	Password *string `json:"password"` // "" is that of an account without a password
}

// handleUpdateCredentials answers /update_credentials.
func (s *Server) handleUpdateCredentials(c echo.Context, request credentialsRequest) (any, error) {
	return nil, s.updateCredentials(c, request.Name, request.credentialsChange)
}

// updateCredentials has a job log in otherwise, once the logins have been tried.
func (s *Server) updateCredentials(c echo.Context, name string, request credentialsChange) error {
	changes, err := s.sealed(request)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.createTimeout)
	defer cancel()
	if !request.Force {
		if err := s.tryChange(ctx, name, changes); err != nil {
			s.logCommand(c, name, job.SignalUpdateCredentials, err)
			return err
		}
	}
	return s.carryOut(c, name, job.SignalUpdateCredentials, job.Command{ClusterChanges: changes})
}

// sealed is the request as the job gets it: the passwords are sealed.
func (s *Server) sealed(request credentialsChange) (job.ClusterChanges, error) {
	var changes job.ClusterChanges
	for _, side := range []struct {
		name  string
		asked *loginRequest
		to    **job.ClusterChange
	}{{"src", request.Src, &changes.Src}, {"dest", request.Dest, &changes.Dest}} {
		if side.asked == nil || side.asked.User == "" && side.asked.Password == nil {
			continue
		}
		change := &job.ClusterChange{User: side.asked.User}
		if plain := side.asked.Password; plain != nil {
			password, err := s.keyring.Seal(*plain)
			if err != nil {
				return changes, fmt.Errorf("%s: %w", side.name, err)
			}
			change.Password = &password
		}
		*side.to = change
	}
	return changes, classify(errInvalid, changes.CheckCredentials())
}

// remedyUntried follows the reason why a change is refused.
const remedyUntried = `nothing is changed; with "force": true the job is told all the same`

// tryChange has a worker try what a job is to be told, at the clusters that it is about.
func (s *Server) tryChange(ctx context.Context, name string, changes job.ClusterChanges) error {
	if !job.NameAllowed(name) {
		return errUnknownJob
	}
	var check job.ChangeCheck
	if err := s.jobs.query(ctx, name, job.QueryChangeInput, &check); err != nil {
		return err
	}
	check.Spec.Change(changes)
	check.Source, check.Destination = changes.Src != nil, changes.Dest != nil
	checked, err := s.checkChange(ctx, check)
	switch {
	case err != nil:
		return classify(errUndecided, fmt.Errorf("whether the job could go on is not known: %w (%s)", err, remedyUntried))
	case checked.Refused != "":
		return classify(errInvalid, fmt.Errorf("[normal] the job could not go on: %s (%s)", checked.Refused, remedyUntried))
	}
	return nil
}

// checkChange runs the workflow that tries a change.
func (s *Server) checkChange(ctx context.Context, check job.ChangeCheck) (checked job.ChangeChecked, _ error) {
	workers, cancel := context.WithTimeout(ctx, s.jobs.try)
	defer cancel()
	if err := s.jobs.awaitWorker(workers); err != nil {
		return checked, err
	}
	id, err := randomHex(8)
	if err != nil {
		return checked, err
	}
	run, err := s.jobs.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       changeWorkflowIDPrefix + id,
		TaskQueue:                job.TaskQueue,
		WorkflowExecutionTimeout: changeTimeout,
		StaticSummary:            "try a change of job " + check.Spec.Name,
	}, job.WorkflowTypeCheckChange, check)
	if err != nil {
		return checked, fmt.Errorf("start the checks: %w", err)
	}
	if err := run.Get(ctx, &checked); err != nil {
		if timedOut(err) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("a cluster has not answered within %s", s.createTimeout)
		}
		return checked, fmt.Errorf("the checks did not end: %w", err)
	}
	return checked, nil
}

const (
	changeWorkflowIDPrefix = job.CheckWorkflowIDPrefix + "change-"
	// changeTimeout bounds the workflow of a check whose caller has gone.
	changeTimeout = time.Minute
)
