package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// newComparingEnv starts a ccr-standalone of its own that compares quickly.
func newComparingEnv(t *testing.T, o harness.PairOptions) *env {
	return newOwnEnv(t, o, "--compare-every", "1s")
}

// differing waits until job_status tells exactly these differences, each by a part
// of "table kind text".
func (e *env) differing(job string, want ...string) {
	e.Helper()
	require.NoError(e, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		reply, err := e.ccr.Call(ctx, "job_status", map[string]any{"name": job})
		if err != nil {
			return err
		}
		list, _ := reply["differences"].([]any)
		if len(list) != len(want) {
			return fmt.Errorf("%d differences, not %d: %v", len(list), len(want), list)
		}
		for i, d := range list {
			d := d.(map[string]any)
			if text := fmt.Sprintf("%v %v %v", d["table"], d["kind"], d["text"]); !strings.Contains(text, want[i]) {
				return fmt.Errorf("%q does not say %q", text, want[i])
			}
		}
		return nil
	}))
}

func (e *env) eventsOf(job string) string {
	e.Helper()
	events, err := e.ccr.Call(e.ctx, "job_events", map[string]any{"name": job})
	require.NoError(e, err)
	return fmt.Sprint(events)
}

// What somebody else does to the destination is found and told, and nothing is
// done about it. Tables that are written all the time are never taken for
// different.
func TestDifferencesAreTold(t *testing.T) {
	t.Parallel()
	e := newComparingEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "busy"), fmt.Sprintf(recordedTable, "a", "defined"), fmt.Sprintf(recordedTable, "a", "rows"),
		`CREATE TABLE a.parts (id INT, v INT) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("10"), PARTITION p2 VALUES LESS THAN ("20"))
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1", "binlog.enable" = "true")`,
		"INSERT INTO a.rows VALUES (1, 'one'), (2, 'two')", "INSERT INTO a.parts VALUES (1, 1), (11, 1)", "CREATE VIEW a.v AS SELECT id FROM a.rows")
	e.enableBinlog("a")
	job := e.createJob("a", "", "b", "")
	e.awaitEqual(job, "a", "b")

	ctx, stop := context.WithCancel(e.ctx)
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			_, err = e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO a.busy VALUES (%d, 'x')", i))
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
		written <- err
	}()
	for _, statement := range []string{"INSERT INTO b.rows VALUES (3, 'not from the source')", "INSERT INTO b.parts VALUES (12, 1)",
		"ALTER TABLE b.defined ADD COLUMN more INT"} {
		_, err := e.dst.ExecContext(e.ctx, statement)
		require.NoError(t, err, statement)
	}
	e.differing(job, "defined definition source and destination differ in columns", "parts rows partition p2: the source has 1 rows, the destination 2",
		"rows rows the source has 2 rows, the destination 3")
	e.differing(job, "defined", "parts", "rows rows") // and it is no passing thing
	notCompared := func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && len(s.Comparing.NotCompared) == 0 {
			err = errors.New("all tables are compared")
		}
		if err == nil && (s.Comparing.NotCompared[0].Table != "busy" || !strings.Contains(s.Comparing.NotCompared[0].Text, "written all the time")) {
			err = fmt.Errorf("not compared: %v", s.Comparing.NotCompared)
		}
		return err
	}
	require.NoError(t, harness.Await(e.ctx, catchUp, notCompared))
	stop()
	require.NoError(t, <-written)
	require.Contains(t, e.eventsOf(job), "source and destination differ in rows: the source has 2 rows, the destination 3")
	metrics, err := e.scrape(e.ctx)
	require.NoError(t, err)
	told := 0.0
	for _, m := range metrics["ccr_job_differences"].GetMetric() {
		if m.GetLabel()[0].GetValue() == job {
			told = m.GetGauge().GetValue()
		}
	}
	require.Equal(t, 3.0, told)

	for _, statement := range []string{"DELETE FROM b.rows WHERE id = 3", "DROP TABLE b.parts FORCE"} {
		_, err := e.dst.ExecContext(e.ctx, statement)
		require.NoError(t, err, statement)
	}
	e.differing(job, "defined", "parts objects the destination does not have the table")
	require.Contains(t, e.eventsOf(job), "source and destination do not differ any more in rows")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		if notCompared(ctx) == nil {
			return errors.New("busy is still not compared")
		}
		return nil
	}))
	e.requireFullSyncs(job, 1)
}

// What is told of a table that another has taken the place of is over.
func TestDifferencesOfATableThatWasCreatedAgain(t *testing.T) {
	t.Parallel()
	e := newComparingEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (1, 'one')")
	job := e.createJob("a", "t", "b", "copy")
	e.sameAs(job, "t", "copy")
	e.exec("DROP TABLE a.t FORCE")
	e.differing(job, "t objects the source does not have the table")
	e.exec(fmt.Sprintf(recordedTable, "a", "t"), "INSERT INTO a.t VALUES (2, 'two')")
	e.sameAs(job, "t", "copy")
	e.differing(job)
	e.notStalled(job)
}

// An older frontend changes some things without any binlog (doris-binlogs.md
// 2.2): a look at names and definitions finds them, and brings what has changed.
func TestWhatAnOlderSourceDoesNotRecord(t *testing.T) {
	t.Parallel()
	e := newComparingEnv(t, harness.PairOptions{Version: core.VersionM24})
	e.exec("CREATE DATABASE a")
	for _, table := range []string{"t", "u", "dropped", "indexed", "other"} {
		e.exec(fmt.Sprintf(recordedTable, "a", table), fmt.Sprintf("INSERT INTO a.%s VALUES (1, '%s')", table, table))
	}
	e.exec("CREATE VIEW a.v AS SELECT id FROM a.other")
	e.enableBinlog("a")
	job := e.createJob("a", "", "b", "")
	e.awaitEqual(job, "a", "b")
	e.exec("DROP TABLE a.dropped")
	e.awaitEqual(job, "a", "b")

	e.exec("INSERT INTO a.u VALUES (2, 'u')", `ALTER TABLE a.t REPLACE WITH TABLE u PROPERTIES ("swap" = "true")`, "INSERT INTO a.t VALUES (3, 'in t')",
		"ALTER VIEW a.v AS SELECT id + 1 AS id FROM a.other", "RECOVER TABLE a.dropped",
		"ALTER TABLE a.indexed ADD INDEX i (v) USING INVERTED")
	e.awaitEqual(job, "a", "b")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		texts, err := column(ctx, e.dst, "SHOW CREATE TABLE b.indexed", "Create Table")
		if err == nil && !strings.Contains(texts[0], "USING INVERTED") {
			err = fmt.Errorf("no index yet: %s", texts[0])
		}
		return err
	}))
	e.requireFullSyncs(job, 1)
	require.Contains(t, e.eventsOf(job), "without a binlog")
}
