package verify

import (
	"context"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// A partition that is loaded faster than the destination can be read is never seen
// there in one version. So after some tries the job's stream is asked to hold further
// loads of that one partition back: none is committed until the source has been read,
// then only those up to the version that was read, until the destination has been
// read, too. A hold gives more samples and nothing else: what they prove is in
// evidence.go, whether the stream has obeyed or not.

const (
	// holdFrom is from which try on a partition may be held back, holdsOfUnit how often
	// for one unit, holdsOfTable for all of a table.
	holdFrom     = 3
	holdsOfUnit  = 3
	holdsOfTable = 12
	// holdReads is how often the source is read in one hold: it may be written during
	// each.
	holdReads = 3
	// holdRest is how many times as long as commits have waited they do not wait
	// again, so that the job makes up for it.
	holdRest = 10
	// releaseTimeout bounds the order that ends a hold. Without it the hold ends at its
	// limit.
	releaseTimeout = 2 * time.Second
)

// holdLimit is how long commits may wait for the unit, 0 if that is too short for a
// query.
func (v *verification) holdLimit(u *unit) time.Duration {
	most := v.in.Request.HoldLimit()
	if most <= 0 || u.took.destination > most {
		return 0
	}
	return min(most, v.limits.slack+holdReads*u.took.source+2*u.took.destination)
}

// hold tries the units for which a hold may help, one after the other.
func (v *verification) hold(ctx context.Context, q question, units []*unit) error {
	for _, u := range units {
		limit := v.holdLimit(u)
		if v.hooks.Hold == nil || v.holds >= holdsOfTable || u.holds >= holdsOfUnit || len(u.source) == 0 || limit == 0 {
			continue
		}
		if !pair.Sleep(ctx, v.job.shared.restOf(v.in.Job)) {
			return ctx.Err()
		}
		v.holds++
		u.holds++
		if err := parts([]*unit{u}, 1, func([]*unit) error { return v.heldBack(ctx, q, u, limit) }); err != nil {
			return err
		}
	}
	return nil
}

// heldBack reads both sides of a unit while the stream holds its partition back.
func (v *verification) heldBack(ctx context.Context, q question, u *unit, limit time.Duration) error {
	h := &held{v: v, order: job.Hold{
		Job: v.in.Job, ID: time.Now().UnixNano(), TableID: v.from.table.ID,
		PartitionID: u.pair.Source.ID, Partition: u.pair.Source.Name, Limit: limit,
	}}
	began := time.Now()
	if !h.give(ctx) {
		return ctx.Err() // it does not stream just now, or cannot be asked
	}
	v.report("has loads of partition %s held back on the destination", u.pair.Source.Name)
	read, err := h.read(ctx, q, u)
	h.release(ctx)
	if err != nil {
		return err
	}
	return v.pace(ctx, began, read.rows, read.bytes)
}

// held is a hold under way.
type held struct {
	v     *verification
	order job.Hold
}

// give sends the next order and tells whether the stream obeys.
func (h *held) give(ctx context.Context) bool {
	h.order.Step++
	answer, err := h.v.hooks.Hold(ctx, h.order)
	if err == nil && answer.Here {
		if h.order.Over {
			h.v.result.Held += answer.Waited
		}
		h.v.job.shared.rest(h.v.in.Job, holdRest*answer.Waited)
		return true
	}
	return false
}

// release ends the hold. If the stream cannot be told, the hold ends at its limit.
func (h *held) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if h.order.Over = true; !h.give(ctx) {
		h.v.job.shared.rest(h.v.in.Job, holdRest*h.order.Limit)
	}
}

// read reads the source, lets the destination get to that version, and reads it, too.
// It tells how much it has read.
func (h *held) read(ctx context.Context, q question, u *unit) (total amount, err error) {
	v, some := h.v, []*unit{u}
	for range holdReads {
		ours, err := v.askNow(ctx, v.settings, v.from, q, some, nil)
		if err != nil {
			return total, err
		}
		total = total.plus(ours.read)
		u.hear(ours, 0, true)
		if h.order.Version = ours.version[0]; h.order.Version != 0 {
			break
		}
	}
	if u.look(); u.outcome != open || h.order.Version == 0 || !h.give(ctx) {
		return total, ctx.Err()
	}
	follow := v.limits.follow
	if u.behind > 0 {
		follow = v.limits.followLong
	}
	if !v.awaitVersions(ctx, some, map[int64]listed{u.pair.Source.ID: {version: h.order.Version}}, follow) {
		v.holds = holdsOfTable // the job is too far behind
		return total, ctx.Err()
	}
	theirs, err := v.askNow(ctx, v.settings, v.to, q, some, nil)
	if err != nil {
		return total, err
	}
	u.hear(theirs, 0, false)
	u.look()
	return total.plus(theirs.read), nil
}

// rest has a job's commits not wait again for a while.
func (s *Shared) rest(name string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until := time.Now().Add(d); d > 0 && until.After(s.rests[name]) {
		s.rests[name] = until
	}
}

// restOf is how long a job's commits must not wait again.
func (s *Shared) restOf(name string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := time.Until(s.rests[name])
	if left <= 0 {
		delete(s.rests, name)
	}
	return left
}
