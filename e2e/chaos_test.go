package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	chaosPrograms = 10 // of a run that is told nothing else
	chaosBatch    = 20 // programs that share two clusters and a ccr-standalone
)

// TestChaos runs random programs of DDL and DML on the source while jobs follow,
// and kills their ccr-standalone in between. At each quiet point of a program
// both sides have the same tables, rows and definitions, or the job says that it
// is not fine; when it says so because of what the program has broken, the remedy
// of docs/troubleshooting.md is given, and has to help.
//
// Beside their statements programs have orders of operators, and disturbances:
//
//   - ingests that fail, are slow or lose their replies, with loads into
//     merge-on-write tables with sequence columns meanwhile
//   - backends of either side that are added and decommissioned
//   - other loads into the destination, which in half of the batches remembers few
//     labels, and a kill with them
//   - binlogs of the source switched off and on again, with writes meanwhile
//   - the table of a table job dropped, and created again or recovered later
//   - tables of the destination dropped, and its database
//   - steps that are paused in Temporal for a while, which the job has to tell
//
// Programs are played in batches: those of a batch share two clusters and one
// ccr-standalone, and each has a database and a job of its own.
//
//   - CCR_CHAOS_PROGRAMS: how many (default 10; 1 if there is a seed)
//   - CCR_CHAOS_SEED: the seed of the first one, the others count up (default 1)
//   - CCR_CHAOS_BATCH: how many at once (default 20)
//   - CCR_CHAOS_DEEDS: the disturbances that are drawn, such as "failing ingests,label
//     floods" (default: all)
//   - CCR_CHAOS_VERIFY: 1 verifies the jobs, row by row, at each quiet point and
//     once in the middle of a round; what is told as different there fails
//
// What a program does depends on its seed only, the moments of the kills that it
// asks for too; how far its job has come by then does not. make chaos runs 200
// programs from a new seed; make chaos SEED=n PROGRAMS=1 replays one.
func TestChaos(t *testing.T) {
	t.Parallel()
	first, seeded := chaosSetting(t, "CCR_CHAOS_SEED", 1)
	programs, said := chaosSetting(t, "CCR_CHAOS_PROGRAMS", chaosPrograms)
	if seeded && !said {
		programs = 1
	}
	atOnce, _ := chaosSetting(t, "CCR_CHAOS_BATCH", chaosBatch)
	require.Positive(t, atOnce, "CCR_CHAOS_BATCH")
	deeds, err := drawnDeeds(os.Getenv("CCR_CHAOS_DEEDS"))
	require.NoError(t, err)
	c := &chaosRun{T: t, started: time.Now(), programs: programs, deeds: deeds}
	for at := uint64(0); at < programs; at += atOnce {
		c.batch(first+at, min(atOnce, programs-at))
	}
}

func chaosSetting(t *testing.T, name string, otherwise uint64) (uint64, bool) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, name)
	return n, true
}

// chaosRun counts what has been done so far.
type chaosRun struct {
	*testing.T
	started      time.Time
	programs     uint64
	deeds        []disturbing // that are drawn
	done, failed atomic.Int64
	kills        int
}

// batch plays n programs beside each other.
func (c *chaosRun) batch(first, n uint64) {
	process := newChaosProcess(c.T, first)
	process.deeds = c.deeds
	pair, err := harness.StartPair(c.Context(), harness.PairOptions{BEs: 2, Seed: first})
	require.NoError(c, err)
	source, destination := chaosProfiles(first, os.Getenv("CCR_CHAOS_DEEDS"))
	pair.Source.SetProfile(source)
	pair.Destination.SetProfile(destination)
	defer pair.Close()
	dst, err := pair.Destination.Open("")
	require.NoError(c, err)
	defer dst.Close()
	process.source.cluster, process.destination.cluster = pair.Source, pair.Destination
	require.NoError(c, process.fewLabels(c.Context(), pair.Destination, chaosLabels(first)))
	failedBefore := c.failed.Load()

	var players errgroup.Group
	all := make([]*program, n)
	for i := range all {
		all[i] = newProgram(first+uint64(i), pair, dst, process)
		process.programs = append(process.programs, all[i])
	}
	for _, p := range all {
		players.Go(func() error {
			c.Run(strconv.FormatUint(p.seed, 10), func(t *testing.T) { c.play(t, p) })
			return nil
		})
	}
	require.NoError(c, players.Wait())
	c.kills += process.end(c.T, c.failed.Load() > failedBefore)
	c.Logf("chaos: disturbances: %v; fault rules have struck %d times", &process.tally, struck(pair))
	c.Logf("chaos: %d of %d programs done, %d failed, %d kills, %.0f s", c.done.Load(), c.programs, c.failed.Load(), c.kills, time.Since(c.started).Seconds())
}

// struck counts how often the rules of failing ingests have struck: each comes by
// chance, but without any the programs prove nothing of them.
func struck(pair *harness.Pair) (n int) {
	for _, cluster := range []*harness.Cluster{pair.Source, pair.Destination} {
		for _, rule := range cluster.Faults().List() {
			n += rule.Hits
		}
	}
	return n
}

func (c *chaosRun) play(t *testing.T, p *program) {
	err := p.play(t.Context())
	if err == nil && p.refused >= len(p.log)/3 {
		err = errors.New("the source refused too much to call it a program")
	}
	c.done.Add(1)
	if err == nil {
		if c.programs == 1 {
			t.Log(strings.Join(p.log, "\n"))
		}
		return
	}
	c.failed.Add(1)
	only := ""
	if names := os.Getenv("CCR_CHAOS_DEEDS"); names != "" {
		only = fmt.Sprintf("CCR_CHAOS_DEEDS=%q ", names)
	}
	t.Errorf("%smake chaos SEED=%d PROGRAMS=1 replays this program: %v\n%s\n%s", only, p.seed, err, strings.Join(p.log, "\n"), p.explanation)
}

// chaosProcess is the ccr-standalone of a batch, which its programs kill.
type chaosProcess struct {
	ccr      *harness.CCR
	dir      string
	programs []*program
	deeds    []disturbing

	killers errgroup.Group
	one     sync.Mutex   // of one killer at a time
	up      sync.RWMutex // held for writing while the process is down
	kills   atomic.Int64

	tally               tally
	source, destination chaosNodes
	labels              int // that the destination remembers of a database, 0: 2000
}

func newChaosProcess(t *testing.T, batch uint64) *chaosProcess {
	dir, err := os.MkdirTemp("", fmt.Sprintf("ccr-chaos-%d-", batch))
	require.NoError(t, err)
	c := &chaosProcess{dir: dir}
	c.ccr, err = harness.NewCCR(dir, false)
	require.NoError(t, err)
	// A full sync that a program orders meets no binlog of what was dropped before.
	c.ccr.Args = []string{"--feature_clean_table_and_partitions=true", "--compare-every", "1s"}
	require.NoError(t, c.ccr.Start(t.Context()))
	return c
}

// kill ends the process as a crash would, after a delay, and starts it again
// when it has been down for a time. An order that finds the process down is
// void. It does not wait.
func (c *chaosProcess) kill(ctx context.Context, by uint64, delay, down time.Duration) {
	c.killers.Go(func() error {
		if !pauseFor(ctx, delay) || !c.one.TryLock() {
			return nil
		}
		defer c.one.Unlock()
		c.up.Lock()
		defer c.up.Unlock()
		c.kills.Add(1)
		c.ccr.Kill()
		c.note(fmt.Sprintf("-- killed, by order of %d", by))
		if !pauseFor(ctx, down) {
			return nil
		}
		err := c.ccr.Start(ctx)
		c.note("-- running again")
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
}

// killWhile ends the process at once, as a crash would, and starts it again when do
// has happened. If somebody else has it in hand, do happens all the same.
func (c *chaosProcess) killWhile(ctx context.Context, by uint64, do func()) {
	if !c.one.TryLock() {
		do()
		return
	}
	started := make(chan struct{})
	c.killers.Go(func() error {
		defer c.one.Unlock()
		c.up.Lock()
		defer c.up.Unlock()
		defer close(started)
		c.kills.Add(1)
		c.ccr.Kill()
		c.note(fmt.Sprintf("-- killed, by order of %d", by))
		do()
		err := c.ccr.Start(ctx)
		c.note("-- running again")
		if ctx.Err() != nil {
			return nil
		}
		return err
	})
	<-started
}

// running calls do while the process is up. What a client does whose call was
// cut off is not this test's business.
func (c *chaosProcess) running(do func() error) error {
	c.up.RLock()
	defer c.up.RUnlock()
	return do()
}

// pauseFor makes a moment random; nothing waits for it to have an effect.
func pauseFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (c *chaosProcess) note(text string) {
	for _, p := range c.programs {
		p.note(text)
	}
}

// end stops the process and returns how often it was killed. The log of one
// that took part in a failure is kept.
func (c *chaosProcess) end(t *testing.T, keep bool) int {
	if err := c.killers.Wait(); err != nil {
		t.Errorf("ccr-standalone did not start again: %v", err)
		keep = true
	}
	if err := c.ccr.Stop(); err != nil {
		t.Error(err)
		keep = true
	}
	if keep {
		t.Logf("log of the batch's ccr-standalone: %s", filepath.Join(c.dir, "ccr.log"))
	} else {
		os.RemoveAll(c.dir)
	}
	return int(c.kills.Load())
}

// chaosProfiles draws the delays of a batch's clusters. ALTER jobs of the source take
// long enough for something to happen meanwhile. Where backends are asked for by name,
// in half of the batches a replica takes longer to be cloned than a job may take for
// anything: whoever waits for the clones of a backend that leaves fails. Not otherwise:
// while a replica is cloned, a restore into its partition is cancelled, and the job
// stands for as long, and says so.
func chaosProfiles(batch uint64, deeds string) (source, destination core.Profile) {
	source, destination = core.Instant, core.Instant
	source.Name, source.AlterTick = "ALTER jobs that can be watched", 20*time.Millisecond
	if r := rand.New(rand.NewPCG(batch, 7)); strings.Contains(deeds, "backends") && r.IntN(2) == 0 {
		source.Clone, destination.Clone = 2*chaosPatience, 2*chaosPatience
	}
	return source, destination
}

// chaosKill is a kill that a program asks for: after its n-th statement, and
// some time later.
type chaosKill struct {
	statement   int
	delay, down time.Duration
}

// chaosKills draws when a program wants the process killed, which costs all of
// its batch some ten seconds: so long Temporal waits for a step that was cut off.
// Kills come from a source of their own: statements do not depend on them.
func chaosKills(seed uint64, statements int) []chaosKill {
	r := rand.New(rand.NewPCG(seed, 1))
	if r.IntN(3) == 0 {
		return nil
	}
	return []chaosKill{{
		statement: r.IntN(statements),
		delay:     time.Duration(r.IntN(1500)) * time.Millisecond,
		down:      time.Duration(r.IntN(500)) * time.Millisecond,
	}}
}
