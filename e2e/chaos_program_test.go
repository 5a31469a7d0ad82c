package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	chaosRounds   = 4               // quiet points of a program
	chaosRound    = 12              // statements between them, about
	chaosPatience = 2 * time.Minute // of a quiet point without any progress
	chaosLook     = 300 * time.Millisecond
)

// program makes up statements and remembers what the source has.
type program struct {
	*rand.Rand
	*scene          // of the database job
	follower *scene // of the table job, if there is one
	seed     uint64
	process  *chaosProcess

	tables       map[string]*chaosTable
	bin          []binned
	views        map[string]bool
	followed     string // the present name of the table job's table
	settled      bool   // every job has found its tables: a quiet point is passed
	replacements int    // of the table under that name by another one
	serial       int    // of values and names: none comes twice
	altering     bool   // an ALTER job runs, what else happens meanwhile is short
	paused       bool
	kinds        *rand.Rand // of what statements do not depend on: replicas, hidden columns

	verifications []verification // of this round

	disturbances []disturbance      // that are still to come
	disturbed    bool               // one is under way
	unrecorded   bool               // the source's database has its binlogs off
	left         map[string]bool    // what was dropped meanwhile: the destination may keep it
	excuses      map[*scene]*excuse // of the jobs

	played  int // statements so far
	kills   []chaosKill
	refused int

	orders    []chaosOrder
	ordering  sync.WaitGroup
	fullSyncs atomic.Int64 // that were ordered

	started time.Time
	noting  sync.Mutex
	log     []string
}

func newProgram(seed uint64, pair *harness.Pair, dst *sql.DB, process *chaosProcess) *program {
	name := fmt.Sprintf("chaos_%d", seed)
	p := &program{
		Rand:    rand.New(rand.NewPCG(seed, 0)),
		seed:    seed,
		process: process,
		started: time.Now(),
		tables:  map[string]*chaosTable{},
		views:   map[string]bool{},
		kills:   chaosKills(seed, chaosRounds*chaosRound),
	}
	p.orders = chaosOrders(seed, chaosRounds*chaosRound, p.kills)
	p.disturbances = chaosDisturbances(seed, chaosRounds*chaosRound, process.deeds)
	p.kinds = rand.New(rand.NewPCG(seed, 5))
	p.left, p.excuses = map[string]bool{}, map[*scene]*excuse{}
	follow := func(s *scenario, job, database string) *scene {
		return &scene{scenario: s, pair: pair, ccr: process.ccr, patience: chaosPatience, job: job, srcDB: "s" + name, dstDB: database, dst: dst}
	}
	p.scene = follow(&scenario{name: name, options: p.options()}, name, "d"+name)
	if p.once(3) {
		p.followed = "f"
		if slices.ContainsFunc(process.deeds, func(d disturbing) bool { return d.name == "another table" }) {
			p.disturbances = withAnotherTable(seed, p.disturbances, chaosRounds*chaosRound/2)
		}
		p.follower = follow(&scenario{name: name, options: p.options(), table: p.followed, as: one(p, []string{"f", "alias"})}, name+"_table", "f"+name)
	}
	return p
}

// options draws those of a job.
func (p *program) options() map[string]any {
	return one(p, []map[string]any{nil, nil, {"commit_order": "per_table"}, {"reuse_binlog_label": true}})
}

// jobs are the scenes of the program's jobs.
func (p *program) jobs() []*scene {
	if p.follower == nil {
		return []*scene{p.scene}
	}
	p.follower.src, p.follower.current = p.src, p.followed
	return []*scene{p.scene, p.follower}
}

// play runs the program and returns what was wrong at a quiet point.
func (p *program) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*chaosRounds*chaosPatience)
	defer cancel()
	err := p.process.running(func() error { return p.begin(ctx) })
	if p.src != nil {
		defer p.src.Close()
	}
	defer p.ordering.Wait()
	if err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if p.once(2) { // else the program begins beside the first sync
		err = p.quiet(ctx)
		p.settled = true
	}
	for round := 1; err == nil && round <= chaosRounds; round++ {
		p.note(fmt.Sprintf("-- round %d", round))
		if err = p.round(ctx); err == nil {
			err = p.quiet(ctx)
		}
		p.settled = true
	}
	if err != nil {
		for _, s := range p.jobs() {
			p.explanation += s.explain()
		}
		return err
	}
	return p.command(ctx, "delete")
}

// begin makes the first tables and the jobs.
func (p *program) begin(ctx context.Context) error {
	for range 4 {
		p.setup = append(p.setup, func(ctx context.Context, _ *scene) error { return p.create(ctx) })
	}
	if p.follower != nil {
		p.setup = append(p.setup, func(ctx context.Context, _ *scene) error { return p.createAs(ctx, p.followed) })
	}
	err := created(p.prepare(ctx))
	if err != nil || p.follower == nil {
		return err
	}
	return created(p.follower.createJob(ctx))
}

// created forgives create_ccr that it could not wait for the job's checks: they
// are going on, many jobs are created at once.
func created(err error) error {
	if err != nil && strings.Contains(err.Error(), "is created, but its first checks are still going on") {
		return nil
	}
	return err
}

// round is what happens between two quiet points.
func (p *program) round(ctx context.Context) error {
	verifyAt := p.verifyAt()
	for i := range chaosRound/2 + p.IntN(chaosRound) {
		if i == verifyAt {
			p.verifyMeanwhile(ctx)
		}
		if err := p.statement(ctx); err != nil {
			return err
		}
	}
	return nil
}

// deed is something that a program does, and how often beside the others.
type deed struct {
	weight int
	do     func(context.Context) error
}

func (p *program) deeds() []deed {
	return []deed{
		{20, p.insert}, {2, p.burst}, {5, p.deleteRows}, {5, p.update}, {2, p.partialUpdate}, {4, p.overwrite}, {4, p.transaction}, {2, p.copyRows},
		{3, p.create}, {1, p.createFrom}, {3, p.drop}, {2, p.recoverTable}, {3, p.rename}, {2, p.swap}, {2, p.replace}, {3, p.truncate},
		{1, p.comment}, {1, p.property}, {1, p.buckets},
		{3, p.addPartition}, {2, p.dropPartition}, {2, p.recoverPartition}, {2, p.replacePartition}, {1, p.spoil}, {2, p.renamePartition},
		{3, p.addLight}, {2, p.dropLight}, {3, p.renameColumn}, {5, p.heavy}, {3, p.index}, {3, p.rollup}, {2, p.view},
		{2, p.pausedStretch},
	}
}

// statement plays one or a few that belong together.
func (p *program) statement(ctx context.Context) error {
	for _, k := range p.kills {
		if k.statement == p.played {
			p.process.kill(ctx, p.seed, k.delay, k.down)
		}
	}
	p.give(ctx)
	if err := p.disturb(ctx); err != nil {
		return err
	}
	p.played++
	deeds, sum := p.deeds(), 0
	for _, d := range deeds {
		sum += d.weight
	}
	at := p.IntN(sum)
	for _, d := range deeds {
		if at -= d.weight; at < 0 {
			return d.do(ctx)
		}
	}
	return nil
}

// pausedStretch stops the jobs for some statements: they meet them late, all at
// once.
func (p *program) pausedStretch(ctx context.Context) error {
	if p.paused || p.altering {
		return p.insert(ctx)
	}
	p.paused = true
	defer func() { p.paused = false }()
	if err := p.command(ctx, "pause"); err != nil {
		return err
	}
	for range 3 + p.IntN(6) {
		if err := p.statement(ctx); err != nil {
			return err
		}
	}
	return p.command(ctx, "resume")
}

// command pauses or resumes the program's jobs. Both can be repeated: a server
// that is too busy to answer is asked again. An order that waits until the step
// of a process that was killed is known to have ended is given as well.
func (p *program) command(ctx context.Context, operator string) error {
	p.note("-- " + operator)
	for _, s := range p.jobs() {
		err := harness.AwaitEvery(ctx, lookEvery, s.patience, func(ctx context.Context) error {
			err := p.process.running(func() error { return s.command(ctx, operator, nil) })
			if err != nil && strings.Contains(err.Error(), "is recorded, but not carried out yet") {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *program) note(line string) {
	p.noting.Lock()
	defer p.noting.Unlock()
	p.log = append(p.log, fmt.Sprintf("%6.2f %s", time.Since(p.started).Seconds(), line))
}

// try runs statements and tells whether the source took them all.
func (p *program) try(ctx context.Context, statements ...string) (bool, error) {
	for _, statement := range statements {
		p.note(statement)
		if ok, err := p.taken(ctx, run(statement)(ctx, p.scene)); !ok {
			return false, err
		}
	}
	return true, nil
}

// session is try for statements of one connection.
func (p *program) session(ctx context.Context, statements ...string) (bool, error) {
	p.note(strings.Join(statements, "; "))
	return p.taken(ctx, session(statements...)(ctx, p.scene))
}

// taken tells whether the source took a statement; only the end of the test is
// an error.
func (p *program) taken(ctx context.Context, err error) (bool, error) {
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, err
	}
	p.note("-- refused: " + err.Error())
	p.refused++
	return false, nil
}
