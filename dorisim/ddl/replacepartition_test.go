package ddl

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

const twoRanges = "CREATE TABLE t (a INT) PARTITION BY RANGE(a) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(a) BUCKETS 1"

func TestReplacePartition(t *testing.T) {
	f := newFixture(t)
	f.run(twoRanges)
	table := f.tab("t")
	old := table.Partitions["p2"]
	f.run("ALTER TABLE t ADD TEMPORARY PARTITION tp2 VALUES [('10'), ('20')) DISTRIBUTED BY HASH(a) BUCKETS 3")
	temp := table.Temporary["tp2"]
	f.run("ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp2)")
	require.Same(t, temp, table.Partitions["p2"])
	require.Equal(t, "p2", temp.Name)
	require.Empty(t, table.Temporary)
	f.wantBinlog(binlog.TypeReplacePartitions, `{"dbId":$DB,"dbName":"s","tblId":$1,"tblName":"t","partitions":["p2"],"tempPartitions":["tp2"],
		"replacedPartitionIds":[$2],"strictRange":true,"useTempPartitionName":false,"version":2,"versionTime":$3,"force":false}`, table.ID, old.ID, table.VersionTime.UnixMilli())
	require.Contains(t, f.core.Dropped(f.db("s").ID).Partitions, old.ID)
}

func TestReplacePartitionRanges(t *testing.T) {
	f := newFixture(t)
	f.run(twoRanges)
	table := f.tab("t")
	f.run("ALTER TABLE t ADD TEMPORARY PARTITION tp VALUES [('-2147483648'), ('20'))")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp)"), "2 range lists are not stricly matched")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p2) WITH TEMPORARY PARTITION (tp) PROPERTIES ('strict_range' = 'false')"), "conflicts with range")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p9) WITH TEMPORARY PARTITION (tp)"), "Partition[p9] does not exist")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p1) WITH TEMPORARY PARTITION (tx)"), "Temp partition[tx] does not exist")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p1) WITH TEMPORARY PARTITION (tp) PROPERTIES ('x' = 'y')"), "Unknown properties")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p1, P1) WITH TEMPORARY PARTITION (tp)"), "Duplicated partition name")

	f.run("ALTER TABLE t REPLACE PARTITION (p1, p2) WITH TEMPORARY PARTITION (tp)")
	require.Len(t, table.Partitions, 1)
	require.Contains(t, table.Partitions, "tp", "two for one cannot keep the names")

	f.run("ALTER TABLE t ADD TEMPORARY PARTITION half VALUES [('0'), ('20'))")
	f.run("ALTER TABLE t REPLACE PARTITION (tp) WITH TEMPORARY PARTITION (half) PROPERTIES ('strict_range' = 'false', 'use_temp_partition_name' = 'true')")
	require.Contains(t, table.Partitions, "half")
	_, payload := f.last("s")
	require.Equal(t, false, payload["strictRange"])
	require.Equal(t, true, payload["useTempPartitionName"])
}

func TestReplaceListPartition(t *testing.T) {
	f := newFixture(t)
	f.run("CREATE TABLE t (a INT) PARTITION BY LIST(a) (PARTITION p1 VALUES IN ('1', '2')) DISTRIBUTED BY HASH(a) BUCKETS 1")
	f.run("ALTER TABLE t ADD TEMPORARY PARTITION a VALUES IN ('2')")
	require.ErrorContains(t, f.try("ALTER TABLE t REPLACE PARTITION (p1) WITH TEMPORARY PARTITION (a)"), "not stricly matched")
	f.run("ALTER TABLE t ADD TEMPORARY PARTITION b VALUES IN ('1')")
	f.run("ALTER TABLE t REPLACE PARTITION (p1) WITH TEMPORARY PARTITION (a, b)")
	require.Len(t, f.tab("t").Partitions, 2)
}

func TestModifyPartition(t *testing.T) {
	f := newFixture(t)
	f.run(twoRanges)
	table := f.tab("t")
	f.run("ALTER TABLE t MODIFY PARTITION p1 SET ('storage_medium' = 'ssd', 'storage_cooldown_time' = '2030-01-01 00:00:00')")
	b, payload := f.last("s")
	require.Equal(t, binlog.TypeModifyPartitions, b.Type)
	infos := payload["infos"].([]any)
	require.Len(t, infos, 1)
	info := infos[0].(map[string]any)
	require.Equal(t, float64(table.Partitions["p1"].ID), info["partitionId"])
	data := info["dataProperty"].(map[string]any)
	require.Equal(t, "SSD", data["storageMedium"])
	require.Equal(t, true, data["storageMediumSpecified"])
	require.Less(t, data["cooldownTimeMs"], float64(endOfTime))

	f.run("ALTER TABLE t MODIFY PARTITION (*) SET ('replication_num' = '2')")
	_, payload = f.last("s")
	require.Len(t, payload["infos"], 2)
	require.Equal(t, 2, table.Partitions["p2"].ReplicaNum)
	require.ErrorContains(t, f.try("ALTER TABLE t MODIFY PARTITION (p1, px) SET ('replication_num' = '1')"), "Partition[px] does not exist in table[t]")
	require.ErrorContains(t, f.try("ALTER TABLE t MODIFY PARTITION p1 SET ('x' = '1')"), "Unknown properties")
	require.ErrorContains(t, f.try("ALTER TABLE t MODIFY PARTITION p1 SET ('storage_medium' = 'tape')"), "Invalid storage medium")
}
