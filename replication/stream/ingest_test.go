package stream

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

func refusedIngest(code status.Code, text string) error {
	return &be.StatusError{Server: "be", Method: "ingest_binlog", Code: code, Messages: []string{text}}
}

// Whatever became of a failed ingest: its transaction is rolled back and another
// one begun (doris-rpc.md 4.1). The bench counts the ingests of each.
func TestIngestsAreNotRepeatedInATransaction(t *testing.T) {
	for name, failure := range map[string]error{
		"refused": refusedIngest(status.HTTPError, "connection refused"),
		"unknown": &be.TransportError{Method: "ingest_binlog", Sent: true, Err: errors.New("timeout")},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.Options.Group = 8
			b.Upsert(102, 10, 11)
			b.Upsert(104, 12)
			var failed atomic.Bool
			var once sync.Once
			b.Dst.OnIngest = func(_ int64, req be.IngestRequest) (err error) {
				if req.RemoteTabletID == 5001 {
					once.Do(func() { failed.Store(true); err = failure })
				}
				return err
			}
			got := b.stream(104, Hooks{})
			require.Nil(t, got.Problem)
			require.True(t, failed.Load())
			require.Equal(t, []int64{102, 102, 104}, b.Dst.Visible())
		})
	}
}

// A commit that has not got through is made again, with the rows that are there.
func TestCommitAgainDoesNotIngestAgain(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10)
	var once sync.Once
	b.Dst.BeforeCommit = func(int64) (err error) {
		once.Do(func() {
			err = &fe.StatusError{Server: "fe", Method: "commitTxn", Messages: []string{"get tableList write lock timeout, tableList=(t)"}}
		})
		return err
	}
	ingests := 0
	b.Dst.OnIngest = func(int64, be.IngestRequest) error { ingests++; return nil }
	got := b.stream(102, Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, 1, ingests)
}

// An open transaction with one of our labels may hold rows of whoever began it.
func TestAnOpenTransactionIsNotAdopted(t *testing.T) {
	b := newBench(t)
	want := b.upserts(3)
	var left int64
	b.Dst.OnIngest = func(seq int64, _ be.IngestRequest) error {
		if seq == want[0] { // after this attempt has looked back
			left = b.Dst.Put(b.Label(want[2]), sqlclient.TxnPrepare)
			b.Dst.Mu.Lock()
			defer b.Dst.Mu.Unlock()
			b.Dst.Txns[left].Request = pair.RequestID(b.Label(want[2]))
			b.Dst.Txns[left].Ingested["6002<-5002@99"] = true
		}
		return nil
	}
	b.Options.Window = 1
	got := b.stream(want[2], Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, want, b.Dst.Visible())
	require.Equal(t, sqlclient.TxnAborted, b.Dst.Txns[left].State)
}

func (b *bench) sourceReplicas(table, backends int64) {
	tablet := b.Src.TableMeta[table].Partitions[0].Indexes[0].Tablets[0]
	tablet.Replicas = nil
	b.Src.Nodes = nil
	for id := int64(1); id <= backends; id++ {
		tablet.Replicas = append(tablet.Replicas, meta.Replica{ID: id, BackendID: id, Version: 1000})
		b.Src.Nodes = append(b.Src.Nodes, meta.Backend{ID: id, Host: fmt.Sprintf("src-be%d", id), HTTPPort: 8040, Alive: true})
	}
}

// A source replica that does not have the rows of a binlog is no reason to stand:
// another one may have them, else the table comes by a snapshot.
func TestRowsThatASourceReplicaDoesNotHave(t *testing.T) {
	b := newBench(t)
	b.sourceReplicas(10, 3)
	b.Upsert(102, 10)
	b.Dst.OnIngest = func(_ int64, req be.IngestRequest) error {
		if req.RemoteHost != "src-be3" {
			return refusedIngest(status.HTTPError, "http status code is 404: get binlog info failed, binlog_version=102")
		}
		return nil
	}
	got := b.stream(102, Hooks{})
	require.Nil(t, got.Problem)
	require.Equal(t, []int64{102}, b.Dst.Visible())

	b = newBench(t)
	b.Options.RetryBudget *= 100
	b.sourceReplicas(10, 2)
	b.Upsert(102, 10)
	b.Dst.OnIngest = func(int64, be.IngestRequest) error {
		return refusedIngest(status.HTTPError, "http status code is 404: get binlog info failed, binlog_version=102")
	}
	got = b.stream(0, Hooks{})
	require.Equal(t, job.EndSnapshot, got.End)
	require.Equal(t, int64(10), got.Wanted.Partial.TableID)
	require.Contains(t, got.Wanted.Reason, "no replica on the source has the rows of version 2")
}

// Replicas that are being cloned, or bad, are listed like the others; their
// backends do not have the tablet (doris-rpc.md 3.3).
func TestReplicasThatCannotTakePart(t *testing.T) {
	missing := refusedIngest(status.TabletMissing, "tablet 6000 not found")
	for name, c := range map[string]struct {
		versions []int64 // of the destination's replicas, on backends 1, 2, 3
		missing  []string
		applied  bool
	}{
		"one of two is being cloned": {[]int64{1, -1}, []string{"dst-be2"}, true},
		"one of three is bad":        {[]int64{1, 1, 1}, []string{"dst-be3"}, true},
		"an only one is bad":         {[]int64{1}, []string{"dst-be1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			tablet := b.Dst.TableMeta[20].Partitions[0].Indexes[0].Tablets[0]
			tablet.Replicas = nil
			for i, version := range c.versions {
				id := int64(i + 1)
				tablet.Replicas = append(tablet.Replicas, meta.Replica{ID: id, BackendID: id, Version: version})
				b.Dst.Nodes = append(b.Dst.Nodes, meta.Backend{ID: id, Host: fmt.Sprintf("dst-be%d", id), Port: 9060, Alive: true})
			}
			b.Dst.Refuses = map[string]error{}
			for _, host := range c.missing {
				b.Dst.Refuses[host] = missing
			}
			b.Upsert(102, 10)
			until := int64(102)
			if !c.applied {
				until = 0
			}
			got := b.stream(until, Hooks{})
			if !c.applied {
				require.Equal(t, job.EndBlocked, got.End)
				return
			}
			require.Nil(t, got.Problem)
			require.Equal(t, []int64{102}, b.Dst.Visible())
			require.Len(t, got.Notes, 1, "told once")
			require.Contains(t, got.Notes[0], fmt.Sprintf("table t0 (id 10) goes on with %d of the %d replicas", len(c.versions)-1, len(c.versions)))
		})
	}
}

// A transaction of which a table was dropped on the destination can be neither
// committed nor rolled back: the job goes on with other labels (doris-rpc.md 3.9).
func TestATransactionOfADroppedTable(t *testing.T) {
	b := newBench(t)
	b.Upsert(102, 10, 11)
	b.Upsert(104, 11)
	delete(b.Src.TableMeta, 10)
	b.Src.Gone.DroppedTables = map[int64]int64{10: 900}
	delete(b.Dst.TableMeta, 20)
	left := b.Dst.Put(b.Label(102), sqlclient.TxnPrepare)
	b.Dst.Stuck = map[string]bool{b.Label(102): true}
	got := b.stream(0, Hooks{})
	require.Equal(t, job.EndShiftOver, got.End, "%+v", got.Problem)
	require.True(t, got.NewEpoch)
	require.Len(t, got.Notes, 2)
	require.Contains(t, got.Notes[0], "neither committed nor rolled back")
	require.Empty(t, b.Dst.Visible())

	b.Progress.NextEpoch()
	got = b.stream(104, Hooks{})
	require.Nil(t, got.Problem)
	require.False(t, got.NewEpoch)
	require.Equal(t, []int64{102, 104}, b.Dst.Visible())
	require.Equal(t, sqlclient.TxnPrepare, b.Dst.Txns[left].State)
}
