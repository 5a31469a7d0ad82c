package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

// checkReply is the answer of /check_ccr. success says that the checks were
// made, overall what they found.
type checkReply struct {
	base
	Overall job.CheckStatus   `json:"overall"`
	Checks  []job.CheckResult `json:"checks"`
}

// handleCheck answers /check_ccr: the body of /create_ccr, every check of it and
// more, and nothing is changed.
func (s *Server) handleCheck(c echo.Context) error {
	var request createRequest
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.createTimeout)
	defer cancel()
	report, err := s.check(ctx, request)
	if err != nil {
		s.log.Warn("setup not checked", "job", request.Name, "by", by(c), "error", err)
		return fail(c, err)
	}
	return send(c, http.StatusOK, checkReply{base{Success: true}, report.Overall(), report.Checks})
}

func (s *Server) check(ctx context.Context, request createRequest) (job.CheckReport, error) {
	spec, err := request.spec()
	if err != nil {
		return job.CheckReport{}, err
	}
	if spec.Source.Password, err = s.keyring.Seal(request.Src.Password); err != nil {
		return job.CheckReport{}, fmt.Errorf("src: %w", err)
	}
	if spec.Destination.Password, err = s.keyring.Seal(request.Dest.Password); err != nil {
		return job.CheckReport{}, fmt.Errorf("dest: %w", err)
	}
	if spec.UID, err = randomHex(8); err != nil {
		return job.CheckReport{}, err
	}
	w := shortWorkflow{job.WorkflowTypeCheck, job.CheckWorkflowIDPrefix, fmt.Sprintf("check %s and %s", object(spec.Source), object(spec.Destination)), checkTimeout}
	var found job.CheckReport
	var workers errgroup.Group
	workers.Go(func() error { return s.jobs.run(ctx, w, spec, &found) })
	checks := []job.CheckResult{s.checkName(ctx, spec.Name), s.checkOtherJobs(ctx, &spec)}
	if err := workers.Wait(); err != nil {
		return job.CheckReport{}, s.unchecked(ctx, err)
	}
	return job.CheckReport{Checks: append(checks, found.Checks...)}, nil
}

// checkTimeout bounds the workflow of a check_ccr whose caller has gone.
const checkTimeout = 3 * time.Minute

func (s *Server) checkName(ctx context.Context, name string) job.CheckResult {
	r := job.CheckResult{Check: "name", Status: job.CheckPass, Detail: "the name is free"}
	if err := s.nameUnused(ctx, name); err != nil {
		r.Status, r.Detail, r.Remedy = job.CheckFail, err.Error(), "choose another name, or delete that job"
	}
	return r
}
