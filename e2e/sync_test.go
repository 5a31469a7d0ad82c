package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const (
	duplicateTable = `CREATE TABLE %s.%s (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
	uniqueTable = `CREATE TABLE %s.%s (id BIGINT, v VARCHAR(40), n INT) UNIQUE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
	aggregateTable = `CREATE TABLE %s.%s (id BIGINT, total BIGINT SUM, top INT MAX) AGGREGATE KEY(id)
		DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`
)

func TestDatabaseJob(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE shop",
		fmt.Sprintf(duplicateTable, "shop", "log"), fmt.Sprintf(uniqueTable, "shop", "users"), fmt.Sprintf(aggregateTable, "shop", "sums"),
		`CREATE TABLE shop.parts (day DATE, id INT, v VARCHAR(20)) DUPLICATE KEY(day) PARTITION BY RANGE(day) (
			PARTITION p1 VALUES LESS THAN ("2026-01-01"), PARTITION p2 VALUES LESS THAN ("2026-02-01"))
			DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "2")`)
	e.enableBinlog("shop", "log", "users", "sums", "parts")
	e.exec("INSERT INTO shop.log VALUES (1, 'a'), (1, 'a'), (2, NULL)",
		"INSERT INTO shop.users VALUES (1, 'x', 1), (2, 'y', 2)", "INSERT INTO shop.users VALUES (1, 'z', 3)",
		"INSERT INTO shop.sums VALUES (1, 10, 5), (1, 20, 3)",
		"INSERT INTO shop.parts VALUES ('2025-12-31', 1, 'old'), ('2026-01-15', 2, 'new')")

	job := e.createJob("shop", "", "shop_copy", "")
	e.awaitEqual(job, "shop", "shop_copy")

	e.exec("INSERT INTO shop.log VALUES (1, 'a')", "INSERT INTO shop.users VALUES (2, 'changed', 4)",
		"INSERT INTO shop.sums VALUES (1, 1, 100), (7, 7, 7)", "INSERT INTO shop.parts VALUES ('2026-01-16', 3, 'later')",
		"DELETE FROM shop.users WHERE id = 1", "DELETE FROM shop.log WHERE id = 2")
	e.awaitEqual(job, "shop", "shop_copy")
	e.awaitState(job, "DBIncrementalSync")
	e.requireFullSyncs(job, 1)

	rows, err := harness.Content(e.ctx, e.dst, "shop_copy", "log")
	require.NoError(t, err)
	require.Equal(t, []string{"1|a", "1|a", "1|a"}, rows)
}

func TestTableJobWithAnotherName(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE a", fmt.Sprintf(duplicateTable, "a", "orders"), fmt.Sprintf(duplicateTable, "a", "other"))
	e.exec(`ALTER TABLE a.orders SET ("binlog.enable" = "true")`,
		"INSERT INTO a.orders VALUES (1, 'one')", "INSERT INTO a.other VALUES (1, 'not this one')")
	job := e.createJob("a", "orders", "b", "orders_copy")
	same := func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, "a", "orders", e.dst, "b", "orders_copy")
	}
	e.awaitThat(job, same)
	e.exec("INSERT INTO a.orders VALUES (2, 'two')", "TRUNCATE TABLE a.orders", "INSERT INTO a.orders VALUES (3, 'three')")
	e.awaitThat(job, same)
	e.awaitState(job, "TableIncrementalSync")
	e.requireFullSyncs(job, 1)
	tables, err := harness.Tables(e.ctx, e.dst, "b")
	require.NoError(t, err)
	require.Equal(t, []string{"orders_copy"}, tables)
}

// The second full sync meets a destination table of another name and has to go
// by an alias (doris-sql.md 4.6).
func TestTableJobWithAnotherNameTwoFullSyncs(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE a", fmt.Sprintf(duplicateTable, "a", "orders"), `ALTER TABLE a.orders SET ("binlog.enable" = "true")`,
		"INSERT INTO a.orders VALUES (1, 'one')")
	job := e.createJob("a", "orders", "b", "orders_copy")
	same := func(ctx context.Context) error {
		return harness.CompareTables(ctx, e.src, "a", "orders", e.dst, "b", "orders_copy")
	}
	e.awaitThat(job, same)
	_, err := e.ccr.Call(e.ctx, "force_fullsync", map[string]any{"name": job})
	require.NoError(t, err)
	e.exec("INSERT INTO a.orders VALUES (2, 'two')")
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		s, err := e.ccr.Status(ctx, job)
		if err == nil && s.FullSyncs != 2 {
			err = fmt.Errorf("no second full sync yet")
		}
		return err
	}))
	e.awaitState(job, "TableIncrementalSync")
	e.awaitThat(job, same)
	tables, err := harness.Tables(e.ctx, e.dst, "b")
	require.NoError(t, err)
	require.Equal(t, []string{"orders_copy"}, tables, "no alias is left behind")
}

func TestWritesDuringTheFullSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t1"), fmt.Sprintf(duplicateTable, "d", "t2"), fmt.Sprintf(aggregateTable, "d", "t3"))
	e.enableBinlog("d", "t1", "t2", "t3")
	var stop atomic.Bool
	var writers errgroup.Group
	for _, table := range []string{"t1", "t2", "t3"} {
		writers.Go(func() error {
			for i := 0; !stop.Load(); i++ {
				value := fmt.Sprintf("(%d, 'row %d')", i, i)
				if table == "t3" {
					value = fmt.Sprintf("(%d, 1, %d)", i%7, i)
				}
				if _, err := e.src.ExecContext(e.ctx, "INSERT INTO d."+table+" VALUES "+value); err != nil {
					return err
				}
				time.Sleep(time.Millisecond) // a bound on the rate, not a wait
			}
			return nil
		})
	}
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	stop.Store(true)
	require.NoError(t, writers.Wait())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

func TestFiveThousandSmallTransactionsOverEightTables(t *testing.T) {
	t.Parallel()
	const tables, transactions = 8, 5000
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d")
	var names []string
	for i := range tables {
		names = append(names, fmt.Sprintf("t%d", i))
		e.exec(fmt.Sprintf(duplicateTable, "d", names[i]))
	}
	e.enableBinlog("d", names...)
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	var writers errgroup.Group
	for i, name := range names {
		writers.Go(func() error {
			for n := range transactions / tables {
				if _, err := e.src.ExecContext(e.ctx, fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'writer %d')", name, n, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, writers.Wait())
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
	rows, err := harness.Content(e.ctx, e.dst, "d", "t0")
	require.NoError(t, err)
	require.Len(t, rows, transactions/tables)
}

func TestMultiTableTransaction(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t1"), fmt.Sprintf(duplicateTable, "d", "t2"))
	e.enableBinlog("d", "t1", "t2")
	e.exec("INSERT INTO d.t1 VALUES (0, 'before')")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	for i := range 20 {
		conn, err := e.src.Conn(e.ctx)
		require.NoError(t, err)
		for _, s := range []string{"BEGIN",
			fmt.Sprintf("INSERT INTO d.t1 SELECT %d, v FROM d.t1 WHERE id = 0", 100+i),
			fmt.Sprintf("INSERT INTO d.t2 SELECT %d, 'both' FROM d.t1 WHERE id = 0", 100+i),
			fmt.Sprintf("INSERT INTO d.t1 SELECT %d, 'again' FROM d.t1 WHERE id = 0", 100+i),
			"COMMIT"} {
			_, err := conn.ExecContext(e.ctx, s)
			require.NoError(t, err, s)
		}
		require.NoError(t, conn.Close())
	}
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
	rows, err := harness.Content(e.ctx, e.dst, "d", "t1")
	require.NoError(t, err)
	require.Len(t, rows, 41)
}

func TestEmptyDatabase(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", `ALTER DATABASE d SET PROPERTIES ("binlog.enable" = "true")`)
	job := e.createJob("d", "", "d", "")
	e.exec(fmt.Sprintf(duplicateTable, "d", "first"), "INSERT INTO d.first VALUES (1, 'a')")
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.first VALUES (2, 'b')")
	e.awaitEqual(job, "d", "d")
}

func TestTableCreatedAndDroppedWhileSyncing(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "stays"))
	e.enableBinlog("d", "stays")
	job := e.createJob("d", "", "d", "")
	for i := range 5 {
		name := fmt.Sprintf("comes_%d", i)
		e.exec(fmt.Sprintf(uniqueTable, "d", name), fmt.Sprintf("INSERT INTO d.%s VALUES (1, 'x', %d)", name, i),
			fmt.Sprintf("INSERT INTO d.stays VALUES (%d, 'beside')", i))
		if i%2 == 0 {
			e.exec("DROP TABLE d." + name + " FORCE")
		}
	}
	// A new table under the name of a dropped one, with another shape.
	e.exec("DROP TABLE d.comes_1 FORCE", fmt.Sprintf(aggregateTable, "d", "comes_1"), "INSERT INTO d.comes_1 VALUES (1, 2, 3)")
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.comes_1 VALUES (1, 2, 3)", "CREATE VIEW d.v AS SELECT id, v FROM d.stays", "DROP TABLE d.comes_3 FORCE")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

func TestPartitionAddedWrittenDropped(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	e.exec("CREATE DATABASE d", `CREATE TABLE d.t (id INT, v VARCHAR(20)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (
			PARTITION p0 VALUES [("0"), ("100"))) DISTRIBUTED BY HASH(id) BUCKETS 2 PROPERTIES ("replication_num" = "1")`,
		`CREATE TABLE d.l (city VARCHAR(20) NOT NULL, v INT) DUPLICATE KEY(city) PARTITION BY LIST(city) (
			PARTITION pa VALUES IN ("berlin", "lima")) DISTRIBUTED BY HASH(city) BUCKETS 2 PROPERTIES ("replication_num" = "1")`)
	e.enableBinlog("d", "t", "l")
	job := e.createJob("d", "", "d", "")
	e.awaitState(job, "DBTablesIncrementalSync", "DBIncrementalSync")
	e.exec(`ALTER TABLE d.t ADD PARTITION p1 VALUES [("100"), ("200"))`, "INSERT INTO d.t VALUES (1, 'a'), (150, 'b')",
		`ALTER TABLE d.t ADD PARTITION p2 VALUES [("200"), ("300")) DISTRIBUTED BY HASH(id) BUCKETS 3`, "INSERT INTO d.t VALUES (250, 'c')",
		`ALTER TABLE d.l ADD PARTITION pb VALUES IN ("lagos")`, "INSERT INTO d.l VALUES ('lagos', 1), ('lima', 2)")
	e.awaitEqual(job, "d", "d")
	e.exec("INSERT INTO d.t VALUES (151, 'dropped at once')", "ALTER TABLE d.t DROP PARTITION p1 FORCE", "INSERT INTO d.t VALUES (2, 'after')",
		"TRUNCATE TABLE d.t PARTITION(p2)", "INSERT INTO d.t VALUES (251, 'again')")
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 1)
}

// Lost binlogs are the one unasked reason for a full sync, and it says so.
func TestLostBinlogsLeadToAFullSync(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{})
	e.exec("CREATE DATABASE d", fmt.Sprintf(duplicateTable, "d", "t"))
	e.enableBinlog("d", "t")
	e.exec("INSERT INTO d.t VALUES (1, 'a')")
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	_, err := e.ccr.Call(e.ctx, "pause", map[string]any{"name": job})
	require.NoError(t, err)
	for i := range 10 {
		e.exec(fmt.Sprintf("INSERT INTO d.t VALUES (%d, 'while paused')", i))
	}
	e.pair.Source.Core().FileBinlogs() // what is not filed yet is not collected either
	require.NoError(t, e.pair.Source.CollectBinlogs("d", 0))
	_, err = e.ccr.Call(e.ctx, "resume", map[string]any{"name": job})
	require.NoError(t, err)
	e.awaitEqual(job, "d", "d")
	e.requireFullSyncs(job, 2)
	reply, err := e.ccr.Call(e.ctx, "job_progress", map[string]any{"name": job})
	require.NoError(t, err)
	info := fmt.Sprint(reply["job_progress"].(map[string]any)["full_sync_info"])
	require.Contains(t, strings.ToLower(info), "lost")
}
