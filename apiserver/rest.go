package apiserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/job"
)

// resources is the index of the REST form: the same operations as resources,
// with HTTP methods, statuses and problem details. Handlers only translate.
func (s *Server) resources() []endpoint {
	return []endpoint{
		{method: http.MethodGet, path: "/jobs", role: access.Read, handle: s.getJobs},
		{method: http.MethodPost, path: "/jobs", role: access.Admin, handle: s.postJob},
		{method: http.MethodGet, path: "/jobs/:name", role: access.Read, handle: resource(s.getJob)},
		{method: http.MethodDelete, path: "/jobs/:name", role: access.Admin, handle: resource(s.removeJob)},

		{method: http.MethodGet, path: "/jobs/:name/status", role: access.Read, handle: resource(s.getStatus)},
		{method: http.MethodGet, path: "/jobs/:name/progress", role: access.Read, handle: resource(s.getProgress)},
		{method: http.MethodGet, path: "/jobs/:name/lag", role: access.Read, handle: resource(s.getLag)},
		{method: http.MethodGet, path: "/jobs/:name/events", role: access.Read, handle: resource(s.getEvents)},
		{method: http.MethodGet, path: "/jobs/:name/binlogs", role: access.Read, handle: resource(s.getBinlogs)},
		{method: http.MethodGet, path: "/jobs/:name/clusters", role: access.Read, handle: resource(s.getJobClusters)},
		{method: http.MethodGet, path: clustersPath, role: access.Read, handle: s.getClusters},

		{method: http.MethodPost, path: "/jobs/:name/pause", role: access.Operate, handle: resource(s.postCommand(job.SignalPause))},
		{method: http.MethodPost, path: "/jobs/:name/resume", role: access.Operate, handle: resource(s.postCommand(job.SignalResume))},
		{method: http.MethodPost, path: "/jobs/:name/desync", role: access.Operate, handle: resource(s.postCommand(job.SignalDesync))},
		{method: http.MethodPost, path: "/jobs/:name/sync", role: access.Operate, handle: resource(s.postCommand(job.SignalSync))},
		{method: http.MethodPost, path: "/jobs/:name/force_fullsync", role: access.Operate, handle: resource(s.postCommand(job.SignalForceFullSync))},
		{method: http.MethodPost, path: "/jobs/:name/skip_binlog", role: access.Operate, handle: commandWith(s.skipBinlog)},
		{method: http.MethodPatch, path: "/jobs/:name/host_mapping", role: access.Admin, handle: commandWith(s.mapHosts)},
		{method: http.MethodPatch, path: "/jobs/:name/tables", role: access.Operate, handle: commandWith(s.updateTables)},

		{method: http.MethodPatch, path: "/jobs/:name/credentials", role: access.Admin, handle: commandWith(s.updateCredentials)},
		{method: http.MethodPatch, path: "/jobs/:name/hosts", role: access.Admin, handle: commandWith(s.updateHosts)},
		{method: http.MethodPatch, path: "/jobs/:name/options", role: access.Admin, handle: commandWith(s.updateOptions)},

		{method: http.MethodGet, path: "/jobs/:name/verification", role: access.Read, handle: resource(s.getVerification)},
		{method: http.MethodPost, path: "/jobs/:name/verification", role: access.Operate, handle: startWith(s.verify)},
		{method: http.MethodDelete, path: "/jobs/:name/verification", role: access.Operate, handle: resource(s.postVerifyCommand(job.SignalVerifyCancel))},
		{method: http.MethodPost, path: "/jobs/:name/verification/pause", role: access.Operate, handle: resource(s.postVerifyCommand(job.SignalPause))},
		{method: http.MethodPost, path: "/jobs/:name/verification/resume", role: access.Operate, handle: resource(s.postVerifyCommand(job.SignalResume))},
		{method: http.MethodPost, path: "/jobs/:name/repair", role: access.Operate, handle: startWith(s.repair)},
	}
}

// jobName is the name in the path of a resource. Clients may encode any of its
// characters; the router leaves that as it is.
func jobName(c echo.Context) string {
	name := c.Param("name")
	if c.Request().URL.RawPath == "" {
		return name // decoded already
	}
	decoded, err := url.PathUnescape(name)
	if err != nil {
		return name
	}
	return decoded
}

// jobsResource is every job with its state.
type jobsResource struct {
	Jobs []jobSummary `json:"jobs"`
}

// jobSummary is a status, or why there is none.
type jobSummary struct {
	Name   string        `json:"name"`
	Type   string        `json:"type,omitempty"`
	Status *statusObject `json:"status,omitempty"`
	Error  string        `json:"error,omitempty"`
}

func (s *Server) getJobs(c echo.Context) error {
	rows, err := s.overview.all(c.Request().Context())
	if err != nil {
		return failResource(c, "", err)
	}
	all := jobsResource{Jobs: make([]jobSummary, 0, len(rows))}
	for _, r := range rows {
		if errors.Is(r.err, errUnknownJob) {
			continue // deleted since the names were listed
		}
		j := jobSummary{Name: r.name}
		if r.err != nil {
			j.Error = r.err.Error()
		} else {
			status := newStatus(r.name, r.status)
			j.Type, j.Status = r.spec.Type().String(), &status
		}
		all.Jobs = append(all.Jobs, j)
	}
	return sendResource(c, http.StatusOK, jsonType, all)
}

// created is the answer to a new job.
type created struct {
	Name string `json:"name"`
}

func (s *Server) postJob(c echo.Context) error {
	var request createRequest
	if err := decodeResource(c, &request); err != nil {
		return failResource(c, "", err)
	}
	err := s.createJob(c, request, nil)
	if err == nil || errors.Is(err, errPending) {
		c.Response().Header().Set(echo.HeaderLocation, resourcePath+"/"+request.Name)
	}
	if err != nil {
		return failResource(c, request.Name, err)
	}
	return sendResource(c, http.StatusCreated, jsonType, created{request.Name})
}

// jobResource is what a job was asked to do and how it is. The keys are those of
// job_detail; state and sync_type are words here.
type jobResource struct {
	*detailObject
	SyncType string       `json:"sync_type"`
	State    string       `json:"state"`
	Status   statusObject `json:"status"`
}

func (s *Server) getJob(c echo.Context, name string) (any, error) {
	return question(s, c, "job", name, func(ctx context.Context, name string) (r jobResource, err error) {
		if r.detailObject, err = s.jobs.detail(ctx, name); err != nil {
			return r, err
		}
		status, err := s.jobs.status(ctx, name)
		r.SyncType, r.State, r.Status = r.detailObject.SyncType.String(), status.StateWord(), newStatus(name, status)
		return r, err
	})
}

func (s *Server) removeJob(c echo.Context, name string) (any, error) {
	return nil, s.deleteJob(c, name)
}

func (s *Server) getStatus(c echo.Context, name string) (any, error) {
	status, err := question(s, c, "status", name, s.jobs.status)
	return newStatus(name, status), err
}

func (s *Server) getProgress(c echo.Context, name string) (any, error) {
	progress, err := question(s, c, "progress", name, s.jobs.progress)
	return newProgress(name, progress), err
}

func (s *Server) getLag(c echo.Context, name string) (any, error) {
	lag, err := s.lagOf(c, name)
	return newLag(lag), err
}

func (s *Server) getEvents(c echo.Context, name string) (any, error) {
	return question(s, c, "events", name, s.jobs.events)
}

// postCommand answers a command without arguments: the path says everything.
func (s *Server) postCommand(signal string) func(echo.Context, string) (any, error) {
	return func(c echo.Context, name string) (any, error) {
		return nil, s.carryOut(c, name, signal, job.Command{})
	}
}

// getVerification answers with the verification that runs, or the last one; the query
// parameter report asks for an older one.
func (s *Server) getVerification(c echo.Context, name string) (any, error) {
	return s.verifications(c, name, c.QueryParam("report"))
}

func (s *Server) postVerifyCommand(signal string) func(echo.Context, string) (any, error) {
	return func(c echo.Context, name string) (any, error) {
		return nil, s.commandVerification(c, name, signal)
	}
}
