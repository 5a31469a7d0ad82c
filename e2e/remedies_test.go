package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// remedyRow is a job in trouble, and a way out that its status names.
type remedyRow struct {
	name string
	// helps are parts of the remedies that are followed, in the words of the code.
	// The first is what the job has to say.
	helps []string
	// texts are parts of Doris' texts by which the code finds these remedies. The
	// job has to tell the first.
	texts []string
	// pages are the chapters and the rows of tables of docs/troubleshooting.md.
	pages []string
	pair  harness.PairOptions
	// play gets into the trouble, follows the remedy, and ends when the job goes on.
	play func(*trouble)
}

// remedyRows are all that play here.
func remedyRows() []remedyRow {
	var rows []remedyRow
	for _, some := range [][]remedyRow{backupRemedies(), restoreRemedies(), loadRemedies(), connectionRemedies(), goneRemedies(), stepRemedies(), versionRemedies()} {
		rows = append(rows, some...)
	}
	return rows
}

// beside starts two more clusters, of a backend each unless told otherwise, for the
// same ccr-standalone.
func (e *env) beside(t *testing.T, o harness.PairOptions) *env {
	o.BEs = max(1, o.BEs)
	other := clusters(t, o)
	other.ccr = e.ccr
	return other
}

// What stalls a job says what helps, and that does, literally: nothing else is
// done to the job, and it copies nothing that it need not.
func TestRemediesHelp(t *testing.T) {
	t.Parallel()
	first := newEnv(t, harness.PairOptions{}) // starts the shared process
	var players errgroup.Group
	players.SetLimit(troubled)
	for _, row := range remedyRows() {
		players.Go(func() error {
			t.Run(row.name, func(t *testing.T) {
				row.play(&trouble{env: first.beside(t, row.pair), row: &row, full: 1})
			})
			return nil
		})
	}
	require.NoError(t, players.Wait())
}

// troubled bounds how many rows are played beside each other: they wait for what
// is tried again after seconds.
const troubled = 14

// trouble is a row being played.
type trouble struct {
	*env
	row    *remedyRow
	job    string
	remedy string // what the status said last
	full   int64  // full syncs that there are to be in the end
	rows   int
}

const (
	oneBucket   = ` DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`
	partedTable = `CREATE TABLE %s.%s (id INT, v VARCHAR(40)) DUPLICATE KEY(id)
		PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("1000"), PARTITION p2 VALUES LESS THAN ("2000"))` + oneBucket
)

// tables creates database d with tables of two partitions that hold a row each.
func (t *trouble) tables(names ...string) {
	t.Helper()
	t.exec("CREATE DATABASE d")
	for _, name := range names {
		t.exec(fmt.Sprintf(partedTable, "d", name), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'a'), (1001, 'b')", name))
	}
	t.enableBinlog("d", names...)
}

// replicate begins a job for database d and waits until it follows.
func (t *trouble) replicate() {
	t.Helper()
	t.job = t.createJob("d", "", "d", "")
	t.follows()
}

func (t *trouble) follows() {
	t.Helper()
	t.awaitEqual(t.job, "d", "d")
	t.awaitState(t.job, "DBTablesIncrementalSync", "DBIncrementalSync")
}

// order gives the job an order of an operator's.
func (t *trouble) order(operator string, body map[string]any) {
	t.Helper()
	if body == nil {
		body = map[string]any{}
	}
	body["name"] = t.job
	_, err := t.ccr.Call(t.ctx, operator, body)
	require.NoError(t, err, "%s %v", operator, body)
}

// partialSync orders the snapshot of a table as the job's remedies have it.
func (t *trouble) partialSync(table string) {
	t.Helper()
	progress, err := t.ccr.Call(t.ctx, "job_progress", map[string]any{"name": t.job})
	require.NoError(t, err)
	t.order("job_skip_binlog", map[string]any{"skip_by": "partialsync", "skip_table": table, "skip_table_id": t.sourceTable(progress, table)})
}

// stands waits until the job says that it cannot go on, with the row's first text
// and remedy, or with those given.
func (t *trouble) stands(textAndRemedy ...string) {
	t.Helper()
	text, remedy := "", t.row.helps[0]
	if len(t.row.texts) > 0 {
		text = t.row.texts[0]
	}
	if len(textAndRemedy) == 2 {
		text, remedy = textAndRemedy[0], textAndRemedy[1]
	}
	require.NoError(t, harness.Await(t.ctx, catchUp, func(ctx context.Context) error {
		s, err := t.ccr.Status(ctx, t.job)
		switch {
		case err != nil:
			return err
		case !s.Stalled:
			return errors.New("the job is not stalled")
		case !strings.Contains(s.LastError.Text, text) || !strings.Contains(s.LastError.Remedy, remedy):
			return fmt.Errorf("stalled with %q, remedy %q", s.LastError.Text, s.LastError.Remedy)
		}
		t.remedy = s.LastError.Remedy
		return nil
	}))
}

// said takes what the pattern finds in the remedy: a statement, the name of a
// setting, a request.
func (t *trouble) said(pattern string, placeholders ...string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindString(t.remedy)
	require.NotEmpty(t, found, "%s is not in %q", pattern, t.remedy)
	return strings.NewReplacer(placeholders...).Replace(found)
}

// follow runs a statement of the remedy, with its placeholders filled in.
func (t *trouble) follow(on *sql.DB, pattern string, placeholders ...string) {
	t.Helper()
	statement := t.said(pattern, placeholders...)
	_, err := on.ExecContext(t.ctx, statement)
	require.NoError(t, err, statement)
}

// set gives a setting of the frontends, which the remedy names, a value.
func (t *trouble) set(on *sql.DB, name, value string) {
	t.Helper()
	t.said(name)
	t.configure(on, name, value)
}

func (t *trouble) configure(on *sql.DB, name, value string) {
	t.Helper()
	statement := fmt.Sprintf(`ADMIN SET FRONTEND CONFIG ("%s" = "%s")`, name, value)
	_, err := on.ExecContext(t.ctx, statement)
	require.NoError(t, err, statement)
}

// goesOn waits until the job has brought everything, what is written now, too.
func (t *trouble) goesOn(tables ...string) {
	t.Helper()
	if len(tables) == 0 {
		tables = []string{"t"}
	}
	t.rows++
	for _, table := range tables {
		t.exec(fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'after it')", table, 1100+t.rows))
	}
	t.awaitThat(t.job, func(ctx context.Context) error { return t.sameTables(ctx, tables...) })
	t.notStalled(t.job)
	t.awaitThat(t.job, func(ctx context.Context) error { // a restore shows its rows before the job has noticed
		s, err := t.ccr.Status(ctx, t.job)
		if err == nil && s.Phase != "stream" && s.Phase != "apply" {
			err = fmt.Errorf("the job is at %s", s.Phase)
		}
		return err
	})
	t.requireFullSyncs(t.job, t.full)
}

// answering switches a fault on that answers as Doris does, and returns what ends it.
func (t *trouble) answering(cluster *harness.Cluster, point, text string) (mend func()) {
	t.Helper()
	return t.fault(cluster, faults.Rule{Point: point, Action: faults.Fail, Message: text}).end
}

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
