package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// chaosLabels draws how many finished transactions of a database the destination
// of a batch remembers: the 2000 of Doris, or so few that other loads displace
// those of a job (architecture.md 4.2).
func chaosLabels(batch uint64) int {
	r := rand.New(rand.NewPCG(batch, 4))
	if r.IntN(2) == 0 {
		return 0
	}
	return 40 + r.IntN(80)
}

// fewLabels sets the batch's label_num_threshold, if it drew one.
func (c *chaosProcess) fewLabels(ctx context.Context, destination *harness.Cluster, n int) error {
	c.labels = n
	if n == 0 {
		return nil
	}
	db, err := destination.Open("")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, fmt.Sprintf(`ADMIN SET FRONTEND CONFIG ("label_num_threshold" = "%d")`, n))
	return err
}

// labelFlood loads into a table of somebody else's in the destination's database,
// often while the process is down that has just applied something: the destination
// forgets what the job has applied and not told yet. The table goes away again.
func labelFlood(ctx context.Context, p *program) error {
	if err := p.justApplied(ctx); err != nil {
		return err
	}
	flood := func() { p.flood(ctx, p.dstDB) }
	if p.once(3) || p.process.labels > 0 {
		p.process.killWhile(ctx, p.seed, flood)
	} else {
		flood()
	}
	return harness.AwaitEvery(ctx, chaosLook, p.patience, func(ctx context.Context) error {
		databases, err := column(ctx, p.dst, "SHOW DATABASES", "Database")
		if err != nil || !contains(databases, p.dstDB) {
			return err
		}
		_, err = p.dst.ExecContext(ctx, "DROP TABLE IF EXISTS "+p.dstDB+".scratch FORCE")
		return err
	})
}

// appliedWithin is how long a job may take to apply the first rows of a burst before
// its program goes on without: it is paused, or busy with something else.
const appliedWithin = 5 * time.Second

// justApplied writes a burst of loads into a table that keeps every row, where one that
// is applied twice shows, and returns as soon as the job has applied some of them: of
// those nobody but the destination knows.
func (p *program) justApplied(ctx context.Context) error {
	table, t := p.pickOf(func(_ string, t *chaosTable) bool { return t.model == duplicate && t.writable() && !t.busy })
	if name := p.free(); t == nil && name != "" {
		table, t = name, &chaosTable{model: duplicate, v: "v", n: "n"}
		if ok, err := p.createTable(ctx, name, t); !ok {
			return err
		}
	}
	if t == nil {
		return p.burst(ctx)
	}
	there := func() (n int, err error) {
		err = p.dst.QueryRowContext(ctx, fmt.Sprintf("SELECT COUNT(*) FROM `%s`.`%s`", p.dstDB, table)).Scan(&n)
		return n, err
	}
	before, _ := there() // 0 where the table has not come yet
	const loads = 30
	for range loads {
		if _, err := p.try(ctx, fmt.Sprintf("INSERT INTO %s %s VALUES %s", table, t.columns(), p.rowIn(t, nil))); err != nil {
			return err
		}
	}
	some := 1 + p.IntN(loads)
	for deadline := time.Now().Add(appliedWithin); time.Now().Before(deadline); {
		if n, err := there(); err == nil && n >= before+some {
			p.note(fmt.Sprintf("-- %d of the %d loads are applied", n-before, loads))
			return nil
		}
		if !pauseFor(ctx, 5*time.Millisecond) {
			return ctx.Err()
		}
	}
	return nil
}

// flood makes the destination forget: so many loads of somebody else's.
func (p *program) flood(ctx context.Context, database string) {
	loads := 50 + p.process.labels
	p.note(fmt.Sprintf("-- %d other loads into %s", loads, database))
	scratch := database + ".scratch"
	statements := []string{fmt.Sprintf(duplicateTable, database, "scratch")}
	for i := range loads {
		statements = append(statements, fmt.Sprintf("INSERT INTO %s VALUES (%d, 'y')", scratch, i))
	}
	for _, statement := range statements {
		if _, err := p.dst.ExecContext(ctx, statement); err != nil {
			p.note("-- the flood ends: " + err.Error()) // a full sync has cleaned the table away, or the database is not there yet
			break
		}
	}
}
