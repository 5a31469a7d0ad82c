package activities

import (
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// stuckAfter is how long a position may stand still while binlogs wait before
// the job says so itself. An ingest of much data takes minutes.
const stuckAfter = 5 * time.Minute

// shiftWatchdog watches the progress of a shift, not its life: while a transaction
// hangs heartbeats go on, and only the watchdog notices.
type shiftWatchdog struct {
	position int64
	moved    time.Time
}

// watch adds a problem to a report that has none although the shift is stuck.
func (w *shiftWatchdog) watch(b job.Heartbeat, now time.Time) job.Heartbeat {
	if w.moved.IsZero() || b.Position.CommitSeq != w.position || b.Lag.Binlogs == 0 {
		w.position, w.moved = b.Position.CommitSeq, now
		return b
	}
	if still := now.Sub(w.moved); b.Problem == nil && still >= stuckAfter {
		b.Problem = &job.Problem{
			Text:      fmt.Sprintf("no progress for %s: the job stands at commit seq %d while %d binlogs wait", still.Round(time.Second), w.position, b.Lag.Binlogs),
			Kind:      job.KindNormal,
			CommitSeq: w.position,
			Since:     w.moved,
			Tries:     1,
			Remedy:    "look at running loads and publish tasks of the destination; pause and resume the job to begin the transactions again",
		}
	}
	return b
}

// idleAfter is how long a step may say the same before that counts as no progress.
// A step of Doris' own, such as the download of large tablets, takes minutes.
const idleAfter = 10 * time.Minute

// stepWatchdog watches what a step reports. Like a shift a step can live and get
// nowhere: a backup that waits for somebody else's, a transaction that is never
// published.
type stepWatchdog struct {
	step  string
	note  string
	moved time.Time
}

// watch adds a problem to a report that has none although the step has reported
// nothing new for long. A report that is repeated is a sign of life: its time is now.
func (w *stepWatchdog) watch(b job.Heartbeat, now time.Time) job.Heartbeat {
	b.At = now
	if w.moved.IsZero() || b.Note != w.note {
		w.note, w.moved = b.Note, now
		return b
	}
	if still := now.Sub(w.moved); b.Problem == nil && still >= idleAfter {
		doing := w.step
		if b.Note != "" {
			doing += ": " + b.Note
		}
		b.Problem = &job.Problem{
			Text:   fmt.Sprintf("no progress for %s (%s)", still.Round(time.Second), doing),
			Kind:   job.KindNormal,
			Since:  w.moved,
			Tries:  1,
			Remedy: stepRemedies[w.step],
		}
	}
	return b
}

// stepRemedies say where to look for what holds a step up.
var stepRemedies = map[string]string{
	job.ActivityTakeSnapshot:    "look at SHOW BACKUP FROM the source's database: CANCEL BACKUP ends one that hangs, and the job makes another",
	job.ActivityRestoreSnapshot: "look at SHOW RESTORE FROM the destination's database, and at SHOW BACKENDS of both clusters: CANCEL RESTORE ends one that hangs, and the job makes another",
	job.ActivityFinishSnapshot:  "look at SHOW PROCESSLIST of the destination's master: a statement waits for a table's lock",
	job.ActivityApply:           "look at SHOW PROCESSLIST and SHOW TRANSACTION of the destination: a statement waits for a lock, or an earlier transaction is not published; SHOW BACKENDS shows one that is down",
	job.ActivityApplySeveral:    "look at SHOW PROCESSLIST and SHOW TRANSACTION of the destination: a statement waits for a lock, or an earlier transaction is not published; SHOW BACKENDS shows one that is down",
	job.ActivitySelectTables:    "look at the load of the source's frontends",
}
