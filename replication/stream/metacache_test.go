package stream

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
)

// What docs/sizing.md says of the memory that metadata takes: one side of a job
// with 1,000 tablets of three replicas.
func TestMetadataOfTabletsIsSmall(t *testing.T) {
	const thousands = 100
	before := heapUsed()
	cache := newMetaCache(nil, 1, time.Minute)
	for i := range int64(thousands) {
		cache.tables[i] = newTableMeta(tableOf(i, 100, 10), time.Now())
	}
	perThousand := float64(heapUsed()-before) / thousands
	t.Logf("%.0f KB for 1,000 tablets with three replicas", perThousand/1000)
	require.Less(t, perThousand, 200e3)
	require.Len(t, cache.tables, thousands)
}

func heapUsed() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// tableOf is a table partitioned by day.
func tableOf(id int64, partitions, buckets int) *meta.Table {
	next := id * 1_000_000
	number := func() int64 { next++; return next }
	t := &meta.Table{ID: id, Name: fmt.Sprintf("table_%d", id)}
	for i := range partitions {
		index := &meta.Index{ID: number(), Name: t.Name}
		for range buckets {
			tablet := &meta.Tablet{ID: number(), Replicas: make([]meta.Replica, 0, 3)}
			for backend := range int64(3) {
				tablet.Replicas = append(tablet.Replicas, meta.Replica{ID: number(), BackendID: 10_001 + backend, Version: 2})
			}
			index.Tablets = append(index.Tablets, tablet)
		}
		text := fmt.Sprintf("types: [DATEV2]; keys: [%d]; ..types: [DATEV2]; keys: [%d]; ", i, i+1)
		t.Partitions = append(t.Partitions, &meta.Partition{
			ID: number(), Name: fmt.Sprintf("p%d", i), Range: text, Key: meta.NormalizeRange(text), VisibleVersion: 2, Indexes: []*meta.Index{index},
		})
	}
	return t
}
