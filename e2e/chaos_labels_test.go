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
// often while the process has just been killed: the destination forgets what the
// job has applied. The table goes away again.
func labelFlood(ctx context.Context, p *program) error {
	if err := p.burst(ctx); err != nil {
		return err
	}
	if p.once(3) || p.process.labels > 0 {
		p.process.kill(ctx, p.seed, time.Duration(p.IntN(300))*time.Millisecond, time.Duration(300+p.IntN(500))*time.Millisecond)
	}
	database := p.anyJob().dstDB
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
	return harness.AwaitEvery(ctx, chaosLook, p.patience, func(ctx context.Context) error {
		databases, err := column(ctx, p.dst, "SHOW DATABASES", "Database")
		if err != nil || !contains(databases, database) {
			return err
		}
		_, err = p.dst.ExecContext(ctx, "DROP TABLE IF EXISTS "+scratch+" FORCE")
		return err
	})
}
