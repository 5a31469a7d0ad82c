package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// The search attributes by which jobs are found in the Web UI.
var (
	keySyncType            = temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeSyncType)
	keySyncState           = temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeSyncState)
	keyJobState            = temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeJobState)
	keySourceDatabase      = temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeSourceDatabase)
	keyDestinationDatabase = temporal.NewSearchAttributeKeyKeyword(job.SearchAttributeDestinationDatabase)
)

// published is what the Web UI shows.
type published struct {
	details string
}

// publishDetails has the Web UI show what the job is doing. Details cost no event,
// search attributes cost one for each change.
func (r *run) publishDetails() {
	if details := r.details(); details != r.published.details {
		workflow.SetCurrentDetails(r.ctx, details)
		r.published.details = details
	}
	r.publishSearchAttributes()
}

func (r *run) publishSearchAttributes() {
	known := workflow.GetTypedSearchAttributes(r.ctx)
	var changes []temporal.SearchAttributeUpdate
	set := func(key temporal.SearchAttributeKeyKeyword, value string) {
		if old, ok := known.GetKeyword(key); !ok || old != value {
			changes = append(changes, key.ValueSet(value))
		}
	}
	set(keySyncType, r.spec.Type().String())
	set(keySyncState, r.p.State.String())
	set(keyJobState, r.stateWord())
	set(keySourceDatabase, r.spec.Source.Database)
	set(keyDestinationDatabase, r.spec.Destination.Database)
	if len(changes) == 0 {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(r.ctx, changes...); err != nil {
		r.log.Warn("The search attributes of the job cannot be changed.", "error", err)
	}
}

// stateWord is the state for people: unlike the state of the HTTP interface it
// tells a stalled job from a running one.
func (r *run) stateWord() string {
	switch {
	case r.refused:
		return "refused"
	case r.p.Phase == job.PhaseDeleting:
		return "deleting"
	case r.p.Paused:
		return "paused"
	case r.p.Problem != nil:
		return "stalled"
	}
	return "running"
}

// detailsLimit keeps the details, in bytes, below the size from which on
// payloads are compressed: the Web UI has to read them.
const (
	detailsLimit  = 3500
	detailsEvents = 8
)

// details is the job on one page of Markdown.
func (r *run) details() string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s → %s: %s\n\n", cell(r.side(&r.spec.Source)), cell(r.side(&r.spec.Destination)), r.stateWord())
	if p := r.p.Problem; p != nil {
		fmt.Fprintf(&b, "**Cannot go on** since %s, %d tries", stamp(p.Since), p.Tries)
		if p.CommitSeq != 0 {
			fmt.Fprintf(&b, ", at commit seq %d (%s)", p.CommitSeq, p.BinlogType)
		}
		// A quotation wraps its lines; a block of code would run out of the page.
		fmt.Fprintf(&b, ":\n\n> %s\n\n", prose(oneLine(p.Text, 2*eventLimit)))
		if p.Remedy != "" {
			fmt.Fprintf(&b, "**What to do:** %s\n\n", prose(oneLine(p.Remedy, 2*eventLimit)))
		}
	}
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, cell(fmt.Sprintf(format, args...)))
	}
	row("State", "%s", r.p.State)
	row("Next step", "%s", r.currentStep())
	if r.p.Position.CommitSeq > 0 {
		row("Position", "commit seq %d, %s applied; the running step may be further", r.p.Position.CommitSeq, count(r.p.Position.Applied, "transaction"))
	}
	if !r.p.Lag.ObservedAt.IsZero() {
		row("Lag", "%s at %s", count(r.p.Lag.Binlogs, "binlog"), stamp(r.p.Lag.ObservedAt))
	}
	if n := len(r.p.Tables); n > 0 {
		row("Tables", "%d", n)
	}
	if !r.spec.Everything() {
		row("Selected", "%s", r.spec.Describe())
	}
	if s := r.p.Snapshot; s != nil {
		row("Snapshot", "%s of %s, epoch %d, backup %d: %s", r.snapshotKind(), r.snapshotSubject(), r.p.Epoch, s.Attempt+1, s.Reason)
		if s.Restored != nil {
			row("Tables in the snapshot", "%d", len(s.Restored.Tables))
		}
	}
	if !r.p.Paused && r.p.Phase != job.PhaseDeleting {
		row("Right now", "tab Pending Activities, heartbeat details: what the running step last reported")
	}
	if s := r.p.Skip; s != nil {
		row("Ordered to skip", "commit seq %d", s.SkipCommitSeq)
	}
	row("Full syncs", "%d, the last one because: %s", r.p.FullSyncs, r.p.FullSyncInfo.Info)
	row("Partial syncs", "%d", r.p.PartialSyncs)
	row("Source", "%s", r.where(&r.spec.Source))
	row("Destination", "%s", r.where(&r.spec.Destination))
	row("Created", "%s", r.created())
	b.WriteString("\nLast events:\n\n")
	for i := len(r.p.Events) - 1; i >= max(0, len(r.p.Events)-detailsEvents); i-- {
		e := r.p.Events[i]
		fmt.Fprintf(&b, "* %s %s: %s\n", stamp(e.At), e.Level, prose(oneLine(e.Text, summaryLimit)))
	}
	return limit(b.String(), detailsLimit)
}

// count words a number of things.
func count(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

func (r *run) side(c *job.Cluster) string {
	if c.Table != "" {
		return c.Database + "." + c.Table
	}
	return c.Database
}

// where is a side with its host. The summary and the details that a job was created with
// stay with its first run, so what they say has to be here, too.
func (r *run) where(c *job.Cluster) string {
	return fmt.Sprintf("%s on %s:%d (as %s)", r.side(c), c.Host, c.Port, c.User)
}

// created tells when and by whom, if that is known: the memo goes from run to run.
func (r *run) created() string {
	text := stamp(r.p.CreatedAt)
	var by string
	memo := workflow.GetInfo(r.ctx).Memo.GetFields()[job.MemoCreatedBy]
	if memo != nil && converter.GetDefaultDataConverter().FromPayload(memo, &by) == nil && by != "" {
		text += " by " + by
	}
	return text
}

// cell makes text safe for one cell of a Markdown table. Names of tables and
// texts of errors come from outside.
func cell(text string) string {
	return markdown.Replace(oneLine(text, eventLimit))
}

var markdown = strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;", "`", "'", "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`)

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
