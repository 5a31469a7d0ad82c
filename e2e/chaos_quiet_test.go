package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// quiet waits until the program's jobs have nothing left to do, and returns how
// the sides differ then. It looks less often than a scenario does, since many
// programs wait, and begins again when another program has had the process
// killed meanwhile.
func (p *program) quiet(ctx context.Context) error {
	p.note("-- quiet")
	for i, s := range p.jobs() {
		allowed := int64(1)
		if i > 0 {
			allowed += int64(p.replacements)
		}
		for {
			kills := p.process.kills.Load()
			err := harness.AwaitEvery(ctx, chaosLook, p.patience, func(ctx context.Context) error {
				if err := caughtUp(ctx, s, allowed); err != nil {
					return err
				}
				return p.alike(ctx, s)
			})
			if err == nil {
				break
			}
			if !errors.Is(err, harness.ErrDeadline) || kills == p.process.kills.Load() {
				return fmt.Errorf("job %s: %w", s.job, err)
			}
		}
	}
	return nil
}

// caughtUp returns nil if the job has nothing left to do. Never a surprise full
// sync: one more than the program allows ends the wait.
func caughtUp(ctx context.Context, s *scene, fullSyncs int64) error {
	lag, err := s.ccr.Call(ctx, "get_lag", map[string]any{"name": s.job})
	if err != nil {
		return err
	}
	if n := harness.Int(lag, "lag"); n != 0 {
		return fmt.Errorf("%d binlogs to go", n)
	}
	status, err := s.ccr.Status(ctx, s.job)
	switch {
	case err != nil:
		return err
	case status.FullSyncs > fullSyncs:
		return fmt.Errorf("a surprise: %d full syncs, %d are allowed: %w", status.FullSyncs, fullSyncs, harness.ErrGiveUp)
	case status.Stalled:
		return fmt.Errorf("stalled: %s", status.LastError.Text)
	case !strings.Contains(status.ProgressState, "IncrementalSync"):
		return fmt.Errorf("job is in %s", status.ProgressState)
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
