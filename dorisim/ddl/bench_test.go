package ddl

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkCreateTable creates tables of many partitions: the time for one
// partition must not grow with their number.
func BenchmarkCreateTable(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		for kind, item := range map[string]string{"RANGE": "[('%[1]d'), ('%[2]d'))", "LIST": "IN ('%[1]d')"} {
			b.Run(fmt.Sprintf("%s/partitions=%d", kind, n), func(b *testing.B) {
				f := newFixture(b)
				for i := range b.N {
					items := make([]string, n)
					for j := range items {
						items[j] = fmt.Sprintf("PARTITION p%d VALUES "+item, j, j+1)
					}
					f.run(fmt.Sprintf("CREATE TABLE t%d (k INT NOT NULL) DUPLICATE KEY(k) PARTITION BY %s(k) (%s) DISTRIBUTED BY HASH(k) BUCKETS 1", i, kind, strings.Join(items, ", ")))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/partition")
			})
		}
	}
}
