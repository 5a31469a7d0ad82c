package activities

import (
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// wedgedAfter is how long a position may stand still while binlogs wait before
// the job says so itself. An ingest of much data takes minutes.
const wedgedAfter = 5 * time.Minute

// watchdog watches the progress of a shift, not its life: heartbeats go on
// while a transaction hangs, and nothing else would tell.
type watchdog struct {
	position int64
	moved    time.Time
}

// watch adds a problem to a report that has none although the shift is wedged.
func (w *watchdog) watch(b job.Heartbeat, now time.Time) job.Heartbeat {
	if w.moved.IsZero() || b.Position.CommitSeq != w.position || b.Lag.Binlogs == 0 {
		w.position, w.moved = b.Position.CommitSeq, now
		return b
	}
	if still := now.Sub(w.moved); b.Problem == nil && still >= wedgedAfter {
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
