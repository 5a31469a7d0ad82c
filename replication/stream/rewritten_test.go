package stream

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// A load names the index that was (1000, gone at 300) and the one that is (1009).
func TestStreamLoadBeforeAnUnknownSchemaChange(t *testing.T) {
	const change = `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t0","jobState":"%s","iim":{"%d":%d}}`
	for name, c := range map[string]struct {
		seq      int64 // of what dropped the index
		typ      binlog.Type
		payload  string
		shadow   bool // the job knows of it
		snapshot bool
	}{
		"schema change":                  {seq: 300, typ: binlog.TypeAlterJob, payload: fmt.Sprintf(change, "FINISHED", 1009, 1000), snapshot: true},
		"one that the job knows":         {seq: 300, typ: binlog.TypeAlterJob, payload: fmt.Sprintf(change, "FINISHED", 1009, 1000), shadow: true, snapshot: true},
		"of another index":               {seq: 300, typ: binlog.TypeAlterJob, payload: fmt.Sprintf(change, "FINISHED", 1009, 1001)},
		"a rollup of before was dropped": {seq: 300, typ: binlog.TypeDropRollup, payload: `{"tableId":10,"indexId":1000,"indexName":"r"}`},
		"servers that do not tell":       {seq: 0, typ: binlog.TypeDropRollup, payload: `{}`, snapshot: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Src.TableMeta[10].Partitions = []*meta.Partition{pairtest.Partition(100, "t0", "", pairtest.Index(1009, "t0", 5000))}
			b.Src.Gone.DroppedIndexes = map[int64]int64{1000: c.seq}
			if c.shadow {
				b.Progress.ShadowIndexes = map[int64]int64{1009: 1000}
			}
			b.Append(120, binlog.TypeUpsert, binlog.Upsert{CommitSeq: 120, TableRecords: map[int64]binlog.TableRecord{10: {
				PartitionRecords: []binlog.PartitionRecord{{PartitionID: 100, Version: 7, SubTxnID: -1}}, IndexIDs: []int64{1000, 1009},
			}}}, 10)
			b.Src.Log = append(b.Src.Log, binlog.Record{CommitSeq: 300, Type: c.typ, TableIDs: []int64{10}, Data: c.payload})
			got := b.stream(0, Hooks{})
			if !c.snapshot {
				require.Equal(t, job.EndBinlog, got.End)
				require.Equal(t, []int64{120}, b.Dst.Commits())
				return
			}
			require.Equal(t, job.EndSnapshot, got.End)
			require.Equal(t, &job.PartialSync{TableID: 10, Table: "t0", Replace: true}, got.Wanted.Partial)
			require.Empty(t, b.Dst.Commits())
		})
	}
}
