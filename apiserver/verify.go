package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// verifyOptions are what /verify takes beside the name.
type verifyOptions struct {
	Tables        []string         `json:"tables,omitempty"`
	Partitions    []string         `json:"partitions,omitempty"`
	Method        job.VerifyMethod `json:"method,omitempty"`
	Repair        bool             `json:"repair,omitempty"`
	DryRun        bool             `json:"dry_run,omitempty"`
	Rate          int64            `json:"rate,omitempty"`
	ByteRate      int64            `json:"byte_rate,omitempty"`
	MaxRows       int              `json:"max_rows,omitempty"`
	Replicas      bool             `json:"replicas,omitempty"`
	WorkloadGroup string           `json:"workload_group,omitempty"`
	MemLimit      int64            `json:"mem_limit,omitempty"`
	QueryTimeout  string           `json:"query_timeout,omitempty"`
	// Hold is nil for the default; "0s" is none.
	Hold *string `json:"hold,omitempty"`
	// Every makes, changes or removes the schedule; nil: the job is verified now, once.
	Every  *string `json:"every,omitempty"`
	Window string  `json:"window,omitempty"`
	Jitter string  `json:"jitter,omitempty"`
}

// verifyRequest is the request of /verify.
type verifyRequest struct {
	nameRequest
	verifyOptions
}

// verifyObject is what is known of the verifications of a job.
type verifyObject struct {
	// Report is that of the verification which runs, else of the last one.
	Report   *job.VerifyReport `json:"report,omitempty"`
	Result   string            `json:"result,omitempty"`
	Schedule *scheduleObject   `json:"schedule,omitempty"`
}

type verifyReply struct {
	base
	verifyObject
}

// startedObject tells of a verification that was started, or of a schedule.
type startedObject struct {
	Report   string          `json:"report,omitempty"`
	Schedule *scheduleObject `json:"schedule,omitempty"`
}

type startedReply struct {
	base
	startedObject
}

// handleVerify answers /verify.
func (s *Server) handleVerify(c echo.Context, request verifyRequest) (any, error) {
	started, err := s.verify(c, request.Name, request.verifyOptions)
	return startedReply{base{Success: true}, started}, err
}

// verify starts a verification of a job, or has it verified regularly.
func (s *Server) verify(c echo.Context, name string, o verifyOptions) (startedObject, error) {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	in := job.VerifyInput{Job: name, By: by(c)}
	if err := s.readVerification(ctx, &in, o); err != nil {
		return startedObject{}, err
	}
	if o.Every != nil {
		schedule, err := s.schedule(ctx, in, o)
		s.logCommand(c, name, "verify "+*o.Every, err)
		return startedObject{Schedule: schedule}, err
	}
	report, err := s.startVerification(ctx, in)
	s.logCommand(c, name, "verify", err)
	return startedObject{Report: report}, err
}

// readVerification reads a request about a job that exists.
func (s *Server) readVerification(ctx context.Context, in *job.VerifyInput, o verifyOptions) error {
	var spec job.Spec
	if err := s.jobs.query(ctx, in.Job, job.QueryDetail, &spec); err != nil {
		return err
	}
	timeout, err := duration("query_timeout", o.QueryTimeout)
	if err != nil {
		return err
	}
	in.Request = job.VerifyRequest{
		Tables: o.Tables, Partitions: o.Partitions, Method: o.Method, Repair: o.Repair, DryRun: o.DryRun,
		Rate: o.Rate, ByteRate: o.ByteRate, MaxRows: o.MaxRows, Replicas: o.Replicas, WorkloadGroup: o.WorkloadGroup, MemLimit: o.MemLimit, QueryTimeout: timeout,
	}
	if o.Hold != nil {
		hold, err := duration("hold", *o.Hold)
		if err != nil {
			return err
		}
		in.Request.Hold = &hold
	}
	if err := in.Request.Normalize(); err != nil {
		return classify(errInvalid, err)
	}
	return classify(errInvalid, in.Request.Fits(spec.Type()))
}

// duration reads a length of time; "" is none.
func duration(key, text string) (time.Duration, error) {
	if text == "" || text == "0" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, classify(errInvalid, fmt.Errorf(`[normal] %s is %q: it has to be a length of time like "90s", "15m" or "24h"`, key, text))
	}
	return d, nil
}

// startVerification starts a verification unless one is under way, and returns the id
// of its report. One whose report is complete tells its job, and is over in a moment:
// whoever has seen the report may go on with another.
func (s *Server) startVerification(ctx context.Context, in job.VerifyInput) (report string, err error) {
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		run, err := s.jobs.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
			ID:                                       job.VerifyWorkflowID(in.Job),
			TaskQueue:                                job.TaskQueue,
			WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
			WorkflowExecutionErrorWhenAlreadyStarted: true,
			StaticSummary:                            job.VerifySummary(in),
		}, job.WorkflowTypeVerify, in)
		var running *serviceerror.WorkflowExecutionAlreadyStarted
		switch {
		case errors.As(err, &running):
			last, err := s.jobs.verifyReport(ctx, in.Job, "")
			if err == nil && !last.EndedAt.IsZero() {
				return false, nil
			}
			return false, &refusedError{fmt.Sprintf("a verification of job %s is under way already: verify_status shows it, verify_cancel ends it", in.Job)}
		case err != nil:
			return false, fmt.Errorf("start the verification of job %s: %w", in.Job, s.jobs.explain(ctx, err))
		}
		report = run.GetRunID()
		return true, nil
	})
	return report, err
}

// verifyStatusRequest is the request of /verify_status.
type verifyStatusRequest struct {
	nameRequest
	// Report is the id of an older report; "" = the newest.
	Report string `json:"report"`
	// Format is "json", or "text" for people.
	Format string `json:"format"`
}

// handleVerifyStatus answers /verify_status.
func (s *Server) handleVerifyStatus(c echo.Context) error {
	var request verifyStatusRequest
	if err := decode(c, &request); err != nil {
		return failOperation(c, "", err)
	}
	if request.Name == "" {
		return failOperation(c, "", errNameEmpty)
	}
	o, err := s.verifications(c, request.Name, request.Report)
	switch {
	case err != nil:
		return failOperation(c, request.Name, err)
	case request.Format == "text":
		return c.String(http.StatusOK, o.text())
	case request.Format != "" && request.Format != "json":
		return fail(c, fmt.Errorf("[normal] there is no format %q: it is json or text", request.Format))
	}
	return send(c, http.StatusOK, verifyReply{base{Success: true}, o})
}

// verifications returns what is known of the verifications of a job.
func (s *Server) verifications(c echo.Context, name, report string) (verifyObject, error) {
	return question(s, c, "verification "+report, name, func(ctx context.Context, name string) (o verifyObject, err error) {
		if err := s.jobs.mustBeOpen(ctx, name); err != nil {
			return o, err
		}
		if o.Report, err = s.jobs.verifyReport(ctx, name, report); err != nil && !errors.Is(err, errNoVerification) {
			return o, err
		}
		if report != "" && err != nil {
			return o, err
		}
		if o.Report != nil {
			o.Result = o.Report.Result()
			if o.Report.EndedAt.IsZero() {
				o.Result = ""
			}
		}
		o.Schedule, err = s.jobs.verifySchedule(ctx, name)
		return o, err
	})
}

// mustBeOpen is errUnknownJob if the job does not exist.
func (j *jobs) mustBeOpen(ctx context.Context, name string) error {
	open, err := j.open(ctx, name)
	if err == nil && !open {
		err = errUnknownJob
	}
	return err
}

// errNoVerification: the job has not been verified, or Temporal has forgotten it.
var errNoVerification = classify(errUnknownReport, errors.New("there is no such verification: the job has not been verified yet, or it is longer ago than Temporal keeps workflows"))

// text is for people.
func (o *verifyObject) text() string {
	text := "not verified yet\n"
	if o.Report != nil {
		text = o.Report.Text()
	}
	if o.Schedule != nil {
		text += o.Schedule.text()
	}
	return text
}

// verifyReport returns the report of a verification: of the one which runs, or what
// the last one, or the one with this id, has ended with.
func (j *jobs) verifyReport(ctx context.Context, name, report string) (*job.VerifyReport, error) {
	id := job.VerifyWorkflowID(name)
	d, err := j.client.DescribeWorkflowExecution(ctx, id, report)
	var invalid *serviceerror.InvalidArgument
	switch {
	case missing(err), errors.As(err, &invalid):
		return nil, errNoVerification
	case err != nil:
		return nil, fmt.Errorf("look for the verification of job %s: %w", name, j.explain(ctx, err))
	}
	r := &job.VerifyReport{}
	switch d.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		if err := j.client.GetWorkflow(ctx, id, report).Get(ctx, r); err != nil {
			return nil, fmt.Errorf("read the report of job %s: %w", name, err)
		}
		return r, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return j.continuedReport(ctx, name, report)
	}
	// It runs, or somebody has ended it by force: what it knew is there all the same.
	err = j.pollThroughFailover(ctx, name, func(ctx context.Context) (bool, error) {
		resp, err := j.client.QueryWorkflowWithOptions(ctx, &client.QueryWorkflowWithOptionsRequest{
			WorkflowID: id, RunID: report, QueryType: job.QueryVerifyReport,
		})
		var notReady *serviceerror.WorkflowNotReady
		if errors.As(err, &notReady) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, resp.QueryResult.Get(r)
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the verification of job %s: %w", name, err)
	}
	if !isOpen(d) {
		r.State, r.Error = job.VerifyFailed, "its workflow was ended by force"
		return r, nil
	}
	for _, a := range d.GetPendingActivities() {
		var beat job.Heartbeat
		details := a.GetHeartbeatDetails()
		if len(details.GetPayloads()) == 0 || j.converter.FromPayloads(details, &beat) != nil || beat.Verifying == nil || r.Doing == "" {
			continue
		}
		r.Doing = fmt.Sprintf("%s (%d of %d partitions)", r.Doing, len(beat.Verifying.Done), beat.Verifying.Of)
		if beat.Note != "" {
			r.Doing += ": " + beat.Note
		}
	}
	return r, nil
}

// continuedReport is the report of a verification whose first run has a successor: it
// is the newest, or it has ended with a result.
func (j *jobs) continuedReport(ctx context.Context, name, report string) (*job.VerifyReport, error) {
	newest, err := j.verifyReport(ctx, name, "")
	if err != nil || newest.ID == report {
		return newest, err
	}
	r := &job.VerifyReport{}
	if err := j.client.GetWorkflow(ctx, job.VerifyWorkflowID(name), report).Get(ctx, r); err != nil {
		return nil, fmt.Errorf("read the report of job %s: %w", name, err)
	}
	return r, nil
}

// handleVerifyCommand answers verify_pause, verify_resume and verify_cancel.
func (s *Server) handleVerifyCommand(signal string) func(echo.Context, nameRequest) (any, error) {
	return func(c echo.Context, request nameRequest) (any, error) {
		return nil, s.commandVerification(c, request.Name, signal)
	}
}

// commandVerification steers the verification that runs, and waits until it has
// obeyed.
func (s *Server) commandVerification(c echo.Context, name, signal string) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	if err := s.jobs.mustBeOpen(ctx, name); err != nil {
		return err
	}
	err := s.jobs.steerVerification(ctx, name, signal, by(c), s.commandTimeout)
	s.logCommand(c, name, "verify "+signal, err)
	return err
}

func (j *jobs) steerVerification(ctx context.Context, name, signal, by string, timeout time.Duration) error {
	idle := &refusedError{fmt.Sprintf("no verification of job %s is running: verify starts one, verify_status shows the last", name)}
	err := j.client.SignalWorkflow(ctx, job.VerifyWorkflowID(name), "", signal, job.Command{By: by})
	switch {
	case missing(err):
		return idle
	case err != nil:
		return fmt.Errorf("send %s to the verification of job %s: %w", signal, name, j.explain(ctx, err))
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		r, err := j.verifyReport(ctx, name, "")
		if err != nil {
			return false, err
		}
		ended := !r.EndedAt.IsZero() || r.State == job.VerifyFailed
		switch signal {
		case job.SignalPause:
			return ended || r.State == job.VerifyPaused, nil
		case job.SignalResume:
			return ended || r.State == job.VerifyRunning, nil
		}
		return ended, nil
	})
	if err != nil {
		return classify(errPending, fmt.Errorf("%s of the verification of job %s is recorded, but not carried out yet: %w", signal, name, j.explain(ctx, err)))
	}
	return nil
}

// repairOptions are what /repair takes beside the name.
type repairOptions struct {
	// Report is the id of the report that found what is to be repaired; "" = the newest.
	Report string `json:"report,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// repairRequest is the request of /repair.
type repairRequest struct {
	nameRequest
	repairOptions
}

// handleRepair answers /repair.
func (s *Server) handleRepair(c echo.Context, request repairRequest) (any, error) {
	started, err := s.repair(c, request.Name, request.repairOptions)
	return startedReply{base{Success: true}, started}, err
}

// repair starts a verification that repairs what an earlier one has found.
func (s *Server) repair(c echo.Context, name string, o repairOptions) (startedObject, error) {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	if err := s.jobs.mustBeOpen(ctx, name); err != nil {
		return startedObject{}, err
	}
	found, err := s.jobs.verifyReport(ctx, name, o.Report)
	if err != nil {
		return startedObject{}, err
	}
	if found.EndedAt.IsZero() && found.State != job.VerifyFailed {
		return startedObject{}, &refusedError{fmt.Sprintf("the verification %s of job %s is under way: wait for its end, or end it with verify_cancel", found.ID, name)}
	}
	in := job.VerifyInput{Job: name, By: by(c), Of: found.ID, Request: found.Request}
	in.Request.Repair, in.Request.DryRun = true, o.DryRun
	for _, t := range found.Tables {
		if t.Outcome == job.VerifyDifferent {
			in.Found = append(in.Found, t)
		}
	}
	if len(in.Found) == 0 {
		return startedObject{}, &refusedError{fmt.Sprintf("the verification %s of job %s has left nothing to repair: no table is different", found.ID, name)}
	}
	report, err := s.startVerification(ctx, in)
	s.logCommand(c, name, "repair "+found.ID, err)
	return startedObject{Report: report}, err
}

// endVerifications ends what verifies a job that was deleted.
func (s *Server) endVerifications(ctx context.Context, name string) {
	err := s.jobs.client.ScheduleClient().GetHandle(ctx, job.VerifyScheduleID(name)).Delete(ctx)
	if err != nil && !missing(err) {
		s.log.Warn("the schedule of the verifications of a deleted job is left behind", "job", name, "error", err)
	}
	err = s.jobs.client.SignalWorkflow(ctx, job.VerifyWorkflowID(name), "", job.SignalVerifyCancel, job.Command{By: "the deletion of the job"})
	if err != nil && !missing(err) {
		s.log.Warn("the verification of a deleted job is not cancelled", "job", name, "error", err)
	}
}
