package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// disturbance is what a program does to more than its source's tables: to the
// clusters, the destination, the binlogs, the job's steps in Temporal. It comes
// before the statement with its number, and makes its choices from a source of
// its own: statements do not depend on them.
type disturbance struct {
	*rand.Rand
	name      string
	statement int
	do        func(context.Context, *program) error
}

// stallSeen is longer than a job takes to notice that its source is gone, or does
// not record (docs/troubleshooting.md).
const stallSeen = 17 * time.Second

// disturbing is a kind of disturbance, and how often it comes beside the others.
type disturbing struct {
	name   string
	weight int
	do     func(context.Context, *program) error
}

func disturbances() []disturbing {
	return []disturbing{
		{"failing ingests", 4, failingIngests}, {"backends", 2, backendsComeAndGo}, {"label floods", 2, labelFlood},
		{"binlogs off", 3, unrecorded}, {"another table", 3, anotherTable}, {"destination tables dropped", 3, destinationTableDropped},
		{"destination databases dropped", 2, destinationDatabaseDropped}, {"steps paused", 3, stepPaused},
	}
}

// drawnDeeds are the disturbances of a run: all, or those that CCR_CHAOS_DEEDS names
// ("failing ingests,label floods").
func drawnDeeds(names string) ([]disturbing, error) {
	all := disturbances()
	if names == "" {
		return all, nil
	}
	var some []disturbing
	for name := range strings.SplitSeq(names, ",") {
		at := slices.IndexFunc(all, func(d disturbing) bool { return d.name == strings.TrimSpace(name) })
		if at < 0 {
			var known []string
			for _, d := range all {
				known = append(known, d.name)
			}
			return nil, fmt.Errorf("CCR_CHAOS_DEEDS: there is no %q, there are: %s", name, strings.Join(known, ", "))
		}
		some = append(some, all[at])
	}
	return some, nil
}

// chaosDisturbances draws those of a program, in the order of their statements.
func chaosDisturbances(seed uint64, statements int, of []disturbing) (all []disturbance) {
	r := rand.New(rand.NewPCG(seed, 3))
	sum := 0
	for _, d := range of {
		sum += d.weight
	}
	for range 1 + r.IntN(3) {
		next := disturbance{Rand: rand.New(rand.NewPCG(seed, r.Uint64())), statement: r.IntN(statements)}
		at := r.IntN(sum)
		for _, d := range of {
			if at -= d.weight; at < 0 {
				next.name, next.do = d.name, d.do
				break
			}
		}
		all = append(all, next)
	}
	slices.SortStableFunc(all, func(a, b disturbance) int { return a.statement - b.statement })
	return all
}

// withAnotherTable adds what concerns table jobs most.
func withAnotherTable(seed uint64, all []disturbance, statements int) []disturbance {
	r := rand.New(rand.NewPCG(seed, 6))
	all = append(all, disturbance{Rand: r, name: "another table", statement: r.IntN(statements), do: anotherTable})
	slices.SortStableFunc(all, func(a, b disturbance) int { return a.statement - b.statement })
	return all
}

// disturb does what is due, unless something is under way that it would be part
// of: then it comes with the first statement after that.
func (p *program) disturb(ctx context.Context) error {
	for len(p.disturbances) > 0 && p.disturbances[0].statement <= p.played && !p.paused && !p.altering && !p.disturbed {
		next := p.disturbances[0]
		p.disturbances = p.disturbances[1:]
		outer := p.Rand
		p.Rand, p.disturbed = next.Rand, true
		err := next.do(ctx, p)
		p.Rand, p.disturbed = outer, false
		p.process.tally.count(next.name)
		if err != nil {
			return err
		}
	}
	return nil
}

// meanwhile plays up to n statements in the middle of a disturbance.
func (p *program) meanwhile(ctx context.Context, n int) error {
	for range p.IntN(n + 1) {
		if err := p.statement(ctx); err != nil {
			return err
		}
	}
	return nil
}

// anyJob chooses one of the program's jobs.
func (p *program) anyJob() *scene { return one(p, p.jobs()) }

// tally counts what the programs of a batch have done.
type tally struct {
	mu   sync.Mutex
	done map[string]int
}

func (t *tally) count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil {
		t.done = map[string]int{}
	}
	t.done[what]++
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, what := range slices.Sorted(maps.Keys(t.done)) {
		all = append(all, fmt.Sprintf("%d %s", t.done[what], what))
	}
	return strings.Join(all, ", ")
}
