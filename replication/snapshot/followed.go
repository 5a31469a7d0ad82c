package snapshot

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// followedTable is the table of a table job at this moment: whatever has the name
// that the job is for. While no table has it, the binlogs after the position tell
// what became of the one that had: a RENAME gives the id another name, a REPLACE
// gives the name another id (doris-binlogs.md 2.16, 2.20). Where they do not tell,
// it is the id.
func (j *Job) followedTable(ctx context.Context, partial *job.PartialSync, position job.Position) (backupObjects, *job.SnapshotTaken, error) {
	src := &j.Spec.Source
	table, err := j.Source.TableByName(ctx, src.NameOfJob())
	if err == nil && table == nil {
		table, err = j.nameless(ctx, position)
	}
	switch {
	case err != nil:
		return backupObjects{}, nil, err
	case table == nil:
		return backupObjects{}, nil, problem.WithRemedy(
			problem.MetaErrorf("source table %s.%s does not exist any more", src.Database, src.NameOfJob()), problem.RemedyNoTable)
	case table.ID != src.TableID:
		return backupObjects{table: table.Name, newTableID: table.ID}, nil, nil
	}
	what := backupObjects{table: table.Name}
	if partial != nil {
		what.partitions = slices.Clone(partial.Partitions)
	}
	return what, nil, nil
}

// nameless is the table of a table job whose name no table has, nil if it is gone.
func (j *Job) nameless(ctx context.Context, position job.Position) (*meta.Table, error) {
	src := &j.Spec.Source
	table, _, err := j.Source.TableByID(ctx, src.TableID)
	if err != nil || table != nil && table.Name == src.Table {
		return table, err
	}
	became, err := j.becameOf(ctx, position.CommitSeq)
	if err == nil && became == nil && src.Table != src.NameOfJob() {
		became, err = j.Source.TableByName(ctx, src.Table)
	}
	if err != nil || became != nil {
		return became, err
	}
	return table, nil
}

// becameOf retraces what a table job's table is called, or is, now. It returns
// nil if the source does not have what the binlogs lead to, or if they are lost.
func (j *Job) becameOf(ctx context.Context, position int64) (*meta.Table, error) {
	id, name := j.Spec.Source.TableID, j.Spec.Source.Table
	if position == 0 {
		return nil, nil // no snapshot yet
	}
	for range pair.MaxRetraced {
		req := j.BinlogRequest(position, int64(j.Options.BatchSize))
		req.Table, req.TableID = name, id
		got, err := j.Source.FE.Binlogs(ctx, req)
		unknown := errors.Is(err, fe.ErrBinlogNotFound) // nothing has happened to the id, or it is gone
		switch {
		case err != nil && !unknown:
			return nil, fmt.Errorf("read what became of source table %s: %w", name, err)
		case got.Status == status.BinlogTooOldCommitSeq:
			return nil, nil
		case unknown || len(got.Binlogs) == 0:
			table, _, err := j.Source.TableByID(ctx, id)
			if table != nil && table.Name != name {
				table = nil
			}
			return table, err
		}
		for _, rec := range got.Binlogs {
			position = rec.CommitSeq
			was := id
			if id, name, err = retrace(rec, id, name); err != nil {
				return nil, err
			}
			if id != was {
				break // the rest is about what the table was before
			}
		}
	}
	return nil, nil
}

// retrace returns what the table with an id and a name is after a binlog of its
// log. What the binlog says of other names is about earlier times.
func retrace(rec binlog.Record, id int64, name string) (int64, string, error) {
	inner, err := rec.Unwrap()
	if err != nil {
		return id, name, err
	}
	switch inner.Type {
	case binlog.TypeRenameTable:
		info, err := binlog.DecodeTableInfo(inner.Data)
		if err != nil {
			return id, name, err
		}
		if info.TableID == id && info.NewTable != "" && (info.OldTable == name || info.OldTable == "") {
			name = info.NewTable
		}
	case binlog.TypeReplaceTable:
		replace, err := binlog.DecodeReplaceTable(inner.Data)
		if err != nil {
			return id, name, err
		}
		if replace.OriginTableID == id && replace.OriginTableName == name {
			id = replace.NewTableID
		}
	}
	return id, name, nil
}
