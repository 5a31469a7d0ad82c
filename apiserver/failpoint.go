package apiserver

import (
	"encoding/json"
	"errors"

	"github.com/labstack/echo/v4"
)

// errNoFailpoints: this process is not one for tests.
var errNoFailpoints = errors.New("failpoints are for tests: only a process with API and worker that runs with --enable-failpoints has them")

// failpointRequest is the request of /failpoint.
type failpointRequest struct {
	nameRequest
	Failpoint string          `json:"failpoint"`
	Value     json.RawMessage `json:"value"`
}

// handleFailpoint answers /failpoint (http-api.md 3.18). Whether the job exists
// is not checked. Failpoints act on the worker of this very process.
func (s *Server) handleFailpoint(c echo.Context, request failpointRequest) (any, error) {
	if s.failpoints == nil {
		return nil, errNoFailpoints
	}
	s.failpoints.Put(request.Name, request.Failpoint, request.Value)
	s.log.Warn("failpoint changed", "job", request.Name, "failpoint", request.Failpoint, "by", by(c))
	return nil, nil
}
