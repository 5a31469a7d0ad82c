package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// lagReply has the keys of all versions of the interface (http-api.md 3.3).
type lagReply struct {
	base
	lagObject
}

type lagObject struct {
	Lag                  int64  `json:"lag"`
	FirstCommitSeq       int64  `json:"first_commit_seq"`
	LastCommitSeq        int64  `json:"last_commit_seq"`
	FirstBinlogTimestamp string `json:"first_binlog_timestamp"`
	LastBinlogTimestamp  string `json:"last_binlog_timestamp"`
	TimeIntervalSecs     int64  `json:"time_interval_secs"`
	NextCommitSeq        int64  `json:"next_commit_seq"`
	NextBinlogTimestamp  string `json:"next_binlog_timestamp"`
	// TimeInterval is the older name of time_interval_secs.
	TimeInterval int64 `json:"time_interval"`
	// ObservedAt is ours: when the source was asked.
	ObservedAt string `json:"observed_at,omitempty"`
}

// handleGetLag answers /get_lag.
func (s *Server) handleGetLag(c echo.Context) error {
	var request nameRequest
	if err := decode(c, &request); err != nil {
		return s.failLag(c, err)
	}
	if request.Name == "" {
		return s.failLag(c, errNameEmpty)
	}
	lag, err := s.lagOf(c, request.Name)
	if errors.Is(err, errUnknownJob) {
		// The existing text, with the name of our store in front.
		err = fmt.Errorf("temporal: get job failed, name: %s: [db] sql: no rows in result set", request.Name)
	}
	if err != nil {
		return s.failLag(c, err)
	}
	return send(c, http.StatusOK, lagReply{base{Success: true}, newLag(lag)})
}

// lagOf returns the lag of a job, fresh enough.
func (s *Server) lagOf(c echo.Context, name string) (job.Lag, error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.commandTimeout)
	defer cancel()
	return s.jobs.freshLag(ctx, name, by(c))
}

// failLag keeps the keys of the reply, with zero values.
func (s *Server) failLag(c echo.Context, err error) error {
	return send(c, http.StatusOK, lagReply{base: failure(err)})
}

func newLag(l job.Lag) lagObject {
	return lagObject{
		Lag:                  l.Binlogs,
		FirstCommitSeq:       l.FirstCommitSeq,
		LastCommitSeq:        l.LastCommitSeq,
		FirstBinlogTimestamp: localTime(l.FirstTimestamp),
		LastBinlogTimestamp:  localTime(l.LastTimestamp),
		TimeIntervalSecs:     l.Seconds(),
		NextCommitSeq:        l.NextCommitSeq,
		NextBinlogTimestamp:  localTime(l.NextTimestamp),
		TimeInterval:         l.Seconds(),
		ObservedAt:           localTime(l.ObservedAt.UnixMilli()),
	}
}

// localTime writes ms since the epoch as the interface does: in the server's
// local time; an unknown time is the epoch itself.
func localTime(ms int64) string {
	return time.UnixMilli(max(ms, 0)).Local().Format(time.DateTime)
}

// freshLag returns a lag that is fresh enough. A job that streams well reports
// its lag with every heartbeat, so streamingLagMaxAge is as fresh as it gets
// without asking; any other job is told to look at its source. If neither
// happens in time, the last lag that is known is the answer, but not a zero
// older than zeroMaxAge: people decide on it that the destination may take over.
func (j *jobs) freshLag(ctx context.Context, name, by string) (job.Lag, error) {
	var (
		newest  job.Lag
		request string
	)
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		s, err := j.status(ctx, name)
		if err != nil {
			return false, err
		}
		newest = newerLag(newest, s.Lag)
		streaming := s.Phase == job.PhaseStream && s.Running && !s.Stalled
		maxAge := lagMaxAge
		if streaming {
			maxAge = streamingLagMaxAge
		}
		if time.Since(newest.ObservedAt) < maxAge {
			return true, nil
		}
		if outcome, found := s.Outcome(request); found && request != "" {
			if outcome.Refused != "" {
				return false, &refusedError{outcome.Refused}
			}
			return true, nil // fresh, whatever the clocks of two machines say
		}
		if request == "" && !streaming && time.Since(newest.ObservedAt) > observeAgain {
			request, err = j.requestLag(ctx, name, by)
		}
		return false, err
	})
	switch {
	case err == nil:
		return newest, nil
	case errors.Is(err, errUnknownJob):
		return job.Lag{}, err
	case newest.ObservedAt.IsZero():
		return job.Lag{}, fmt.Errorf("lag of job %s is not known yet: %w", name, err)
	case newest.Binlogs == 0 && time.Since(newest.ObservedAt) > zeroMaxAge:
		return job.Lag{}, fmt.Errorf("lag of job %s was 0 at %s, what it is now cannot be found out: %w",
			name, localTime(newest.ObservedAt.UnixMilli()), err)
	}
	return newest, nil
}

// requestLag has the job look at its source and returns the request's id.
func (j *jobs) requestLag(ctx context.Context, name, by string) (string, error) {
	id, err := randomHex(8)
	if err != nil {
		return "", err
	}
	return id, j.signal(ctx, name, job.SignalObserveLag, job.Command{RequestID: id, By: by})
}
