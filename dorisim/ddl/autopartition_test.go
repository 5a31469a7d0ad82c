package ddl

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

func TestAutoListName(t *testing.T) {
	kinds := []types.Kind{types.Varchar, types.Varchar}
	bound := func(values ...any) catalog.Bound {
		var b catalog.Bound
		for _, v := range values {
			b = append(b, catalog.BoundValue{Value: v})
		}
		return b
	}
	for want, key := range map[string]catalog.Bound{
		"pbeijing7": bound("beijing"), "p1111": bound(int64(1), int64(1)), "p_2d122d12": bound(int64(-1), int64(-1)),
		"pX11": bound(nil, int64(1)), "pXX": bound(nil, nil), "pa20b3": bound("a b"),
	} {
		require.Equal(t, want, autoListName(kinds, key))
	}
}

func TestAddAutoPartition(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE r (dt DATETIME NOT NULL, v INT) AUTO PARTITION BY RANGE (date_trunc(dt, 'month')) () DISTRIBUTED BY HASH(v) BUCKETS 1")
	f.run("CREATE TABLE l (c VARCHAR(9), v INT) AUTO PARTITION BY LIST (c) () DISTRIBUTED BY HASH(v) BUCKETS 1")
	add := func(table string, key ...types.Value) error { return f.AddAutoPartition(t.Context(), "s", table, key) }
	require.NoError(t, add("r", "2025-02-11 10:11:12"))
	table := f.tab("r")
	p := table.Partitions["p20250201000000"]
	require.NotNil(t, p)
	require.Equal(t, "[types: [DATETIMEV2]; keys: [2025-02-01 00:00:00]; ..types: [DATETIMEV2]; keys: [2025-03-01 00:00:00]; )", rangetext.RangeText(table, p, false))
	b, payload := f.last("s")
	require.Equal(t, binlog.TypeAddPartition, b.Type)
	require.Equal(t, "ADD PARTITION `p20250201000000` VALUES [('2025-02-01 00:00:00'), ('2025-03-01 00:00:00')) (\"version_info\" = \"1\");", payload["sql"])
	before := f.core.LastJournal()
	require.NoError(t, add("r", "2025-02-28 23:59:59")) // is there
	require.Equal(t, before, f.core.LastJournal())

	require.NoError(t, add("l", "x"))
	require.NoError(t, add("l", nil))
	require.Contains(t, f.tab("l").Partitions, "px1")
	require.Contains(t, f.tab("l").Partitions, "pX")

	f.run("CREATE TABLE n (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1")
	require.Error(t, add("n", int64(1)))
	require.Error(t, add("gone", int64(1)))
	require.Error(t, add("r", nil))
}

func TestTruncateUnits(t *testing.T) {
	at := time.Date(2025, 8, 14, 10, 11, 12, 0, time.UTC) // a Thursday
	for unit, want := range map[string]string{
		"year": "2025-01-01 00:00:00", "quarter": "2025-07-01 00:00:00", "month": "2025-08-01 00:00:00", "week": "2025-08-11 00:00:00",
		"day": "2025-08-14 00:00:00", "hour": "2025-08-14 10:00:00", "minute": "2025-08-14 10:11:00", "second": "2025-08-14 10:11:12",
	} {
		lower := types.TruncateTime(at, unit)
		require.Equal(t, want, lower.Format(time.DateTime), unit)
		require.True(t, advance(lower, unit, 1).After(at), unit)
	}
}

func TestDynamicPartitions(t *testing.T) {
	now := time.Date(2025, 8, 14, 23, 30, 0, 0, time.UTC)
	c := core.New(core.Config{Name: "dynamic", GCPeriod: -1, Now: func() time.Time { return now }})
	t.Cleanup(c.Close)
	f := newFixture(t)
	c.AddBackend(core.BackendInfo{ID: 1, Alive: true}, f.backend)
	f.Executor = New(c, nil)
	f.run(`CREATE DATABASE s PROPERTIES ("binlog.enable" = "true")`)
	create := func(name, props string) {
		f.run("CREATE TABLE " + name + " (d DATE, v INT) PARTITION BY RANGE(d) () DISTRIBUTED BY HASH(v) BUCKETS 1 PROPERTIES ('dynamic_partition.prefix' = 'p'," + props + ")")
	}
	names := func(table string) (list []string) {
		for _, p := range rangetext.Sorted(f.tab(table), f.tab(table).Partitions) {
			list = append(list, p.Name)
		}
		return list
	}
	create("day", "'dynamic_partition.time_unit' = 'DAY', 'dynamic_partition.end' = '1', 'dynamic_partition.start' = '-2', 'dynamic_partition.create_history_partition' = 'true',"+
		" 'dynamic_partition.time_zone' = 'Asia/Shanghai', 'dynamic_partition.buckets' = '2'")
	require.Equal(t, []string{"p20250813", "p20250814", "p20250815", "p20250816"}, names("day"))
	require.Equal(t, 2, f.tab("day").Partitions["p20250813"].Distribution.Buckets)
	b, _ := f.last("s")
	require.Equal(t, binlog.TypeAddPartition, b.Type)
	create("week", "'dynamic_partition.time_unit' = 'WEEK', 'dynamic_partition.end' = '1', 'dynamic_partition.start_day_of_week' = '3'")
	require.Equal(t, []string{"p2025_33", "p2025_34"}, names("week"))
	create("month", "'dynamic_partition.time_unit' = 'MONTH', 'dynamic_partition.end' = '1'")
	require.Equal(t, []string{"p202508", "p202509"}, names("month"))
	create("synced", "'dynamic_partition.time_unit' = 'DAY', 'dynamic_partition.end' = '1', 'is_being_synced' = 'true'")
	require.Empty(t, names("synced"))
	f.run("ALTER TABLE synced ADD PARTITION p20250101 VALUES LESS THAN ('2025-01-02')") // allowed while synced

	f.run("ALTER TABLE month SET ('dynamic_partition.end' = '2', 'dynamic_partition.replication_num' = '1')")
	require.Equal(t, []string{"p202508", "p202509"}, names("month"), "until the scheduler comes by")
	f.RunDynamicPartitions()
	require.Equal(t, []string{"p202508", "p202509", "p202510"}, names("month"))
	require.ErrorContains(t, f.try("CREATE TABLE x (d DATE) PARTITION BY RANGE(d) () PROPERTIES ('dynamic_partition.end' = '1')"),
		"Must assign dynamic_partition.time_unit properties")
}
