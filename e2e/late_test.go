package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// A source files binlogs late and out of order (doris-binlogs.md 1.2): who has met
// 106 and goes on from there never gets 104. Neither loads nor partitions nor
// tables may be missed, and none may be applied twice, whenever the process dies.
func TestLateBinlogs(t *testing.T) {
	t.Parallel()
	e := newOwnEnv(t, harness.PairOptions{LateFiling: &core.LateFiling{Percent: 40, Max: 200 * time.Millisecond}})
	tables := []string{"t0", "t1", "t2", "t3"}
	e.exec("CREATE DATABASE d")
	for _, name := range tables {
		e.exec(fmt.Sprintf(`CREATE TABLE d.%s (id BIGINT, v VARCHAR(40)) DUPLICATE KEY(id) PARTITION BY RANGE(id) (PARTITION p0 VALUES LESS THAN ("100"))
			DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ("replication_num" = "1")`, name))
	}
	e.enableBinlog("d", tables...)
	job := e.createJob("d", "", "d", "")
	e.awaitEqual(job, "d", "d")
	for i := range 20 {
		e.exec(fmt.Sprintf(`ALTER TABLE d.%s ADD PARTITION p%d VALUES LESS THAN ("%d")`, tables[i%4], i+1, (i+2)*100))
		for other := 1; other < 4; other++ { // binlogs of one table are filed in order
			e.exec(fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'row')", tables[(i+other)%4], i))
		}
		if i%10 == 5 {
			e.exec(fmt.Sprintf(duplicateTable, "d", fmt.Sprintf("new%d", i)))
		}
		if i == 10 {
			e.ccr.Kill()
			require.NoError(t, e.ccr.Start(e.ctx))
		}
		// Only a job that keeps up meets the gaps.
		require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
			var rows int
			for _, name := range tables {
				n := 0
				if err := e.dst.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM d.%s WHERE id = %d", name, i)).Scan(&n); err != nil {
					return err
				}
				rows += n
			}
			if rows == 0 {
				return fmt.Errorf("no row %d has come", i)
			}
			return nil
		}))
	}
	e.awaitEqual(job, "d", "d")
	for i := range 60 { // and without a change, which would have the job read again
		e.exec(fmt.Sprintf("INSERT INTO d.%s VALUES (%d, 'only rows')", tables[i%4], i))
	}
	e.awaitEqual(job, "d", "d")
	for _, name := range tables {
		want, err := column(e.ctx, e.src, "SHOW PARTITIONS FROM d."+name, "PartitionName")
		require.NoError(t, err)
		got, err := column(e.ctx, e.dst, "SHOW PARTITIONS FROM d."+name, "PartitionName")
		require.NoError(t, err)
		require.ElementsMatch(t, want, got, name)
	}
	e.requireFullSyncs(job, 1)
}
