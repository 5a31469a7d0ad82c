package sql

import (
	"context"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/load"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// overwrite loads the batch into temporary partitions and lets these replace
// the formal ones: all of the table, or those that the statement names.
func (s *session) overwrite(ctx context.Context, t *target, w writeRequest) (*sqltypes.Result, error) {
	o, err := s.server.cfg.DDL.BeginOverwrite(t.database, parser.Name{Name: t.name}, t.partitions)
	if err != nil {
		return nil, err
	}
	result, err := s.overwriteInto(ctx, o.Temporary(), w)
	if err == nil {
		err = o.Replace(ctx)
	}
	if err != nil {
		o.Abandon()
		return nil, err
	}
	return result, nil
}

func (s *session) overwriteInto(ctx context.Context, temporary []string, w writeRequest) (*sqltypes.Result, error) {
	w.batch.Partitions, w.batch.Temporary = temporary, true
	if w.label == "" {
		w.label = newLabel()
	}
	if len(w.batch.Rows) == 0 {
		return loaded(load.Outcome{Label: w.label, Visible: true}, 0), nil
	}
	out, err := s.server.loader.Load(ctx, s.loadOptions(w.label), w.batch)
	if err != nil {
		return nil, err
	}
	return loaded(out, len(w.batch.Rows)), nil
}

// createsPartitions lets INSERT OVERWRITE make the automatic partitions that its rows
// need (doris-sql.md 5.8).
const createsPartitions = "enable_auto_create_when_overwrite"

// touchedPartitions are those that the rows of INSERT OVERWRITE belong to; automatic
// ones are made if the session wants it.
func (s *session) touchedPartitions(ctx context.Context, w *writeRequest) ([]string, error) {
	names := []string{}
	if len(w.batch.Rows) == 0 {
		return names, nil
	}
	search := w.batch
	search.ExistingOnly = !s.flag(createsPartitions)
	ids, err := s.server.loader.TouchedPartitions(ctx, &search)
	if err != nil && search.ExistingOnly && strings.Contains(err.Error(), "no partition for this tuple") {
		return nil, core.Errorf("[INTERNAL_ERROR]Cannot found origin partitions in auto detect overwriting, stop processing")
	}
	if err != nil {
		return nil, err
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	if _, t, ok := s.server.core.TableByID(w.batch.Table); ok {
		for _, p := range formalPartitions(t) {
			if slices.Contains(ids, p.ID) {
				names = append(names, p.Name)
			}
		}
	}
	return names, nil
}

// mayOverwrite refuses what INSERT OVERWRITE cannot do.
func (s *session) mayOverwrite(h head) error {
	switch {
	case s.txn != nil:
		return core.Errorf("This is in a transaction, only insert, update, delete, commit, rollback is acceptable.")
	case h.temporary:
		return core.Errorf("Not support insert overwrite into temporary partitions.")
	}
	return nil
}
