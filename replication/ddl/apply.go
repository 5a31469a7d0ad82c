package ddl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// handler carries out one binlog on the destination. It fills in the result
// beyond Done; an error means that nothing is known to have been done.
type handler func(a *application) (job.ApplyResult, error)

// handlers has every type that ends a shift; any other blocks the job until a
// person decides, for passing it over would lose something. How to add one:
// docs/binlogs.md.
var handlers = map[binlog.Type]handler{
	binlog.TypeAddPartition:                applyAddPartition,
	binlog.TypeCreateTable:                 applyCreateTable,
	binlog.TypeDropPartition:               applyDropPartition,
	binlog.TypeDropTable:                   applyDropTable,
	binlog.TypeAlterJob:                    applyAlterJob,
	binlog.TypeModifyTableAddOrDropColumns: applyModifyColumns,
	binlog.TypeAlterDatabaseProperty:       applyNothing,
	binlog.TypeModifyTableProperty:         applyTableProperty,
	binlog.TypeBarrier:                     applyNothing,
	binlog.TypeModifyPartitions:            applyNothing,
	binlog.TypeReplacePartitions:           applyReplacePartitions,
	binlog.TypeTruncateTable:               applyTruncate,
	binlog.TypeRenameTable:                 applyRename,
	binlog.TypeRenameColumn:                applyRenameColumn,
	binlog.TypeModifyComment:               applyComment,
	binlog.TypeModifyViewDef:               applyViewDef,
	binlog.TypeReplaceTable:                applyReplaceTable,
	binlog.TypeModifyInvertedIndices:       applyInvertedIndices,
	binlog.TypeIndexChangeJob:              applyIndexChange,
	binlog.TypeRenameRollup:                applyRename,
	binlog.TypeRenamePartition:             applyRename,
	binlog.TypeDropRollup:                  applyDropRollup,
	binlog.TypeRecoverInfo:                 applyRecover,
	binlog.TypeModifyDistributionBucketNum: applyDistribution,
	binlog.TypeModifyDistributionType:      applyDistributionType,
}

// application is one binlog being applied.
type application struct {
	ctx context.Context
	j   *Job
	p   *job.Progress
	rec binlog.Record
	// unknown: an earlier attempt may have applied it already.
	unknown bool
	// foresees: nothing is done, and what would be there afterwards is not looked at.
	foresees bool
}

// Apply carries out the binlog that is pending. All transactions before it are
// visible first. It may be repeated: statements say IF [NOT] EXISTS, and where
// that is not possible what is there is looked at (doris-binlogs.md 4.7).
//
// A refusal by the destination is a Problem in the result; an error is trouble
// on the way that may go away.
func (j *Job) Apply(ctx context.Context, in job.ApplyInput) (job.ApplyResult, error) {
	started := time.Now()
	rec, err := j.pending(ctx, in.Progress.Pending)
	if err != nil {
		return j.resultOf(job.ApplyResult{}, err, in.Progress.Pending)
	}
	if s := in.Progress.Skip; s != nil && s.SkipBy == job.SkipSilence && s.SkipCommitSeq == rec.CommitSeq {
		return job.ApplyResult{Done: true, Summary: "skipped by order"}, nil
	}
	if err := j.AwaitVisible(ctx, rec, &in.Progress); err != nil {
		return job.ApplyResult{}, err
	}
	return j.apply(ctx, rec, in, started)
}

// apply carries out a binlog before which all is visible.
func (j *Job) apply(ctx context.Context, rec binlog.Record, in job.ApplyInput, started time.Time) (job.ApplyResult, error) {
	handle, known := handlers[rec.Type]
	if !known {
		return job.ApplyResult{Problem: unhandled(rec)}, nil
	}
	if pair.Contained(rec, &j.Spec, &in.Progress) {
		return job.ApplyResult{Done: true, Summary: "contained in the snapshot"}, nil
	}
	a := &application{ctx: ctx, j: j, p: &in.Progress, rec: rec, unknown: in.OutcomeUnknown}
	if id, conflict := a.meetsPartitions(); conflict {
		handle = func(a *application) (job.ApplyResult, error) {
			return a.replaceTable(id, "%s at commit seq %d, before the end of a snapshot of the table's partitions", rec.Type, rec.CommitSeq)
		}
	}
	result, err := handle(a)
	if err != nil {
		if result, err = a.unlessGone(result, err); err != nil {
			result, err = a.unlessRefused(result, err)
		}
	}
	result, err = j.resultOf(result, err, in.Progress.Pending)
	if err == nil && result.Done {
		j.Options.Metrics.Handled(j.Spec.Name, started)
	}
	return result, err
}

// resultOf completes a handler's result. A refusal is a problem, an order for a
// snapshot is a result, and trouble on the way stays an error.
func (j *Job) resultOf(result job.ApplyResult, err error, b *job.Binlog) (job.ApplyResult, error) {
	var want *problem.WantSnapshot
	var refused *sqlclient.Error
	_, retryable := problem.Classify(err)
	switch {
	case err == nil:
		result.Done = result.Wanted == nil && result.Problem == nil
		return result, nil
	case errors.As(err, &want):
		return job.ApplyResult{Wanted: &want.Wanted}, nil
	case b == nil || retryable && !errors.As(err, &refused):
		return job.ApplyResult{}, err
	}
	p := problem.Of(err, b.CommitSeq, b.Type)
	j.Options.Metrics.Failed(j.Spec.Name, "apply", p.Kind)
	return job.ApplyResult{Problem: p}, nil
}

// unlessGone passes over a change that the destination refuses if the table that a
// table job follows is gone from the source: what the change builds upon may have
// been passed over for the same reason. What became of the table comes later in
// the log. A database job has marked the table (vanished).
func (a *application) unlessGone(result job.ApplyResult, err error) (job.ApplyResult, error) {
	var refused *sqlclient.Error
	kind, _ := problem.Classify(err)
	if a.j.Spec.Type() != job.TableSync || !errors.As(err, &refused) || kind == job.KindRPC ||
		!slices.Contains(a.rec.TableIDs, a.j.Spec.Source.TableID) {
		return result, err
	}
	table, _, askErr := a.j.Source.TableByID(a.ctx, a.j.Spec.Source.TableID)
	if askErr != nil || table != nil {
		return result, err
	}
	return ignored()
}

// unhandled is the problem of a type without a handler.
func unhandled(rec binlog.Record) *job.Problem {
	p := problem.Of(fmt.Errorf("binlog type %s at commit seq %d is not handled yet: %s", rec.Type, rec.CommitSeq, rec.Summary()), rec.CommitSeq, rec.Type)
	if !rec.Type.Known() {
		p.Text = fmt.Sprintf("unknown binlog type: %d (at commit seq %d)", int32(rec.Type), rec.CommitSeq)
	}
	p.Remedy = problem.RemedyAt(rec.CommitSeq, rec.Type)
	return p
}

// pending turns the carried binlog back into a record; one that was too large to
// be carried is read again.
func (j *Job) pending(ctx context.Context, b *job.Binlog) (binlog.Record, error) {
	if b == nil {
		return binlog.Record{}, errors.New("apply a binlog: none is pending")
	}
	rec := binlog.Record{
		CommitSeq: b.CommitSeq, Type: b.Type, Timestamp: b.Timestamp,
		DBID: b.DBID, TableIDs: b.TableIDs, Data: b.Data,
	}
	if b.Truncated {
		got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(b.CommitSeq-1, 1))
		switch {
		case errors.Is(err, fe.ErrBinlogNotFound):
			return rec, problem.MetaErrorf("binlog %d cannot be read again: %v", b.CommitSeq, err)
		case err != nil:
			return rec, fmt.Errorf("read binlog %d again: %w", b.CommitSeq, err)
		case got.Status == status.BinlogTooOldCommitSeq && len(got.Binlogs) > 0:
			return rec, &problem.WantSnapshot{Wanted: job.SnapshotWanted{Reason: pair.LostReason(b.CommitSeq, got.Binlogs[0].CommitSeq)}}
		case len(got.Binlogs) == 0 || got.Binlogs[0].CommitSeq != b.CommitSeq:
			return rec, problem.MetaErrorf("binlog %d is not there any more", b.CommitSeq)
		}
		rec = got.Binlogs[0]
	}
	return rec.Unwrap()
}

// nothingToDo is the summary of a binlog that needs no statement.
const nothingToDo = "nothing to do"

func applyNothing(*application) (job.ApplyResult, error) {
	return job.ApplyResult{Summary: nothingToDo}, nil
}

// meetsPartitions tells whether the binlog changes a table of which a snapshot
// of some partitions was taken later: it must not be done to them again, and
// cannot be told from what they have (doris-binlogs.md 4.5.6).
func (a *application) meetsPartitions() (table int64, conflict bool) {
	switch a.rec.Type {
	case binlog.TypeDropPartition, binlog.TypeTruncateTable, binlog.TypeRenamePartition, binlog.TypeModifyTableAddOrDropColumns,
		binlog.TypeRenameColumn, binlog.TypeModifyInvertedIndices, binlog.TypeDropRollup, binlog.TypeRenameRollup:
	default:
		return 0, false // harmless, by a snapshot anyway, or about the whole table
	}
	for _, id := range a.rec.TableIDs {
		if a.rec.CommitSeq <= a.p.Tables[id].Partly {
			return id, true
		}
	}
	return 0, false
}

// listNames lists the names of something that a destination table has.
type listNames func(ctx context.Context, db, table string) ([]string, error)

func (a *application) names(table string, list listNames) ([]string, error) {
	names, err := list(a.ctx, a.j.Spec.Destination.Database, table)
	if err != nil {
		return nil, fmt.Errorf("look at destination table %s: %w", table, err)
	}
	return names, nil
}

// exec runs a statement on the destination and makes it the summary.
func (a *application) exec(statement string) (job.ApplyResult, error) {
	return job.ApplyResult{Summary: statement}, a.execute(statement)
}

// containedIn tells whether a snapshot already holds what the binlog did to the
// table; see contained, which only knows the ids of the record itself.
func (a *application) containedIn(table int64) bool {
	if a.j.Spec.Type() != job.DatabaseSync {
		return false
	}
	t, known := a.p.Tables[table]
	return known && t.Contains(a.rec.CommitSeq)
}

var (
	errNotReplicated = errors.New("the table is not replicated")
	// errExcluded: its name at the source is not selected by the job's filter.
	errExcluded = fmt.Errorf("%w: include_tables and exclude_tables leave it out", errNotReplicated)
)

// destinationTable is the destination's name of a source table. It goes by id,
// and by the name that the id has now; a name alone proves nothing
// (doris-binlogs.md 3.7). A table that has no destination, but should have, asks
// for a snapshot; errNotReplicated is for those that should not.
func (a *application) destinationTable(source int64) (string, error) {
	known, mapped := a.p.Tables[source]
	id := known.DestID
	if a.j.Spec.Type() == job.TableSync {
		if source != a.j.Spec.Source.TableID {
			return "", errNotReplicated
		}
		if id == 0 {
			id = a.j.Spec.Destination.TableID
		}
		mapped = true
	}
	if mapped && id != 0 {
		table, _, err := a.j.Destination.TableByID(a.ctx, id)
		if err != nil {
			return "", err
		}
		if table != nil {
			return table.Name, nil
		}
	}
	reason := "it is not known on the destination"
	if mapped {
		reason = fmt.Sprintf("the destination's table (id %d) does not exist any more", id)
	}
	return "", a.wantTable(source, "%s at commit seq %d: %s", a.rec.Type, a.rec.CommitSeq, reason)
}

// wantTable asks for a snapshot that replaces a source table on the destination,
// as an error; errNotReplicated if the source has nothing (any more) to snapshot.
func (a *application) wantTable(source int64, format string, args ...any) error {
	table, _, err := a.j.Source.TableByID(a.ctx, source)
	switch {
	case err != nil:
		return err
	case table == nil || table.AsyncView():
		return errNotReplicated
	case a.j.Excludes(table.Name):
		return errExcluded
	}
	return &problem.WantSnapshot{Wanted: job.SnapshotWanted{
		Partial: &job.PartialSync{TableID: source, Table: table.Name, Replace: true},
		Reason:  fmt.Sprintf(format, args...),
	}}
}

// replaceTable is wantTable for handlers whose whole work it is.
func (a *application) replaceTable(source int64, format string, args ...any) (job.ApplyResult, error) {
	switch {
	case a.containedIn(source):
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	case a.j.Spec.Type() == job.TableSync && source != a.j.Spec.Source.TableID:
		return ignored()
	}
	return a.bringTable(source, format, args...)
}

// bringTable wants a snapshot of the table, whatever an earlier one contains.
func (a *application) bringTable(source int64, format string, args ...any) (job.ApplyResult, error) {
	err := a.wantTable(source, format, args...)
	switch {
	case errors.Is(err, errExcluded):
		return a.exclude(source), nil
	case errors.Is(err, errNotReplicated):
		return a.vanished(source)
	}
	return job.ApplyResult{}, err
}

// vanished is the result for a table that the source does not have any more. If
// it is on the destination, it has missed a change now: its other binlogs are
// passed over until one ends it (doris-binlogs.md 4.5.5).
func (a *application) vanished(source int64) (job.ApplyResult, error) {
	result, err := ignored()
	if table, mapped := a.p.Tables[source]; mapped && a.j.Spec.Type() == job.DatabaseSync {
		table.CommitSeq, table.Gone = 0, true
		result.Tables.Set = map[int64]job.Table{source: table}
	}
	return result, err
}

// ignored is the result for tables that are gone from the source or were never
// replicated: their later binlogs are ignored as well.
func ignored() (job.ApplyResult, error) {
	return job.ApplyResult{Summary: "ignored: the table is not replicated, or gone from the source"}, nil
}

// onTable runs the statement that make returns for the destination's name of a
// source table.
func (a *application) onTable(source int64, make func(destination string) (string, error)) (job.ApplyResult, error) {
	if a.containedIn(source) {
		return job.ApplyResult{Summary: "contained in the snapshot"}, nil
	}
	name, err := a.destinationTable(source)
	switch {
	case errors.Is(err, errExcluded):
		return a.exclude(source), nil
	case errors.Is(err, errNotReplicated):
		return ignored()
	case err != nil:
		return job.ApplyResult{}, err
	}
	statement, err := make(name)
	if errors.Is(err, errDoubtful) {
		return a.replaceTable(source, "%v", err)
	}
	if err != nil {
		return job.ApplyResult{}, problem.WithRemedy(err, "job_skip_binlog with skip_by partialsync brings the table by a snapshot")
	}
	if statement == "" {
		return job.ApplyResult{Summary: nothingToDo}, nil
	}
	result, err := a.exec(statement)
	if isDoubtful(err) {
		return a.replaceTable(source, "%v", err)
	}
	var refused *sqlclient.Error
	if errors.As(err, &refused) && a.j.Spec.Type() == job.DatabaseSync {
		// What is gone from the source need not block the job.
		if table, _, lookErr := a.j.Source.TableByID(a.ctx, source); lookErr == nil && table == nil {
			return a.vanished(source)
		}
	}
	return result, err
}
