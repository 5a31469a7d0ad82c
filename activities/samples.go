package activities

import (
	"sync"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// samples is how the jobs of this process have been during the last hour.
type samples struct {
	mu   sync.Mutex // guards the fields below
	now  int64      // number of the newest round
	jobs map[string]*sampleRing
}

// sampleRing has the last samples of a job: round n at n modulo its length.
type sampleRing [job.SamplesKept]sample

// sample is how a job was in one round. round 0: never.
type sample struct {
	round                int64
	lag, behind, applied int64
}

// Sample notes how the jobs are that stream in this process, and those that do not and whose sources were
// asked lately. It asks nobody.
func (a *Activities) Sample(now time.Time) {
	a.samples.note(a.registry.sample(now))
}

// Samples answers job.QuerySamples.
func (a *Activities) Samples(wanted job.SamplesWanted) job.SamplesKnown {
	return a.samples.known(wanted)
}

// sample is how each job is now that the registry knows.
func (r *lagRegistry) sample(now time.Time) map[string]sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make(map[string]sample, len(r.shifts))
	for name, w := range r.watched {
		if w.at.IsZero() || w.answer.Error != "" || now.Sub(w.at) > watchedFor {
			continue
		}
		s := sample{lag: w.answer.Lag.Binlogs, behind: -1, applied: -1}
		if age, known := w.answer.Lag.Behind(now); known {
			s.behind = int64(age / time.Second)
		}
		found[name] = s
	}
	for name, shift := range r.shifts {
		report := shift.last()
		s := sample{lag: -1, behind: -1, applied: report.Position.Applied}
		if !report.Lag.ObservedAt.IsZero() {
			s.lag = report.Lag.Binlogs
		}
		if age, known := report.Lag.Behind(now); known {
			s.behind = int64(age / time.Second)
		}
		found[name] = s
	}
	return found
}

// note keeps the samples of a round, and forgets jobs that have not been seen for an hour.
func (s *samples) note(round map[string]sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	if s.jobs == nil {
		s.jobs = map[string]*sampleRing{}
	}
	for name, one := range round {
		if s.jobs[name] == nil {
			s.jobs[name] = &sampleRing{}
		}
		one.round = s.now
		s.jobs[name][s.now%job.SamplesKept] = one
	}
	for name, ring := range s.jobs {
		if ring.newest() <= s.now-job.SamplesKept {
			delete(s.jobs, name)
		}
	}
}

func (r *sampleRing) newest() (round int64) {
	for _, one := range r {
		round = max(round, one.round)
	}
	return round
}

func (s *samples) known(wanted job.SamplesWanted) job.SamplesKnown {
	points := min(max(wanted.Points, 1), job.SamplesKept)
	s.mu.Lock()
	defer s.mu.Unlock()
	known := job.SamplesKnown{}
	for _, name := range wanted.Jobs {
		if ring := s.jobs[name]; ring != nil {
			known[name] = ring.points(s.now, points)
		}
	}
	return known
}

// points puts the last hour into that many points.
func (r *sampleRing) points(now int64, points int) job.Samples {
	all := job.NewSamples(points)
	for _, one := range r {
		age := now - one.round // 0 is the newest
		if one.round == 0 || age < 0 || age >= job.SamplesKept {
			continue
		}
		at := int(job.SamplesKept-1-age) * points / job.SamplesKept
		all.Lag[at] = max(all.Lag[at], one.lag)
		all.Behind[at] = max(all.Behind[at], one.behind)
		all.Applied[at] = max(all.Applied[at], one.applied)
	}
	return all
}
