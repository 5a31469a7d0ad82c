package worker

import (
	"sync"
	"time"

	"github.com/doris-ccr/ccr/activities"
	"github.com/doris-ccr/ccr/job"
)

// memory is what this process has of jobs: the workflows in the cache of the SDK, and
// the shifts that it runs. It is a workflows.Memory.
type memory struct {
	shift func(name string) *job.ShiftKnown
	// watch returns the lag of a job that does not stream, if it is not older, and has
	// the source asked if it is.
	watch func(in job.StepInput, maxAge time.Duration) (job.LagAnswer, bool)

	mu   sync.Mutex // guards runs
	runs map[string]remembered
}

// remembered is what an owner has told of its job.
type remembered struct {
	owner any
	known job.RunKnown
	lag   job.StepInput
}

func newMemory(acts *activities.Activities) *memory {
	return &memory{shift: acts.Shift, watch: acts.Watch, runs: map[string]remembered{}}
}

// Remember implements workflows.Memory.
func (m *memory) Remember(owner any, known job.RunKnown, lag job.StepInput) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs[known.Spec.Name] = remembered{owner, known, lag}
}

// Forget implements workflows.Memory.
func (m *memory) Forget(owner any, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs[name].owner == owner {
		delete(m.runs, name)
	}
}

// jobs answers job.QueryJobs.
func (m *memory) jobs(wanted job.JobsWanted) job.JobsKnown {
	known := job.JobsKnown{}
	for _, name := range wanted.Jobs {
		k := job.JobKnown{Shift: m.shift(name)}
		r, ok := m.run(name)
		if ok {
			k.Run = &r.known
		}
		if ok && k.Shift == nil && wanted.LagAge > 0 && r.known.Status.Checked && r.known.Status.Phase != job.PhaseDeleting {
			if lag, ok := m.watch(r.lag, wanted.LagAge); ok {
				k.Lag = &lag
			}
		}
		if k.Run != nil || k.Shift != nil {
			known[name] = k
		}
	}
	return known
}

func (m *memory) run(name string) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.runs[name]
	return r, ok
}
