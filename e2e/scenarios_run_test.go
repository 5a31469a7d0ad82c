package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// scenario is a row of the catalogue in doris-binlogs.md chapter 6, or one of
// the variants of a row.
//
// Both sides have to end up equal: the same tables with the same rows and the
// same SHOW CREATE TABLE text, no table of ccr's own, and exactly as many full
// and partial syncs as it really takes, with their reasons in job_progress.
type scenario struct {
	row  int
	name string // the regression suite it is taken from, shortened
	// better says, as the end of the scenario's name, what the job does better
	// than the row expects, and why.
	better string

	// A table job follows table and calls it as; else it is a database job.
	table, as string
	options   map[string]any // of create_ccr

	setup       []step   // on the source, before the job
	destination []string // on the destination, before the job; {db} is its database
	unsynced    bool     // the steps begin before the first sync is over
	steps       []step

	rows       map[string]int // how many rows tables have at the end; names of the destination
	absent     []string       // what must not exist on the destination
	sourceOnly []string       // what the destination is not to have
	// extra are what the destination has and the source does not.
	extra []string

	full    int // full syncs after the first; 0 is the catalogue's NF
	partial int // partial syncs
	// partialMost is set where timing decides how many binlogs one snapshot
	// covers: there are from partial to partialMost partial syncs.
	partialMost int
	// restored is how many snapshots the destination has restored after the first
	// sync; nil: it does not matter.
	restored *int
	// why is a part of the reason of the last partial sync, or of the last full
	// one if there was no partial sync.
	why string

	alone  bool     // has clusters of its own: it plays with their clock or faults
	killed bool     // has a ccr-standalone of its own
	args   []string // arguments of that ccr-standalone
	// instead replaces the comparison of both sides at the end.
	instead func(context.Context, *scene) error
}

func (s *scenario) title() string {
	if s.better == "" {
		return s.short()
	}
	return s.short() + "_" + s.better
}

func (s *scenario) short() string { return fmt.Sprintf("%02d_%s", s.row, s.name) }

// step is something done to the source, the job or the destination.
type step func(context.Context, *scene) error

// scene is a scenario being played.
type scene struct {
	*scenario
	late         core.LateFiling // of the source's binlogs
	pair         *harness.Pair
	ccr          *harness.CCR
	job          string
	srcDB, dstDB string
	src, dst     *sql.DB // src is connected to srcDB
	patience     time.Duration
	values       atomic.Int64 // of inserted rows: all are different
	alters       int
	unreadable   atomic.Pointer[error]
	stopWatching func()
	current      string           // the source's present name of a table job's table
	explanation  string           // what the job said of itself in the end
	switched     bool             // binlogs of the source were switched off and on
	began        harness.Progress // when the first sync was over
	held         map[string]int   // fault rules by the point that they hold
	over         bool             // all steps are done
	skipped      int64            // the binlog that was ordered to be skipped
}

// atOnce bounds how many scenarios are played beside each other. One of them keeps a
// processor busy for an eighth of its time.
const atOnce = 12

// The catalogue with the numbers of syncs that it really takes, which are exact
// where binlogs are filed in order.
func TestScenarios(t *testing.T) { playCatalogue(t, core.LateFiling{}) }

// Whatever the order in which binlogs are filed, both sides end up equal, without
// another full sync.
func TestScenariosFiledLate(t *testing.T) {
	playCatalogue(t, core.LateFiling{Percent: 30, Max: 100 * time.Millisecond})
}

func playCatalogue(t *testing.T, late core.LateFiling) {
	require.Contains(t, []core.Version{"", core.VersionNew, core.VersionM24, core.Version30, core.Version21}, dorisVersion(), "CCR_E2E_DORIS_VERSION")
	e := newEnv(t, scenarioClusters(late))
	seen, titles := map[int]bool{}, map[string]bool{}
	// Mostly they wait. t.Parallel would play as many as there are processors.
	var players errgroup.Group
	players.SetLimit(atOnce)
	for _, s := range catalogue() {
		require.False(t, titles[s.short()], "two scenarios are called %s", s.short())
		titles[s.short()], seen[s.row] = true, true
		players.Go(func() error {
			t.Run(s.title(), func(t *testing.T) { playOne(t, e, &s, late) })
			return nil
		})
	}
	require.NoError(t, players.Wait())
	for row := 1; row <= 84; row++ {
		require.True(t, seen[row], "row %d of the catalogue is missing", row)
	}
}

func playOne(t *testing.T, e *env, s *scenario, late core.LateFiling) {
	sc := newScene(t, e, s, late)
	sc.patience = patience
	ctx, cancel := context.WithTimeout(t.Context(), 4*sc.patience)
	defer cancel()
	if err := sc.play(ctx); err != nil {
		t.Errorf("%v\n%s", err, sc.explanation)
	}
}

func newScene(t *testing.T, e *env, s *scenario, late core.LateFiling) *scene {
	name := strings.ToLower(notName.ReplaceAllString(s.short(), "_"))
	sc := &scene{scenario: s, late: late, pair: e.pair, ccr: e.ccr, job: "scenario_" + name, srcDB: "s" + name, dstDB: "d" + name, dst: e.dst, held: map[string]int{}}
	if s.alone {
		own := clusters(t, scenarioClusters(late))
		sc.pair, sc.dst = own.pair, own.dst
	}
	if s.killed {
		var err error
		dir, err := os.MkdirTemp(t.TempDir(), "ccr-")
		require.NoError(t, err)
		sc.ccr, err = harness.NewCCR(dir, false)
		require.NoError(t, err)
		sc.ccr.Args = s.args
		t.Cleanup(func() { _ = sc.ccr.Stop() })
	}
	return sc
}

// play carries out the scenario and returns what is not as it must be.
func (s *scene) play(ctx context.Context) error {
	if s.killed {
		if err := s.ccr.Start(ctx); err != nil {
			return err
		}
	}
	if err := s.prepare(ctx); err != nil {
		return fmt.Errorf("setup: %w", err)
	}
	defer s.src.Close()
	defer func() {
		s.explanation = s.explain()
		_, _ = s.ccr.Call(context.WithoutCancel(ctx), "delete", map[string]any{"name": s.job})
	}()
	if !s.unsynced {
		if err := s.settle(ctx); err != nil {
			return fmt.Errorf("the first sync: %w", err)
		}
		began, err := s.ccr.Progress(ctx, s.job)
		if err != nil {
			return err
		}
		s.began = began
	}
	for i, do := range s.steps {
		if err := do(ctx, s); err != nil {
			return fmt.Errorf("step %d of %d: %w", i+1, len(s.steps), err)
		}
	}
	s.over = true
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.verify(ctx)
}

// prepare makes databases and tables, and the job.
func (s *scene) prepare(ctx context.Context) error {
	admin, err := s.pair.Source.Open("")
	if err != nil {
		return err
	}
	defer admin.Close()
	for _, statement := range []string{
		"CREATE DATABASE " + s.srcDB,
		"ALTER DATABASE " + s.srcDB + ` SET PROPERTIES ("binlog.enable" = "true")`,
	} {
		if _, err := admin.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	if s.src, err = s.pair.Source.Open(s.srcDB); err != nil {
		return err
	}
	for _, do := range s.setup {
		if err := do(ctx, s); err != nil {
			return err
		}
	}
	if err := onDestination(s.scenario.destination...)(ctx, s); err != nil {
		return err
	}
	return s.createJob(ctx)
}

func (s *scene) createJob(ctx context.Context) error {
	body := map[string]any{"name": s.job,
		"src": s.pair.Source.Spec(s.srcDB, s.table), "dest": s.pair.Destination.Spec(s.dstDB, s.as)}
	for k, v := range s.options {
		body[k] = v
	}
	_, err := s.ccr.Call(ctx, "create_ccr", body)
	return err
}

// settle waits until the job has nothing left to do and both sides are equal.
func (s *scene) settle(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stuckSince time.Time
	return harness.AwaitEvery(ctx, lookEvery, s.patience, func(context.Context) error {
		status, err := s.ccr.Status(ctx, s.job)
		if err != nil {
			return err
		}
		if status.Stalled {
			// No step is under way that could help a job that is stuck.
			if stuckSince.IsZero() {
				stuckSince = time.Now()
			}
			stuck := fmt.Errorf("stalled: %s", status.LastError.Text)
			if time.Since(stuckSince) > s.patience/4 {
				cancel(stuck)
			}
			return stuck
		}
		stuckSince = time.Time{}
		if !strings.Contains(status.ProgressState, "IncrementalSync") {
			return fmt.Errorf("job is in %s", status.ProgressState)
		}
		if err := s.pair.Source.AllFiled(); err != nil {
			return err
		}
		lag, err := s.ccr.Call(ctx, "get_lag", map[string]any{"name": s.job})
		if err != nil {
			return err
		}
		if err := caughtUp(s, lag); err != nil {
			return err
		}
		if s.instead != nil && s.over {
			return s.instead(ctx, s)
		}
		return s.compare(ctx)
	})
}

// caughtUp is an error unless lag says that the job has nothing left to do. The
// log of a table job's table may end before its database's does.
func caughtUp(s *scene, lag map[string]any) error {
	database := s.srcDB
	if s.table != "" {
		database = ""
	}
	return s.pair.Source.CaughtUp(lag, database)
}

// verify checks the row's own expectations, once both sides are equal.
func (s *scene) verify(ctx context.Context) error {
	if s.stopWatching != nil {
		s.stopWatching()
		if err := s.unreadable.Load(); err != nil {
			return fmt.Errorf("the destination was not readable all the time: %w", *err)
		}
	}
	if err := counts(s.rows)(ctx, s); err != nil {
		return err
	}
	have, err := harness.Tables(ctx, s.dst, s.dstDB)
	if err != nil {
		return err
	}
	for _, table := range have {
		if strings.HasPrefix(table, "__ccr_") || contains(s.absent, table) {
			return fmt.Errorf("the destination has %s", table)
		}
	}
	if err := s.verifyRestores(ctx); err != nil {
		return err
	}
	return harness.Await(ctx, time.Second, s.verifySyncs) // an answer may be 200 ms old
}

// explain is what the job says of itself.
func (s *scene) explain() string {
	var b strings.Builder
	for _, operator := range []string{"job_status", "job_progress"} {
		_, text, err := s.ccr.Raw(context.Background(), operator, fmt.Sprintf(`{"name":%q}`, s.job))
		fmt.Fprintln(&b, operator, text, err)
	}
	return b.String()
}

// lookEvery is the pause between two looks at a job: each is a query of its
// workflow, and many scenarios wait at once.
const lookEvery = 150 * time.Millisecond

// patience is how long a scenario may take to make both sides equal.
const patience = 45 * time.Second
