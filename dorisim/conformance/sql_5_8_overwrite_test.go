package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
)

// INSERT OVERWRITE makes automatic partitions only if
// enable_auto_create_when_overwrite says so, and never with a list of partitions
// (doris-sql.md 5.8).
func TestAutoCreateWhenOverwrite(t *testing.T) {
	s := source(t).session()
	db := s.database()
	s.exec("CREATE TABLE `%s`.a (k VARCHAR(20) NOT NULL) DUPLICATE KEY(k) AUTO PARTITION BY LIST (k) (PARTITION p1 VALUES IN ('Beijing', 'BEIJING'), "+
		"PARTITION p2 VALUES IN ('Shanghai', 'SHANGHAI'), PARTITION p3 VALUES IN ('xxx')) DISTRIBUTED BY HASH(k) BUCKETS 1 %s", db, once)
	rows := func() string { return values(s.query("SELECT k FROM `%s`.a ORDER BY k", db), "k") }
	s.exec("INSERT INTO `%s`.a VALUES ('Beijing'), ('Shanghai'), ('xxx')", db)
	const filtered = "Insert has filtered data in strict mode"
	s.refuses(1105, filtered, "INSERT OVERWRITE TABLE `%s`.a VALUES ('zzz')", db)
	s.refuses(1105, "Cannot found origin partitions in auto detect overwriting", "INSERT OVERWRITE TABLE `%s`.a PARTITION(*) VALUES ('zzz')", db)
	require.Equal(t, "Beijing,Shanghai,xxx", rows())

	s.exec("set enable_auto_create_when_overwrite = true")
	prev := s.lastSeq(db)
	s.exec("INSERT OVERWRITE TABLE `%s`.a VALUES ('SHANGHAI'), ('zzz')", db)
	require.Equal(t, "SHANGHAI,zzz", rows())
	require.Contains(t, values(s.query("SHOW PARTITIONS FROM `%s`.a", db), "PartitionName"), "pzzz3")
	require.Equal(t, binlog.TypeAddPartition, s.kinds(db, prev)[0], "of the new partition, before the overwriting")
	s.exec("INSERT OVERWRITE TABLE `%s`.a VALUES ('zzz2')", db)
	require.Equal(t, "zzz2", rows(), "the whole table is overwritten")
	s.refuses(1105, filtered, "INSERT OVERWRITE TABLE `%s`.a PARTITION(p1, p2) VALUES ('new')", db)
	s.exec("INSERT INTO `%s`.a VALUES ('Beijing'), ('Shanghai')", db)
	s.exec("INSERT OVERWRITE TABLE `%s`.a PARTITION(*) VALUES ('abcd'), ('BEIJING')", db)
	require.Equal(t, "BEIJING,Shanghai,abcd,zzz2", rows(), "only partitions that have new rows are overwritten")
}
