package pair

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// ForeignTables returns those of the destination's tables called names that have
// rows and belong to no job: neither does known have their ids, nor do they carry
// is_being_synced, which a restore and a replayed CREATE TABLE set (doris-sql.md
// 4.9). They are somebody's only copy. Views have no rows of their own.
func (j *Job) ForeignTables(ctx context.Context, names []string, known map[int64]job.Table) ([]string, error) {
	dst := &j.Spec.Destination
	have, err := j.Destination.SQL.Tables(ctx, dst.Database)
	if err != nil {
		return nil, fmt.Errorf("list the tables of the destination: %w", err)
	}
	ours := map[int64]bool{}
	for _, t := range known {
		ours[t.DestID] = true
	}
	present := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(have, name) })
	slices.Sort(present)
	var foreign []string
	for chunk := range slices.Chunk(present, MetaChunk) {
		db, err := j.Destination.FE.Meta(ctx, fe.MetaRequest{DatabaseID: dst.DatabaseID, Database: dst.Database, Tables: chunk})
		if err != nil {
			return nil, fmt.Errorf("look at the tables of the destination: %w", err)
		}
		for _, name := range chunk {
			t := db.TableByName(name)
			if t == nil || ours[t.ID] || !everLoaded(t) {
				continue
			}
			is, err := j.isForeign(ctx, name)
			if err != nil {
				return nil, err
			}
			if is {
				foreign = append(foreign, name)
			}
		}
	}
	return foreign, nil
}

// everLoaded tells whether a partition has had a version after its first one,
// which is empty.
func everLoaded(t *meta.Table) bool {
	for _, p := range t.Partitions {
		if p.VisibleVersion > 1 {
			return true
		}
	}
	return false
}

// isForeign looks closer at a table that has had loads. An account that may not
// read its rows cannot tell that it is empty.
func (j *Job) isForeign(ctx context.Context, name string) (bool, error) {
	db := j.Spec.Destination.Database
	text, err := j.Destination.SQL.CreateTableText(ctx, db, name)
	if err != nil {
		return false, fmt.Errorf("look at destination table %s: %w", name, err)
	}
	if strings.Contains(text, beingSynced) {
		return false, nil
	}
	rows, err := j.Destination.SQL.Query(ctx, fmt.Sprintf("SELECT 1 FROM %s LIMIT 1", sqlclient.Name(db, name)))
	if err != nil && !problem.LacksPrivilege(err) {
		return false, fmt.Errorf("look for rows of destination table %s: %w", name, err)
	}
	return err != nil || len(rows) > 0, nil
}

// beingSynced is how SHOW CREATE TABLE prints the mark of a table that some job
// writes to.
const beingSynced = `"is_being_synced" = "true"`
