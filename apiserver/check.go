package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.temporal.io/sdk/client"

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
	workers, cancel := context.WithTimeout(ctx, s.jobs.try)
	defer cancel()
	if err := s.jobs.awaitWorker(workers); err != nil {
		return job.CheckReport{}, fmt.Errorf("nothing is checked: %w", err)
	}
	var report job.CheckReport
	report.Checks = append(report.Checks, s.checkName(ctx, spec.Name), s.checkOtherJobs(ctx, &spec))
	run, err := s.jobs.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       job.CheckWorkflowIDPrefix + spec.UID,
		TaskQueue:                job.TaskQueue,
		WorkflowExecutionTimeout: checkTimeout,
		StaticSummary:            fmt.Sprintf("check %s and %s", object(spec.Source), object(spec.Destination)),
	}, job.WorkflowTypeCheck, spec)
	if err != nil {
		return job.CheckReport{}, fmt.Errorf("start the checks: %w", err)
	}
	var found job.CheckReport
	if err := run.Get(ctx, &found); err != nil {
		return job.CheckReport{}, fmt.Errorf("the checks did not end: %w", err)
	}
	report.Checks = append(report.Checks, found.Checks...)
	return report, nil
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

// checkOtherJobs looks for jobs that write to the same tables.
func (s *Server) checkOtherJobs(ctx context.Context, spec *job.Spec) job.CheckResult {
	r := job.CheckResult{Check: "other jobs", Status: job.CheckPass, Detail: "none writes to the same destination"}
	names, err := s.list.all(ctx)
	if err != nil {
		r.Status, r.Detail = job.CheckWarn, fmt.Sprintf("the other jobs cannot be listed: %v", err)
		return r
	}
	var same, silent []string
	for _, name := range names {
		if name == spec.Name {
			continue
		}
		var other job.Spec
		err := s.jobs.query(ctx, name, job.QueryDetail, &other)
		switch {
		case errors.Is(err, errUnknownJob):
		case err != nil:
			silent = append(silent, name)
		case sameDestination(spec, &other):
			same = append(same, name)
		}
	}
	switch {
	case len(same) > 0:
		r.Status, r.Detail = job.CheckFail, fmt.Sprintf("these jobs write to %s on the same cluster: %s", object(spec.Destination), strings.Join(same, ", "))
		r.Remedy = "choose another destination, or delete the other job first"
	case len(silent) > 0:
		r.Status, r.Detail = job.CheckWarn, fmt.Sprintf("these jobs do not tell where they write to: %s", strings.Join(silent, ", "))
	}
	return r
}

// sameDestination tells whether two jobs may write to the same tables: they know
// the cluster by a common frontend, and neither is for another table.
func sameDestination(a, b *job.Spec) bool {
	x, y := &a.Destination, &b.Destination
	if x.Database != y.Database || x.Table != "" && y.Table != "" && x.Table != y.Table {
		return false
	}
	known := map[string]bool{}
	for _, c := range []*job.Cluster{x, y} {
		hosts := map[string]bool{fmt.Sprintf("%s:%d", c.Host, c.ThriftPort): true}
		for _, f := range c.Frontends {
			hosts[fmt.Sprintf("%s:%d", f.Host, f.ThriftPort)] = true
		}
		for host := range hosts {
			if known[host] {
				return true
			}
		}
		known = hosts
	}
	return false
}
