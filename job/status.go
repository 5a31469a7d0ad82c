package job

import (
	"fmt"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// Kind classifies an error by where it came from (http-api.md 1.1).
type Kind string

const (
	KindNormal Kind = "normal" // our own decision, bad input
	KindRPC    Kind = "rpc"    // transport
	KindDB     Kind = "db"     // SQL statement refused
	KindFE     Kind = "fe"     // FE answered with an error status
	KindBE     Kind = "be"     // BE answered with an error status
	KindMeta   Kind = "meta"   // metadata of the two sides do not fit
)

// Problem says why a job cannot go on at the moment.
type Problem struct {
	Text string `json:"text"`
	Kind Kind   `json:"kind"`
	// Binlog at which the job stands, if it is one.
	CommitSeq  int64       `json:"commit_seq,omitempty"`
	BinlogType binlog.Type `json:"binlog_type,omitempty"`
	// Late: the binlog was filed after one with a greater commit seq, and the
	// position has passed it.
	Late  bool      `json:"late,omitempty"`
	Since time.Time `json:"since"`
	Tries int       `json:"tries"`
	// Remedy is what a person can do about it.
	Remedy string `json:"remedy,omitempty"`
	// Recurs: what Doris had begun has failed, more than once. That it has begun again
	// does not say that it works.
	Recurs bool `json:"recurs,omitempty"`
}

// Continues is p as what goes on since an earlier problem of the job began; nil: there
// was none. Its tries come on top of the earlier ones.
func (p Problem) Continues(earlier *Problem) Problem {
	if earlier != nil {
		p.Tries += earlier.Tries
		if earlier.Since.Before(p.Since) {
			p.Since = earlier.Since
		}
	}
	return p
}

// Event is one noteworthy thing in a job's life.
type Event struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	// Level is "info", "warn" or "error".
	Level string `json:"level"`
	// Sync: it is about a full or partial sync. Jobs of before do not tell.
	Sync bool `json:"sync,omitempty"`
}

// MaxEvents and MaxOutcomes bound what a job remembers.
const (
	MaxEvents   = 100
	MaxOutcomes = 32
)

// maxEventText bounds the text of an event, in bytes: the state of a job has to hold a hundred of them,
// and an applied statement may be as long as it likes.
const maxEventText = 4 << 10

// AddEvent appends an event and forgets the oldest beyond MaxEvents.
func (p *Progress) AddEvent(at time.Time, level, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(text) > maxEventText {
		text = strings.ToValidUTF8(text[:maxEventText], "") + "..."
	}
	p.Events = append(p.Events, Event{At: at, Level: level, Text: text})
	if extra := len(p.Events) - MaxEvents; extra > 0 {
		p.Events = append([]Event(nil), p.Events[extra:]...)
	}
}

// Status is the answer of the query job_status.
type Status struct {
	Name          string    `json:"name"`
	Running       bool      `json:"running"` // false = paused
	ProgressState SyncState `json:"progress_state"`
	Phase         Phase     `json:"phase"`
	Position      Position  `json:"position"`
	// Stalled: it should go on and cannot; Problem says why. A paused job is not
	// stalled, whatever its last problem was.
	Stalled bool     `json:"stalled"`
	Problem *Problem `json:"problem,omitempty"`
	// Settling is the next of Progress; Met is not reported.
	Settling
	Lag binlog.Lag `json:"lag"`
	// Doing says what the job does, or would do next; NextStep what a person can
	// do (Advice).
	Doing        string    `json:"doing,omitempty"`
	NextStep     string    `json:"next_step,omitempty"`
	FullSyncs    int       `json:"full_syncs"`
	PartialSyncs int       `json:"partial_syncs"`
	Outcomes     []Outcome `json:"outcomes,omitempty"`
	// Checked is set once the first-run checks have passed.
	Checked bool `json:"checked"`
	// FullSyncAt and FullSyncReason tell of the last full sync that was started.
	FullSyncAt     time.Time `json:"full_sync_at,omitzero"`
	FullSyncReason string    `json:"full_sync_reason,omitempty"`
	// Differences are what source and destination are known to differ in although
	// everything recorded is applied.
	Differences []Difference `json:"differences,omitempty"`
	// Comparing tells how current and complete Differences are, nil if no shift has
	// told.
	Comparing *Comparing `json:"comparing,omitempty"`
	// Verified is how the last verification ended, nil if there was none.
	Verified *Verified `json:"verified,omitempty"`
	// Copying is how far the backup or restore is that is under way, nil if none is or that is not known. The
	// workflow does not know it: API servers take it from the step's heartbeat.
	Copying *Copying `json:"copying,omitempty"`
	// LastEvent is the newest of the job's events, nil if it has none.
	LastEvent *Event `json:"last_event,omitempty"`
}

// Orders is the answer of the query orders: what an operator has ordered and is not
// done yet, whatever the number of tables is.
type Orders struct {
	Paused   bool        `json:"paused,omitempty"`
	Skip     *SkipBinlog `json:"skip,omitempty"`
	Position Position    `json:"position"`
}

// StateWord returns the interface's word: "running" or "paused".
func (s Status) StateWord() string {
	if s.Running {
		return "running"
	}
	return "paused"
}

// Heartbeat is what a running shift reports: the details of the activity's
// heartbeat. A retry starts from it, and the API server merges it into replies.
type Heartbeat struct {
	Position Position `json:"position,omitzero"`
	// Settling is the next of Progress, without Met.
	Settling
	Lag     binlog.Lag `json:"lag,omitzero"`
	Problem *Problem   `json:"problem,omitempty"`
	At      time.Time  `json:"at"`
	// UnconfirmedSince is set while it is still unknown what earlier attempts have applied:
	// when the last of them told how far it was.
	UnconfirmedSince time.Time `json:"heard,omitzero"`
	// Differences are what the two sides are known to differ in, nil if the shift
	// does not compare.
	Differences *[]Difference `json:"differences,omitempty"`
	Comparing   *Comparing    `json:"comparing,omitempty"`
	// Verifying is how far the verification of a table is, so that another attempt
	// goes on from there.
	Verifying *Verifying `json:"verifying,omitempty"`
	// Tried is the last binlog that the shift, or the step with several, has begun with.
	Tried int64 `json:"tried,omitempty"`
	// Works: Doris is doing what the step has ordered.
	Works bool `json:"works,omitempty"`
	// Outcomes are those of the binlogs that a step with several of them has applied, so
	// that another attempt goes on behind them.
	Outcomes []ApplyResult `json:"outcomes,omitempty"`
	// Note describes slow work in progress, e.g. the state of a BACKUP job.
	Note string `json:"note,omitempty"`
	// Copying is how far the backup or restore is that Doris works on, nil if it is not known.
	Copying *Copying `json:"copying,omitempty"`
}

// Copying is how far a backup or a restore is, in tablets.
type Copying struct {
	// Left have still to be done, of the Most that have been seen to be left since Since.
	Left  int       `json:"left"`
	Most  int       `json:"most"`
	Since time.Time `json:"since"`
	// AboutBytes is how much the source has of what is copied, all replicas counted, as its frontend knew when the
	// step began to wait. 0: not known.
	AboutBytes int64 `json:"about_bytes,omitempty"`
}

// AboutDone is how many of AboutBytes are done, as if all tablets were of one size.
func (c *Copying) AboutDone() int64 {
	return int64(float64(c.AboutBytes) * float64(c.Most-c.Left) / float64(max(c.Most, 1)))
}

// Percent is how much is done.
func (c *Copying) Percent() int { return 100 * (c.Most - c.Left) / max(c.Most, 1) }

// Remaining is how long the rest takes at the pace so far, known once a tenth is done.
func (c *Copying) Remaining(now time.Time) (rest time.Duration, known bool) {
	done := c.Most - c.Left
	if done <= 0 || 10*done < c.Most {
		return 0, false
	}
	return now.Sub(c.Since) * time.Duration(c.Left) / time.Duration(done), true
}
