package apiserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// A job that is verified regularly has a Temporal Schedule: it lives as long as
// Temporal does, and people find it in the Web UI.

const (
	// scheduleCatchUp is how late a verification may begin after a time in which
	// Temporal did not run.
	scheduleCatchUp = time.Hour
	// shownTimes is how many of the next times are shown.
	shownTimes = 3
	dayMinutes = 24 * 60
)

// scheduleObject is when a job is verified by itself.
type scheduleObject struct {
	Every  string `json:"every"`
	Window string `json:"window,omitempty"`
	Jitter string `json:"jitter,omitempty"`
	// Paused is set by people, in the Web UI.
	Paused  bool              `json:"paused,omitempty"`
	Next    []time.Time       `json:"next,omitempty"`
	Request job.VerifyRequest `json:"request"`
}

func (o *scheduleObject) text() string {
	text := "\nverified every " + o.Every
	if o.Window != "" {
		text += " between " + o.Window + " UTC"
	}
	switch {
	case o.Paused:
		text += "; the schedule is paused"
	case len(o.Next) > 0:
		text += ", next at " + o.Next[0].UTC().Format(time.RFC3339)
	}
	return text + "\n"
}

// schedule makes, changes or removes the schedule of a job.
func (s *Server) schedule(ctx context.Context, in job.VerifyInput, o verifyOptions) (*scheduleObject, error) {
	every, err := duration("every", *o.Every)
	if err != nil {
		return nil, err
	}
	schedules := s.jobs.client.ScheduleClient()
	id := job.VerifyScheduleID(in.Job)
	if every == 0 {
		if err := schedules.GetHandle(ctx, id).Delete(ctx); err != nil && !missing(err) {
			return nil, fmt.Errorf("remove the schedule of job %s: %w", in.Job, s.jobs.explain(ctx, err))
		}
		return nil, nil
	}
	jitter, err := duration("jitter", o.Jitter)
	if err != nil {
		return nil, err
	}
	in.Schedule = &job.VerifySchedule{Every: every, Window: o.Window, Jitter: jitter}
	if err := in.Schedule.Validate(); err != nil {
		return nil, classify(errInvalid, err)
	}
	options := scheduleOptions(in)
	_, err = schedules.Create(ctx, options)
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		err = schedules.GetHandle(ctx, id).Update(ctx, client.ScheduleUpdateOptions{
			DoUpdate: func(old client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
				changed := old.Description.Schedule
				changed.Spec, changed.Action = &options.Spec, options.Action
				return &client.ScheduleUpdate{Schedule: &changed}, nil
			},
		})
	}
	if err != nil {
		return nil, fmt.Errorf("make the schedule of job %s: %w", in.Job, s.jobs.explain(ctx, err))
	}
	return s.jobs.verifySchedule(ctx, in.Job)
}

func scheduleOptions(in job.VerifyInput) client.ScheduleOptions {
	from, to, _ := in.Schedule.Span() // it has been validated
	interval := client.ScheduleIntervalSpec{Every: in.Schedule.Every, Offset: time.Duration(from) * time.Minute % in.Schedule.Every}
	return client.ScheduleOptions{
		ID:            job.VerifyScheduleID(in.Job),
		Spec:          client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{interval}, Skip: outside(from, to), Jitter: in.Schedule.Jitter},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: scheduleCatchUp,
		Action: &client.ScheduleWorkflowAction{
			ID: job.VerifyStartWorkflowID(in.Job), Workflow: job.WorkflowTypeVerifyStart, TaskQueue: job.TaskQueue, Args: []any{in},
			StaticSummary: job.VerifySummary(in),
		},
	}
}

// outside are the times of the day that are not in a window, given in minutes.
func outside(from, to int) (times []client.ScheduleCalendarSpec) {
	switch {
	case from == to:
		return nil
	case to < from: // over midnight
		return between(to, from)
	}
	return append(between(0, from), between(to, dayMinutes)...)
}

// between are the times from one minute of the day to before another.
func between(from, to int) (times []client.ScheduleCalendarSpec) {
	all := []client.ScheduleRange{{Start: 0, End: 59}}
	for from < to {
		hour := from / 60
		end := min(to, (hour+1)*60)
		times = append(times, client.ScheduleCalendarSpec{
			Second: all, Minute: []client.ScheduleRange{{Start: from % 60, End: end - 1 - hour*60}}, Hour: []client.ScheduleRange{{Start: hour, End: hour}},
		})
		from = end
	}
	return times
}

// verifySchedule returns the schedule of a job, nil if there is none.
func (j *jobs) verifySchedule(ctx context.Context, name string) (*scheduleObject, error) {
	d, err := j.client.ScheduleClient().GetHandle(ctx, job.VerifyScheduleID(name)).Describe(ctx)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the schedule of job %s: %w", name, j.explain(ctx, err))
	}
	o := &scheduleObject{Next: d.Info.NextActionTimes[:min(len(d.Info.NextActionTimes), shownTimes)]}
	if d.Schedule.State != nil {
		o.Paused = d.Schedule.State.Paused
	}
	action, ok := d.Schedule.Action.(*client.ScheduleWorkflowAction)
	if !ok || len(action.Args) == 0 {
		return o, nil
	}
	in, ok := action.Args[0].(job.VerifyInput)
	if payload, encoded := action.Args[0].(*commonpb.Payload); encoded {
		if err := j.converter.FromPayload(payload, &in); err != nil {
			return nil, fmt.Errorf("read the schedule of job %s: %w", name, err)
		}
		ok = true
	}
	if ok && in.Schedule != nil {
		o.Every, o.Window, o.Request = in.Schedule.Every.String(), in.Schedule.Window, in.Request
		if in.Schedule.Jitter > 0 {
			o.Jitter = in.Schedule.Jitter.String()
		}
	}
	return o, nil
}
