package apiserver

import (
	"context"

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
func (s *Server) handleJobEvents(c echo.Context, request nameRequest) (any, error) {
	events, err := question(s, c, "events", request.Name, s.jobs.events)
	return eventsReply{base{Success: true}, events}, err
}

func (j *jobs) events(ctx context.Context, name string) (eventsObject, error) {
	o := eventsObject{Events: []job.Event{}}
	err := j.query(ctx, name, job.QueryEvents, &o.Events)
	if o.Events == nil {
		o.Events = []job.Event{}
	}
	return o, err
}
