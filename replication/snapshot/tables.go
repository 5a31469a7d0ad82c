package snapshot

import (
	"context"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// SelectTables finds the tables and views that the job's filter selects and
// that the job does not have yet. Views have no id that the source tells: they
// go by name, and the snapshot brings their ids.
func (j *Job) SelectTables(ctx context.Context, in job.StepInput) (job.TablesSelected, error) {
	var out job.TablesSelected
	var err error
	if in.Progress.Gap != nil { // first: what is created from now on has a binlog that counts
		if out, err = j.closeGap(ctx, &in.Progress); err != nil || out.Wanted != nil {
			return out, err
		}
	}
	names, err := j.SelectedNames(ctx)
	if err != nil {
		return job.TablesSelected{}, err
	}
	all, err := j.Source.SQL.Views(ctx, j.Spec.Source.Database)
	if err != nil {
		return job.TablesSelected{}, fmt.Errorf("list the views of the source: %w", err)
	}
	isView := func(name string) bool { return slices.Contains(all, name) }
	tables, views := []string{}, []string{}
	for _, name := range names {
		if isView(name) {
			views = append(views, name)
		} else {
			tables = append(tables, name)
		}
	}
	for chunk := range slices.Chunk(tables, pair.MetaChunk) {
		src := &j.Spec.Source
		db, err := j.Source.FE.Meta(ctx, fe.MetaRequest{DatabaseID: src.DatabaseID, Database: src.Database, Tables: chunk})
		if err != nil {
			return job.TablesSelected{}, fmt.Errorf("read the ids of the selected tables: %w", err)
		}
		for _, name := range chunk {
			// What is not listed has gone meanwhile, or is no table that can be
			// replicated.
			t := db.TableByName(name)
			if t == nil || t.AsyncView() {
				continue
			}
			if _, known := in.Progress.Tables[t.ID]; !known {
				out.Missing = append(out.Missing, job.PartialSync{TableID: t.ID, Table: name, Replace: true})
			}
		}
	}
	if out.GapTo != 0 {
		j.compareViews(ctx, &in.Progress, views, &out)
	}
	for _, name := range views {
		if !knownView(in.Progress.Tables, name) {
			out.Missing = append(out.Missing, job.PartialSync{Table: name, View: true})
		}
	}
	return out, nil
}

func knownView(tables map[int64]job.Table, name string) bool {
	for _, t := range tables {
		if t.View && t.Name == name {
			return true
		}
	}
	return false
}
