package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// quiet waits until the program's jobs have nothing left to do, and returns how
// the sides differ then.
func (p *program) quiet(ctx context.Context) error {
	p.note("-- quiet")
	p.ordering.Wait()
	if err := p.alarms(); err != nil {
		return err
	}
	for i, s := range p.jobs() {
		w := wait{scene: s, excuse: p.excuse(s), fullSyncs: 1 + p.fullSyncs.Load()}
		if i > 0 {
			w.fullSyncs = 1 + int64(p.replacements)
		}
		if err := p.waitFor(ctx, &w); err != nil {
			return fmt.Errorf("job %s: %w", s.job, err)
		}
		w.differences, w.damages = false, nil
		if err := p.verifyQuiet(ctx, s); err != nil {
			return fmt.Errorf("job %s: %w", s.job, err)
		}
	}
	return nil
}

// wait is for one job at a quiet point.
type wait struct {
	*scene
	*excuse
	fullSyncs int64     // so many are allowed, beside those that mend the destination
	lag       int64     // that was seen last
	moved     bool      // another one was seen before
	fine      time.Time // since when the job says without a break that it is fine, while the sides differ
}

// silentFor is how long a job may say that it is fine while the sides differ.
const silentFor = time.Minute

// waitFor looks less often than a scenario does, since many programs wait. Its
// patience begins again while the job gets on, and when another program has had
// the process killed: a slow machine is no failure, a job that stands still is.
func (p *program) waitFor(ctx context.Context, w *wait) error {
	for {
		kills := p.process.kills.Load()
		w.moved = false
		err := harness.AwaitEvery(ctx, chaosLook, p.patience, func(ctx context.Context) error {
			if err := p.caughtUp(ctx, w); err != nil {
				w.fine = time.Time{}
				return err
			}
			return w.silent(p.alike(ctx, w.scene), kills != p.process.kills.Load())
		})
		again := ctx.Err() == nil && errors.Is(err, harness.ErrDeadline) && (w.moved || kills != p.process.kills.Load())
		if !again {
			return err
		}
	}
}

// silent gives up when the sides have differed for silentFor, if the job has said
// all the time that it is fine: nobody would ever know. A process that was killed
// in between could say nothing.
func (w *wait) silent(different error, killed bool) error {
	switch {
	case different == nil:
		return nil
	case w.fine.IsZero() || killed:
		w.fine = time.Now()
	case time.Since(w.fine) > silentFor:
		return fmt.Errorf("silently different: the job has said for %s that it is fine, but %w: %w", silentFor, different, harness.ErrGiveUp)
	}
	return different
}

// caughtUp returns nil if the job says that it is fine: it has nothing left to do
// and knows of no difference. Never a surprise full sync: one more than the program
// allows ends the wait. What the program has dropped on the destination is mended
// as the documentation says.
func (p *program) caughtUp(ctx context.Context, w *wait) error {
	if len(w.damages) > 0 {
		status, err := w.ccr.Status(ctx, w.job)
		if err == nil {
			err = p.mend(ctx, w.scene, status)
		}
		if err != nil {
			return err
		}
	}
	reply, err := w.ccr.Call(ctx, "get_lag", map[string]any{"name": w.job})
	if err != nil {
		return err
	}
	lag := harness.Int(reply, "lag")
	w.moved = w.moved || lag != w.lag
	w.lag = lag
	if lag != 0 {
		return fmt.Errorf("%d binlogs to go", lag)
	}
	status, err := w.ccr.Status(ctx, w.job)
	switch {
	case err != nil:
		return err
	case status.FullSyncs > w.fullSyncs+w.excuse.fullSyncs:
		return fmt.Errorf("a surprise: %d full syncs, %d are allowed: %w", status.FullSyncs, w.fullSyncs+w.excuse.fullSyncs, harness.ErrGiveUp)
	case len(status.Differences) > 0 && (w.differences || len(w.damages) > 0):
		return fmt.Errorf("differences are still told: %v", status.Differences)
	case len(status.Differences) > 0: // nobody but the job writes on the destination
		return fmt.Errorf("a false alarm, or a fault: %v: %w", status.Differences, harness.ErrGiveUp)
	case status.Stalled:
		return fmt.Errorf("stalled: %s", status.LastError.Text)
	case status.State != "running" || !strings.Contains(status.ProgressState, "IncrementalSync"):
		return fmt.Errorf("job is %s, in %s", status.State, status.ProgressState)
	}
	return nil
}

// alike compares both sides of a job: which tables there are, and each one's
// rows, definition, partitions and indexes. Tables of ccr's own that were left
// behind are tables too many.
func (p *program) alike(ctx context.Context, s *scene) error {
	if s.table != "" {
		have, err := harness.Tables(ctx, s.dst, s.dstDB)
		if err == nil && !slices.Equal(have, []string{s.as}) {
			err = fmt.Errorf("the destination has %v", have)
		}
		if err != nil {
			return err
		}
		return s.alike(ctx, s.current, s.as)
	}
	want, err := harness.Tables(ctx, s.src, s.srcDB)
	if err != nil {
		return err
	}
	have, err := harness.Tables(ctx, s.dst, s.dstDB)
	if err != nil {
		return err
	}
	have = slices.DeleteFunc(have, func(name string) bool { return p.left[name] && !contains(want, name) })
	if !slices.Equal(want, have) {
		return fmt.Errorf("tables differ: source has %v, destination %v", want, have)
	}
	for _, name := range want {
		compare := s.alike
		if p.views[name] {
			compare = s.alikeViews
		}
		if err := compare(ctx, name, name); err != nil {
			return err
		}
	}
	return nil
}

// alike compares a table with its copy.
func (s *scene) alike(ctx context.Context, source, destination string) error {
	if err := s.compareTable(ctx, source, destination); err != nil {
		return err
	}
	for _, look := range [][2]string{
		{"SHOW PARTITIONS FROM `%s`.`%s`", "PartitionName"},
		{"SHOW PARTITIONS FROM `%s`.`%s`", "Buckets"},
		{"DESC `%s`.`%s` ALL", "IndexName"},
		{"SHOW INDEXES FROM `%s`.`%s`", "Key_name"},
	} {
		want, err := column(ctx, s.src, fmt.Sprintf(look[0], s.srcDB, source), look[1])
		if err != nil {
			return err
		}
		got, err := column(ctx, s.dst, fmt.Sprintf(look[0], s.dstDB, destination), look[1])
		if err != nil {
			return err
		}
		if source != destination { // the base index, and an only partition, have the table's name
			for i := range got {
				if got[i] == destination {
					got[i] = source
				}
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			return fmt.Errorf("%s of %s is %v on the source, %v on the destination", look[1], source, want, got)
		}
	}
	return nil
}

// alikeViews compares a view with its copy. One whose table is gone cannot be
// read on either side.
func (s *scene) alikeViews(ctx context.Context, source, destination string) error {
	_, broken := harness.Content(ctx, s.src, s.srcDB, source)
	if broken == nil {
		return s.compareTable(ctx, source, destination)
	}
	want, err := createText(ctx, s.src, s.srcDB, source)
	if err != nil {
		return err
	}
	got, err := createText(ctx, s.dst, s.dstDB, destination)
	if err == nil && want != got {
		err = fmt.Errorf("definitions of %s differ:\n%s", source, lineDifference(want, got))
	}
	return err
}
