package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// handleCreate answers /create_ccr (http-api.md 3.2): it starts the job's
// workflow and waits until its first checks have passed or refused the job.
// The first full sync is not waited for.
func (s *Server) handleCreate(c echo.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit))
	var request createRequest
	if err == nil {
		err = inJSONWords(json.NewDecoder(bytes.NewReader(body)).Decode(&request))
	}
	if err != nil {
		// The one endpoint that answers 400 to a body it cannot read.
		return send(c, http.StatusBadRequest, failure(err))
	}
	warnings := passedOver(body)
	if err := s.createJob(c, request, warnings); err != nil {
		return send(c, http.StatusOK, createReply{failure(err), warnings})
	}
	return send(c, http.StatusOK, createReply{base{Success: true}, warnings})
}

// createReply is the answer to a new job. Warnings tell of what was ignored of the body.
type createReply struct {
	base
	Warnings []string `json:"warnings,omitempty"`
}

// createJob creates a job and waits for its first checks. The warnings become events of
// the job.
func (s *Server) createJob(c echo.Context, request createRequest, warnings []string) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.createTimeout)
	defer cancel()
	if err := s.create(ctx, request, warnings, by(c)); err != nil {
		s.log.Warn("job not created", "job", request.Name, "by", by(c), "error", err)
		return err
	}
	s.log.Info("job created", "job", request.Name, "by", by(c))
	return nil
}

func (s *Server) create(ctx context.Context, request createRequest, warnings []string, by string) error {
	if err := s.nameUnused(ctx, request.Name); err != nil {
		return err
	}
	spec, err := request.spec()
	if err != nil {
		return classify(errInvalid, err)
	}
	if spec.Source.Password, err = s.keyring.Seal(request.Src.Password); err != nil {
		return fmt.Errorf("src: %w", err)
	}
	if spec.Destination.Password, err = s.keyring.Seal(request.Dest.Password); err != nil {
		return fmt.Errorf("dest: %w", err)
	}
	if spec.UID, err = randomHex(8); err != nil {
		return err
	}
	spec.CreatedAt = time.Now().UTC()

	// Without a worker nobody could check the job: better not to begin.
	workers, cancel := context.WithTimeout(ctx, s.jobs.try)
	defer cancel()
	if err := s.jobs.awaitWorker(workers); err != nil {
		return fmt.Errorf("job %s is not created: %w", spec.Name, err)
	}
	if err := s.refuseShared(ctx, &spec); err != nil {
		return fmt.Errorf("job is invalid: %w", err)
	}
	run, err := s.jobs.start(ctx, job.WorkflowInput{Spec: spec, Warnings: warnings}, by)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		return alreadyExists(spec.Name)
	}
	if err != nil {
		return fmt.Errorf("start job %s: %w", spec.Name, err)
	}
	s.list.created(spec.Name, spec.Destination.Database)
	if err := s.awaitChecked(ctx, spec.Name, run); err != nil {
		return err
	}
	return s.giveWay(ctx, spec.Name)
}

// giveWay deletes a job that has just been created if another one turns out to
// write to the same tables. Two requests at the same time do not see each other's
// job before both exist, and only the checks tell all frontends of a cluster that
// two jobs name differently. The older job stays.
func (s *Server) giveWay(ctx context.Context, name string) error {
	var spec job.Spec
	if err := s.jobs.query(ctx, name, job.QueryDetail, &spec); err != nil {
		return fmt.Errorf("job %s is created, but whether another job writes to the same tables is not known: %w", name, err)
	}
	found, err := s.otherJobs(ctx, &spec)
	if err != nil {
		return fmt.Errorf("job %s is created, but whether another job writes to the same tables is not known: %w", name, err)
	}
	older := found.older(&spec)
	if len(older) == 0 {
		return nil
	}
	refused := classify(errInvalid, fmt.Errorf("job is invalid: [normal] %s (%s)", writesToSame(&spec, older), remedyOtherJob))
	if err := s.jobs.remove(ctx, name, job.Command{}); err != nil && !errors.Is(err, errUnknownJob) {
		return fmt.Errorf("%w; job %s is to be deleted for that: %v", refused, name, err)
	}
	s.list.deleted(name)
	return refused
}

// nameUnused is asked before the fields are looked at, so a body with just a
// used name is answered by it (http-api.md 3.2).
func (s *Server) nameUnused(ctx context.Context, name string) error {
	if !job.NameAllowed(name) {
		return nil // no job can have it; Spec.Validate says why
	}
	ctx, cancel := context.WithTimeout(ctx, s.jobs.try)
	defer cancel()
	open, err := s.jobs.open(ctx, name)
	if err != nil || !open {
		return err
	}
	var status job.Status
	if err := s.jobs.query(ctx, name, job.QueryStatus, &status); err == nil && status.Phase == job.PhaseDeleting {
		return classify(errTaken, fmt.Errorf("job is invalid: [normal] job %s already exist: job is being deleted, please wait and retry", name))
	}
	return alreadyExists(name)
}

func alreadyExists(name string) error {
	return classify(errTaken, fmt.Errorf("job is invalid: [normal] job %s already exist", name))
}

// startOptions make the job findable and readable in the Web UI. Search
// attributes are not encrypted: they hold no secrets.
func startOptions(spec job.Spec, by string) client.StartWorkflowOptions {
	keyword := temporal.NewSearchAttributeKeyKeyword
	state := job.DBFullSync
	if spec.Type() == job.TableSync {
		state = job.TableFullSync
	}
	return client.StartWorkflowOptions{
		ID:        job.WorkflowID(spec.Name),
		TaskQueue: job.TaskQueue,
		// The open workflow is what makes a name unique.
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			keyword(job.SearchAttributeSyncType).ValueSet(spec.Type().String()),
			keyword(job.SearchAttributeSyncState).ValueSet(state.String()),
			keyword(job.SearchAttributeJobState).ValueSet("running"),
			keyword(job.SearchAttributeSourceDatabase).ValueSet(spec.Source.Database),
			keyword(job.SearchAttributeDestinationDatabase).ValueSet(spec.Destination.Database),
		),
		Memo: map[string]any{
			"source":          where(spec.Source),
			"destination":     where(spec.Destination),
			job.MemoCreatedBy: by,
		},
		StaticSummary: fmt.Sprintf("replicate %s to %s", object(spec.Source), object(spec.Destination)),
		StaticDetails: fmt.Sprintf("**%s** (%s, uid `%s`)\n\n* from %s\n* to %s\n* created by %s\n",
			spec.Name, spec.Type(), spec.UID, where(spec.Source), where(spec.Destination), by),
	}
}

func object(c job.Cluster) string {
	if c.Table == "" {
		return c.Database
	}
	return c.Database + "." + c.Table
}

func where(c job.Cluster) string {
	return fmt.Sprintf("%s on %s:%d (as %s)", object(c), c.Host, c.Port, c.User)
}

// awaitChecked waits until CheckJob has passed, or returns its refusal.
func (s *Server) awaitChecked(ctx context.Context, name string, run client.WorkflowRun) error {
	var status job.Status
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		err := s.jobs.query(ctx, name, job.QueryStatus, &status)
		return status.Checked, err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnknownJob):
		s.list.deleted(name)
		return refusal(ctx, name, run)
	case timedOut(err) && status.Problem != nil:
		return classify(errPending, fmt.Errorf("job %s is created, but its first checks have not passed yet and go on: %s", name, status.Problem.Text))
	case timedOut(err):
		return classify(errPending, fmt.Errorf("job %s is created, but its first checks are still going on: look at job_status", name))
	}
	return fmt.Errorf("job %s is created, but whether its first checks have passed is not known: %w", name, err)
}

// refusal returns why the workflow ended. Its text is the answer as it is.
func refusal(ctx context.Context, name string, run client.WorkflowRun) error {
	err := run.Get(ctx, nil)
	var refused *temporal.ApplicationError
	switch {
	case errors.As(err, &refused) && refused.Type() == job.ErrorTypeRefused:
		return classify(errInvalid, errors.New(refused.Message()))
	case err != nil:
		return fmt.Errorf("job %s ended before its first checks had passed: %w", name, err)
	}
	return fmt.Errorf("job %s was deleted before its first checks had passed", name)
}
