// Package importer moves jobs over from the existing CCR syncer: it reads that
// tool's store (http-api.md 6.1) and starts each job as a workflow that goes on
// at its position, without a full sync. The store is only read, so that going
// back stays possible until ccr has applied something.
package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/replication/adopt"
	"github.com/doris-ccr/ccr/secret"
)

// Options say what to import and how.
type Options struct {
	Store StoreConfig
	// Jobs are the names to import; none means all.
	Jobs []string
	// DryRun looks at everything and changes nothing.
	DryRun bool
	// Force overrides what only a person can judge: a syncer that seems to run,
	// lost binlogs (the job begins with a full sync), an unknown outcome.
	Force bool
	// Start starts a job's workflow; ErrExists if ccr has a job of that name.
	// Not called by a dry run.
	Start func(context.Context, job.WorkflowInput) error
	// Keyring seals the passwords. Not used by a dry run.
	Keyring *secret.Keyring
	// Connector reaches the clusters.
	Connector *replication.Connector
	// NewUID makes the uid of a job.
	NewUID func() (string, error)
	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

var (
	// ErrExists: ccr has a job of this name already.
	ErrExists = errors.New("ccr has a job of this name already")
	// ErrSyncerRuns: the existing syncer is not stopped; two tools would apply
	// the same binlogs.
	ErrSyncerRuns = errors.New("the existing syncer still runs")
)

// Result is what became of one job.
type Result struct {
	Job string
	// Err says why the job was not imported; nil if it was, or would be.
	Err error
	// Summary says where it goes on, or how it starts.
	Summary string
	// Notes are what an operator should know of it.
	Notes []string
}

const (
	// lifetime is how old the stamp of a dead syncer is, at least: it stamps
	// every 5 s and is given up after 12 s (http-api.md 6.2).
	lifetime = 15 * time.Second
	// clockSkew is added to the moment the syncer was last seen: its clock and
	// the frontends' may differ.
	clockSkew = time.Minute
	// labelsKept is how long Doris surely remembers the labels that tell what the
	// syncer has applied: an hour less than the 12 h it is set to.
	labelsKept = 11 * time.Hour
	// jobTimeout bounds the checks of one job on both clusters.
	jobTimeout = 2 * time.Minute
)

// Run imports the jobs and tells of each. An error means that none was looked
// at: the store cannot be read, or the syncer still runs.
func Run(ctx context.Context, o Options) ([]Result, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s, err := openStore(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	defer s.close()
	im := &importing{Options: o, store: s}
	if err := im.syncerStopped(ctx); err != nil {
		return nil, err
	}
	rows, err := s.jobs(ctx)
	if err != nil {
		return nil, err
	}
	if rows, err = chosen(rows, o.Jobs); err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(rows))
	for _, r := range rows {
		result := im.importJob(ctx, r)
		results = append(results, result)
		if ctx.Err() != nil {
			return results, fmt.Errorf("import stopped: %w", ctx.Err())
		}
	}
	return results, nil
}

// chosen keeps the rows of the named jobs.
func chosen(rows []row, names []string) ([]row, error) {
	if len(names) == 0 {
		return rows, nil
	}
	var kept []row
	for _, name := range names {
		i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
		if i < 0 {
			return nil, fmt.Errorf("the syncer's store has no job %q", name)
		}
		kept = append(kept, rows[i])
	}
	return kept, nil
}

// importing is one run.
type importing struct {
	Options
	store *store
	// lastSeen is when a syncer last gave a sign of life.
	lastSeen time.Time
	stamps   []stamp
}

// syncerStopped refuses to work beside a living syncer.
func (im *importing) syncerStopped(ctx context.Context) error {
	stamps, err := im.store.stamps(ctx)
	if err != nil {
		return err
	}
	im.stamps = stamps
	for _, s := range stamps {
		if s.at.After(im.lastSeen) {
			im.lastSeen = s.at
		}
		age := im.Now().Sub(s.at)
		if age >= lifetime || im.Force || im.DryRun {
			continue
		}
		return fmt.Errorf("%w: %s was seen %s ago. Stop every syncer of this store (stop_syncer.sh), wait %s and try again; --force if you know that it is dead",
			ErrSyncerRuns, s.host, max(age, 0).Round(time.Second), lifetime)
	}
	return nil
}

// noneWoke looks once more, right before a job is started: clocks may differ, a
// stamp that moves cannot be explained away.
func (im *importing) noneWoke(ctx context.Context) error {
	if im.Force {
		return nil
	}
	stamps, err := im.store.stamps(ctx)
	if err != nil {
		return err
	}
	for _, s := range stamps {
		if !slices.Contains(im.stamps, s) {
			return fmt.Errorf("%w: %s has just given a sign of life", ErrSyncerRuns, s.host)
		}
	}
	return nil
}

func (im *importing) importJob(ctx context.Context, r row) Result {
	result := Result{Job: r.name}
	c, err := convert(r, im.Now())
	if err != nil {
		result.Err = err
		return result
	}
	ctx, cancel := context.WithTimeout(ctx, jobTimeout)
	defer cancel()
	err = im.lookAt(ctx, c)
	result.Notes = c.notes
	result.Summary = summary(c)
	if err == nil && !im.DryRun {
		err = im.start(ctx, c)
	}
	result.Err = err
	return result
}

// lookAt makes the checks of a job on its clusters and settles its position.
func (im *importing) lookAt(ctx context.Context, c *converted) error {
	if c.fresh {
		return nil // CheckJob will do
	}
	on := im.Connector.Open(c.spec, c.passwords)
	defer on.Close()
	stored := c.progress.Position
	adopted, err := on.Adopt(ctx, stored, !im.DryRun)
	if err != nil {
		return err
	}
	c.spec = adopted.Spec
	markViews(c.progress.Tables, adopted.Views)
	if adopted.RolledBack > 0 {
		c.note("%d transactions that the syncer left open on the destination are rolled back", adopted.RolledBack)
	}
	if !c.following {
		return nil
	}
	c.progress.Position = adopted.Position
	if adopted.Adopted > 0 {
		c.note("the destination is %d transactions ahead of the stored commit seq %d", adopted.Adopted, stored.CommitSeq)
	}
	im.noteOutcomeUnknown(c)
	if skip := c.progress.Skip; skip != nil && skip.SkipCommitSeq <= c.progress.Position.CommitSeq {
		c.progress.Skip = nil
	}
	return im.refuseRisks(c, adopted)
}

// noteOutcomeUnknown notes until when the syncer may have applied what it did not
// store.
func (im *importing) noteOutcomeUnknown(c *converted) {
	seen := im.lastSeen
	if seen.IsZero() || seen.After(im.Now()) {
		seen = im.Now() // nothing tells when it stopped
	}
	c.progress.Unconfirmed.ImportedUntil = seen.Add(clockSkew).UTC()
}

// refuseRisks refuses to go on by itself where data could be missed, doubled or
// copied again.
func (im *importing) refuseRisks(c *converted, adopted adopt.Taken) error {
	var why string
	gone := im.Now().Sub(im.lastSeen)
	switch {
	case adopted.Lost:
		why = fmt.Sprintf("the source has dropped binlogs after commit seq %d: it would begin with a full sync", adopted.Position.CommitSeq)
	case c.busy && !im.lastSeen.IsZero() && gone > labelsKept && !c.spec.ReuseBinlogLabel:
		why = fmt.Sprintf("it was in the middle of a transaction when the syncer stopped %s ago, and the destination may have forgotten the outcome", gone.Round(time.Minute))
	case c.busy && adopted.Crowded && !c.spec.ReuseBinlogLabel:
		why = "it was in the middle of a transaction when the syncer stopped, and the destination database has had so many loads that it may have forgotten the outcome"
	default:
		return nil
	}
	if im.Force {
		c.note("forced: %s", why)
		return nil
	}
	return fmt.Errorf("%s. Create the job anew (create_ccr), or import it as it is with --force", why)
}

// markViews tells views from tables whose destination is not known: the stored
// progress does not.
func markViews(tables map[int64]job.Table, views []string) {
	for id, t := range tables {
		if t.DestID == 0 && slices.Contains(views, t.Name) {
			t.View = true
			tables[id] = t
		}
	}
}

func (im *importing) start(ctx context.Context, c *converted) error {
	var err error
	if c.spec.Source.Password, err = im.Keyring.Seal(c.passwords.Source); err != nil {
		return fmt.Errorf("src: %w", err)
	}
	if c.spec.Destination.Password, err = im.Keyring.Seal(c.passwords.Destination); err != nil {
		return fmt.Errorf("dest: %w", err)
	}
	if c.spec.UID, err = im.NewUID(); err != nil {
		return err
	}
	in := job.WorkflowInput{Spec: c.spec}
	if !c.fresh {
		p := c.progress
		text := "imported from the existing syncer: " + summary(c)
		if len(c.notes) > 0 {
			text += " (" + strings.Join(c.notes, "; ") + ")"
		}
		p.AddEvent(im.Now(), "info", "%s", text)
		in.Progress = &p
	}
	if err := im.noneWoke(ctx); err != nil {
		return err
	}
	return im.Start(ctx, in)
}

// summary says in a few words how the job goes on.
func summary(c *converted) string {
	switch {
	case c.fresh:
		return "starts as a new job"
	case c.following:
		return fmt.Sprintf("goes on in %s after commit seq %d", c.progress.State, c.progress.Position.CommitSeq)
	}
	return fmt.Sprintf("starts %s over", c.progress.State)
}
