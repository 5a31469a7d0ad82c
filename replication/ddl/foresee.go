package ddl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Foreseen is what carrying out a binlog would do.
type Foreseen struct {
	// Result is the result that it would have if the destination is as the job knows it.
	Result job.ApplyResult
	// Statements are those that it would run.
	Statements []string
	// Unseen: what it would do depends on what the destination has then.
	Unseen bool
}

// Foresee tells what Apply would do with a binlog, without doing it. The source is asked, the
// destination never is: its handler runs against one that is as the job knows it, and
// that writes statements down.
func (j *Job) Foresee(ctx context.Context, rec binlog.Record, p *job.Progress) (Foreseen, error) {
	handle, known := handlers[rec.Type]
	if !known {
		return Foreseen{Result: job.ApplyResult{Problem: unhandled(rec)}}, nil
	}
	imagined := &imaginedDestination{p: p, spec: &j.Spec, rec: rec}
	side := *j.Job
	side.Destination = &pair.Cluster{Side: j.Destination.Side, Spec: j.Destination.Spec, FE: imagined, SQL: imagined}
	a := &application{ctx: ctx, j: New(&side), p: p, rec: rec, foresees: true}
	if id, conflict := a.meetsPartitions(); conflict {
		handle = func(a *application) (job.ApplyResult, error) {
			return a.replaceTable(id, "%s at commit seq %d, before the end of a snapshot of the table's partitions", rec.Type, rec.CommitSeq)
		}
	}
	result, err := handle(a)
	seen := Foreseen{Result: result, Statements: imagined.statements}
	var want *problem.WantSnapshot
	switch {
	case errors.Is(err, errUnseen):
		seen.Result, seen.Unseen = job.ApplyResult{}, true
	case errors.As(err, &want):
		seen.Result = job.ApplyResult{Wanted: &want.Wanted}
	case err != nil:
		return seen, err
	}
	return seen, nil
}

// errUnseen: the answer is with the destination, which is not asked.
var errUnseen = errors.New("it depends on what the destination has")

// imaginedDestination is a destination that has what the job knows of it. It has no
// connection.
type imaginedDestination struct {
	pair.Frontend
	pair.Database
	p          *job.Progress
	spec       *job.Spec
	rec        binlog.Record
	statements []string
	created    []string
}

// Exec implements pair.Database.
func (d *imaginedDestination) Exec(_ context.Context, statement string) error {
	if err := sqlclient.CheckSingle(statement); err != nil {
		return err
	}
	d.statements = append(d.statements, statement)
	return nil
}

// ExecWith implements pair.Database.
func (d *imaginedDestination) ExecWith(ctx context.Context, _ sqlclient.Setting, statement string) error {
	return d.Exec(ctx, statement)
}

// DropTable implements pair.Database.
func (d *imaginedDestination) DropTable(ctx context.Context, db, table string) error {
	return d.Exec(ctx, "DROP TABLE IF EXISTS "+sqlclient.Name(db, table)+" FORCE")
}

// DropView implements pair.Database.
func (d *imaginedDestination) DropView(ctx context.Context, db, view string) error {
	return d.Exec(ctx, "DROP VIEW IF EXISTS "+sqlclient.Name(db, view))
}

// Meta implements pair.Frontend.
func (d *imaginedDestination) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	db := &meta.Database{Tables: map[int64]*meta.Table{}}
	for _, id := range req.TableIDs {
		if name := d.nameOf(id); name != "" {
			db.Tables[id] = &meta.Table{ID: id, Name: name}
		}
	}
	for _, name := range req.Tables {
		if i := slices.Index(d.created, name); i >= 0 {
			db.Tables[int64(-i-1)] = &meta.Table{ID: int64(-i - 1), Name: name}
		}
	}
	return db, nil
}

func (d *imaginedDestination) nameOf(id int64) string {
	if d.spec.Type() == job.TableSync {
		return d.spec.Destination.Table
	}
	for _, t := range d.p.Tables {
		if t.DestID == id {
			return t.Name
		}
	}
	return ""
}

// TableExists implements pair.Database.
func (d *imaginedDestination) TableExists(_ context.Context, _, name string) (bool, error) {
	for _, t := range d.p.Tables {
		if t.Name == name && !t.View {
			return true, nil
		}
	}
	d.created = append(d.created, name) // whoever asks creates it
	return false, nil
}

// SecondaryIndexes are those that the binlog drops.
func (d *imaginedDestination) SecondaryIndexes(context.Context, string, string) ([]string, error) {
	change, err := binlog.DecodeInvertedIndices(d.rec.Data)
	var names []string
	for _, index := range change.Changed {
		names = append(names, index.Name)
	}
	return names, err
}

// Rollups are those that the binlog drops.
func (d *imaginedDestination) Rollups(context.Context, string, string) ([]string, error) {
	drop, err := binlog.DecodeDropRollup(d.rec.Data)
	return []string{drop.IndexName}, err
}

// CreateTableText implements pair.Database.
func (d *imaginedDestination) CreateTableText(_ context.Context, _, name string) (string, error) {
	return "", fmt.Errorf("table %s: %w", name, errUnseen)
}

// Columns implements pair.Database.
func (d *imaginedDestination) Columns(context.Context, string, string) ([]sqlclient.Column, error) {
	return nil, errUnseen
}

// HiddenColumns implements pair.Database.
func (d *imaginedDestination) HiddenColumns(context.Context, string, string) ([]string, error) {
	return nil, errUnseen
}

// IndexColumns implements pair.Database.
func (d *imaginedDestination) IndexColumns(context.Context, string, string) (map[string][]string, error) {
	return nil, errUnseen
}

// Partitions implements pair.Database.
func (d *imaginedDestination) Partitions(context.Context, string, string) ([]string, error) {
	return nil, errUnseen
}

// Close implements both sides.
func (d *imaginedDestination) Close() error { return nil }
