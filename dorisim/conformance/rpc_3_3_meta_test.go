package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
)

func (s *side) getMeta(db *frontendservice.TGetMetaDB) *frontendservice.TGetMetaResult_ {
	s.t.Helper()
	result, err := s.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: new(user), Passwd: new(password), Db: db})
	require.NoError(s.t, err)
	requireOK(s.t, result.Status)
	return result
}

func TestMeta(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "a", 2)
	s.table(db, "b", 1)
	s.exec("CREATE VIEW `%s`.`v` AS SELECT `k` FROM `%s`.`a`", db, db)

	all := s.meta(db)
	require.Equal(t, db, all.GetName())
	require.Len(t, all.Tables, 2, "views are never returned")
	byID := s.getMeta(&frontendservice.TGetMetaDB{ID: all.ID, Name: new("ignored, the id is preferred")})
	require.Equal(t, all, byID.DbMeta)
	require.Nil(t, s.getMeta(&frontendservice.TGetMetaDB{Name: new("no_such_db")}).DbMeta, "OK and empty")
	require.Nil(t, s.getMeta(&frontendservice.TGetMetaDB{ID: new(int64(2))}).DbMeta)
	system := s.getMeta(&frontendservice.TGetMetaDB{Name: new("information_schema")}).DbMeta
	require.Equal(t, int64(0), system.GetID())
	require.Nil(t, system.Tables)

	some := s.getMeta(&frontendservice.TGetMetaDB{ID: all.ID, Tables: []*frontendservice.TGetMetaTable{
		{ID: all.Tables[0].ID}, {Name: new("no_such_table")}, {ID: new(int64(1))}}})
	require.Len(t, some.DbMeta.Tables, 1, "unknown tables are left out silently")

	a := s.tableMeta(db, "a")
	require.Equal(t, "OLAP", a.GetType())
	require.Len(t, a.Partitions, 1)
	p := a.Partitions[0]
	require.Equal(t, "a", p.GetName(), "the partition of an unpartitioned table has its name")
	require.NotNil(t, p.Range)
	require.Empty(t, p.GetRange())
	require.EqualValues(t, 1, p.GetVisibleVersion())
	require.Len(t, p.Indexes, 1)
	require.Equal(t, "a", p.Indexes[0].GetName(), "the base index has the table's name")
	require.Len(t, p.Indexes[0].Tablets, 2)
	backends := s.backends()
	for i, tablet := range p.Indexes[0].Tablets {
		require.Len(t, tablet.Replicas, 2)
		require.NotEqual(t, tablet.Replicas[0].GetBackendID(), tablet.Replicas[1].GetBackendID())
		for _, r := range tablet.Replicas {
			require.Contains(t, backends, r.GetBackendID())
			require.EqualValues(t, 1, r.GetVersion())
			require.NotZero(t, r.GetID())
		}
		if i > 0 {
			require.Greater(t, tablet.GetID(), p.Indexes[0].Tablets[i-1].GetID(), "bucket order is id order")
		}
	}

	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
	s.nextUpsert(db, prev)
	p = s.tableMeta(db, "a").Partitions[0]
	require.EqualValues(t, 2, p.GetVisibleVersion())
	for _, tablet := range p.Indexes[0].Tablets {
		require.EqualValues(t, 2, tablet.Replicas[0].GetVersion(), "every tablet takes the version, rows or not")
	}
}

func TestMetaPartitionRanges(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`r` (`d` DATE NOT NULL, `v` INT) DUPLICATE KEY(`d`) PARTITION BY RANGE(`d`) "+
		"(PARTITION p1 VALUES [('2024-01-01'), ('2024-02-01')), PARTITION p2 VALUES LESS THAN (MAXVALUE)) "+
		"DISTRIBUTED BY HASH(`d`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")", db)
	s.exec("CREATE TABLE `%s`.`l` (`c` VARCHAR(10) NOT NULL, `v` INT) DUPLICATE KEY(`c`) PARTITION BY LIST(`c`) "+
		"(PARTITION p1 VALUES IN ('a', 'b')) DISTRIBUTED BY HASH(`c`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")", db)
	ranges := map[string]string{}
	for _, table := range s.meta(db).Tables {
		for _, p := range table.Partitions {
			ranges[table.GetName()+"."+p.GetName()] = p.GetRange()
		}
	}
	require.Equal(t, map[string]string{
		"r.p1": "[types: [DATEV2]; keys: [2024-01-01]; ..types: [DATEV2]; keys: [2024-02-01]; )",
		"r.p2": "[types: [DATEV2]; keys: [2024-02-01]; ..types: [DATEV2]; keys: [MAXVALUE]; )",
		"l.p1": "partitionKeys: [types: [VARCHAR]; keys: [a]; types: [VARCHAR]; keys: [b]; ]; ",
	}, ranges)
}

func TestMetaDropped(t *testing.T) {
	s := source(t)
	db := s.database()
	s.exec("CREATE TABLE `%s`.`r` (`k` INT NOT NULL) DUPLICATE KEY(`k`) PARTITION BY RANGE(`k`) "+
		"(PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) "+
		"DISTRIBUTED BY HASH(`k`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"1\")", db)
	s.table(db, "t", 1)
	r, table := s.tableMeta(db, "r"), s.tableMeta(db, "t")
	partitions := map[string]int64{}
	for _, p := range r.Partitions {
		partitions[p.GetName()] = p.GetID()
	}
	s.exec("ALTER TABLE `%s`.`r` DROP PARTITION `p1` FORCE", db)
	dropPartition := s.lastSeq(db)
	s.exec("DROP TABLE `%s`.`t` FORCE", db)
	dropTable := s.lastSeq(db)
	require.Greater(t, dropTable, dropPartition)
	meta := s.meta(db)
	require.Equal(t, []int64{partitions["p1"]}, meta.DroppedPartitions)
	require.Equal(t, map[int64]int64{partitions["p1"]: dropPartition}, meta.DroppedPartitionMap)
	require.Equal(t, []int64{table.GetID()}, meta.DroppedTables)
	require.Equal(t, map[int64]int64{table.GetID(): dropTable}, meta.DroppedTableMap)
}
