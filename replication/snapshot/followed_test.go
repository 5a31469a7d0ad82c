package snapshot

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// What a table job's table has become where its id and its name disagree. The
// job follows id 10, called t.
func TestFollowedTable(t *testing.T) {
	record := func(seq int64, kind binlog.Type, table int64, data string, args ...any) binlog.Record {
		return binlog.Record{CommitSeq: seq, Type: kind, TableIDs: []int64{table}, Data: fmt.Sprintf(data, args...)}
	}
	rename := func(seq, id int64, from, to string) binlog.Record {
		return record(seq, binlog.TypeRenameTable, id, `{"tb":%d,"oT":%q,"nT":%q}`, id, from, to)
	}
	replace := func(seq, origin, with int64, name string) binlog.Record {
		return record(seq, binlog.TypeReplaceTable, origin, `{"origTblId":%d,"origTblName":%q,"newTblName":%d,"actualNewTblName":"other","swapTable":true}`, origin, name, with)
	}
	load := record(101, binlog.TypeUpsert, 10, `{}`)
	for name, c := range map[string]struct {
		tables map[int64]string
		log    map[int64][]binlog.Record
		id     int64
		table  string
	}{
		"as it was": {tables: map[int64]string{10: "t", 11: "other"}, id: 10, table: "t"},
		"swapped: the name": {tables: map[int64]string{10: "other", 11: "t"},
			log: map[int64][]binlog.Record{10: {load, replace(102, 10, 11, "t"), rename(103, 10, "other", "x")}}, id: 11, table: "t"},
		"renamed, and its name given to another: the name": {tables: map[int64]string{10: "t2", 11: "t"},
			log: map[int64][]binlog.Record{10: {load, load, rename(103, 10, "t", "t2")}}, id: 11, table: "t"},
		"renamed, then swapped": {tables: map[int64]string{10: "other", 11: "t2"},
			log: map[int64][]binlog.Record{10: {rename(101, 10, "t", "t2"), replace(102, 10, 11, "t2")}}, id: 11, table: "t2"},
		"swapped, then renamed": {tables: map[int64]string{10: "other", 11: "t2"},
			log: map[int64][]binlog.Record{10: {replace(102, 10, 11, "t")}, 11: {rename(101, 11, "x", "other"), rename(103, 11, "t", "t2")}}, id: 11, table: "t2"},
		"swapped with a table that nothing is recorded of": {tables: map[int64]string{10: "other", 11: "t"},
			log: map[int64][]binlog.Record{10: {replace(102, 10, 11, "t")}}, id: 11, table: "t"},
		"created again, the binlogs say nothing": {tables: map[int64]string{15: "t"}, id: 15, table: "t"},
		"another now has the name it was given": {tables: map[int64]string{10: "t3", 12: "t2"},
			log: map[int64][]binlog.Record{10: {rename(101, 10, "t", "t2")}}, id: 10, table: "t3"},
	} {
		t.Run(name, func(t *testing.T) {
			src := &pairtest.Script{TableMeta: map[int64]*meta.Table{}, Log: c.log}
			for id, name := range c.tables {
				src.TableMeta[id] = &meta.Table{ID: id, Name: name}
			}
			got, _, err := New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).followedTable(context.Background(), nil, job.Position{CommitSeq: 100})
			require.NoError(t, err)
			require.Equal(t, c.table, got.table)
			if c.id != 10 {
				require.Equal(t, c.id, got.newTableID)
			} else {
				require.Zero(t, got.newTableID)
			}
		})
	}
}

// An answer that a frontend fails to give is no reason to guess.
func TestFollowedTableDoesNotGuess(t *testing.T) {
	src := &pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "x"}}, LogErr: fe.ErrAccessDenied}
	_, _, err := New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).followedTable(context.Background(), nil, job.Position{CommitSeq: 100})
	require.ErrorIs(t, err, fe.ErrAccessDenied)
}
