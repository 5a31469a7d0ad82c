package be

import (
	"context"
	"testing"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// BenchmarkPublishAndScan writes many one-row transactions into a table of
// 100,000 rows and reads the table now and then.
func BenchmarkPublishAndScan(b *testing.B) {
	for _, keys := range []types.KeysType{types.DupKeys, types.UniqueKeys} {
		b.Run(string(keys), func(b *testing.B) {
			backend := New(Config{ID: 1})
			if err := backend.Start(); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(backend.Close)
			if err := backend.CreateTablet(TabletSpec{TabletID: 5, Schema: schemaOf(keys, intColumn("v", "")), BinlogEnabled: true}); err != nil {
				b.Fatal(err)
			}
			data := RowsetData{}
			for i := range 100_000 {
				data.Rows = append(data.Rows, rowOf(i, i))
			}
			publish := func(version int64, data RowsetData) {
				if err := backend.Write(version, 1, 5, data); err != nil {
					b.Fatal(err)
				}
				if err := backend.Publish(version, 1, 5, version); err != nil {
					b.Fatal(err)
				}
			}
			publish(2, data)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				version := int64(i) + 3
				publish(version, rows(rowOf(i*7%150_000, i)))
				if i%100 == 0 {
					if _, err := backend.Scan(context.Background(), 5, version); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkIngest downloads one-row binlogs between two backends.
func BenchmarkIngest(b *testing.B) {
	source, destination := New(Config{ID: 1}), New(Config{ID: 2})
	for _, backend := range []*Backend{source, destination} {
		if err := backend.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(backend.Close)
		if err := backend.CreateTablet(TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys, intColumn("v", "")), BinlogEnabled: true}); err != nil {
			b.Fatal(err)
		}
	}
	if err := source.Write(1, 1, 5, rows(rowOf(1, 1))); err != nil {
		b.Fatal(err)
	}
	if err := source.Publish(1, 1, 5, 2); err != nil {
		b.Fatal(err)
	}
	s := &service{backend: destination, process: destination.process.Load()}
	b.ResetTimer()
	for i := range b.N {
		result, err := s.IngestBinlog(context.Background(), ingestRequest(source, 5, 2, int64(i)+10, 5))
		if err != nil || result.Status.StatusCode != 0 {
			b.Fatal(err, result)
		}
		destination.Abort(int64(i) + 10)
	}
}
