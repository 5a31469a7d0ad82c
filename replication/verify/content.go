package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	// atOnce is how many units one statement asks about at first; what has been tried
	// so often in vain is tried by fewer, then alone.
	atOnce    = 8
	fewerFrom = 4
	aloneFrom = 8
	// inRound is how many units share the question whether the job has caught up, which
	// takes a second or two.
	inRound = 8 * atOnce
	// refusedFor is how often a cluster may refuse a query: it may lack memory for a
	// moment.
	refusedFor = 4
	// shortPause is the longest pause between tries if queries are quick, queriesInPause
	// how many queries long it is if they are not.
	shortPause     = time.Second
	queriesInPause = 4
	// provedEvery is at which tries the job is asked whether it has caught up although
	// the source was written since its checksum.
	provedEvery = 4
	// largePartition is how many rows make a partition go by its buckets, so that a
	// query is short.
	largePartition = 5_000_000
)

// run asks about units until each has an outcome, or was tried often enough.
func (v *verification) run(ctx context.Context, q question, units []*unit, tries int, done func([]*unit)) error {
	open := units
	pause := v.limits.pause
	if done == nil {
		done = func([]*unit) {}
	}
	for try := 1; ; try++ {
		size, together := atFirst(len(open)), inRound
		switch {
		case try >= aloneFrom:
			size, together = 1, 1
		case try >= fewerFrom:
			size, together = atOnce/2, atOnce/2
		}
		for chunk := range slices.Chunk(open, together) {
			if err := v.round(ctx, q, chunk, size, try > 1); err != nil {
				return err
			}
			done(chunk)
		}
		open = undecided(open)
		if try >= holdFrom {
			if err := v.hold(ctx, q, open); err != nil {
				return err
			}
			done(decided(open))
			open = undecided(open)
		}
		if len(open) == 0 || try >= v.triesOf(tries) {
			break
		}
		if !pair.Sleep(ctx, pause) {
			return ctx.Err()
		}
		pause = min(pause+pause/2, v.longestPause(open))
	}
	for _, u := range open {
		u.outcome = busy
	}
	return nil
}

// triesOf is how often something is tried: what a job that is paused or stalled lacks
// does not come, and other jobs wait for the slot.
func (v *verification) triesOf(tries int) int {
	if p := v.input.Progress; p.Paused || p.Problem != nil {
		return min(tries, v.limits.standing)
	}
	return tries
}

// atFirst is how many of n units one statement asks about at first: the more
// partitions a table has, the dearer it is to list their versions around each.
func atFirst(n int) int { return min(max(atOnce, n/inRound), inRound) }

func undecided(units []*unit) []*unit {
	return slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return u.outcome != open })
}

func decided(units []*unit) []*unit {
	return slices.DeleteFunc(slices.Clone(units), func(u *unit) bool { return u.outcome == open })
}

// longestPause is between two tries at what is written all the time: a few times what
// its query takes, for a pause is as likely in any second as in another. A job that is
// behind needs time.
func (v *verification) longestPause(units []*unit) time.Duration {
	longest := shortPause
	for _, u := range units {
		if u.late {
			return v.limits.longest
		}
		longest = max(longest, queriesInPause*max(u.took.source, u.took.destination))
	}
	return min(longest, v.limits.longest)
}

// parts works on units, size of them at a time, and on each alone if the query about
// all of them is refused: it may be too large.
func parts(units []*unit, size int, work func([]*unit) error) error {
	for chunk := range slices.Chunk(units, size) {
		err := work(chunk)
		switch {
		case !isRefusal(err):
		case len(chunk) > 1:
			err = parts(chunk, 1, work)
		default:
			chunk[0].tries++
			chunk[0].refused, err = err.Error(), nil
			if chunk[0].refusals++; chunk[0].refusals >= refusedFor {
				chunk[0].outcome = busy
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isRefusal tells a statement that a server refused for other reasons than that the
// table has changed, or that the account may not.
func isRefusal(err error) bool {
	var refused *sqlclient.Error
	return errors.As(err, &refused) && !isAbsence(err) && !errors.Is(err, sqlclient.ErrAccessDenied)
}

// isAbsence tells a statement that was refused because what it names is not there
// (any more).
func isAbsence(err error) bool {
	return problem.Absent(err) || errors.Is(err, sqlclient.ErrUnknownTable) || errors.Is(err, sqlclient.ErrUnknownColumn) || errors.Is(err, sqlclient.ErrNotTable)
}

// round asks both sides once, about size units with one query. Of what is not equal
// it looks whether it has to be.
func (v *verification) round(ctx context.Context, q question, units []*unit, size int, follow bool) error {
	sample := func(some []*unit) error { return v.sample(ctx, q, some, follow) }
	if err := parts(units, size, sample); err != nil {
		return err
	}
	for _, u := range units {
		u.look()
		u.late = false
	}
	return v.prove(ctx, q, slices.DeleteFunc(undecided(units), func(u *unit) bool { return len(u.source) == 0 }), size)
}

// hasMoved tells whether the source was written since its newest checksum, so that the
// destination need not have the same by now. To know how far that is takes seconds, and
// tells only how far versions are apart: now and then is enough.
func (u *unit) hasMoved(earlier *meta.Table) bool {
	s, _ := latest(u.source)
	if isAt(earlier, u.pair.Source.ID, s.version) || u.tries%provedEvery == 1 {
		return false
	}
	u.written()
	return true
}

// prove looks whether the destination must have by now what the source had at its
// newest checksum: the job has applied all that the source had recorded after that,
// and the source has not moved since (evidence.go).
func (v *verification) prove(ctx context.Context, q question, units []*unit, size int) error {
	if len(units) == 0 {
		return nil
	}
	earlier, _, err := v.job.Source.TableByID(ctx, v.from.table.ID)
	if err != nil {
		return err
	}
	if earlier == nil {
		return errMoved
	}
	units = slices.DeleteFunc(units, func(u *unit) bool { return u.hasMoved(earlier) })
	if len(units) == 0 {
		return nil
	}
	caughtUp, err := v.caughtUp(ctx)
	if err != nil {
		return err
	}
	if !caughtUp {
		for _, u := range units {
			u.behind++
			u.late = true
		}
		return nil
	}
	visible, _, err := v.job.Destination.TableByID(ctx, v.to.table.ID)
	if err != nil {
		return err
	}
	if visible == nil {
		return errMoved
	}
	return parts(units, size, func(some []*unit) error { return v.proveSome(ctx, q, some, earlier, visible) })
}

// proveSome asks the destination about units, which has by now what the source had
// earlier, and had then what is visible.
func (v *verification) proveSome(ctx context.Context, q question, units []*unit, earlier, visible *meta.Table) error {
	theirs, err := v.ask(ctx, v.to, q, units, nil)
	if err != nil {
		return err
	}
	from, to, err := v.job.compare.BothSides(ctx, v.from.table.ID, v.to.table.ID)
	if err != nil {
		return err
	}
	if from == nil || to == nil {
		return errMoved
	}
	for i, u := range units {
		s, _ := latest(u.source)
		d := sample{theirs.version[i], theirs.sums[i]}
		if d.version != 0 {
			u.destination = remember(u.destination, d)
		}
		was, had, is := versionOf(earlier, u.pair.Source.ID), versionOf(visible, u.pair.Destination.ID), versionOf(from, u.pair.Source.ID)
		if was == 0 || had == 0 || is == 0 {
			return errMoved
		}
		if theirs.settled[i] {
			u.offset.observe(was, had, had, is)
		}
		if !isAt(from, u.pair.Source.ID, s.version) || !isAt(to, u.pair.Destination.ID, d.version) || !theirs.settled[i] {
			u.written()
			u.look()
			continue
		}
		if u.look(); u.outcome == open {
			u.prove(s, d)
		}
	}
	return nil
}

// isAt tells whether the master knows the partition in that version: the frontend
// that answered a query may have been behind.
func isAt(t *meta.Table, partition, version int64) bool {
	return version != 0 && versionOf(t, partition) == version
}

// versionOf is 0 if the table does not have the partition.
func versionOf(t *meta.Table, partition int64) int64 {
	if p := t.PartitionByID(partition); p != nil {
		return p.VisibleVersion
	}
	return 0
}

// caughtUp tells whether the destination shows all that the source had recorded
// when this was called.
func (v *verification) caughtUp(ctx context.Context) (bool, error) {
	if time.Since(v.behindAt) < v.limits.behind {
		return false, nil // asked a moment ago: the answer may take seconds
	}
	// A binlog can be filed a little after its load is visible (architecture.md 4.6).
	if !pair.Sleep(ctx, v.job.Options.SettleTime) {
		return false, ctx.Err()
	}
	position, caughtUp, err := v.hooks.CaughtUp(ctx)
	if err != nil {
		return false, fmt.Errorf("ask the job how far it is: %w", err)
	}
	v.result.Position = max(v.result.Position, position)
	if !caughtUp {
		v.behindAt = time.Now()
		return false, nil
	}
	bounded, cancel := context.WithTimeout(ctx, v.limits.visible)
	defer cancel()
	progress := v.input.Progress
	err = v.job.AwaitVisible(bounded, binlog.Record{Type: binlog.TypeUpsert, TableIDs: []int64{v.in.Target.ID}}, &progress)
	switch {
	case err != nil && ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil && bounded.Err() != nil:
		return false, nil
	case err != nil:
		return false, err
	}
	return true, nil
}
