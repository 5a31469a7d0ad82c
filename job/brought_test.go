package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// bring has a job of 200 tables end a full sync at noon, and then partial syncs of tables 1 to n, a minute apart.
func bring(n int) *Progress {
	p := &Progress{Tables: map[int64]Table{}}
	for id := range int64(200) {
		p.Tables[id+1] = Table{Name: fmt.Sprint("t", id+1)}
	}
	p.StartFullSync(DatabaseSync, noon.Add(-time.Hour), 1, "new job")
	p.NoteSnapshot(noon)
	for i := range n {
		bringOne(p, int64(i+1), noon.Add(time.Duration(i+1)*time.Minute))
	}
	return p
}

func bringOne(p *Progress, id int64, at time.Time) {
	p.StartPartialSync(DatabaseSync, at.Add(-time.Second), 2, PartialSync{TableID: id, Table: fmt.Sprint("t", id)}, fmt.Sprint("asked ", id))
	p.NoteSnapshot(at)
	p.Snapshot = nil
}

func TestATableTellsItsLastSnapshot(t *testing.T) {
	p := bring(2)
	require.Equal(t, TableBrought{By: ByPartialSync, At: noon.Add(2 * time.Minute), Reason: "asked 2"}, p.BroughtTable(2))
	require.Equal(t, TableBrought{By: ByFullSync, At: noon, Reason: "new job"}, p.BroughtTable(3))
	p.Tables[300] = Table{Name: "young"}
	require.Equal(t, TableBrought{By: ByBinlogs}, p.BroughtTable(300), "it was made since")

	p.StartPartialSync(DatabaseSync, noon, 3, PartialSync{TableID: 2, Table: "t2", Partitions: []string{"p1"}}, "a partition")
	p.NoteSnapshot(noon.Add(time.Hour))
	require.Equal(t, TableBrought{By: ByPartitions, At: noon.Add(time.Hour), Reason: "a partition"}, p.BroughtTable(2))

	p.StartFullSync(DatabaseSync, noon, 9, "asked by an operator")
	require.Equal(t, ByPartitions, p.BroughtTable(2).By, "a full sync that has not ended has brought nothing")
	p.NoteSnapshot(noon.Add(2 * time.Hour))
	require.Equal(t, TableBrought{By: ByFullSync, At: noon.Add(2 * time.Hour), Reason: "asked by an operator"}, p.BroughtTable(2))
}

// TestATableReplacedMeanwhileIsNoted: a partial sync may leave a table of another id.
func TestATableReplacedMeanwhileIsNoted(t *testing.T) {
	p := bring(0)
	p.StartPartialSync(DatabaseSync, noon, 2, PartialSync{TableID: 2, Table: "t2"}, "replaced")
	delete(p.Tables, 2)
	p.Tables[400] = Table{Name: "t2"}
	p.NoteSnapshot(noon.Add(time.Minute))
	require.Equal(t, "replaced", p.BroughtTable(400).Reason)
}

// TestOwnSnapshotsAreBounded: what a job forgets it owns to have forgotten.
func TestOwnSnapshotsAreBounded(t *testing.T) {
	p := bring(MaxOwnSnapshots)
	require.Zero(t, p.BroughtTable(100).Before, "nothing is forgotten yet")
	bringOne(p, 1, noon.Add(2*time.Hour))
	require.Len(t, p.Brought.Own, MaxOwnSnapshots, "a table is in the list once")
	bringOne(p, 60, noon.Add(3*time.Hour))
	require.Len(t, p.Brought.Own, MaxOwnSnapshots)
	require.Equal(t, TableBrought{By: ByFullSync, At: noon, Reason: "new job", Before: noon.Add(2 * time.Minute)}, p.BroughtTable(2), "forgotten")
	require.Equal(t, "asked 1", p.BroughtTable(1).Reason)

	for id := range int64(200) {
		p.StartPartialSync(DatabaseSync, noon, 2, PartialSync{TableID: id + 1, Table: fmt.Sprint("t", id+1)}, strings.Repeat("é", 4000))
		p.NoteSnapshot(noon)
	}
	b, err := json.Marshal(p.Brought)
	require.NoError(t, err)
	require.Less(t, len(b), 25_000)
}

// TestSnapshotsOfAnOldState: a job of an earlier release has noted none.
func TestSnapshotsOfAnOldState(t *testing.T) {
	var p Progress
	require.NoError(t, json.Unmarshal([]byte(`{"phase":"stream","tables":{"7":{"n":"t7"},"8":{"n":"t8"}},"full_syncs":1,"partial_syncs":2,
		"full_sync_info":{"commit_seq":1,"info":"new job"},"full_sync_started_at":"2026-12-01T12:00:00Z",
		"partial_sync_info":{"commit_seq":5,"table":"t8","info":"schema change"},"partial_sync_started_at":"2026-12-01T13:00:00Z"}`), &p))
	require.Equal(t, TableBrought{By: ByPartialSync, At: noon.Add(time.Hour), Reason: "schema change"}, p.BroughtTable(8))
	require.Equal(t, TableBrought{}, p.BroughtTable(7), "it may be younger than the full sync")

	p.StartPartialSync(DatabaseSync, noon.Add(2*time.Hour), 9, PartialSync{TableID: 7, Table: "t7"}, "asked")
	p.NoteSnapshot(noon.Add(3 * time.Hour))
	require.Equal(t, "asked", p.BroughtTable(7).Reason)
	require.Equal(t, TableBrought{}, p.BroughtTable(8), "it does not know of those before")
}

func TestSizeText(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 40: "5.0 TiB"} {
		require.Equal(t, want, SizeText(n))
	}
}
