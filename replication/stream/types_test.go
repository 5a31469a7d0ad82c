package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// TestEveryTypeOfTheStream is TestEveryType for the two types that do not become
// a step: UPSERT and DUMMY.
func TestEveryTypeOfTheStream(t *testing.T) {
	for _, kind := range pairtest.JobKinds {
		start := func(t *testing.T) *bench {
			b := newBench(t)
			b.Upsert(102, 10, 11)
			if kind != "db" {
				b.Spec.Source.Table, b.Spec.Source.TableID = "t0", 10
				b.Spec.Destination.Table, b.Spec.Destination.TableID = "t0", 20
				b.Progress.State, b.Progress.Tables = job.TableIncrementalSync, nil
			}
			if kind == "alias" {
				b.Spec.Destination.Table = "copy"
				b.Dst.TableMeta[20].Name, b.Dst.TableMeta[20].Partitions[0].Indexes[0].Name = "copy", "copy"
			}
			return b
		}
		want := map[int64]string{20: "6000<-5000@102", 21: "6001<-5001@102"}
		if kind != "db" {
			delete(want, 21) // of another table
		}
		once := func(t *testing.T, b *bench, h Hooks, want map[int64]string) {
			t.Helper()
			got := b.stream(102, h)
			require.Nil(t, got.Problem)
			require.Nil(t, got.Wanted)
			require.Equal(t, int64(102), got.Position.CommitSeq)
			b.requireRows(want)
		}
		for name, play := range map[string]func(t *testing.T, b *bench){
			"once": func(t *testing.T, b *bench) { once(t, b, Hooks{}, want) },
			"twice": func(t *testing.T, b *bench) {
				once(t, b, Hooks{}, want)
				once(t, b, Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}}, want)
			},
			"unknown outcome, done": func(t *testing.T, b *bench) {
				b.Dst.AfterCommit = func(int64) error { return pairtest.LostReply() }
				once(t, b, Hooks{}, want)
			},
			"unknown outcome, not done": func(t *testing.T, b *bench) {
				tries := 0
				b.Dst.BeforeCommit = func(int64) error {
					if tries++; tries == 1 {
						return pairtest.LostReply()
					}
					return nil
				}
				once(t, b, Hooks{}, want)
			},
			"wrapped in a BARRIER": func(t *testing.T, b *bench) {
				rec := &b.Src.Log[0]
				rec.Data, rec.Type = pairtest.Wrapped(rec.Type, rec.Data), binlog.TypeBarrier
				once(t, b, Hooks{}, want)
			},
			"source's label": func(t *testing.T, b *bench) {
				b.Spec.ReuseBinlogLabel, b.Dst.AnyLabel = true, true
				once(t, b, Hooks{}, want)
				once(t, b, Hooks{Resume: &job.Heartbeat{Position: b.Progress.Position, At: time.Now()}}, want)
			},
			"contained in a snapshot of partitions": func(t *testing.T, b *bench) {
				b.Progress.Partitions = map[int64]int64{100: 102, 101: 102}
				once(t, b, Hooks{}, nil)
			},
			"contained in a snapshot": func(t *testing.T, b *bench) {
				if kind != "db" {
					t.Skip("a table job's position says it")
				}
				b.Progress.State = job.DBTablesIncrementalSync
				b.Progress.Tables[10] = job.Table{DestID: 20, Name: "t0", CommitSeq: 102}
				once(t, b, Hooks{}, map[int64]string{21: want[21]})
			},
			"to be skipped": func(t *testing.T, b *bench) {
				b.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 102}
				require.Equal(t, job.EndSkipped, b.stream(102, Hooks{}).End)
				b.requireRows(nil)
			},
			"DUMMY": func(t *testing.T, b *bench) {
				b.Src.Log = nil
				b.Append(150, binlog.TypeDummy, map[string]any{})
				got := b.stream(0, Hooks{})
				require.Equal(t, job.EndSnapshot, got.End)
				require.Nil(t, got.Wanted.Partial)
				require.Contains(t, got.Wanted.Reason, "lost")
			},
		} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				play(t, start(t))
			})
		}
	}
}

// requireRows compares the ingested rows of the destination's tables; each must
// have become visible once.
func (b *bench) requireRows(want map[int64]string) {
	b.T.Helper()
	b.Dst.Mu.Lock()
	defer b.Dst.Mu.Unlock()
	var have, wanted []string
	for _, tx := range b.Dst.Txns {
		if tx.State == "VISIBLE" {
			for rows := range tx.Ingested {
				have = append(have, rows)
			}
		}
	}
	for _, rows := range want {
		wanted = append(wanted, rows)
	}
	slices.Sort(have)
	slices.Sort(wanted)
	require.Equal(b.T, wanted, have)
}
