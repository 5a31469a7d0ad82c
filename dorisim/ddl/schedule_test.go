package ddl

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
)

const dynamicTable = "CREATE TABLE t (d DATE) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(d) BUCKETS 1 PROPERTIES (" +
	"'dynamic_partition.enable' = 'true', 'dynamic_partition.time_unit' = 'DAY', 'dynamic_partition.start' = '-2', " +
	"'dynamic_partition.end' = '1', 'dynamic_partition.prefix' = 'p'"

// names are the names of the formal partitions.
func names(t *catalog.Table) map[string]bool {
	set := map[string]bool{}
	for name := range t.Partitions {
		set[name] = true
	}
	return set
}

func TestScheduler(t *testing.T) {
	f := newFixture(t)
	f.run(dynamicTable + ")")
	f.run(dynamicTable[:13] + "kept" + dynamicTable[14:] + ", 'dynamic_partition.reserved_history_periods' = '[2000-01-01,2100-01-01]')")
	f.run(dynamicTable[:13] + "synced" + dynamicTable[14:] + ", 'is_being_synced' = 'true')")
	today := f.core.Now().UTC()
	day := func(n int) string { return "p" + today.AddDate(0, 0, n).Format("20060102") }
	require.Equal(t, map[string]bool{day(0): true, day(1): true}, names(f.tab("t")))

	f.core.AdvanceClock(24 * time.Hour)
	f.RunDynamicPartitions()
	require.Equal(t, map[string]bool{day(0): true, day(1): true, day(2): true}, names(f.tab("t")))
	f.core.AdvanceClock(3 * 24 * time.Hour)
	f.RunDynamicPartitions()
	require.Equal(t, map[string]bool{day(2): true, day(4): true, day(5): true}, names(f.tab("t")), "two days back are kept")
	all, _ := f.core.ReadBinlogs(f.db("s").ID, -1, -1, 1000)
	dropped := 0
	for _, b := range all {
		if b.Type == binlog.TypeDropPartition {
			dropped++
		}
	}
	require.Equal(t, 2, dropped)
	require.Len(t, f.tab("kept").Partitions, 5)
	require.Empty(t, f.tab("synced").Partitions)

	f.core.SetFEConfig("dynamic_partition_enable", "false")
	f.core.AdvanceClock(24 * time.Hour)
	f.RunDynamicPartitions()
	require.Len(t, f.tab("t").Partitions, 3)
}

func TestRetention(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (d DATETIME NOT NULL) AUTO PARTITION BY RANGE(date_trunc(d, 'day')) () DISTRIBUTED BY HASH(d) BUCKETS 1 PROPERTIES ('partition.retention_count' = '2')")
	now := f.core.Now().UTC()
	for n := range 5 {
		at := now.AddDate(0, 0, -n).Format(time.DateTime)
		require.NoError(t, f.AddAutoPartition(t.Context(), "s", "t", []any{at}))
	}
	f.RunDynamicPartitions()
	require.Len(t, f.tab("t").Partitions, 3, "today's and two of the past")
}
