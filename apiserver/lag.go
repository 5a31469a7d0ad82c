package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/doris/binlog"
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
	// BehindSecs is ours: how old the next binlog is, null if that is not known.
	BehindSecs *int64 `json:"behind_secs"`
}

// handleGetLag answers /get_lag.
func (s *Server) handleGetLag(c echo.Context, request nameRequest) (any, error) {
	lag, err := s.lagOf(c, request.Name)
	reply := lagReply{base{Success: true}, newLag(lag)}
	if err == nil && reply.BehindSecs == nil {
		if status, err := question(s, c, "status", request.Name, s.jobs.status); err == nil {
			status.Lag = lag
			reply.BehindSecs = behindSecs(status)
		}
	}
	return reply, err
}

// lagOf returns the lag of a job, fresh enough.
func (s *Server) lagOf(c echo.Context, name string) (binlog.Lag, error) {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	// Not slotted: worker processes answer hundreds of these with one query. Not kept:
	// lags are remembered by their age.
	return once(ctx, s.answers, 0, "lag", name, func(ctx context.Context) (binlog.Lag, error) {
		return s.jobs.freshLag(ctx, name, by(c))
	})
}

// failLag keeps the keys of the reply, with zero values.
func failLag(c echo.Context, name string, err error) error {
	if errors.Is(err, errUnknownJob) {
		// The beginning of the existing text, with the name of our store in front.
		err = fmt.Errorf("temporal: get job failed, name: %s: %w", name, unknownJob(name))
	}
	return send(c, http.StatusOK, lagReply{base: failure(err)})
}

func newLag(l binlog.Lag) lagObject {
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
		BehindSecs:           behindSecs(job.Status{Lag: l}),
		ObservedAt:           localTime(l.ObservedAt.UnixMilli()),
	}
}

// behind is how far a job is behind its source now, if that is known. lag_secs says
// less: it is 0 for a single binlog, however old. Of other binlogs than loads a source
// does not tell the time. But one at which the job stands was there when it met it.
func behind(s job.Status) (age time.Duration, known bool) {
	now := time.Now()
	age, known = s.Lag.Behind(now)
	if p := s.Problem; !known && p != nil && !s.Lag.ObservedAt.IsZero() && p.At(s.Position.CommitSeq) {
		return max(0, now.Sub(p.Since)), true
	}
	return age, known
}

// behindSecs is behind in seconds, nil if it is not known.
func behindSecs(s job.Status) *int64 {
	age, known := behind(s)
	if !known {
		return nil
	}
	seconds := int64(age / time.Second)
	return &seconds
}

// localTime writes ms since the epoch as the interface does: in the server's
// local time; an unknown time is the epoch itself.
func localTime(ms int64) string {
	return time.UnixMilli(max(ms, 0)).Local().Format(time.DateTime)
}

// freshLag returns a lag that is at most freshLagAge old. Of a job that streams, the
// worker process that runs its shift knows the lag, or the shift's last heartbeat
// has it. Of a job that does not stream, a worker process asks the source. If no
// process answers, freshLag orders the job itself to ask the source, which is in its
// history. If none of this happens in time, the last lag that is known is the
// answer. But a zero older than zeroMaxAge is not: people decide by it that the
// destination may take over.
func (j *jobs) freshLag(ctx context.Context, name, by string) (binlog.Lag, error) {
	if lag, ok := j.lags.get(name); ok {
		return lag, nil
	}
	if lag, err := j.workers.shiftLag(ctx, name); err == nil {
		j.lags.put(name, lag)
		return lag, nil
	}
	s, err := j.status(ctx, name)
	if err != nil {
		return binlog.Lag{}, err
	}
	// Temporal answers: what is missing is a fresh lag.
	ctx, cancel := context.WithTimeout(ctx, j.try)
	defer cancel()
	newest, err := j.findLag(ctx, name, by, s)
	switch {
	case err == nil:
		j.lags.put(name, newest)
		return newest, nil
	case errors.Is(err, errUnknownJob):
		return binlog.Lag{}, err
	case newest.ObservedAt.IsZero():
		return binlog.Lag{}, fmt.Errorf("lag of job %s is not known yet: %w", name, err)
	case newest.Binlogs == 0 && time.Since(newest.ObservedAt) > zeroMaxAge:
		return binlog.Lag{}, fmt.Errorf("lag of job %s was 0 at %s, what it is now cannot be found out: %w",
			name, localTime(newest.ObservedAt.UnixMilli()), err)
	}
	return newest, nil
}

// findLag looks for a lag that is fresh, in one place after the other. s is the job's
// status. It returns the newest lag that it has found, with an error too.
func (j *jobs) findLag(ctx context.Context, name, by string, s job.Status) (binlog.Lag, error) {
	began := time.Now()
	newest := s.Lag
	fresh := func() bool { return time.Since(newest.ObservedAt) < freshLagAge }
	if fresh() {
		return newest, nil
	}
	lag, err := j.workerLag(ctx, name, s)
	newest = newerLag(newest, lag)
	if err == nil || errors.As(err, new(*refusedError)) {
		return newest, err
	}
	readAgain := func(ctx context.Context) (err error) {
		s, err = j.status(ctx, name)
		newest = newerLag(newest, s.Lag)
		return err
	}
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		if !streams(s) || time.Since(began) >= nextHeartbeatTime {
			return true, nil
		}
		err := readAgain(ctx)
		return fresh(), err
	})
	if err != nil || fresh() {
		return newest, err
	}
	if !j.lags.mayOrder() {
		return newest, errTooMany
	}
	id, err := j.requestLag(ctx, name, by, s.Position.CommitSeq)
	if err != nil {
		return newest, err
	}
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		if err := readAgain(ctx); err != nil || fresh() {
			return err == nil, err
		}
		outcome, found := s.Outcome(id)
		if outcome.Refused != "" {
			return false, &refusedError{outcome.Refused}
		}
		return found, nil // fresh, whatever the clocks of two machines say
	})
	return newest, err
}

// streams tells whether a shift of the job should be running.
func streams(s job.Status) bool { return s.Phase == job.PhaseStream && s.Running && !s.Stalled }

// workerLag asks the worker processes for the lag of a job. A refusedError says
// that its source does not answer. After any other error the job itself can be
// ordered to ask.
func (j *jobs) workerLag(ctx context.Context, name string, s job.Status) (binlog.Lag, error) {
	if !s.Checked || s.Phase == job.PhaseDeleting {
		return binlog.Lag{}, errNoWorkerKnows
	}
	if streams(s) {
		return j.workers.lag(ctx, name, nil)
	}
	if list, err := j.workers.list(ctx); err != nil || len(list) == 0 {
		return binlog.Lag{}, errors.Join(errNoWorkerKnows, err)
	}
	var in job.StepInput
	if err := j.query(ctx, name, job.QueryLagInput, &in); err != nil {
		return binlog.Lag{}, err
	}
	in.Progress.Position = newerPosition(in.Progress.Position, s.Position)
	return j.workers.lag(ctx, name, &in)
}

// errTooMany: see observeRate.
var errTooMany = errors.New("too many jobs are asked for their lag at once: ask again in a second")

// requestLag orders the job to ask its source, and returns the request's id.
// position is a commit seq that the job has reached.
func (j *jobs) requestLag(ctx context.Context, name, by string, position int64) (string, error) {
	id, err := randomHex(8)
	if err != nil {
		return "", err
	}
	cmd := job.Command{RequestID: id, By: by, ObserveLag: job.ObserveLag{Position: position}}
	return id, j.signal(ctx, name, job.SignalObserveLag, cmd)
}

const (
	// shownLagMaxAge is how old the lag of a job that does not stream may be in
	// /metrics and /view, which show all jobs. Then a worker process asks the source.
	shownLagMaxAge = 15 * time.Second
	// orderedLagMaxAge is the same where no worker process answers. Then the job is
	// ordered to ask, which costs its history about ten events.
	orderedLagMaxAge = 5 * time.Minute
	// shownLagTimeout bounds how long a list waits for one job's lag.
	shownLagTimeout = 300 * time.Millisecond
)

// lookAgain brings the lag in a job's status up to date if it is old: a job that is
// paused or stalled does not ask its source by itself, and alerts are about its
// lag. If no worker process answers, the next caller sees what the job was ordered
// to find out.
func (j *jobs) lookAgain(ctx context.Context, name string, s *job.Status) {
	age := time.Since(s.Lag.ObservedAt)
	if !s.Checked || s.Phase == job.PhaseDeleting || age < shownLagMaxAge {
		return
	}
	soon, cancel := context.WithTimeout(ctx, shownLagTimeout)
	defer cancel()
	if lag, err := j.workerLag(soon, name, *s); err == nil {
		s.Lag = newerLag(s.Lag, lag)
		j.lags.put(name, s.Lag)
		return
	}
	if age < orderedLagMaxAge || !j.lags.mayOrder() {
		return
	}
	if _, err := j.requestLag(ctx, name, "monitoring", s.Position.CommitSeq); err != nil {
		j.log.Debug("lag of job not observed for a list of jobs", "job", name, "error", err)
	}
}

// lagCache remembers the lags that were answered lately, and bounds how many jobs
// are ordered to observe theirs.
type lagCache struct {
	mu     sync.Mutex // guards the fields below
	recent map[string]binlog.Lag
	swept  time.Time
	// ordered are the orders of the second that began at since.
	ordered int
	since   time.Time
}

// get returns a lag that is fresh enough for anybody.
func (c *lagCache) get(name string) (binlog.Lag, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lag, known := c.recent[name]
	return lag, known && time.Since(lag.ObservedAt) < cachedLagAge
}

// latest returns the last answer about a job's lag, zero if it is forgotten.
func (c *lagCache) latest(name string) binlog.Lag {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.recent[name]
}

func (c *lagCache) put(name string, lag binlog.Lag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.swept) > time.Minute {
		// Jobs that nobody asks for, or that are gone, are forgotten.
		c.recent, c.swept = nil, time.Now()
	}
	if c.recent == nil {
		c.recent = map[string]binlog.Lag{}
	}
	c.recent[name] = lag
}

// mayOrder counts an order to a job, and says whether it may be given this second.
func (c *lagCache) mayOrder() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.since) >= time.Second {
		c.since, c.ordered = time.Now(), 0
	}
	c.ordered++
	return c.ordered <= observeRate
}
