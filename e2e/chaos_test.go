package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	chaosAtOnce   = 2                // programs beside each other, each with a ccr-standalone of its own
	chaosRounds   = 4                // quiet points of a program
	chaosRound    = 12               // statements between them, about
	chaosPatience = 60 * time.Second // of a quiet point; a start of ccr-standalone is part of it
)

// TestChaos runs random programs of DDL and DML on the source while a job
// follows, and kills its ccr-standalone in between. At each quiet point both
// sides have the same tables, rows and definitions.
//
// CCR_CHAOS_PROGRAMS is how many programs (default 2). Their seeds count up from
// CCR_CHAOS_SEED (default 1); CCR_CHAOS_SEED alone replays that one program.
// make chaos runs 200 from a new seed.
func TestChaos(t *testing.T) {
	t.Parallel()
	programs, first := 2, uint64(1)
	if text := os.Getenv("CCR_CHAOS_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
		programs, first = 1, n
	}
	if text := os.Getenv("CCR_CHAOS_PROGRAMS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		programs = n
	}
	e := clusters(t, harness.PairOptions{BEs: 2})
	var players errgroup.Group
	players.SetLimit(chaosAtOnce)
	for i := range programs {
		number := first + uint64(i)
		players.Go(func() error {
			t.Run(strconv.FormatUint(number, 10), func(t *testing.T) { playChaos(t, e, number) })
			return nil
		})
	}
	require.NoError(t, players.Wait())
}

func playChaos(t *testing.T, e *env, number uint64) {
	p := &program{Rand: rand.New(rand.NewPCG(number, 0)), tables: map[string]*chaosTable{}}
	// What a partial sync is needed for is the catalogue's business.
	s := &scenario{name: fmt.Sprintf("chaos_%d", number), killed: true, partial: 1 << 20,
		setup: []step{p.create, p.create, p.create, p.create}}
	for range chaosRounds {
		s.steps = append(s.steps, p.round, synced)
	}
	sc := newScene(t, e, s)
	sc.patience = chaosPatience
	ctx, cancel := context.WithTimeout(t.Context(), (chaosRounds+1)*2*chaosPatience)
	defer cancel()
	if err := sc.play(ctx); err != nil {
		t.Errorf("CCR_CHAOS_SEED=%d replays this program: %v\n%s\n%s", number, err, strings.Join(p.log, "\n"), sc.explanation)
	}
	t.Logf("%d lines of program, %d statements refused by the source", len(p.log), p.refused)
	require.Less(t, p.refused, len(p.log)/3, "the source refused too much to call it a program:\n%s", strings.Join(p.log, "\n"))
}

// program makes up statements and remembers what the source has.
type program struct {
	*rand.Rand
	tables  map[string]*chaosTable
	serial  int // of values and names: none comes twice
	log     []string
	refused int
}

// chaosTable is what the program knows of a table. All have id, v and n.
type chaosTable struct {
	model      string   // DUPLICATE, UNIQUE or AGGREGATE
	partitions []span   // nil: not partitioned
	light      []string // columns that were added lightly
}

// span is the partition of the ids from, included, to from+100.
type span struct {
	name string
	from int
}

// chaosNames are few, so that a name comes back for another table.
var chaosNames = []string{"t0", "t1", "t2", "t3", "t4", "t5"}

// round is what happens between two quiet points. In every second round the
// process is killed somewhere, and started again a few statements later.
func (p *program) round(ctx context.Context, s *scene) error {
	n := chaosRound/2 + p.IntN(chaosRound)
	down, up := n, n
	if p.IntN(2) == 0 {
		down = p.IntN(n)
		up = down + p.IntN(n-down)
	}
	for i := range n {
		if i == down {
			p.log = append(p.log, "-- kill")
			s.ccr.Kill()
		}
		if err := p.statement(ctx, s); err != nil {
			return err
		}
		if i == up {
			p.log = append(p.log, "-- start")
			if err := s.ccr.Start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// statement plays one, more often a write than a change of tables.
func (p *program) statement(ctx context.Context, s *scene) error {
	structural := []step{
		p.create, p.drop, p.rename, p.swap, p.replace, p.truncate, p.addLight, p.dropLight, p.renameLight, p.heavy,
		p.addPartition, p.dropPartition, p.replacePartition, p.renamePartition, p.overwrite,
	}
	if p.IntN(2) == 0 {
		return structural[p.IntN(len(structural))](ctx, s)
	}
	return p.write(ctx, s)
}

// try runs statements and tells whether the source took them all.
func (p *program) try(ctx context.Context, s *scene, statements ...string) (bool, error) {
	for _, statement := range statements {
		p.log = append(p.log, statement)
		if err := run(statement)(ctx, s); err != nil {
			if ctx.Err() != nil {
				return false, err
			}
			p.log = append(p.log, "-- refused: "+err.Error())
			p.refused++
			return false, nil
		}
	}
	return true, nil
}

// pick chooses one of the tables that fit.
func (p *program) pick(fits func(*chaosTable) bool) (string, *chaosTable) {
	var names []string
	for _, name := range chaosNames { // in an order that a replay repeats
		if t := p.tables[name]; t != nil && fits(t) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	name := names[p.IntN(len(names))]
	return name, p.tables[name]
}

func anyTable(*chaosTable) bool      { return true }
func partitioned(t *chaosTable) bool { return len(t.partitions) > 0 }

// free is a name that no table has, "" if there is none.
func (p *program) free() string {
	at := p.IntN(len(chaosNames))
	for i := range chaosNames {
		if name := chaosNames[(at+i)%len(chaosNames)]; p.tables[name] == nil {
			return name
		}
	}
	return ""
}

func (p *program) next() int {
	p.serial++
	return p.serial
}

var errNoTables = errors.New("the program has lost all its tables")

func (p *program) create(ctx context.Context, s *scene) error {
	name := p.free()
	if name == "" {
		return nil
	}
	t := &chaosTable{model: []string{"DUPLICATE", "UNIQUE", "AGGREGATE"}[p.IntN(3)]}
	columns := "id INT, v VARCHAR(40), n INT"
	if t.model == "AGGREGATE" {
		columns = "id INT, v VARCHAR(40) REPLACE, n INT SUM"
	}
	by := ""
	if p.IntN(2) == 0 {
		var all []string
		for i := range 3 {
			part := span{fmt.Sprintf("p%d", p.next()), i * 100}
			t.partitions = append(t.partitions, part)
			all = append(all, fmt.Sprintf("PARTITION %s %s", part.name, part.values()))
		}
		by = "PARTITION BY RANGE(id) (" + strings.Join(all, ", ") + ") "
	}
	ok, err := p.try(ctx, s, fmt.Sprintf("CREATE TABLE %s (%s) %s KEY(id) %sDISTRIBUTED BY HASH(id) BUCKETS %d %s", name, columns, t.model, by, 1+p.IntN(2), onePlace))
	if ok {
		p.tables[name] = t
	}
	return err
}

func (r span) values() string { return fmt.Sprintf(`VALUES [("%d"), ("%d"))`, r.from, r.from+100) }

// rowIn is a new row of the table, or of one of its partitions.
func (p *program) rowIn(t *chaosTable, part *span) string {
	id := p.IntN(100)
	switch {
	case part != nil:
		id += part.from
	case t.partitions != nil:
		id += t.partitions[p.IntN(len(t.partitions))].from
	}
	return fmt.Sprintf("(%d, 'value %d', %d)", id, p.next(), p.IntN(1000))
}

func (p *program) write(ctx context.Context, s *scene) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.partitions == nil || partitioned(t) })
	if t == nil {
		if len(p.tables) == 0 {
			return p.create(ctx, s)
		}
		return errNoTables
	}
	var err error
	switch p.IntN(6) {
	case 0:
		of := ""
		at := p.IntN(100)
		if partitioned(t) {
			part := t.partitions[p.IntN(len(t.partitions))]
			of, at = " PARTITION "+part.name, at+part.from
		}
		_, err = p.try(ctx, s, fmt.Sprintf("DELETE FROM %s%s WHERE id < %d", name, of, at))
	case 1:
		if t.model == "UNIQUE" {
			_, err = p.try(ctx, s, fmt.Sprintf("UPDATE %s SET v = 'update %d' WHERE id > %d", name, p.next(), p.IntN(200)))
			break
		}
		fallthrough
	default:
		rows := []string{p.rowIn(t, nil)}
		for range p.IntN(4) {
			rows = append(rows, p.rowIn(t, nil))
		}
		_, err = p.try(ctx, s, fmt.Sprintf("INSERT INTO %s (id, v, n) VALUES %s", name, strings.Join(rows, ", ")))
	}
	return err
}

func (p *program) overwrite(ctx context.Context, s *scene) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.partitions == nil || partitioned(t) })
	if t == nil {
		return nil
	}
	if partitioned(t) && p.IntN(2) == 0 {
		part := t.partitions[p.IntN(len(t.partitions))]
		_, err := p.try(ctx, s, fmt.Sprintf("INSERT OVERWRITE TABLE %s PARTITION(%s) (id, v, n) VALUES %s", name, part.name, p.rowIn(t, &part)))
		return err
	}
	_, err := p.try(ctx, s, fmt.Sprintf("INSERT OVERWRITE TABLE %s (id, v, n) VALUES %s", name, p.rowIn(t, nil)))
	return err
}
