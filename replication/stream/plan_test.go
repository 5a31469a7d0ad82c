package stream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	listInBinlog = "partitionKeys: [types: [VARCHAR]; keys: [a]; types: [VARCHAR]; keys: [b]; ]; "
	listInMeta   = "[types: [VARCHAR]; keys: [a]; , types: [VARCHAR]; keys: [b]; ]"
)

func table(id int64, name string, partitions ...*meta.Partition) *tableMeta {
	return newTableMeta(&meta.Table{ID: id, Name: name, Partitions: partitions}, time.Now())
}

func TestMapRecord(t *testing.T) {
	source := func() *tableMeta {
		return table(10, "t", pairtest.Partition(100, "p1", pairtest.RangeText, pairtest.Index(1000, "t", 1, 2), pairtest.Index(1001, "r", 3)))
	}
	destination := func() *tableMeta {
		return table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11, 12), pairtest.Index(2001, "r", 13)))
	}
	record := func(ids ...int64) binlog.TableRecord {
		return binlog.TableRecord{
			PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Range: pairtest.RangeText, Version: 7, SubTxnID: -1}},
			IndexIDs:         ids,
		}
	}
	pairs := func(pieces []piece) map[int64]int64 {
		m := map[int64]int64{}
		for _, p := range pieces {
			m[p.from.ID] = p.to.ID
		}
		return m
	}
	all := map[int64]int64{1: 11, 2: 12, 3: 13}

	for name, c := range map[string]struct {
		record      binlog.TableRecord
		source      *tableMeta
		destination *tableMeta
		gone        dropped
		shadows     map[int64]int64
		want        map[int64]int64
		err         string
	}{
		"by position":       {record: record(1000, 1001), want: all},
		"no index ids":      {record: record(), want: all},
		"shadow index":      {record: record(1000, 1001, 1009), shadows: map[int64]int64{1009: 1000}, want: all},
		"renamed table":     {record: record(1000, 1001), destination: table(20, "copy", pairtest.Partition(200, "x", pairtest.RangeText, pairtest.Index(2000, "copy", 11, 12), pairtest.Index(2001, "r", 13))), want: all},
		"dropped partition": {record: record(1000, 1001), source: table(10, "t"), gone: dropped{partitions: map[int64]int64{100: 0}}, want: map[int64]int64{}},
		"unknown partition": {record: record(1000, 1001), source: table(10, "t"), err: "not in src cluster"},
		"range not there":   {record: record(1000, 1001), destination: table(20, "t"), err: "not in dest cluster"},
		"dropped index":     {record: record(1000, 1001, 1005), gone: dropped{indexes: map[int64]int64{1005: 8}}, want: all},
		"dropped index, still on the destination": {record: record(1000, 1005), gone: dropped{indexes: map[int64]int64{1005: 8}},
			err: "index 1005 of table t was dropped on the source after this load, and the destination's table t still has index r"},
		"unknown index":      {record: record(1000, 1001, 1006), err: "index id 1006 not found in src meta"},
		"index not there":    {record: record(1000, 1001), destination: table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11, 12))), err: "index name r not found in dest meta"},
		"index not covered":  {record: record(1000), err: "does not cover index r"},
		"other bucket count": {record: record(1000, 1001), destination: table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11), pairtest.Index(2001, "r", 13))), err: "src tablets length: 2 not equal to dest tablets length: 1"},
		"rollup being built": {record: record(1000, 1001), shadows: map[int64]int64{-7: 10}, want: map[int64]int64{1: 11, 2: 12},
			destination: table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11, 12)))},
		"rollup that was given up since": {record: record(1000, 1001, 1006), shadows: map[int64]int64{-7: 10}, want: all},
		"rollup of another table": {record: record(1000, 1001), shadows: map[int64]int64{-7: 11}, err: "index name r not found in dest meta",
			destination: table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11, 12)))},
		"another rollup, renamed since, while one is being built": {record: record(1000, 1001), shadows: map[int64]int64{-7: 10}, err: "does not cover index was_r",
			destination: table(20, "t", pairtest.Partition(200, "p1", pairtest.RangeText, pairtest.Index(2000, "t", 11, 12), pairtest.Index(2001, "was_r", 13)))},
		"base index of before, while a rollup is being built": {record: record(999), shadows: map[int64]int64{-7: 10}, err: "does not cover index t"},
		"list in two spellings": {
			record: binlog.TableRecord{PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Range: listInBinlog, Version: 3}}},
			source: table(10, "t", pairtest.Partition(100, "p", listInMeta, pairtest.Index(1000, "t", 1))), destination: table(20, "t", pairtest.Partition(200, "p", listInMeta, pairtest.Index(2000, "t", 11))),
			want: map[int64]int64{1: 11},
		},
		"source temporary": {
			record: record(1000), source: table(10, "t", &meta.Partition{ID: 100, Temporary: true}), want: map[int64]int64{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			from, to := c.source, c.destination
			if from == nil {
				from = source()
			}
			if to == nil {
				to = destination()
			}
			got, err := mapRecord(c.record, from, to, c.gone, c.shadows)
			if c.err != "" {
				var wrong *problem.Mismatch
				require.ErrorAs(t, err, &wrong)
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, pairs(got))
		})
	}
}

// A temporary partition of the destination may have the range of a formal one.
func TestMapRecordPrefersFormalPartition(t *testing.T) {
	temporary := pairtest.Partition(201, "tp", "", pairtest.Index(2001, "t", 99))
	temporary.Temporary = true
	destination := table(20, "t", temporary, pairtest.Partition(200, "t", "", pairtest.Index(2000, "t", 11)))
	got, err := mapRecord(
		binlog.TableRecord{PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 2}}},
		table(10, "t", pairtest.Partition(100, "t", "", pairtest.Index(1000, "t", 1))), destination, dropped{}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(11), got[0].to.ID)
	require.Equal(t, int64(200), got[0].partition)
}

func TestCandidates(t *testing.T) {
	in := &ingester{t: &txn{}, sources: map[int64]meta.Backend{
		1: {ID: 1, Alive: true}, 2: {ID: 2, Alive: true}, 3: {ID: 3, Alive: true}, 4: {ID: 4},
	}}
	p := piece{version: 5, from: &meta.Tablet{Replicas: []meta.Replica{
		{BackendID: 1, Version: 5}, {BackendID: 2, Version: 4}, {BackendID: 3, Version: 6}, {BackendID: 4, Version: 9}, {BackendID: 9, Version: 9},
	}}}
	ids := func(n int) (ids []int64) {
		for _, b := range in.candidates(p, n) {
			ids = append(ids, b.ID)
		}
		return ids
	}
	require.Equal(t, []int64{1, 3, 2, 4}, ids(0), "those that have the version first, dead ones last, unknown ones never")
	require.Equal(t, []int64{3, 1, 2, 4}, ids(1), "the next replica starts elsewhere")
	in.t.served.fail(0, 1)
	in.t.served.fail(7, 3)
	require.Equal(t, []int64{2, 4, 3, 1}, ids(0), "what has failed to serve this tablet, or others, comes later")
}

func TestQuorum(t *testing.T) {
	for replicas, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3} {
		require.Equal(t, want, quorum(replicas), "%d replicas", replicas)
	}
}
