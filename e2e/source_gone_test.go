package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

const recordedTable = `CREATE TABLE %s.%s (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`

// sameAs waits until the table that has the name on the source is what the
// destination has.
func (e *env) sameAs(job, table, copied string) {
	e.Helper()
	e.awaitThat(job, func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, "a", table, e.dst, "b", copied)
	})
}

// partialSyncs waits until the job has made so many, the last for this reason.
func (e *env) partialSyncs(job string, n int64, why string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && s.PartialSyncs != n {
			err = fmt.Errorf("%d partial syncs, not %d: %s", s.PartialSyncs, n, s.LastError.Text)
		}
		return err
	}))
	p, err := e.ccr.Progress(e.ctx, job)
	require.NoError(e, err)
	require.NotNil(e, p.PartialSyncInfo)
	require.Contains(e, p.PartialSyncInfo.Info, why)
}

// The log of a table that is gone reads like one that is idle: the job looks at
// its table and follows whatever has its name.
func TestATableJobIsForAName(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (1, 'one')")
	job := e.createJob("a", "t", "b", "copy")
	e.sameAs(job, "t", "copy")

	// Created again while the job is idle.
	e.exec("DROP TABLE a.t", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (2, 'two')")
	e.sameAs(job, "t", "copy")
	e.partialSyncs(job, 1, "another table is called t on the source now")

	// Swapped by renames. The old one goes on being written.
	e.exec(fmt.Sprintf(recordedTable, "a", "fresh"), "INSERT INTO a.fresh VALUES (3, 'three')",
		"ALTER TABLE a.t RENAME old", "INSERT INTO a.old VALUES (4, 'not this')", "ALTER TABLE a.fresh RENAME t", "INSERT INTO a.old VALUES (5, 'nor this')")
	e.sameAs(job, "t", "copy")
	e.partialSyncs(job, 2, "another table is called t on the source now")

	// Renamed alone: the job goes on with it.
	e.exec("ALTER TABLE a.t RENAME moved", "INSERT INTO a.moved VALUES (6, 'six')")
	e.sameAs(job, "moved", "copy")

	// Gone: stalled, and the remedy helps.
	e.exec("DROP TABLE a.moved")
	e.stalledWith(job, "source table a.t does not exist any more", "create one of that name")
	e.exec(fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (7, 'seven')")
	e.sameAs(job, "t", "copy")
	e.notStalled(job)
	e.requireFullSyncs(job, 1)

	e.exec("DROP TABLE a.t")
	e.stalledWith(job, "source table a.t does not exist any more", "recover the table")
	e.exec("RECOVER TABLE a.t")
	e.notStalled(job)
	e.exec("INSERT INTO a.t VALUES (8, 'eight')")
	e.sameAs(job, "t", "copy")
}

// What is written while binlogs are off is in no binlog.
func TestBinlogsOfATableSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (1, 'one')")
	job := e.createJob("a", "t", "b", "copy")
	e.sameAs(job, "t", "copy")

	e.exec(`ALTER TABLE a.t SET ("binlog.enable" = "false")`, "INSERT INTO a.t VALUES (2, 'unrecorded')")
	e.stalledWith(job, "source table a.t does not record binlogs", "ALTER TABLE `a`.`t` SET (\"binlog.enable\" = \"true\")")
	e.exec(`ALTER TABLE a.t SET ("binlog.enable" = "true")`, "INSERT INTO a.t VALUES (3, 'recorded')")
	e.sameAs(job, "t", "copy")
	e.notStalled(job)
	e.partialSyncs(job, 1, "what was written while binlogs were off")
	e.requireFullSyncs(job, 1)
}

func TestBinlogsOfADatabaseSwitchedOffAndOn(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a")
	for _, table := range []string{"t", "u", "gone", "dropped", "daily", "same"} {
		e.exec(fmt.Sprintf(recordedTable, "a", table), fmt.Sprintf("INSERT INTO a.%s VALUES (1, 'one')", table))
	}
	e.exec("CREATE VIEW a.v AS SELECT id FROM a.t")
	e.enableBinlog("a")
	job := e.createJob("a", "", "b", "")
	e.awaitEqual(job, "a", "b")

	e.exec(`ALTER DATABASE a SET PROPERTIES ("binlog.enable" = "false")`)
	e.stalledWith(job, "source database a does not record binlogs", "ALTER DATABASE `a` SET PROPERTIES (\"binlog.enable\" = \"true\")")
	for _, table := range []string{"t", "u", "gone", "daily", "same"} {
		e.exec(fmt.Sprintf(`ALTER TABLE a.%s SET ("binlog.enable" = "false")`, table))
	}
	e.exec("INSERT INTO a.t VALUES (2, 'unrecorded')", "ALTER TABLE a.t RENAME t2", "DROP TABLE a.gone",
		fmt.Sprintf(strings.Replace(recordedTable, `, "binlog.enable" = "true"`, "", 1), "a", "new"), "INSERT INTO a.new VALUES (1, 'new')",
		"ALTER VIEW a.v AS SELECT id + 1 AS id FROM a.u",
		// Written anew, its partition has the version that the old one had.
		"TRUNCATE TABLE a.daily", "INSERT INTO a.daily VALUES (2, 'another day')")
	e.enableBinlog("a", "t2", "u", "new", "daily", "same")
	e.exec("DROP TABLE a.dropped", "INSERT INTO a.u VALUES (3, 'recorded')")
	e.awaitThat(job, func(ctx context.Context) error {
		for _, table := range []string{"t2", "u", "new", "v", "daily", "same"} {
			if err := harness.CompareTables(ctx, e.src, "a", table, e.dst, "b", table); err != nil {
				return err
			}
		}
		return nil
	})
	e.notStalled(job)
	e.requireFullSyncs(job, 1)
	events, err := e.ccr.Call(e.ctx, "job_events", map[string]any{"name": job})
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(events), "left on the destination as they are: gone")
	require.NotContains(t, fmt.Sprint(events), "table same", "nobody has written it")
	tables, err := harness.Tables(e.ctx, e.dst, "b")
	require.NoError(t, err)
	require.NotContains(t, tables, "t", "it has another name now")
	require.NotContains(t, tables, "dropped", "its drop is recorded")
}

// An order that selects tables while those of a gap still come leaves them awaited.
func TestTablesSelectedWhileAGapIsClosed(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a")
	names := []string{"t", "u", "w"}
	for _, table := range names {
		e.exec(fmt.Sprintf(recordedTable, "a", table), fmt.Sprintf("INSERT INTO a.%s VALUES (1, 'one')", table))
	}
	e.enableBinlog("a")
	job := e.createJob("a", "", "b", "")
	e.awaitEqual(job, "a", "b")
	e.exec(`ALTER DATABASE a SET PROPERTIES ("binlog.enable" = "false")`)
	e.stalledWith(job, "source database a does not record binlogs", "ALTER DATABASE")
	for _, table := range names {
		e.exec(fmt.Sprintf(`ALTER TABLE a.%s SET ("binlog.enable" = "false")`, table), fmt.Sprintf("INSERT INTO a.%s VALUES (2, 'unrecorded')", table))
	}
	first := e.fault(e.pair.Source, faults.Rule{Point: "backup.SNAPSHOTING", Action: faults.Hold, Count: 1})
	e.enableBinlog("a", names...)
	first.struck()
	e.updateTables(job, map[string]any{"exclude_tables": []string{"never_there_*"}})
	first.end()
	e.awaitEqual(job, "a", "b")
	e.notStalled(job)
	e.requireFullSyncs(job, 1)
}

// Another database of the same name is not followed unasked.
func TestASourceDatabaseCreatedAgain(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (1, 'one')")
	e.enableBinlog("a")
	job := e.createJob("a", "", "b", "")
	e.awaitEqual(job, "a", "b")
	e.exec("DROP DATABASE a FORCE", "CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (2, 'two')")
	e.enableBinlog("a")
	e.stalledWith(job, "source database a is another one than the job has followed", "force_fullsync has the job follow the new one")
	_, err := e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.notStalled(job)
	e.awaitEqual(job, "a", "b")
	e.exec("INSERT INTO a.t VALUES (3, 'three')")
	e.awaitEqual(job, "a", "b")
	e.requireFullSyncs(job, 2)
}
