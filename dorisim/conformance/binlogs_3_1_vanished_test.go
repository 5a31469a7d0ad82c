package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// TestVanishedPartitions is doris-binlogs.md 3.1: TRUNCATE, INSERT OVERWRITE and
// DROP PARTITION FORCE do not wait for committed loads; publishing drops the
// partitions that are gone and keeps the record of their table, a table that is
// gone has none.
func TestVanishedPartitions(t *testing.T) {
	cluster, s := private(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`parted` (`k` INT NOT NULL) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) (PARTITION p0 VALUES [(\"0\"), (\"10\")), "+
		"PARTITION p1 VALUES [(\"10\"), (\"20\"))) DISTRIBUTED BY HASH(`k`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")", db)
	s.table(db, "whole", 1)
	load := func(table, rows string) {
		s.exec("INSERT INTO `%s`.`%s` VALUES %s", db, table, rows)
	}
	load("parted", "(1), (11)")
	load("whole", "(1, 1)")
	s.db.SetMaxOpenConns(1) // one session
	s.exec("SET insert_visible_timeout_ms = 1000")
	for _, c := range []struct {
		name, table, rows, race string
		partitions              int // that the record has; -1: no record of the table
	}{
		{"truncate", "parted", "(2), (12)", "TRUNCATE TABLE `%s`.`parted`", 0},
		{"truncate a partition", "parted", "(3), (13)", "TRUNCATE TABLE `%s`.`parted` PARTITION (p0)", 1},
		{"drop a partition", "parted", "(4), (14)", "ALTER TABLE `%s`.`parted` DROP PARTITION p0 FORCE", 1},
		{"overwrite", "whole", "(2, 2)", "INSERT OVERWRITE TABLE `%s`.`whole` VALUES (9, 9)", 0},
		{"drop the table", "parted", "(15)", "DROP TABLE `%s`.`parted` FORCE", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := s.tableMeta(db, c.table).GetID()
			prev := s.lastSeq(db)
			held, err := cluster.Faults().Add(faults.Rule{Point: "publish", Action: faults.Hold, Count: 1})
			require.NoError(t, err)
			load(c.table, c.rows) // COMMITTED
			s.exec(c.race, db)
			faultstest.Release(t, cluster.Faults(), held)
			var found *frontendservice.TBinlog
			require.Eventually(t, func() bool {
				for _, b := range s.binlogs(db, -1, prev) {
					if b.GetType() == frontendservice.TBinlogType_UPSERT && !strings.Contains(b.GetData(), `"isTempPartition":true`) {
						found = b
					}
				}
				return found != nil
			}, patience, 5*time.Millisecond)
			u := decodeUpsert(t, found)
			record, ok := u.TableRecords[itoa(id)]
			if c.partitions < 0 {
				require.Empty(t, u.TableRecords)
				require.Empty(t, found.TableIds)
				return
			}
			require.True(t, ok, found.GetData())
			require.Len(t, record.PartitionRecords, c.partitions)
			require.NotEmpty(t, record.IndexIDs)
			require.Equal(t, []int64{id}, found.TableIds)
			require.NotContains(t, found.GetData(), `"partitionRecords":null`)
		})
	}
}
