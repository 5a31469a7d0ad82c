package be

import (
	"fmt"
	"path"
	"testing"
	"time"
)

// BenchmarkFileStore makes, lists, reads and releases the snapshots of many
// tablets, as a backup and its restore do: the time for one must not grow with
// their number.
func BenchmarkFileStore(b *testing.B) {
	for _, tablets := range []int{1_000, 10_000} {
		b.Run(fmt.Sprintf("tablets=%d", tablets), func(b *testing.B) {
			for range b.N {
				f := newFileStore("/root", time.Now)
				roots := make([]string, tablets)
				for i := range roots {
					roots[i] = f.addSnapshot(snapshotDir(int64(i), 7), map[string][]byte{"a.dat": nil, "a.hdr": nil}, time.Hour)
				}
				for i, root := range roots {
					dir := path.Join(root, snapshotDir(int64(i), 7))
					names, ok := f.list(dir)
					if !ok || len(names) != 2 {
						b.Fatalf("listing of %s: %v", dir, names)
					}
					for _, name := range names {
						if _, ok := f.file(path.Join(dir, name)); !ok {
							b.Fatalf("no %s in %s", name, dir)
						}
					}
				}
				for _, root := range roots {
					f.remove(root)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*tablets), "ns/tablet")
		})
	}
}
