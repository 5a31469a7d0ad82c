package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// stalledWith waits until the job says that it cannot go on, why, and what helps.
func (e *env) stalledWith(job, text, remedy string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		switch {
		case err != nil:
			return err
		case !s.Stalled:
			return errors.New("the job is not stalled")
		case !strings.Contains(s.LastError.Text, text) || !strings.Contains(s.LastError.Remedy, remedy):
			return fmt.Errorf("stalled with %q, remedy %q", s.LastError.Text, s.LastError.Remedy)
		}
		return nil
	}))
}

func (e *env) notStalled(job string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && s.Stalled {
			err = fmt.Errorf("still stalled with %q", s.LastError.Text)
		}
		return err
	}))
}

// What stalls a job says what helps, and it does.
func TestRemediesHelp(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE d", `CREATE TABLE d.t (id INT, v VARCHAR(20)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("100"))
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES("replication_num" = "1")`)
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")

	// Backups that are cancelled again and again are not just events.
	e.exec(`ADMIN SET FRONTEND CONFIG ("max_backup_tablets_per_job" = "2")`)
	job := e.createJob("d", "", "d", "")
	e.stalledWith(job, "the num involved tablets 3 exceeds the limit 2", "raise max_backup_tablets_per_job")
	e.exec(`ADMIN SET FRONTEND CONFIG ("max_backup_tablets_per_job" = "300000")`)
	_, err := e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	e.awaitEqual(job, "d", "d")
	e.notStalled(job)

	// A partial sync of a table with a temporary partition.
	e.exec(`ALTER TABLE d.t ADD TEMPORARY PARTITION tp VALUES LESS THAN ("100")`)
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	detail, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "t", "skip_table_id": e.sourceTable(detail, "t")})
	require.NoError(t, err)
	e.stalledWith(job, "with temp partitions", "ignore_backup_tmp_partitions = true")
	e.exec(`ADMIN SET FRONTEND CONFIG ("ignore_backup_tmp_partitions" = "true")`)
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec("INSERT INTO d.t VALUES (2, 'b')")
	e.awaitEqual(job, "d", "d")
	e.notStalled(job)
}
