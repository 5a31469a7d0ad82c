package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// TestBinlogsFiledLate: a reader that always asks for what is greater than the
// last one misses binlogs of a database, and never one of a table
// (doris-binlogs.md 1.2).
func TestBinlogsFiledLate(t *testing.T) {
	_, s := private(t, func(c *dorisim.Config) {
		c.LateFiling = core.LateFiling{Percent: 50, Max: 50 * time.Millisecond, Seed: 11}
	})
	db := s.database()
	const tables, rounds = 4, 10
	ids := make([]int64, tables)
	for i := range tables {
		s.exec("CREATE TABLE `%s`.`t%d` (`k` INT NOT NULL) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) () DISTRIBUTED BY HASH(`k`) BUCKETS 1 "+
			"PROPERTIES (\"replication_num\" = \"1\", \"binlog.enable\" = \"true\")", db, i)
		ids[i] = s.tableMeta(db, fmt.Sprintf("t%d", i)).GetID()
	}
	followers := map[int64]*int64{-1: new(int64(-1))}
	for _, id := range ids {
		followers[id] = new(int64(-1))
	}
	got := map[int64]int{}
	poll := func() {
		for id, prev := range followers {
			result := s.getBinlog(binlogRequest(db, id, *prev, 255))
			for _, b := range result.Binlogs { // none while no list has anything
				*prev = b.GetCommitSeq()
				got[id]++
			}
		}
	}
	for round := range rounds {
		for i := range tables {
			s.exec("ALTER TABLE `%s`.`t%d` ADD PARTITION p%d VALUES [(\"%d\"), (\"%d\"))", db, i, round, round, round+1)
			poll()
		}
	}
	require.Eventually(t, func() bool {
		poll()
		return len(s.getBinlog(binlogRequest(db, -1, -1, 255)).Binlogs) == tables*(rounds+1)
	}, patience, 5*time.Millisecond, "all arrive at last")
	poll()
	for _, id := range ids {
		require.Equal(t, rounds, got[id], "a table's log is in order")
	}
	require.Less(t, got[-1], tables*(rounds+1), "a follower of the database's log misses some")
}
