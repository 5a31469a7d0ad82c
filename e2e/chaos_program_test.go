package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	chaosRounds   = 4                // quiet points of a program
	chaosRound    = 12               // statements between them, about
	chaosPatience = 90 * time.Second // of a quiet point; starts of ccr-standalone are part of it
	chaosLook     = 200 * time.Millisecond
)

// program makes up statements and remembers what the source has.
type program struct {
	*rand.Rand
	*scene
	seed    uint64
	process *chaosProcess
	tables  map[string]*chaosTable
	serial  int // of values and names: none comes twice
	played  int // statements so far
	kills   []chaosKill
	refused int

	noting sync.Mutex
	log    []string
}

func newProgram(seed uint64, pair *harness.Pair, dst *sql.DB, process *chaosProcess) *program {
	name := fmt.Sprintf("chaos_%d", seed)
	return &program{
		Rand:    rand.New(rand.NewPCG(seed, 0)),
		seed:    seed,
		process: process,
		tables:  map[string]*chaosTable{},
		kills:   chaosKills(seed, chaosRounds*chaosRound),
		scene: &scene{
			scenario: &scenario{name: name}, pair: pair, ccr: process.ccr, patience: chaosPatience,
			job: name, srcDB: "s" + name, dstDB: "d" + name, dst: dst,
		},
	}
}

// play runs the program and returns what was wrong at a quiet point.
func (p *program) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, (chaosRounds+2)*chaosPatience)
	defer cancel()
	for range 4 {
		p.setup = append(p.setup, func(ctx context.Context, _ *scene) error { return p.create(ctx) })
	}
	err := p.process.running(func() error { return p.prepare(ctx) })
	if p.src != nil {
		defer p.src.Close()
	}
	if err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	if p.IntN(2) == 0 { // else the program begins beside the first sync
		err = p.quiet(ctx)
	}
	for round := 1; err == nil && round <= chaosRounds; round++ {
		p.note(fmt.Sprintf("-- round %d", round))
		if err = p.round(ctx); err == nil {
			err = p.quiet(ctx)
		}
	}
	if err != nil {
		p.explanation = p.explain()
		return err
	}
	return p.process.running(func() error { return p.command(ctx, "delete", nil) })
}

// round is what happens between two quiet points.
func (p *program) round(ctx context.Context) error {
	for range chaosRound/2 + p.IntN(chaosRound) {
		for _, k := range p.kills {
			if k.statement == p.played {
				p.process.kill(ctx, p.seed, k.delay, k.down)
			}
		}
		p.played++
		if err := p.statement(ctx); err != nil {
			return err
		}
	}
	return nil
}

// quiet waits until the job has nothing left to do, and returns how the sides
// differ then. It looks less often than a scenario does: many programs wait.
func (p *program) quiet(ctx context.Context) error {
	p.note("-- quiet")
	return harness.AwaitEvery(ctx, chaosLook, p.patience, func(ctx context.Context) error {
		lag, err := p.ccr.Call(ctx, "get_lag", map[string]any{"name": p.job})
		if err != nil {
			return err
		}
		status, err := p.ccr.Status(ctx, p.job)
		switch n := harness.Int(lag, "lag"); {
		case err != nil:
			return err
		case status.FullSyncs > 1:
			return fmt.Errorf("a surprise: %d full syncs: %w", status.FullSyncs, harness.ErrGiveUp)
		case status.Stalled:
			return fmt.Errorf("stalled: %s", status.LastError.Text)
		case !strings.Contains(status.ProgressState, "IncrementalSync"):
			return fmt.Errorf("job is in %s", status.ProgressState)
		case n != 0:
			return fmt.Errorf("%d binlogs to go", n)
		}
		return p.compare(ctx)
	})
}

func (p *program) note(line string) {
	p.noting.Lock()
	defer p.noting.Unlock()
	p.log = append(p.log, line)
}

// statement plays one, more often a write than a change of tables.
func (p *program) statement(ctx context.Context) error {
	structural := []func(context.Context) error{
		p.create, p.drop, p.rename, p.swap, p.replace, p.truncate, p.addLight, p.dropLight, p.renameLight, p.heavy,
		p.addPartition, p.dropPartition, p.replacePartition, p.renamePartition, p.overwrite,
	}
	if p.IntN(2) == 0 {
		return structural[p.IntN(len(structural))](ctx)
	}
	return p.write(ctx)
}

// try runs statements and tells whether the source took them all.
func (p *program) try(ctx context.Context, statements ...string) (bool, error) {
	for _, statement := range statements {
		p.note(statement)
		if err := run(statement)(ctx, p.scene); err != nil {
			if ctx.Err() != nil {
				return false, err
			}
			p.note("-- refused: " + err.Error())
			p.refused++
			return false, nil
		}
	}
	return true, nil
}
