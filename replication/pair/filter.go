package pair

import (
	"context"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
)

// SelectedNames lists the tables and views of the source that the job's filter
// selects, sorted.
func (j *Job) SelectedNames(ctx context.Context) ([]string, error) {
	names, err := j.Source.SQL.Tables(ctx, j.Spec.Source.Database)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the source: %w", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !j.Spec.Selects(name) })
	slices.Sort(names)
	return names, nil
}

// WithoutAsyncViews leaves asynchronous materialized views out of names. They are
// not replicated, and a backup that names one is refused; one of a whole database
// passes them over by itself (doris-sql.md 4.2).
func (j *Job) WithoutAsyncViews(ctx context.Context, names []string) ([]string, error) {
	async := map[string]bool{}
	for chunk := range slices.Chunk(names, MetaChunk) {
		src := &j.Spec.Source
		db, err := j.Source.FE.Meta(ctx, fe.MetaRequest{DatabaseID: src.DatabaseID, Database: src.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("read the kinds of the selected tables: %w", err)
		}
		for _, t := range db.Tables {
			async[t.Name] = t.AsyncView()
		}
	}
	return slices.DeleteFunc(names, func(name string) bool { return async[name] }), nil
}

// Excludes tells whether the filter of a database job does not select a table
// of the source, by its name there.
func (j *Job) Excludes(name string) bool {
	return j.Spec.Type() == job.DatabaseSync && !j.Spec.Selects(name)
}
