package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// excuse is what the disturbances since the last quiet point allow a job to say,
// and to do.
type excuse struct {
	differences bool // it may tell differences, which have to go away by themselves
	damages     []*damage
	fullSyncs   int64 // that were ordered, ever
}

// damage is something of the destination that was dropped. The job must say so, or
// mend it; when it says so, the remedy of docs/troubleshooting.md is given.
type damage struct {
	table    string // "" for the whole database
	remedied time.Time
	remedies int
}

const (
	// remedyAgain is how long a remedy may take before it is given once more.
	remedyAgain = 45 * time.Second
	// mostRemedies is how often it may be given: a job may have been about to do
	// something else, or killed.
	mostRemedies = 4
)

func (p *program) excuse(s *scene) *excuse {
	e := p.excuses[s]
	if e == nil {
		e = &excuse{}
		p.excuses[s] = e
	}
	return e
}

// destinationTableDropped drops a table of a job's destination.
func destinationTableDropped(ctx context.Context, p *program) error {
	s := p.anyJob()
	tables, err := harness.Tables(ctx, p.dst, s.dstDB)
	tables = slices.DeleteFunc(tables, func(name string) bool {
		return strings.HasPrefix(name, "__ccr_") || contains(chaosViews, name)
	})
	if err != nil || len(tables) == 0 {
		return nil // before the first sync
	}
	table := one(p, tables)
	statement := fmt.Sprintf("DROP TABLE `%s`.`%s`%s", s.dstDB, table, one(p, []string{"", " FORCE"}))
	p.note("-- destination: " + statement)
	if _, err := p.dst.ExecContext(ctx, statement); err != nil {
		p.note("-- refused by the destination: " + err.Error())
		return nil
	}
	e := p.excuse(s)
	e.damages = append(e.damages, &damage{table: table})
	return p.meanwhile(ctx, 6)
}

// destinationDatabaseDropped drops a job's whole destination, which somebody may
// create again, empty.
func destinationDatabaseDropped(ctx context.Context, p *program) error {
	s := p.anyJob()
	statements := []string{"DROP DATABASE " + s.dstDB + " FORCE"}
	if p.once(2) {
		statements = append(statements, "CREATE DATABASE "+s.dstDB)
	}
	for _, statement := range statements {
		p.note("-- destination: " + statement)
		if _, err := p.dst.ExecContext(ctx, statement); err != nil {
			p.note("-- refused by the destination: " + err.Error())
			return nil
		}
		e := p.excuse(s)
		e.damages = append(e.damages, &damage{})
		if err := p.meanwhile(ctx, 3); err != nil {
			return err
		}
	}
	return nil
}

// mend gives the remedies of what was dropped, once the job says that it is not
// fine.
func (p *program) mend(ctx context.Context, s *scene, status harness.Status) error {
	e := p.excuse(s)
	said := status.LastError.Text + " " + status.LastError.Remedy
	for _, d := range e.damages {
		if time.Since(d.remedied) < remedyAgain {
			continue
		}
		var err error
		name := d.table
		if s.table != "" {
			name = "" // it is told by its name on the source
		}
		switch told := differs(status, name); {
		case d.table == "" && (status.Stalled && strings.Contains(said, "force_fullsync") || told):
			e.fullSyncs++
			err = p.orderOf(ctx, s, "force_fullsync", nil)
		case d.table != "" && (status.Stalled && strings.Contains(said, "partialsync") || told):
			err = p.bringTable(ctx, s, d.table)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("the remedy is refused: %w", err)
		}
		d.remedied = time.Now()
		if d.remedies++; d.remedies > mostRemedies {
			return fmt.Errorf("the remedy does not help, %d times: %s: %w", d.remedies, said, harness.ErrGiveUp)
		}
		p.process.tally.count("remedies")
	}
	return nil
}

// differs tells whether the status says that the destination lacks a table, "" for
// any.
func differs(status harness.Status, table string) bool {
	return slices.ContainsFunc(status.Differences, func(d harness.Told) bool {
		return d.Kind == "objects" && (table == "" || d.Table == table)
	})
}

// bringTable orders the snapshot of a table, by the name that it has on the
// destination. One that the job does not have any more needs none.
func (p *program) bringTable(ctx context.Context, s *scene, table string) error {
	progress, err := p.ccr.Call(ctx, "job_progress", map[string]any{"name": s.job})
	if err != nil {
		return err
	}
	names, _ := find(progress, "table_name_mapping").(map[string]any)
	for id, name := range names {
		if name == table || s.table != "" {
			return p.orderOf(ctx, s, "job_skip_binlog", map[string]any{
				"skip_by": "partialsync", "skip_table": fmt.Sprint(name), "skip_table_id": json.Number(id),
			})
		}
	}
	return nil
}

func (p *program) orderOf(ctx context.Context, s *scene, operator string, more map[string]any) error {
	return p.process.running(func() error {
		p.note(fmt.Sprintf("-- %s: ordered %s %v", s.job, operator, more))
		return s.command(ctx, operator, more)
	})
}
