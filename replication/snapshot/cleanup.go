package snapshot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
)

// CleanUp removes what the job has left on the clusters: its running backup and
// restore, its open transactions and its alias tables. Nothing of anybody else
// is touched. With Desync it first sets is_being_synced on the destination
// tables; with KeepJob it does only that. Failures are collected.
func (j *Job) CleanUp(ctx context.Context, in job.CleanUpInput) (job.CleanedUp, error) {
	var done job.CleanedUp
	note := func(what string, err error) {
		if err != nil {
			done.Failed = append(done.Failed, fmt.Sprintf("%s: %v", what, err))
		}
	}
	if in.Desync {
		failed, err := j.desync(ctx, in.DesyncTo)
		note("desync", err)
		if len(failed) > 0 {
			done.Failed = append(done.Failed, "failed tables: "+strings.Join(failed, ","))
		}
	}
	if in.KeepJob {
		return done, ctx.Err()
	}
	note("cancel the backup", j.cancelBackup(ctx, &in.Progress))
	note("cancel the restore", j.cancelRestore(ctx, &in.Progress))
	note("roll back transactions", j.RollbackAll(ctx, &in.Progress))
	failed, err := j.dropAliases(ctx, &in.Progress)
	note("look for alias tables", err)
	for _, name := range failed {
		done.Failed = append(done.Failed, "drop alias table "+name)
	}
	j.Options.Metrics.Forget(j.Spec.Name)
	return done, ctx.Err()
}

// desync sets is_being_synced on every table of the job's destination.
func (j *Job) desync(ctx context.Context, to bool) (failed []string, err error) {
	names := []string{j.Spec.Destination.Table}
	if j.Spec.Type() == job.DatabaseSync {
		if names, err = j.baseTables(ctx); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		statement := fmt.Sprintf(`ALTER TABLE %s SET ("is_being_synced"="%t")`, sqlclient.Name(j.Spec.Destination.Database, name), to)
		if err := j.Destination.SQL.Exec(ctx, statement); err != nil {
			j.Log.Warn("desync failed", "table", name, "error", err)
			failed = append(failed, name)
		}
	}
	return failed, nil
}

// baseTables lists the destination's tables without its views.
func (j *Job) baseTables(ctx context.Context) ([]string, error) {
	db := j.Spec.Destination.Database
	names, err := j.Destination.SQL.Tables(ctx, db)
	if err != nil {
		return nil, err
	}
	views, err := j.Destination.SQL.Views(ctx, db)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(views, name) }), nil
}

// snapshotName is the backup the progress is about, "" if there is none.
func (j *Job) snapshotName(p *job.Progress) string {
	if p.Snapshot == nil {
		return ""
	}
	if p.Snapshot.Name != "" {
		return p.Snapshot.Name
	}
	return job.SnapshotName(&j.Spec, p.Epoch, p.Snapshot.Partial != nil, p.Snapshot.Attempt)
}

func (j *Job) cancelBackup(ctx context.Context, p *job.Progress) error {
	name := j.snapshotName(p)
	if name == "" {
		return nil
	}
	backup, found, err := j.Source.SQL.BackupJob(ctx, j.Spec.Source.Database, name)
	if err != nil || !found || ended(backup.State) {
		return err
	}
	err = j.Source.SQL.CancelBackup(ctx, j.Spec.Source.Database)
	if errors.Is(err, sqlclient.ErrNoJob) {
		return nil
	}
	return err
}

func (j *Job) cancelRestore(ctx context.Context, p *job.Progress) error {
	name := j.snapshotName(p)
	if name == "" {
		return nil
	}
	db := j.Spec.Destination.Database
	jobs, err := j.Destination.SQL.RestoreJobs(ctx, db, restorePrefix(name))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(jobs, func(r sqlclient.RestoreJob) bool { return !ended(r.State) }) {
		return nil
	}
	err = j.Destination.SQL.CancelRestore(ctx, db)
	if errors.Is(err, sqlclient.ErrNoJob) {
		return nil
	}
	return err
}

func ended(state string) bool {
	return state == sqlclient.JobFinished || state == sqlclient.JobCancelled
}

var aliasPattern = regexp.MustCompile(`^__ccr_(.+)_(\d+)$`)

// dropAliases drops tables that interrupted snapshots of this job have left:
// those named by job.AliasName for one of its tables and one of its epochs. It
// returns the names that could not be dropped.
func (j *Job) dropAliases(ctx context.Context, p *job.Progress) (failed []string, err error) {
	names, err := j.Destination.SQL.Tables(ctx, j.Spec.Destination.Database)
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{j.Spec.Destination.Table: true}
	for _, t := range p.Tables {
		ours[j.DestinationName(t.Name)] = true
	}
	if p.Snapshot != nil {
		if p.Snapshot.Partial != nil {
			ours[j.DestinationName(p.Snapshot.Partial.Table)] = true
		}
		for name := range p.Snapshot.Aliases {
			ours[name] = true
		}
	}
	first := p.CreatedAt.Unix()
	for _, name := range names {
		m := aliasPattern.FindStringSubmatch(name)
		if m == nil || !ours[m[1]] {
			continue
		}
		epoch, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil || epoch > p.Epoch || epoch < first {
			continue
		}
		if err := j.Destination.SQL.DropTable(ctx, j.Spec.Destination.Database, name); err != nil {
			j.Log.Warn("drop alias table failed", "table", name, "error", err)
			failed = append(failed, name)
		}
	}
	return failed, nil
}

// restorePrefix begins the labels of all restores of a snapshot.
func restorePrefix(snapshot string) string {
	return strings.TrimSuffix(job.RestoreLabel(snapshot, 0), "0")
}
