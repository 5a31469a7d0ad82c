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
	Name          string            `json:"name"`
	State         string            `json:"state"`
	ProgressState string            `json:"progress_state"`
	CommitSeq     int64             `json:"commit_seq"`
	Phase         job.Phase         `json:"phase"`
	Doing         string            `json:"doing,omitempty"`
	NextStep      string            `json:"next_step"`
	Stalled       bool              `json:"stalled"`
	LastError     *job.ProblemWords `json:"last_error,omitempty"`
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
	// Copying is how far the backup or restore is that is under way, absent if that is not known.
	Copying *copyingObject `json:"copying,omitempty"`
}

// copyingObject is how far a backup or a restore is.
type copyingObject struct {
	Tablets     int       `json:"tablets"`
	TabletsLeft int       `json:"tablets_left"`
	Since       time.Time `json:"since"`
	// Bytes with all replicas, as if all tablets were of one size; absent if not known.
	AboutBytes     int64 `json:"about_bytes,omitempty"`
	AboutBytesDone int64 `json:"about_bytes_done,omitempty"`
}

func newCopying(c *job.Copying) *copyingObject {
	if c == nil {
		return nil
	}
	return &copyingObject{Tablets: c.Most, TabletsLeft: c.Left, Since: c.Since, AboutBytes: c.AboutBytes, AboutBytesDone: c.AboutDone()}
}

// handleJobStatus answers /job_status.
func (s *Server) handleJobStatus(c echo.Context, request nameRequest) (any, error) {
	status, err := question(s, c, "status", request.Name, s.jobs.status)
	o := newStatus(request.Name, status)
	return statusReply{base{Success: true}, o, o}, err
}

func newStatus(name string, s job.Status) statusObject {
	w := s.Words()
	return statusObject{
		Name:          name,
		State:         w.State,
		ProgressState: w.ProgressState,
		CommitSeq:     w.CommitSeq,
		Phase:         w.Phase,
		Doing:         w.Doing,
		NextStep:      w.NextStep,
		Stalled:       w.Stalled,
		LastError:     w.LastError,
		Lag:           w.Lag,
		LagSecs:       w.LagSecs,
		LagObservedAt: w.LagObservedAt,
		BehindSecs:    behindSecs(s),
		FullSyncs:     w.FullSyncs,
		PartialSyncs:  w.PartialSyncs,
		Differences:   s.Differences,
		Comparing:     s.Comparing,
		Verified:      s.Verified,
		Copying:       newCopying(s.Copying),
	}
}
