package snapshot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// restoreTries is how many restores of one snapshot may be cancelled for reasons
// that nothing is done about, before a new backup is made.
const restoreTries = 3

// RestoreSnapshot hands the finished backup to the destination and waits until
// it is restored. The snapshot's metadata, which can be large, stays inside.
// Started again, the step finds its restore by the label and goes on.
func (j *Job) RestoreSnapshot(ctx context.Context, in job.StepInput, report func(job.Heartbeat)) (job.SnapshotRestored, error) {
	ordered := in.Progress.Snapshot
	if ordered == nil || ordered.Name == "" {
		return job.SnapshotRestored{}, errors.New("restore a snapshot: none has been taken")
	}
	snap, err := j.Source.FE.Snapshot(ctx, fe.SnapshotRequest{
		Database: j.Spec.Source.Database, Table: j.Spec.Source.Table, Label: ordered.Name, Compress: j.Options.Features.CompressedSnapshot,
	})
	if errors.Is(err, fe.ErrSnapshotNotExist) || errors.Is(err, fe.ErrSnapshotExpired) {
		return again(ordered.Partial, "%v", err), nil
	}
	if err != nil {
		return job.SnapshotRestored{}, fmt.Errorf("read snapshot %s: %w", ordered.Name, err)
	}
	content, err := parseJobInfo(snap.JobInfo)
	if err != nil {
		return job.SnapshotRestored{}, err
	}
	r := &restore{
		j: j, in: &in, ordered: ordered, snap: snap, content: content,
		aliases: maps.Clone(ordered.Aliases), dropped: map[string]bool{},
		w: waiter{j: j, report: report, position: in.Progress.Position},
	}
	if r.aliases == nil {
		r.aliases = map[string]string{}
	}
	made, err := j.ensureDatabase(ctx) // before anything is looked for in it
	if err != nil {
		return job.SnapshotRestored{}, err
	}
	for _, ask := range []func(context.Context) (*job.SnapshotRestored, error){r.identify, r.needsWhole} {
		if result, err := ask(ctx); result != nil || err != nil {
			out := orRestored(result)
			out.DestinationDatabaseID = made
			return out, err
		}
	}
	// What an attempt that stood still has left open must not be committed into
	// tables that the snapshot has filled.
	if err := j.RollbackAll(ctx, &in.Progress); err != nil {
		return job.SnapshotRestored{}, fmt.Errorf("roll back what is left open: %w", err)
	}
	defer j.Options.Metrics.SnapshotOver(j.Spec.Name, pair.StepRestore)
	result, err := r.run(ctx)
	out := orRestored(result)
	out.DestinationDatabaseID = made
	return out, err
}

func orRestored(r *job.SnapshotRestored) job.SnapshotRestored {
	if r == nil {
		return job.SnapshotRestored{}
	}
	return *r
}

// again asks for a new backup of the same kind.
func again(partial *job.PartialSync, format string, args ...any) job.SnapshotRestored {
	reason := fmt.Sprintf(format, args...)
	return job.SnapshotRestored{Wanted: &job.SnapshotWanted{
		Partial: partial, Retry: true, Reason: reason, Remedy: problem.RemedyForText(reason),
	}}
}

// restore is one run of RestoreSnapshot.
type restore struct {
	j       *Job
	in      *job.StepInput
	ordered *job.Snapshot
	snap    fe.Snapshot
	content snapshotContent
	w       waiter

	// table is the one object of a table job or a partial sync: its source name
	// and the destination's. Both are empty for a whole database.
	table, destination string
	newTableID         int64
	// aliases maps destination names to the names to restore under.
	aliases map[string]string
	// orders counts restores that were ordered since the one labelled latest was seen.
	orders orders
	latest string
	// dropped are the views and tables already dropped to make room.
	dropped map[string]bool
}

// identify compares the ids of what was backed up with what was wanted: the name
// may belong to somebody else by now (doris-binlogs.md 6.1).
func (r *restore) identify(ctx context.Context) (*job.SnapshotRestored, error) {
	partial := r.ordered.Partial
	spec := &r.j.Spec
	if spec.Type() == job.DatabaseSync && partial == nil {
		return nil, nil
	}
	name, id, err := r.onlyObject()
	if err != nil {
		return nil, err
	}
	r.table, r.destination = name, name
	if spec.Type() == job.TableSync {
		r.destination = spec.Destination.Table
		if id != spec.Source.TableID {
			if partial != nil && len(partial.Partitions) > 0 {
				return &job.SnapshotRestored{SourceTableID: id, Wanted: &job.SnapshotWanted{
					Reason: fmt.Sprintf("source table %s has been created again", name),
				}}, nil
			}
			r.newTableID = id
		}
		return nil, r.chooseAlias(ctx)
	}
	if id != partial.TableID && partial.TableID != 0 {
		return r.mistaken(ctx, partial)
	}
	return nil, r.chooseAlias(ctx)
}

// onlyObject is the single table or view of the snapshot.
func (r *restore) onlyObject() (name string, id int64, err error) {
	for name, t := range r.content.Tables {
		return name, t.ID, nil
	}
	for name, id := range r.content.Views {
		return name, id, nil
	}
	return "", 0, problem.MetaErrorf("snapshot %s is empty", r.ordered.Name)
}

// mistaken looks where the wanted table has gone whose name now belongs to
// another one.
func (r *restore) mistaken(ctx context.Context, partial *job.PartialSync) (*job.SnapshotRestored, error) {
	if partial.View {
		return &job.SnapshotRestored{TableGone: true}, nil
	}
	table, _, err := r.j.Source.TableByID(ctx, partial.TableID)
	if err != nil {
		return nil, err
	}
	switch {
	case table == nil:
		return &job.SnapshotRestored{TableGone: true}, nil
	case table.Name != partial.Table:
		return &job.SnapshotRestored{Wanted: renamed(partial, table.Name)}, nil
	}
	// Renamed there and back in the meantime.
	result := again(partial, "the backup of table %s holds another table of that name", partial.Table)
	return &result, nil
}

// chooseAlias restores next to the existing table where that is ordered, or
// where restoring in place cannot work: the signature that Doris compares has
// the table's name in it (doris-sql.md 4.6).
func (r *restore) chooseAlias(ctx context.Context) error {
	partial := r.ordered.Partial
	inPlace := partial != nil && len(partial.Partitions) > 0
	if partial != nil && partial.Replace && !partial.View {
		r.alias(r.destination)
		return nil
	}
	if r.table == r.destination || inPlace {
		return nil
	}
	exists, err := r.j.Destination.SQL.TableExists(ctx, r.j.Spec.Destination.Database, r.destination)
	if err != nil {
		return fmt.Errorf("look for destination table %s: %w", r.destination, err)
	}
	if exists {
		r.alias(r.destination)
	}
	return nil
}

func (r *restore) alias(destination string) {
	r.aliases[destination] = job.AliasName(destination, r.in.Progress.Epoch)
}

// run submits restores until one has finished.
func (r *restore) run(ctx context.Context) (*job.SnapshotRestored, error) {
	db := r.j.Spec.Destination.Database
	for {
		jobs, err := r.j.Destination.SQL.RestoreJobs(ctx, db, restorePrefix(r.ordered.Name))
		if err != nil {
			return nil, fmt.Errorf("look for restores of %s: %w", r.ordered.Name, err)
		}
		var last sqlclient.RestoreJob
		if len(jobs) > 0 {
			last = jobs[len(jobs)-1]
		}
		if last.Label != "" && last.Label != r.latest {
			r.latest = last.Label
			r.orders.seen()
		}
		switch {
		case last.State == sqlclient.JobFinished:
			return r.finished(ctx)
		case len(jobs) == 0 || last.State == sqlclient.JobCancelled:
			result, err := r.learn(ctx, jobs)
			if err != nil || result != nil {
				return result, err
			}
			if len(jobs) == 0 {
				if err := r.refuseForeign(ctx); err != nil {
					return nil, err
				}
			}
			if err := r.order(ctx, nextLabel(r.ordered.Name, last.Label)); err != nil {
				return nil, err
			}
		case !r.snap.ExpiredAt.IsZero() && time.Now().After(r.snap.ExpiredAt):
			if err := r.j.Destination.SQL.CancelRestore(ctx, db); err != nil && !errors.Is(err, sqlclient.ErrNoJob) {
				return nil, fmt.Errorf("cancel restore %s: %w", last.Label, err)
			}
			result := again(r.ordered.Partial, "snapshot %s expired while it was being restored", r.ordered.Name)
			return &result, nil
		default:
			r.j.Options.Metrics.SnapshotLeft(r.j.Spec.Name, pair.StepRestore, last.Unfinished)
			r.w.weigh(ctx, r.ordered.Partial)
			r.w.left(last.Unfinished)
			r.w.works("restore %s: %s %s", last.Label, last.State, last.Progress)
		}
		if err := r.w.wait(ctx); err != nil {
			return nil, fmt.Errorf("wait for the restore of %s: %w", r.ordered.Name, err)
		}
	}
}

// nextLabel numbers the restores of a snapshot.
func nextLabel(snapshot, last string) string {
	n, err := strconv.Atoi(strings.TrimPrefix(last, restorePrefix(snapshot)))
	if err != nil {
		n = 0
	}
	return job.RestoreLabel(snapshot, n+1)
}

// order submits a restore if nobody else's is under way.
func (r *restore) order(ctx context.Context, label string) error {
	if err := r.orders.trouble("restore "+label, r.snap.Meta.PlainSize()+r.snap.JobInfo.PlainSize()); err != nil {
		return err
	}
	busy, err := r.occupied(ctx)
	if err != nil {
		return err
	}
	if busy != "" {
		r.w.note("waiting: %s", busy)
		return nil
	}
	return r.submit(ctx, label)
}

// submit starts a restore. A busy database, and a call whose outcome is unknown,
// only mean to look again.
func (r *restore) submit(ctx context.Context, label string) error {
	compress, _, err := r.j.Destination.SQL.FrontendConfig(ctx, "enable_restore_snapshot_rpc_compression")
	if err != nil && !problem.LacksPrivilege(err) { // without compression it always works
		return fmt.Errorf("ask the destination for its configuration: %w", err)
	}
	packed := pair.IsTrue(compress)
	jobInfo, err := r.withExtraInfo(ctx, packed)
	if err != nil {
		return err
	}
	partial := r.ordered.Partial
	whole := partial == nil || partial.View
	err = r.j.Destination.FE.RestoreSnapshot(ctx, fe.RestoreRequest{
		Database: r.j.Spec.Destination.Database, Label: label, Tables: r.refs(), Properties: r.properties(),
		Meta: r.snap.Meta, JobInfo: jobInfo, Compressed: packed,
		AtomicRestore: whole && r.j.Options.Features.AtomicRestore, ForceReplace: whole && r.j.Options.Features.RestoreReplaceDiffSchema,
		CleanTables: r.j.cleansTables(partial) && r.j.dorisCleans(r.aliases), CleanPartitions: r.j.cleansPartitions(partial),
	})
	var lost *fe.TransportError
	switch {
	case err == nil:
		r.orders.given(nil)
		r.w.note("restore %s submitted", label)
	case errors.Is(err, fe.ErrRestoreBusy):
		r.w.note("waiting: %v", err)
	case errors.As(err, &lost) && lost.Sent:
		r.orders.given(err)
		r.w.note("looking whether restore %s was submitted", label)
	default:
		return fmt.Errorf("submit restore %s: %w", label, err)
	}
	return nil
}

func (r *restore) withExtraInfo(ctx context.Context, packed bool) (fe.Blob, error) {
	token, err := r.j.Source.FE.MasterToken(ctx)
	if err != nil {
		return fe.Blob{}, fmt.Errorf("get the source cluster's token: %w", err)
	}
	backends, err := r.j.Source.Backends(ctx)
	if err != nil {
		return fe.Blob{}, err
	}
	return r.content.addExtraInfo(r.snap.JobInfo, backends, token, packed)
}

// properties asks for the source's replica allocation, or for the number that
// the job overrides it with.
func (r *restore) properties() map[string]string {
	if n := r.j.Spec.ReplicationNum; n > 0 {
		return map[string]string{"replication_num": strconv.Itoa(n)}
	}
	return map[string]string{"reserve_replica": "true"}
}

// refs names what to restore. A list restores nothing else: with an alias for
// one table all others must be listed too.
func (r *restore) refs() []fe.TableRef {
	if r.table != "" {
		ref := fe.TableRef{Table: r.table}
		if alias := r.aliases[r.destination]; alias != "" {
			ref.Alias = alias
		} else if r.destination != r.table {
			ref.Alias = r.destination
		}
		return []fe.TableRef{ref}
	}
	if len(r.aliases) == 0 {
		return nil
	}
	names := slices.Collect(maps.Keys(r.content.Tables))
	names = slices.AppendSeq(names, maps.Keys(r.content.Views))
	slices.Sort(names)
	refs := make([]fe.TableRef, 0, len(names))
	for _, name := range names {
		refs = append(refs, fe.TableRef{Table: name, Alias: r.aliases[name]})
	}
	return refs
}

// finished collects the positions that the snapshot contains.
func (r *restore) finished(ctx context.Context) (*job.SnapshotRestored, error) {
	result := &job.SnapshotRestored{
		Restored:      &job.Restored{Tables: map[int64]job.Table{}, CommitSeq: r.snap.CommitSeq},
		SourceTableID: r.newTableID,
	}
	if spec := &r.j.Spec; spec.Type() == job.TableSync && r.table != spec.Source.Table {
		result.SourceTable = r.table
	}
	for name, t := range r.content.Tables {
		seq, known := r.content.CommitSeqs[t.ID]
		if !known {
			return nil, problem.MetaErrorf("snapshot %s does not tell the commit seq of table %s", r.ordered.Name, name)
		}
		result.Restored.Tables[t.ID] = job.Table{Name: name, CommitSeq: seq}
		for _, id := range t.Partitions {
			result.Restored.Partition = max(result.Restored.Partition, id)
		}
		if r.partitionsOnly() {
			if err := r.partitions(result.Restored, t, seq); err != nil {
				return nil, err
			}
		}
	}
	for name, id := range r.content.Views {
		result.Restored.Tables[id] = job.Table{Name: name, CommitSeq: r.snap.CommitSeq, View: true}
	}
	for destination, alias := range r.aliases {
		// Whether a table was restored under its alias shows in its existence:
		// the step may have begun before the reason for the alias did.
		exists, err := r.j.Destination.SQL.TableExists(ctx, r.j.Spec.Destination.Database, alias)
		if err != nil {
			return nil, fmt.Errorf("look for alias table %s: %w", alias, err)
		}
		if exists {
			if result.Aliases == nil {
				result.Aliases = map[string]string{}
			}
			result.Aliases[destination] = alias
		}
	}
	return result, nil
}

func (r *restore) partitions(restored *job.Restored, t snapshotTable, seq int64) error {
	restored.Partitions = map[int64]int64{}
	for _, name := range r.ordered.Partial.Partitions {
		id, known := t.Partitions[name]
		if !known {
			return problem.MetaErrorf("snapshot %s lacks partition %s", r.ordered.Name, name)
		}
		restored.Partitions[id] = seq
	}
	return nil
}
