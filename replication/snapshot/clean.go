package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// With the switch clean_table_and_partitions a full sync removes from the
// destination what the source does not have (doris-binlogs.md 4.3). Doris does it
// itself at the end of a restore; a partial sync never cleans.

func (j *Job) cleansTables(partial *job.PartialSync) bool {
	return j.cleansPartitions(partial) && j.Spec.Type() == job.DatabaseSync
}

func (j *Job) cleansPartitions(partial *job.PartialSync) bool {
	return j.Options.Features.CleanTableAndPartitions && partial == nil
}

// dorisCleans tells whether the restore can be left to drop foreign tables. What
// it restored under an alias is foreign to it too (doris-sql.md 4.9), and it
// does not know that a job may leave tables out, which are not touched.
func (j *Job) dorisCleans(aliases map[string]string) bool {
	return len(aliases) == 0 && j.Spec.Everything()
}

// cleanTables drops the tables and views that the snapshot does not have, where
// the restore had to go without. As there, RECOVER brings the tables back.
func (j *Job) cleanTables(ctx context.Context, snap *job.Snapshot) error {
	if !j.cleansTables(snap.Partial) || j.dorisCleans(snap.Aliases) {
		return nil
	}
	db := j.Spec.Destination.Database
	names, err := j.foreign(ctx, snap)
	if err != nil {
		return err
	}
	views, err := j.Destination.SQL.Views(ctx, db)
	if err != nil {
		return fmt.Errorf("list the destination's views: %w", err)
	}
	for _, name := range names {
		kind := "TABLE"
		if slices.Contains(views, name) {
			kind = "VIEW"
		}
		if err := j.Destination.SQL.Exec(ctx, "DROP "+kind+" IF EXISTS "+sqlclient.Name(db, name)); err != nil {
			return fmt.Errorf("drop %s, which the source does not have: %w", name, err)
		}
	}
	return nil
}

// foreign lists the tables and views of the destination that the snapshot of a
// database does not have, without those that the job leaves out.
func (j *Job) foreign(ctx context.Context, snap *job.Snapshot) ([]string, error) {
	keep := map[string]bool{}
	for _, t := range snap.Restored.Tables {
		keep[t.Name] = true
	}
	names, err := j.Destination.SQL.Tables(ctx, j.Spec.Destination.Database)
	if err != nil {
		return nil, fmt.Errorf("list what the destination has: %w", err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return keep[name] || j.Excludes(name) }), nil
}

// foreignTold bounds how many foreign tables a result names.
const foreignTold = 20

// tellForeign lists what stays on the destination although the source does not
// have it (any more): a full sync meets no binlog of a table that was dropped or
// renamed before it.
func (j *Job) tellForeign(ctx context.Context, p *job.Progress) []string {
	if j.Spec.Type() != job.DatabaseSync || j.cleansTables(p.Snapshot.Partial) {
		return nil
	}
	names, err := j.foreign(ctx, p.Snapshot)
	if err != nil {
		j.Log.Warn("nobody can tell what stays on the destination", "error", err)
		return nil
	}
	external := map[string]bool{}
	for _, t := range p.Tables {
		external[t.Name] = external[t.Name] || t.External // not in snapshots
	}
	names = slices.DeleteFunc(names, func(name string) bool { return external[name] })
	slices.Sort(names)
	if more := len(names) - foreignTold; more > 0 {
		names = append(names[:foreignTold], fmt.Sprintf("and %d more", more))
	}
	return names
}
