package stream

import (
	"maps"
	"time"

	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// A shift asks the destination first what attempts before it have left there. That
// lists every label that the destination remembers, thousands, and a shift ends with
// each DDL. So it is not done where this very process has run the shift before to a
// clean end, and knows that nobody can have been at work in between.

// lookBackEvery is for how long nothing is asked. A shift lasts about as long without
// any DDL, and the limits of what the destination remembers are read as often as then.
const lookBackEvery = 10 * time.Minute

// cleanEnd is a shift that left nothing behind that its result does not tell:
// everything it began was applied at the first try, and no commit is unconfirmed.
type cleanEnd struct {
	run      string // of the job's workflow
	number   int    // of the shift in it
	epoch    int64
	position job.Position
	memory   pair.LabelMemory
	clusters [2]job.Cluster
	asked    time.Time // when the destination was asked last
	// what is still known of the tables (keptmeta.go)
	source, destination keptMeta
}

// takeCleanEnd returns how the last shift of the job in this process ended, nil if not
// cleanly, or if another one has begun since. It answers once: a shift that dies leaves
// nothing to rely on.
func (b *book) takeCleanEnd() *cleanEnd {
	b.mu.Lock()
	defer b.mu.Unlock()
	end := b.ended
	b.ended = nil
	return end
}

func (b *book) noteCleanEnd(end *cleanEnd) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = end
}

// follows tells whether a shift goes on where this one ended, with nobody in between:
// it is the next one of the same run, so no workflow was reset; it is the first attempt
// at it; and the position has its last transaction. A DDL between them moves the
// commit seq, but begins no transaction.
func (c *cleanEnd) follows(in *job.StreamInput, run string, now time.Time) bool {
	p := &in.Progress
	return c != nil && run != "" && c.run == run && in.Number == c.number+1 &&
		reachedAlike(c.clusters[0], in.Spec.Source) && reachedAlike(c.clusters[1], in.Spec.Destination) &&
		p.Epoch == c.epoch && p.Position.TxnID == c.position.TxnID && p.Position.CommitSeq >= c.position.CommitSeq &&
		now.Sub(c.asked) < lookBackEvery
}

// reachedAlike tells whether the nodes of a cluster have the addresses that they had.
func reachedAlike(a, b job.Cluster) bool {
	return a.Host == b.Host && a.Port == b.Port && a.ThriftPort == b.ThriftPort && a.SideTLS == b.SideTLS && maps.Equal(a.HostMapping, b.HostMapping)
}

// nothingLeft tells whether the look back can be left out, and takes what it would have
// found out from the shift before.
func (s *shift) nothingLeft(before *cleanEnd) bool {
	if !s.noPredecessor || s.in.Spec.ReuseBinlogLabel || !before.follows(&s.in, s.hooks.Run, time.Now()) {
		return false
	}
	s.memory, s.lookedBack = before.memory, before.asked
	s.source.take(before.source)
	s.destination.take(before.destination)
	return true
}

// cleanly is what the next shift may rely on after this ending, nil if it has to ask.
func (s *shift) cleanly(e ending, position job.Position, open int, unconfirmed time.Time) *cleanEnd {
	switch {
	case e.end != job.EndBinlog && e.end != job.EndShiftOver, e.newEpoch, s.hooks.Run == "":
		return nil
	case open > 0, !unconfirmed.IsZero(), s.failure != nil, s.problem != nil:
		return nil
	case s.faltered.Load(), s.superseded.Load():
		return nil
	case s.byLabel, !s.memory.Known, s.lookedBack.IsZero():
		return nil
	}
	end := &cleanEnd{run: s.hooks.Run, number: s.in.Number, epoch: s.in.Progress.Epoch, position: position, memory: s.memory, asked: s.lookedBack,
		clusters: [2]job.Cluster{s.in.Spec.Source, s.in.Spec.Destination}}
	end.source, end.destination = s.keptAfter(e)
	return end
}
