package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// createFiltered creates a database job that replicates some tables only.
func (e *env) createFiltered(db string, include, exclude []string) string {
	e.Helper()
	name := e.jobName()
	_, err := e.ccr.Call(e.ctx, "create_ccr", map[string]any{"name": name, "include_tables": include, "exclude_tables": exclude,
		"src": e.pair.Source.Spec(db, ""), "dest": e.pair.Destination.Spec(db, "")})
	require.NoError(e, err)
	e.Cleanup(func() {
		if e.Failed() {
			e.explain(name)
		} else {
			e.recordHistory(name)
		}
		if e.ccr == shared.ccr {
			_, _ = e.ccr.Call(context.Background(), "delete", map[string]any{"name": name})
		}
	})
	return name
}

func (e *env) updateTables(job string, lists map[string]any) {
	e.Helper()
	lists["name"] = job
	_, err := e.ccr.Call(e.ctx, "update_tables", lists)
	require.NoError(e, err)
}

// awaitTables waits until the destination has these tables and views, and no
// others, and those in same have the source's rows.
func (e *env) awaitTables(job, db string, want, same []string) {
	e.Helper()
	slices.Sort(want)
	e.awaitThat(job, func(ctx context.Context) error {
		have, err := harness.Tables(ctx, e.dst, db)
		if err != nil {
			return err
		}
		slices.Sort(have)
		if !slices.Equal(have, want) {
			return fmt.Errorf("the destination has %v, not %v", have, want)
		}
		for _, table := range same {
			if err := harness.CompareTables(ctx, e.src, db, table, e.dst, db, table); err != nil {
				return err
			}
		}
		return nil
	})
}

// passed waits until the job has read everything that was written until now: a
// row of the table marker has arrived.
func (e *env) passed(job, db, marker string) {
	e.Helper()
	e.exec(fmt.Sprintf("INSERT INTO %s.%s VALUES (999, 'marker')", db, marker))
	e.awaitThat(job, func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, db, marker, e.dst, db, marker)
	})
}

func TestTablesIncludedAndExcluded(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE shop")
	tables := []string{"orders", "orders_tmp", "users", "other"}
	for _, table := range tables {
		e.exec(fmt.Sprintf(duplicateTable, "shop", table), fmt.Sprintf("INSERT INTO shop.%s VALUES (1, '%s')", table, table))
	}
	e.enableBinlog("shop", tables...)
	e.exec("CREATE VIEW shop.orders_v AS SELECT id FROM shop.orders", "CREATE VIEW shop.orders_vo AS SELECT id FROM shop.other")
	job := e.createFiltered("shop", []string{"orders*", "users"}, []string{"*_tmp"})
	e.awaitTables(job, "shop", []string{"orders", "users", "orders_v", "orders_vo"}, []string{"orders", "users"})

	// Every kind of binlog, of both sorts of tables.
	e.exec("INSERT INTO shop.orders VALUES (2, 'b')", "INSERT INTO shop.other VALUES (2, 'b')",
		"BEGIN", "INSERT INTO shop.orders VALUES (3, 'txn')", "INSERT INTO shop.orders_tmp VALUES (3, 'txn')", "COMMIT",
		"ALTER TABLE shop.other ADD COLUMN c INT", "TRUNCATE TABLE shop.orders_tmp", "INSERT INTO shop.other VALUES (4, 'd', 1)",
		fmt.Sprintf(duplicateTable, "shop", "new_tmp"), "DROP TABLE shop.new_tmp",
		fmt.Sprintf(duplicateTable, "shop", "orders_new"), "INSERT INTO shop.orders_new VALUES (1, 'n')",
		"CREATE VIEW shop.orders_x AS SELECT id FROM shop.other")
	e.awaitTables(job, "shop", []string{"orders", "users", "orders_new", "orders_v", "orders_vo"}, []string{"orders", "users", "orders_new"})

	// Included at run time, with the views that need it.
	e.updateTables(job, map[string]any{"include_tables": []string{"orders*", "users", "other"}})
	e.awaitTables(job, "shop", []string{"orders", "users", "orders_new", "other", "orders_v", "orders_vo", "orders_x"}, []string{"orders", "other"})
	e.exec("INSERT INTO shop.other VALUES (5, 'e', 2)")
	e.awaitTables(job, "shop", []string{"orders", "users", "orders_new", "other", "orders_v", "orders_vo", "orders_x"}, []string{"orders", "other"})

	// Excluded at run time: it stays as it is.
	before, err := harness.Content(e.ctx, e.dst, "shop", "users")
	require.NoError(t, err)
	e.updateTables(job, map[string]any{"exclude_tables": []string{"*_tmp", "users"}})
	e.exec("INSERT INTO shop.users VALUES (7, 'not this')")
	e.passed(job, "shop", "orders")
	after, err := harness.Content(e.ctx, e.dst, "shop", "users")
	require.NoError(t, err)
	require.Equal(t, before, after)
	e.exec("DROP TABLE shop.users")
	e.passed(job, "shop", "orders")
	e.awaitTables(job, "shop", []string{"orders", "users", "orders_new", "other", "orders_v", "orders_vo", "orders_x"}, []string{"orders", "other"})

	e.awaitState(job, "DBIncrementalSync")
	e.requireFullSyncs(job, 1)
	detail, err := e.ccr.Call(e.ctx, "job_detail", map[string]any{"name": job})
	require.NoError(t, err)
	require.Equal(t, []any{"*_tmp", "users"}, detail["job_detail"].(map[string]any)["exclude_tables"])
}

func TestTablesRenamedAndReplacedAcrossTheFilter(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d")
	tables := []string{"marker", "a", "b", "c_tmp", "d_tmp", "e", "f_tmp"}
	for _, table := range tables {
		e.exec(fmt.Sprintf(duplicateTable, "d", table), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'row of %s')", table, table))
	}
	e.enableBinlog("d", tables...)
	job := e.createFiltered("d", nil, []string{"*_tmp"})
	e.awaitTables(job, "d", []string{"marker", "a", "b", "e"}, []string{"marker", "a", "b", "e"})

	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec(
		// excluded to included: the rows of before come, too
		"INSERT INTO d.c_tmp VALUES (2, 'c')", "ALTER TABLE d.c_tmp RENAME c", "INSERT INTO d.c VALUES (3, 'c')",
		// included to excluded: stays
		"INSERT INTO d.a VALUES (2, 'a')", "ALTER TABLE d.a RENAME a_tmp", "INSERT INTO d.a_tmp VALUES (3, 'a')",
		// replaced by an excluded one: the usual reload
		"INSERT INTO d.d_tmp VALUES (2, 'd')", `ALTER TABLE d.b REPLACE WITH TABLE d_tmp PROPERTIES ("swap" = "false")`, "INSERT INTO d.b VALUES (3, 'b')",
		// swapped with an excluded one
		`ALTER TABLE d.e REPLACE WITH TABLE f_tmp PROPERTIES ("swap" = "true")`, "INSERT INTO d.e VALUES (4, 'e')", "INSERT INTO d.f_tmp VALUES (4, 'f')")
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	e.passed(job, "d", "marker")
	e.awaitTables(job, "d", []string{"marker", "a", "b", "c", "e"}, []string{"b", "c", "e"})
	left, err := harness.Content(e.ctx, e.dst, "d", "a")
	require.NoError(t, err)
	require.Equal(t, []string{"1|row of a", "2|a"}, left, "as it was when it was renamed")

	// And back, swapped once more: everything goes on.
	e.exec("ALTER TABLE d.a_tmp RENAME a", `ALTER TABLE d.e REPLACE WITH TABLE f_tmp PROPERTIES ("swap" = "true")`, "INSERT INTO d.e VALUES (5, 'e')")
	e.passed(job, "d", "marker")
	e.awaitTables(job, "d", []string{"marker", "a", "b", "c", "e"}, []string{"a", "b", "c", "e"})
	e.awaitState(job, "DBIncrementalSync")
	e.requireFullSyncs(job, 1)
}

// A job that is killed while tables come in loses none of them and no row.
func TestTablesIncludedWhileBeingKilled(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d")
	var all []string
	for i := range 6 {
		table := fmt.Sprintf("t%d", i)
		all = append(all, table)
		e.exec(fmt.Sprintf(duplicateTable, "d", table), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'x'), (1, 'x')", table))
	}
	e.enableBinlog("d", all...)
	job := e.createFiltered("d", []string{"t0"}, nil)
	e.awaitTables(job, "d", []string{"t0"}, []string{"t0"})
	e.updateTables(job, map[string]any{"include_tables": []string{"t*"}})
	for round := range 3 {
		for _, table := range all {
			e.exec(fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'y')", table, round))
		}
		e.ccr.Kill()
		require.NoError(t, e.ccr.Start(e.ctx))
	}
	e.awaitTables(job, "d", all, all)
	e.requireFullSyncs(job, 1)
}

func TestTableFiltersThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"), fmt.Sprintf(duplicateTable, "d", "u"))
	e.enableBinlog("d", "t", "u")
	body := map[string]any{"name": "refused", "src": e.pair.Source.Spec("d", "t"), "dest": e.pair.Destination.Spec("d", "t"),
		"include_tables": []string{"t"}}
	_, err := e.ccr.Call(e.ctx, "create_ccr", body)
	require.ErrorContains(t, err, "for database jobs")

	job := e.createFiltered("d", nil, []string{"u"})
	e.awaitTables(job, "d", []string{"t"}, []string{"t"})
	for body, want := range map[string]string{
		`{"name":%q}`:                                  "neither include_tables nor exclude_tables",
		`{"name":%q,"include_tables":["d.t"]}`:         `the pattern "d.t"`,
		`{"name":%q,"exclude_tables":"t"}`:             "json: cannot unmarshal",
		`{"name":"nobody%.0s","include_tables":["t"]}`: "job nobody not exist",
	} {
		_, reply, err := e.ccr.Raw(e.ctx, "update_tables", strings.TrimSpace(fmt.Sprintf(body, job)))
		require.NoError(t, err)
		require.Contains(t, reply, strings.ReplaceAll(want, `"`, `\"`))
	}
	_, err = e.ccr.Call(e.ctx, "job_skip_binlog", map[string]any{"name": job, "skip_by": "partialsync", "skip_table": "u", "skip_table_id": 5})
	require.ErrorContains(t, err, "leaves it out")
}

// An asynchronous materialized view is not replicated, and stands in nobody's way:
// a backup that named it would be refused. Foreign tables do stand in the way,
// which check_ccr tells beforehand.
func TestFilteredJobPassesOverAsyncViews(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 1})
	e.exec("CREATE DATABASE shop", fmt.Sprintf(duplicateTable, "shop", "orders"), fmt.Sprintf(duplicateTable, "shop", "tmp"))
	e.enableBinlog("shop", "orders", "tmp")
	e.exec("INSERT INTO shop.orders VALUES (1, 'a')", "CREATE VIEW shop.v AS SELECT id FROM shop.orders",
		`CREATE MATERIALIZED VIEW shop.mv BUILD IMMEDIATE REFRESH COMPLETE ON MANUAL DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES("replication_num" = "1") AS SELECT id FROM shop.orders`)
	shop := func(b map[string]any) {
		b["name"] = e.jobName() + "_2"
		side(b, "src")["database"], side(b, "dest")["database"] = "shop", "shop2"
	}
	overall, lines := e.check(shop)
	require.Equal(t, "warn", overall, "%v", lines)
	require.Contains(t, lines["source: asynchronous materialized views"].Detail, "not replicated: mv")

	job := e.createFiltered("shop", nil, []string{"tmp"})
	e.awaitTables(job, "shop", []string{"orders", "v"}, []string{"orders"})
	e.exec("INSERT INTO shop.orders VALUES (2, 'b')")
	e.awaitTables(job, "shop", []string{"orders", "v"}, []string{"orders"})

	e.exec("CREATE EXTERNAL TABLE shop.es (id INT) ENGINE=ELASTICSEARCH PROPERTIES ('hosts' = 'http://h', 'index' = 'i')")
	_, lines = e.check(shop)
	require.Equal(t, "fail", lines["source: external tables"].Status, "%v", lines)
	e.exec(`ADMIN SET FRONTEND CONFIG ("ignore_backup_not_support_table_type" = "true")`)
	_, lines = e.check(shop)
	require.Equal(t, "warn", lines["source: external tables"].Status, "%v", lines)
}
