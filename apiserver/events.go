package apiserver

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

type eventsReply struct {
	base
	eventsObject
}

// eventsObject has the last noteworthy things of a job, oldest first
// (job.MaxEvents at most), never null.
type eventsObject struct {
	Events []job.Event `json:"events"`
}

// handleJobEvents answers /job_events, in the manner of the old interface.
func (s *Server) handleJobEvents(c echo.Context) error {
	var request nameRequest
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errNameEmpty)
	}
	events, err := s.eventsOf(c, request.Name)
	if err != nil {
		return fail(c, describe(err, request.Name))
	}
	return send(c, http.StatusOK, eventsReply{base{Success: true}, events})
}

func (s *Server) eventsOf(c echo.Context, name string) (eventsObject, error) {
	ctx, cancel := s.patience(c)
	defer cancel()
	o := eventsObject{Events: []job.Event{}}
	err := s.jobs.query(ctx, name, job.QueryEvents, &o.Events)
	if o.Events == nil {
		o.Events = []job.Event{}
	}
	return o, err
}
