package sql

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/alter"
)

// showAlter is SHOW ALTER TABLE COLUMN|ROLLUP|MATERIALIZED VIEW: the jobs of a
// database, finished ones included (doris-sql.md 5.4, 5.6).
func (s *session) showAlter(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("TABLE") {
		return nil, c.mismatch()
	}
	switch {
	case c.keyword("COLUMN"):
		return s.showColumnJobs(ctx, c)
	case c.keyword("ROLLUP"), c.keyword("MATERIALIZED", "VIEW"):
		return s.showRollupJobs(ctx, c)
	}
	return nil, c.mismatch()
}

// showColumnJobs has a row for each index of each job.
func (s *session) showColumnJobs(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	l := newListing("JobId", "TableName", "CreateTime", "FinishTime", "IndexName", "IndexId", "OriginIndexId", "SchemaVersion",
		"TransactionId", "State", "Msg", "Progress", "Timeout")
	err := s.eachJob(c, alter.SchemaChange, func(j *alter.Job) {
		for _, n := range j.Indexes {
			schema := &n.Index.Schema
			l.add(j.ID, j.TableName, preciseMoment(j.Created), preciseMoment(j.Finished), n.OriginName, n.Index.ID, n.OriginID,
				fmt.Sprintf("%d:%d", schema.Version, schema.Hash), txnText(j.Watershed), string(j.State), j.Msg, progress(j.State), seconds(j.Timeout))
		}
	})
	if err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "TableName", true)
}

func (s *session) showRollupJobs(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	l := newListing("JobId", "TableName", "CreateTime", "FinishTime", "BaseIndexName", "RollupIndexName", "RollupId",
		"TransactionId", "State", "Msg", "Progress", "Timeout")
	err := s.eachJob(c, alter.Rollup, func(j *alter.Job) {
		for _, n := range j.Indexes {
			l.add(j.ID, j.TableName, moment(j.Created), moment(j.Finished), n.OriginName, n.Index.Name, n.Index.ID,
				txnText(j.Watershed), string(j.State), j.Msg, progress(j.State), seconds(j.Timeout))
		}
	})
	if err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "TableName", true)
}

// eachJob calls f, under core's read lock, with the jobs of FROM db.
func (s *session) eachJob(c *cursor, kind alter.Kind, f func(*alter.Job)) error {
	database, err := s.fromDatabase(c)
	if err != nil {
		return err
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(database)
	if !ok {
		return errUnknownDatabase(database)
	}
	for _, j := range s.server.cfg.DDL.Alters().Jobs(db.ID, kind) {
		f(j)
	}
	return nil
}

// showBuildIndex is SHOW BUILD INDEX [FROM db].
func (s *session) showBuildIndex(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("INDEX") {
		return nil, c.mismatch()
	}
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	l := newListing("JobId", "TableName", "PartitionName", "AlterInvertedIndexes", "CreateTime", "FinishTime", "TransactionId", "State", "Msg", "Progress")
	if err := s.addBuilds(l, database); err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "TableName", true)
}

func (s *session) addBuilds(l *listing, database string) error {
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	db, ok := s.server.core.Database(database)
	if !ok {
		return errUnknownDatabase(database)
	}
	for _, j := range s.server.cfg.DDL.Alters().Builds(db.ID) {
		l.add(j.ID, j.TableName, j.PartitionName, j.Text, preciseMoment(j.Created), preciseMoment(j.Ended), txnText(j.Watershed), string(j.State), j.Msg, progress(j.State))
	}
	return nil
}

// moment is a time of a job, NULL while it has not come.
func moment(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at
}

// preciseMoment is a moment with milliseconds.
func preciseMoment(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.Format("2006-01-02 15:04:05.000")
}

// txnText is the watershed transaction, -1 before there is one.
func txnText(id int64) string {
	if id == 0 {
		return "-1"
	}
	return strconv.FormatInt(id, 10)
}

// progress is NULL except while data is converted: how far that is cannot be
// told.
func progress(in alter.State) any {
	if in == alter.Running {
		return "0/1"
	}
	return nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
