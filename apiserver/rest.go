package apiserver

import (
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
		{method: http.MethodGet, path: "/jobs/:name", role: access.Read, handle: s.getJob},
		{method: http.MethodDelete, path: "/jobs/:name", role: access.Admin, handle: s.removeJob},

		{method: http.MethodGet, path: "/jobs/:name/status", role: access.Read, handle: s.getStatus},
		{method: http.MethodGet, path: "/jobs/:name/progress", role: access.Read, handle: s.getProgress},
		{method: http.MethodGet, path: "/jobs/:name/lag", role: access.Read, handle: s.getLag},
		{method: http.MethodGet, path: "/jobs/:name/events", role: access.Read, handle: s.getEvents},

		{method: http.MethodPost, path: "/jobs/:name/pause", role: access.Operate, handle: s.postCommand(job.SignalPause)},
		{method: http.MethodPost, path: "/jobs/:name/resume", role: access.Operate, handle: s.postCommand(job.SignalResume)},
		{method: http.MethodPost, path: "/jobs/:name/desync", role: access.Operate, handle: s.postCommand(job.SignalDesync)},
		{method: http.MethodPost, path: "/jobs/:name/sync", role: access.Operate, handle: s.postCommand(job.SignalSync)},
		{method: http.MethodPost, path: "/jobs/:name/force_fullsync", role: access.Operate, handle: s.postCommand(job.SignalForceFullSync)},
		{method: http.MethodPost, path: "/jobs/:name/skip_binlog", role: access.Operate, handle: s.postSkip},
		{method: http.MethodPatch, path: "/jobs/:name/host_mapping", role: access.Operate, handle: s.patchHostMapping},
		{method: http.MethodPatch, path: "/jobs/:name/tables", role: access.Operate, handle: s.patchTables},
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
	err := s.createJob(c, request)
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

func (s *Server) getJob(c echo.Context) error {
	name := jobName(c)
	ctx, cancel := s.patience(c)
	defer cancel()
	detail, err := s.jobs.detail(ctx, name)
	if err != nil {
		return failResource(c, name, err)
	}
	status, err := s.jobs.status(ctx, name)
	if err != nil {
		return failResource(c, name, err)
	}
	return sendResource(c, http.StatusOK, jsonType, jobResource{
		detailObject: detail, SyncType: detail.SyncType.String(), State: status.StateWord(), Status: newStatus(name, status),
	})
}

func (s *Server) removeJob(c echo.Context) error {
	name := jobName(c)
	if err := s.deleteJob(c, name); err != nil {
		return failResource(c, name, err)
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) getStatus(c echo.Context) error {
	name := jobName(c)
	ctx, cancel := s.patience(c)
	defer cancel()
	status, err := s.jobs.status(ctx, name)
	if err != nil {
		return failResource(c, name, err)
	}
	return sendResource(c, http.StatusOK, jsonType, newStatus(name, status))
}

func (s *Server) getProgress(c echo.Context) error {
	name := jobName(c)
	ctx, cancel := s.patience(c)
	defer cancel()
	progress, err := s.jobs.progress(ctx, name)
	if err != nil {
		return failResource(c, name, err)
	}
	return sendResource(c, http.StatusOK, jsonType, newProgress(name, progress))
}

func (s *Server) getLag(c echo.Context) error {
	name := jobName(c)
	lag, err := s.lagOf(c, name)
	if err != nil {
		return failResource(c, name, err)
	}
	return sendResource(c, http.StatusOK, jsonType, newLag(lag))
}

func (s *Server) getEvents(c echo.Context) error {
	name := jobName(c)
	events, err := s.eventsOf(c, name)
	if err != nil {
		return failResource(c, name, err)
	}
	return sendResource(c, http.StatusOK, jsonType, events)
}

// postCommand answers 204 when the job has carried the command out. The body is
// not read: the path says everything.
func (s *Server) postCommand(signal string) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := jobName(c)
		return s.commanded(c, name, s.carryOut(c, name, signal, job.Command{}))
	}
}

func (s *Server) postSkip(c echo.Context) error {
	name := jobName(c)
	var skip job.SkipBinlog
	if err := decodeResource(c, &skip); err != nil {
		return failResource(c, name, err)
	}
	return s.commanded(c, name, s.skipBinlog(c, name, skip))
}

func (s *Server) patchHostMapping(c echo.Context) error {
	name := jobName(c)
	var mappings job.HostMappings
	if err := decodeResource(c, &mappings); err != nil {
		return failResource(c, name, err)
	}
	return s.commanded(c, name, s.mapHosts(c, name, mappings))
}

func (s *Server) patchTables(c echo.Context) error {
	name := jobName(c)
	var update job.UpdateTables
	if err := decodeResource(c, &update); err != nil {
		return failResource(c, name, err)
	}
	return s.commanded(c, name, s.updateTables(c, name, update))
}

// commanded answers a command with its outcome.
func (s *Server) commanded(c echo.Context, name string, err error) error {
	if err != nil {
		return failResource(c, name, err)
	}
	return c.NoContent(http.StatusNoContent)
}
