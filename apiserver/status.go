package apiserver

import (
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// statusReply has both shapes that clients know: the keys at top level, and
// within status (http-api.md 0.2, 3.7).
type statusReply struct {
	base
	statusObject
	Status statusObject `json:"status"`
}

// statusObject begins with the three words of the interface. What follows tells
// more than it asks for: state has no word for a job that cannot go on.
type statusObject struct {
	Name          string        `json:"name"`
	State         string        `json:"state"`
	ProgressState string        `json:"progress_state"`
	CommitSeq     int64         `json:"commit_seq"`
	Phase         job.Phase     `json:"phase"`
	Doing         string        `json:"doing,omitempty"`
	NextStep      string        `json:"next_step"`
	Stalled       bool          `json:"stalled"`
	LastError     *problemReply `json:"last_error,omitempty"`
	// Lag and LagSecs are null until the source has been asked: a zero would be
	// read as "equal".
	Lag           *int64     `json:"lag"`
	LagSecs       *int64     `json:"lag_secs"`
	LagObservedAt *time.Time `json:"lag_observed_at,omitempty"`
	// BehindSecs is how old the next binlog is, null if that is not known.
	BehindSecs   *int64 `json:"behind_secs"`
	FullSyncs    int    `json:"full_syncs"`
	PartialSyncs int    `json:"partial_syncs"`
	// Differences are what the two sides are known to differ in although everything
	// that the source has recorded is applied.
	Differences []job.Difference `json:"differences,omitempty"`
	// Comparing tells how current and complete they are, absent until the job has
	// streamed.
	Comparing *job.Comparing `json:"comparing,omitempty"`
	// Verified is how the last verification ended, absent if there was none.
	Verified *job.Verified `json:"verified,omitempty"`
}

// problemReply is what a person needs to get a stalled job going again.
type problemReply struct {
	Text       string    `json:"text"`
	Kind       job.Kind  `json:"kind"`
	CommitSeq  int64     `json:"commit_seq,omitempty"`
	BinlogType string    `json:"binlog_type,omitempty"`
	Binlog     string    `json:"binlog,omitempty"`
	Since      time.Time `json:"since"`
	Tries      int       `json:"tries"`
	Remedy     string    `json:"remedy,omitempty"`
}

// handleJobStatus answers /job_status.
func (s *Server) handleJobStatus(c echo.Context, request nameRequest) (any, error) {
	status, err := question(s, c, "status", request.Name, s.jobs.status)
	o := newStatus(request.Name, status)
	return statusReply{base{Success: true}, o, o}, err
}

func newStatus(name string, s job.Status) statusObject {
	o := statusObject{
		Name:          name,
		State:         s.StateWord(),
		ProgressState: s.ProgressState.String(),
		CommitSeq:     s.Position.CommitSeq,
		Phase:         s.Phase,
		Doing:         s.Doing,
		NextStep:      s.Advice(),
		Stalled:       s.Stalled,
		LastError:     newProblemReply(s.Problem, s.Position.CommitSeq),
		FullSyncs:     s.FullSyncs,
		PartialSyncs:  s.PartialSyncs,
		Differences:   s.Differences,
		Comparing:     s.Comparing,
		Verified:      s.Verified,
		BehindSecs:    behindSecs(s),
	}
	if at := s.Lag.ObservedAt; !at.IsZero() {
		binlogs, seconds := s.Lag.Binlogs, s.Lag.Seconds()
		o.Lag, o.LagSecs, o.LagObservedAt = &binlogs, &seconds, &at
	}
	return o
}

func newProblemReply(p *job.Problem, position int64) *problemReply {
	if p == nil {
		return nil
	}
	r := &problemReply{Text: p.Text, Kind: p.Kind, Since: p.Since, Tries: p.Tries, Remedy: p.Remedy}
	if p.At(position) {
		r.CommitSeq, r.BinlogType, r.Binlog = p.CommitSeq, p.BinlogType.String(), p.Describe(position)
	}
	return r
}
