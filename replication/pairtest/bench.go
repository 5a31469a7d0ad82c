// Package pairtest has fakes of the two clusters of a job, for the tests of the rooms.
package pairtest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// SQLRefusal is what a frontend answers to a statement that it refuses.
func SQLRefusal(text string) error { return &sqlclient.Error{Code: 1105, Message: text} }

// Epoch is that of the benches' jobs.
const Epoch = 1700000000

// Bench is a job between two fakes, with tables 10..13 on the source (one
// partition, one tablet) and 20..23 on the destination.
type Bench struct {
	T        *testing.T
	Src      *Source
	SQL      *Script // what the source answers in SQL
	Dst      *Destination
	Spec     job.Spec
	Progress job.Progress
	Options  pair.Options
}

// NewBench returns the job and its tables.
func NewBench(t *testing.T) *Bench {
	b := &Bench{
		T:        t,
		SQL:      &Script{},
		Src:      &Source{TableMeta: map[int64]*meta.Table{}, Asked: map[string]int{}},
		Dst:      &Destination{TableMeta: map[int64]*meta.Table{}, Asked: map[string]int{}, Txns: map[int64]*Txn{}, Seqs: map[[2]int64]int64{}, nextID: 1000},
		Spec:     *DatabaseSpec(),
		Progress: job.Progress{Epoch: Epoch, State: job.DBIncrementalSync, Position: job.Position{CommitSeq: 100}, Tables: map[int64]job.Table{}},
		Options: pair.Options{
			Logger: slog.New(slog.DiscardHandler), Window: 8, Group: 1, RetryBudget: 80 * time.Millisecond,
			SettleTime: 30 * time.Millisecond, IdlePollMin: time.Millisecond, IdlePollMax: 5 * time.Millisecond, PollBudget: 10000,
		},
	}
	for i := range int64(4) {
		name := fmt.Sprintf("t%d", i)
		b.Src.TableMeta[10+i] = &meta.Table{ID: 10 + i, Name: name, Partitions: []*meta.Partition{Partition(100+i, name, "", Index(1000+i, name, 5000+i))}}
		b.Dst.TableMeta[20+i] = &meta.Table{ID: 20 + i, Name: name, Partitions: []*meta.Partition{Partition(200+i, name, "", Index(2000+i, name, 6000+i))}}
		b.Progress.Tables[10+i] = job.Table{DestID: 20 + i, Name: name}
	}
	return b
}

// Upsert appends an UPSERT into tables at a commit seq.
func (b *Bench) Upsert(seq int64, tables ...int64) {
	u := binlog.Upsert{CommitSeq: seq, Label: fmt.Sprintf("load_%d", seq), TableRecords: map[int64]binlog.TableRecord{}}
	for _, id := range tables {
		version := int64(2)
		for b.Dst.Seqs[[2]int64{id + 4990, version}] != 0 {
			version++
		}
		b.Dst.Seqs[[2]int64{id + 4990, version}] = seq
		u.TableRecords[id] = binlog.TableRecord{
			PartitionRecords: []binlog.PartitionRecord{{PartitionID: id + 90, Version: version, SubTxnID: -1}},
			IndexIDs:         []int64{id + 990},
		}
	}
	b.Append(seq, binlog.TypeUpsert, u, tables...)
}

// Append adds a binlog to the log.
func (b *Bench) Append(seq int64, t binlog.Type, payload any, tables ...int64) {
	data, err := json.Marshal(payload)
	require.NoError(b.T, err)
	b.Src.Mu.Lock()
	defer b.Src.Mu.Unlock()
	b.Src.Log = append(b.Src.Log, binlog.Record{CommitSeq: seq, Timestamp: seq * 1000, Type: t, TableIDs: tables, Data: string(data)})
}

// Label is the job's label for a commit seq.
func (b *Bench) Label(seq int64) string {
	return job.TxnLabel(b.Spec.UID, Epoch, b.Spec.Source.DatabaseID, seq)
}

// PairJob returns the job.
func (b *Bench) PairJob() *pair.Job {
	c := pair.NewConnector(b.Options)
	c.Ingest = b.Dst.ingest
	b.T.Cleanup(func() { _ = c.Close() })
	b.T.Cleanup(func() { require.Empty(b.T, b.Dst.twice, "one ingest of each replica per transaction") })
	return &pair.Job{
		Connector: c, Options: &c.Options, Spec: b.Spec, Log: c.Options.Logger,
		Source:      &pair.Cluster{Side: "source", Spec: b.Spec.Source, FE: b.Src, SQL: b.SQL},
		Destination: &pair.Cluster{Side: "destination", Spec: b.Spec.Destination, FE: b.Dst, SQL: b.Dst},
	}
}

// LostReply is a call whose answer never came.
func LostReply() error {
	return &fe.TransportError{Method: "commitTxn", Addr: "fe:9020", Sent: true, Err: io.ErrUnexpectedEOF}
}

// Features is the default switches but for some.
func Features(change func(*job.Features)) *job.Features {
	f := job.DefaultFeatures()
	change(&f)
	return &f
}

// DatabaseSpec is a job of a database.
func DatabaseSpec() *job.Spec {
	return &job.Spec{
		Name: "j", UID: "0123456789abcdef",
		Source:      job.Cluster{Database: "src", DatabaseID: 1},
		Destination: job.Cluster{Database: "dst", DatabaseID: 2},
	}
}

// TableSpec is a job of a table.
func TableSpec() *job.Spec {
	s := DatabaseSpec()
	s.Source.Table, s.Source.TableID = "t", 10
	s.Destination.Table, s.Destination.TableID = "copy", 20
	return s
}

// RangeText is the key of a RANGE partition as getMeta tells it.
const RangeText = "[types: [INT]; keys: [0]; ..types: [INT]; keys: [100]; )"

// Index is an index with a tablet for each id.
func Index(id int64, name string, tablets ...int64) *meta.Index {
	i := &meta.Index{ID: id, Name: name}
	for _, t := range tablets {
		i.Tablets = append(i.Tablets, &meta.Tablet{ID: t, Replicas: []meta.Replica{{ID: t + 5000, BackendID: 1, Version: 9}}})
	}
	return i
}

// Partition is a partition with its indexes.
func Partition(id int64, name, keys string, indexes ...*meta.Index) *meta.Partition {
	return &meta.Partition{ID: id, Name: name, Range: keys, Key: meta.NormalizeRange(keys), Indexes: indexes}
}

// The kinds of jobs: of a database, of a table, of a table with another name on
// the destination.
var JobKinds = []string{"db", "table", "alias"}

// Wrapped is a binlog as a BARRIER carries it (doris-binlogs.md 2.5).
func Wrapped(typ binlog.Type, data string) string {
	if typ == binlog.TypeBarrier {
		return data
	}
	raw, _ := json.Marshal(map[string]any{"binlogType": typ, "binlog": data, "tableId": 10})
	return string(raw)
}
