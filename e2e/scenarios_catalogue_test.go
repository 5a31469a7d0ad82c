package e2e

import (
	"context"
	"fmt"
	"slices"
)

// catalogue is every row of doris-binlogs.md chapter 6.
func catalogue() []scenario {
	return slices.Concat(
		partialSyncRaces(), racesAtTheBackup(), tableSequences(), tableRecovery(), tableCreation(), // 6.1, 6.2
		snapshotRaces(), snapshotChoices(), // 6.3
		afterPartialSync(), // 6.4
		afterTheBarrier(),
		partitions(), partitionRecovery(), // 6.5
		columns(), indexes(), kinds(), // 6.6
		transactions(),   // 6.7
		views(), names(), // 6.8
	)
}

const onePlace = `PROPERTIES ("replication_num" = "1")`

// plain creates tables that keep every row: one that is applied twice shows.
func plain(tables ...string) step {
	return func(ctx context.Context, s *scene) error {
		for _, name := range tables {
			if err := run("CREATE TABLE "+name+" (id INT, v VARCHAR(40)) DUPLICATE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 2 "+onePlace)(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// parted creates tables with partitions p1 [0, 100) to p5 [400, 500).
func parted(tables ...string) step {
	return func(ctx context.Context, s *scene) error {
		for _, name := range tables {
			text := "CREATE TABLE " + name + " (id INT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) ("
			for i := range 5 {
				if i > 0 {
					text += ", "
				}
				text += fmt.Sprintf(`PARTITION p%d VALUES [("%d"), ("%d"))`, i+1, i*100, i*100+100)
			}
			if err := run(text+") DISTRIBUTED BY HASH(id) BUCKETS 2 "+onePlace)(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// coarse creates a table with other partitions than parted.
func coarse(table string) step {
	return run("CREATE TABLE " + table + ` (id INT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (
		PARTITION q1 VALUES [("0"), ("50")), PARTITION q2 VALUES [("50"), ("1000"))) DISTRIBUTED BY HASH(id) BUCKETS 2 ` + onePlace)
}

func steps(all ...step) []step { return all }

// inTurn makes one step of several.
func inTurn(all ...step) step {
	return func(ctx context.Context, s *scene) error {
		for _, do := range all {
			if err := do(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// ofT is in the reason of a snapshot of t for a schema change, whether its
// ALTER_JOB asked for it or a load before that.
const ofT = "of table t"

// paused plays steps while the job is stopped: it meets them late, all at once.
func paused(all ...step) []step { return slices.Concat([]step{pause}, all, []step{resume}) }

func replaceTable(old, with string) step { return run(replaceStatement(old, with, false)) }

func swapTables(a, b string) step { return run(replaceStatement(a, b, true)) }

func replaceStatement(old, with string, swap bool) string {
	return fmt.Sprintf(`ALTER TABLE %s REPLACE WITH TABLE %s PROPERTIES ("swap" = "%t")`, old, with, swap)
}

// noB is what a source says of a table b that is not there.
const noB = "'b'"

// recoverReplaced recovers a table that REPLACE WITH TABLE has replaced. Before
// new such a table is gone for good (doris-binlogs.md 2.20, isForce).
func recoverReplaced(table, as string) step {
	return sinceNew("Unknown table '"+table+"'", "RECOVER TABLE "+table+" AS "+as)
}

// insertSinceNew inserts into a table that exists since new only.
func insertSinceNew(table string, n int) step {
	if old() {
		return refused("Table ["+table+"] does not exist", "INSERT INTO "+table+" (id, v) VALUES (1, 'x')")
	}
	return insert(table, n)
}

func drop(table string) step { return run("DROP TABLE " + table + " FORCE") }

func rename(from, to string) step { return run("ALTER TABLE " + from + " RENAME " + to) }

type rows = map[string]int
