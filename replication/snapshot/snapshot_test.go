package snapshot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

const jobInfo = `{"name":"s","id":10100,"backup_objects":{"t1":{"id":9007199254740993,"partitions":{"p1":{"id":10210,"version":20,"indexes":{}}}},` +
	`"t2":{"id":10201,"partitions":{}}},"new_backup_objects":{"views":[{"id":10300,"name":"v"}],"odbc_tables":[]},` +
	`"table_commit_seq_map":{"9007199254740993":8990,"10201":8995},"unknown_key":{"a":[1.50,"<&>"]}, "tblalias": {} }
`

func TestJobInfo(t *testing.T) {
	info := fe.PlainBlob([]byte(jobInfo))
	file, err := info.Packed()
	require.NoError(t, err)
	backends := []meta.Backend{{ID: 9007199254740995, Host: "203.0.113.2", HTTPPort: 8040}}
	for _, info := range []fe.Blob{info, fe.PackedBlob(file)} {
		content, err := parseJobInfo(info)
		require.NoError(t, err)
		require.Equal(t, snapshotContent{
			Tables: map[string]snapshotTable{
				"t1": {ID: 9007199254740993, Partitions: map[string]int64{"p1": 10210}},
				"t2": {ID: 10201, Partitions: map[string]int64{}},
			},
			Views:      map[string]int64{"v": 10300},
			CommitSeqs: map[int64]int64{9007199254740993: 8990, 10201: 8995},
		}, content)

		for _, packed := range []bool{false, true} {
			edited, err := content.addExtraInfo(info, backends, "tok", packed)
			require.NoError(t, err)
			plain, err := edited.Plain()
			require.NoError(t, err)
			before, _, _ := strings.Cut(jobInfo, "}\n")
			require.Equal(t, before+`,"extra_info":{"be_network_map":{"9007199254740995":{"ip":"203.0.113.2","port":8040}},"token":"tok"}}`, string(plain))
			require.True(t, json.Valid(plain))

			content, err := parseJobInfo(edited)
			require.NoError(t, err)
			again, err := content.addExtraInfo(edited, backends, "new", packed)
			require.NoError(t, err)
			plain, err = again.Plain()
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(plain), "extra_info"))
			require.Contains(t, string(plain), "9007199254740993")
			require.Contains(t, string(plain), `"new"`)
		}
	}

	for _, bad := range []string{"", "[]", "null", "{", "{} {}", `{"backup_objects":[]}`, `{"table_commit_seq_map":{"a":1}}`} {
		_, err := parseJobInfo(fe.PlainBlob([]byte(bad)))
		require.Error(t, err, bad)
	}
	for _, bad := range []string{"", "[]", "null", "{"} {
		_, err := (&snapshotContent{}).addExtraInfo(fe.PlainBlob([]byte(bad)), backends, "tok", false)
		require.ErrorIs(t, err, errJobInfo, bad)
	}
	_, err = parseJobInfo(fe.PackedBlob(file[:len(file)-4]))
	require.Error(t, err, "a part of it")
	for _, empty := range []string{"{}", "{ }\n\n", `{"backup_objects":null,"new_backup_objects":null}`} {
		content, err := parseJobInfo(fe.PlainBlob([]byte(empty)))
		require.NoError(t, err)
		edited, err := content.addExtraInfo(fe.PlainBlob([]byte(empty)), backends, "tok", false)
		require.NoError(t, err)
		plain, err := edited.Plain()
		require.NoError(t, err)
		require.True(t, json.Valid(plain), string(plain))
	}
}

// However the job info comes in pieces, all but its last brace is passed on.
func TestTheEndIsHeldBack(t *testing.T) {
	for _, text := range []string{jobInfo, "{}", "{ }  ", "{\"a\": \"} \" } \n \n"} {
		for size := 1; size < 9; size++ {
			var out strings.Builder
			e := &withoutEnd{w: &out}
			for part := range slices.Chunk([]byte(text), size) {
				n, err := e.Write(part)
				require.NoError(t, err)
				require.Len(t, part, n)
			}
			trimmed := strings.TrimRight(text, whiteSpace)
			require.Equal(t, trimmed[:len(trimmed)-1], out.String())
			require.Equal(t, text[len(trimmed)-1:], string(e.end))
			before := strings.TrimRight(trimmed[:len(trimmed)-1], whiteSpace)
			require.Equal(t, before[len(before)-1], e.last)
		}
	}
}

func TestFinishFull(t *testing.T) {
	restored := map[int64]job.Table{
		10: {Name: "a", DestID: 20, CommitSeq: 500}, 11: {Name: "b", DestID: 21, CommitSeq: 510}, 12: {Name: "v", View: true},
	}
	progress := func(commitSeq int64) *job.Progress {
		return &job.Progress{
			Position: job.Position{CommitSeq: 300, TxnID: 9, Applied: 7},
			Snapshot: &job.Snapshot{Restored: &job.Restored{CommitSeq: commitSeq}},
		}
	}
	j := New(&pair.Job{Spec: *pairtest.DatabaseSpec()})
	f := j.finishFull(progress(0), restored)
	require.Equal(t, job.DBTablesIncrementalSync, f.State)
	require.Equal(t, job.Position{CommitSeq: 500, Applied: 7}, f.Position, "the least of the tables")
	require.Equal(t, restored, f.Tables)
	require.Equal(t, int64(495), j.finishFull(progress(495), restored).Position.CommitSeq, "or the backup's own")
	prepared := progress(495)
	prepared.Snapshot.Prepared, prepared.Snapshot.Before = true, 480
	require.Equal(t, int64(480), j.finishFull(prepared, restored).Position.CommitSeq, "or what was newest before it was ordered")
	prepared.Snapshot.Before = 0
	require.Zero(t, j.finishFull(prepared, restored).Position.CommitSeq, "nothing was recorded before it was ordered")

	j = New(&pair.Job{Spec: *pairtest.TableSpec()})
	f = j.finishFull(progress(495), map[int64]job.Table{10: {Name: "t", DestID: 20, CommitSeq: 500}})
	require.Equal(t, job.TableIncrementalSync, f.State)
	require.Equal(t, int64(500), f.Position.CommitSeq, "a table job has no filter: its table's own")
	require.Equal(t, int64(20), f.DestinationTableID)
}

func TestFinishPartial(t *testing.T) {
	progress := func(partial job.PartialSync, partitions map[int64]int64) *job.Progress {
		return &job.Progress{
			Position:   job.Position{CommitSeq: 290},
			Tables:     map[int64]job.Table{10: {Name: "a", DestID: 20, CommitSeq: 280}, 11: {Name: "b", DestID: 21}},
			Partitions: map[int64]int64{100: 900, 101: 250},
			Snapshot:   &job.Snapshot{Partial: &partial, Trigger: 300, Restored: &job.Restored{Partitions: partitions}},
		}
	}
	restored := map[int64]job.Table{10: {Name: "a", DestID: 30, CommitSeq: 400}}

	j := New(&pair.Job{Spec: *pairtest.DatabaseSpec()})
	f := j.finishPartial(progress(job.PartialSync{TableID: 10, Replace: true}, nil), restored)
	require.Equal(t, job.DBTablesIncrementalSync, f.State)
	require.Equal(t, int64(300), f.Position.CommitSeq, "a database job goes on after what ordered the snapshot")
	require.Equal(t, map[int64]job.Table{10: {Name: "a", DestID: 30, CommitSeq: 400}, 11: {Name: "b", DestID: 21}}, f.Tables)

	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Partitions: []string{"p"}}, map[int64]int64{100: 400, 101: 400}), restored)
	require.Equal(t, int64(280), f.Tables[10].CommitSeq, "partitions do not contain the table")
	require.Equal(t, map[int64]int64{100: 900, 101: 400}, f.Partitions, "an entry never decreases")

	j = New(&pair.Job{Spec: *pairtest.TableSpec()})
	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Replace: true}, nil), restored)
	require.Equal(t, int64(400), f.Position.CommitSeq)
	require.Equal(t, map[int64]job.Table{10: {Name: "a", DestID: 30}}, f.Tables)
	f = j.finishPartial(progress(job.PartialSync{TableID: 10, Partitions: []string{"p"}}, map[int64]int64{100: 400}), restored)
	require.Equal(t, int64(300), f.Position.CommitSeq)
}

func TestObstacle(t *testing.T) {
	for status, want := range map[string][2]string{
		"[COMMON_ERROR, msg: Table t1 already exist but with different schema]":                                   {"t1", ""},
		"[COMMON_ERROR, msg: View v 1 already exist but with different schema]":                                   {"", "v 1"},
		"[COMMON_ERROR, msg: Partition p1 in table t2 has different partition item with partition in repository]": {"t2", ""},
		"[COMMON_ERROR, msg: Partition p1 in table t2 has conflict partition item with existing items]":           {"t2", ""},
		"[COMMON_ERROR, msg: Only support retore OLAP table: t3]":                                                 {"", "t3"},
		"[COMMON_ERROR, msg: Table t1's state is not NORMAL: RESTORE]":                                            {"", ""},
		"[OK]": {"", ""},
	} {
		table, view := obstacle(status)
		require.Equal(t, want, [2]string{table, view}, status)
	}
}

func TestLabelsAndStatements(t *testing.T) {
	require.Equal(t, job.RestoreLabel("s", 1), nextLabel("s", ""))
	require.Equal(t, job.RestoreLabel("s", 8), nextLabel("s", job.RestoreLabel("s", 7)))
	require.Equal(t, "BACKUP SNAPSHOT `d`.`s` TO `__keep_on_local__` PROPERTIES (\"type\" = \"full\")", backupStatement("d", "s", backupObjects{}))
	require.Equal(t, "BACKUP SNAPSHOT `d`.`s` TO `__keep_on_local__` ON (`a``b` PARTITION (`p1`,`p2`)) PROPERTIES (\"type\" = \"full\")",
		backupStatement("d", "s", backupObjects{table: "a`b", partitions: []string{"p1", "p2"}}))
}

func ordered(spec *job.Spec, partial *job.PartialSync, name string) job.StepInput {
	return job.StepInput{Spec: *spec, Progress: job.Progress{
		Epoch: pairtest.Epoch, CreatedAt: time.Unix(pairtest.Epoch-10, 0), Snapshot: &job.Snapshot{Partial: partial, Name: name, Trigger: 50, Prepared: true, Before: 77},
	}}
}

func TestTakeSnapshot(t *testing.T) {
	ctx := context.Background()
	table := map[int64]*meta.Table{10: {ID: 10, Name: "t"}}
	partial := &job.PartialSync{TableID: 10, Table: "t", Replace: true}

	t.Run("first finds out from where binlogs are needed", func(t *testing.T) {
		src := &pairtest.Script{Newest: 77, Names: []string{"t"}}
		in := ordered(pairtest.DatabaseSpec(), nil, "")
		in.Progress.Snapshot.Prepared = false
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Prepared: true, Before: 77}, got)
		require.Empty(t, src.Executed, "it has to be recorded before the backup is ordered")
	})
	t.Run("locks a log that its own backup begins", func(t *testing.T) {
		src := &pairtest.Script{Unrecorded: true, Names: []string{"t"}, TableMeta: table}
		in := ordered(pairtest.TableSpec(), nil, "")
		in.Progress.Snapshot.Prepared = false
		got, err := New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Prepared: true}, got)
		require.Empty(t, src.Locked)
		in.Progress.Snapshot.Prepared, in.Progress.Snapshot.Before = true, 0
		_, err = New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).TakeSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, []int64{0}, src.Locked, "from the beginning, and once")

		src = &pairtest.Script{Names: []string{"t"}, Newest: 77}
		_, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Empty(t, src.Locked, "the lock of the step before holds")
	})
	t.Run("waits for others and for itself", func(t *testing.T) {
		src := &pairtest.Script{Names: []string{"t"}, BackupErr: []error{fmt.Errorf("busy: %w", sqlclient.ErrJobRunning), &sqlclient.NetworkError{Sent: true}}}
		var notes []string
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), func(h job.Heartbeat) { notes = append(notes, h.Note) })
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Name: job.SnapshotName(pairtest.DatabaseSpec(), pairtest.Epoch, false, 0), Objects: 1}, got)
		require.Len(t, src.Executed, 3)
		require.NotEmpty(t, notes)
	})
	t.Run("finds its own backup", func(t *testing.T) {
		src := &pairtest.Script{BackupStates: []sqlclient.BackupJob{{State: sqlclient.JobFinished}}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.NotEmpty(t, got.Name)
		require.Empty(t, src.Executed)
	})
	t.Run("cancelled", func(t *testing.T) {
		src := &pairtest.Script{BackupStates: []sqlclient.BackupJob{{State: sqlclient.JobCancelled, Status: "[TIMEOUT, msg: ]"}}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Equal(t, partial, got.Wanted.Partial)
		require.Contains(t, got.Wanted.Reason, "TIMEOUT")
	})
	t.Run("empty database", func(t *testing.T) {
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{Newest: 77}, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Equal(t, job.SnapshotTaken{Nothing: true, CommitSeq: 77}, got)
	})
	t.Run("table gone", func(t *testing.T) {
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.True(t, got.TableGone)
	})
	t.Run("table renamed", func(t *testing.T) {
		src := &pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "t2"}, 11: {ID: 11, Name: "t"}}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), partial, ""), nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t2", Replace: true}, got.Wanted.Partial)
		require.Empty(t, src.Executed)
	})
	t.Run("partition gone", func(t *testing.T) {
		src := &pairtest.Script{TableMeta: table, BackupErr: []error{fmt.Errorf("no: %w", sqlclient.ErrUnknownPartition)}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, ""), nil)
		require.NoError(t, err)
		require.Equal(t, partial, got.Wanted.Partial)
	})
	t.Run("table job follows the id, then the name", func(t *testing.T) {
		src := &pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "renamed"}}}
		got, err := New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.TableSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Contains(t, src.Executed[0], "ON (`renamed`)")
		require.Zero(t, got.SourceTableID)

		src = &pairtest.Script{TableMeta: map[int64]*meta.Table{15: {ID: 15, Name: "t"}}}
		got, err = New(pairtest.Scripted(pairtest.TableSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.TableSpec(), nil, ""), nil)
		require.NoError(t, err)
		require.Equal(t, int64(15), got.SourceTableID)

		_, err = New(pairtest.Scripted(pairtest.TableSpec(), &pairtest.Script{}, nil)).TakeSnapshot(ctx, ordered(pairtest.TableSpec(), nil, ""), nil)
		require.ErrorContains(t, err, "does not exist any more")
		require.NotEmpty(t, problem.Remedy(err))
	})
}

func snapshotOf(info string) fe.Snapshot {
	return fe.Snapshot{Meta: fe.PlainBlob([]byte("meta")), JobInfo: fe.PlainBlob([]byte(info)), CommitSeq: 40}
}

const oneTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"new_backup_objects":{"views":[{"id":12,"name":"v"}]},"table_commit_seq_map":{"10":60}}`

func TestRestoreSnapshot(t *testing.T) {
	ctx := context.Background()
	differs := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Table t already exist but with different schema]"}
	viewDiffers := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: View v already exist but with different schema]"}
	other := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: disk]"}
	alias := job.AliasName("t", pairtest.Epoch)

	t.Run("table job, renamed before the backup", func(t *testing.T) {
		src := &pairtest.Script{Snap: snapshotOf(`{"backup_objects":{"t2":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`)}
		got, err := New(pairtest.Scripted(pairtest.TableSpec(), src, &pairtest.Script{})).RestoreSnapshot(ctx, ordered(pairtest.TableSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, "t2", got.SourceTable)
		require.Zero(t, got.SourceTableID)
	})
	t.Run("database", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(oneTable)}, &pairtest.Script{Open: []sqlclient.Transaction{{ID: 7, Status: sqlclient.TxnPrepare}, {ID: 8, Status: sqlclient.TxnVisible}}}
		defer func() { require.Equal(t, []int64{7}, dst.RolledBack, "left by an attempt that stood still") }()
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, &job.Restored{CommitSeq: 40, Partition: 100, Tables: map[int64]job.Table{
			10: {Name: "t", CommitSeq: 60}, 12: {Name: "v", CommitSeq: 40, View: true},
		}}, got.Restored)
		require.Len(t, dst.Submitted, 1)
		req := dst.Submitted[0]
		require.True(t, req.AtomicRestore && req.ForceReplace && req.Compressed)
		require.Empty(t, req.Tables)
		require.Equal(t, map[string]string{"reserve_replica": "true"}, req.Properties)
		info, err := req.JobInfo.Plain()
		require.NoError(t, err)
		require.Contains(t, string(info), `"token":"token"`)
	})
	t.Run("finds its own restore", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(oneTable)}, &pairtest.Script{RestoreStates: []sqlclient.RestoreJob{{State: sqlclient.JobFinished, Label: "s_r_1"}}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.NotNil(t, got.Restored)
		require.Empty(t, dst.Submitted)
	})
	t.Run("another schema is restored beside", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(oneTable)}, &pairtest.Script{Outcome: []sqlclient.RestoreJob{differs, viewDiffers}, Names: []string{"t", "v", alias}, ViewNames: []string{"v"}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"t": alias}, got.Aliases)
		require.Len(t, dst.Submitted, 3)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: alias}, {Table: "v"}}, dst.Submitted[1].Tables, "all objects are listed")
		require.Equal(t, []string{"DROP v"}, dst.Executed)
		require.Equal(t, job.RestoreLabel("s", 3), dst.Submitted[2].Label)
	})
	t.Run("what is no view is not dropped", func(t *testing.T) {
		noOLAP := sqlclient.RestoreJob{State: sqlclient.JobCancelled, Status: "[COMMON_ERROR, msg: Only support restore OLAP table: t]"}
		src, dst := &pairtest.Script{Snap: snapshotOf(oneTable)}, &pairtest.Script{Outcome: []sqlclient.RestoreJob{noOLAP, noOLAP, noOLAP}, Names: []string{"t"}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Equal(t, "rename or drop what has that name on the destination", got.Wanted.Remedy)
		require.Empty(t, dst.Executed)
	})
	t.Run("snapshot lost", func(t *testing.T) {
		src := &pairtest.Script{SnapErr: fe.ErrSnapshotNotExist}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, &pairtest.Script{})).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
	})
	t.Run("cancelled again and again", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(oneTable)}, &pairtest.Script{Outcome: []sqlclient.RestoreJob{other, other, other}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.Wanted.Retry)
		require.Contains(t, got.Wanted.Reason, "disk")
	})
	const onlyTable = `{"backup_objects":{"t":{"id":10,"partitions":{"p":{"id":100}}}},"table_commit_seq_map":{"10":60}}`
	t.Run("partial replaces", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(onlyTable)}, &pairtest.Script{Names: []string{"t", alias}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: alias}}, dst.Submitted[0].Tables)
		require.False(t, dst.Submitted[0].AtomicRestore)
		require.Equal(t, map[string]string{"t": alias}, got.Aliases)
	})
	t.Run("partial of partitions", func(t *testing.T) {
		src, dst := &pairtest.Script{Snap: snapshotOf(onlyTable)}, &pairtest.Script{Names: []string{"t"}}
		in := ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p"}}, "s")
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, map[int64]int64{100: 60}, got.Restored.Partitions)
		require.Equal(t, []fe.TableRef{{Table: "t"}}, dst.Submitted[0].Tables)

		dst = &pairtest.Script{Outcome: []sqlclient.RestoreJob{differs}, Names: []string{"t"}}
		got, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), src, dst)).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, got.Wanted.Partial)

		// Restored where there is no table, they would become a table of their own.
		got, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), src, &pairtest.Script{})).RestoreSnapshot(ctx, in, nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, got.Wanted.Partial)
	})
	t.Run("the name belongs to another table", func(t *testing.T) {
		src := &pairtest.Script{Snap: snapshotOf(onlyTable), TableMeta: map[int64]*meta.Table{9: {ID: 9, Name: "t_old"}}}
		got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, &pairtest.Script{})).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 9, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, &job.PartialSync{TableID: 9, Table: "t_old", Replace: true}, got.Wanted.Partial)

		src.TableMeta = nil
		got, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), src, &pairtest.Script{})).RestoreSnapshot(ctx, ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 9, Table: "t", Replace: true}, "s"), nil)
		require.NoError(t, err)
		require.True(t, got.TableGone)
	})
	t.Run("table job under another name", func(t *testing.T) {
		spec := pairtest.TableSpec()
		src, dst := &pairtest.Script{Snap: snapshotOf(onlyTable)}, &pairtest.Script{}
		_, err := New(pairtest.Scripted(spec, src, dst)).RestoreSnapshot(ctx, ordered(spec, nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: "copy"}}, dst.Submitted[0].Tables)

		// Onto an existing table of another name Doris never restores.
		beside := job.AliasName("copy", pairtest.Epoch)
		dst = &pairtest.Script{Names: []string{"copy", beside}}
		got, err := New(pairtest.Scripted(spec, src, dst)).RestoreSnapshot(ctx, ordered(spec, nil, "s"), nil)
		require.NoError(t, err)
		require.Equal(t, []fe.TableRef{{Table: "t", Alias: beside}}, dst.Submitted[0].Tables)
		require.Equal(t, map[string]string{"copy": beside}, got.Aliases)
	})
}

func TestFinishSnapshotSwapsIn(t *testing.T) {
	ctx := context.Background()
	alias := job.AliasName("t", pairtest.Epoch)
	leftover := job.AliasName("t", pairtest.Epoch-5)
	foreign := job.AliasName("x", pairtest.Epoch-5)
	in := ordered(pairtest.DatabaseSpec(), &job.PartialSync{TableID: 10, Table: "t", Replace: true}, "s")
	in.Progress.Tables = map[int64]job.Table{10: {Name: "old_t", DestID: 19}}
	in.Progress.Snapshot.Aliases = map[string]string{"t": alias}
	in.Progress.Snapshot.Restored = &job.Restored{Tables: map[int64]job.Table{10: {Name: "t", CommitSeq: 60}}}

	dst := &pairtest.Script{
		Names:     []string{"t", alias, leftover, foreign},
		TableMeta: map[int64]*meta.Table{30: {ID: 30, Name: "t"}, 19: {ID: 19, Name: "old_t"}},
	}
	got, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, int64(30), got.Tables[10].DestID)
	require.Equal(t, int64(60), got.Tables[10].CommitSeq)
	require.Contains(t, dst.Executed[0], "REPLACE WITH TABLE `"+alias+"` PROPERTIES(\"swap\"=\"false\")")
	require.Contains(t, dst.Executed, "DROP "+leftover)
	require.NotContains(t, dst.Executed, "DROP "+foreign)
	require.Contains(t, dst.Executed, "DROP old_t", "what was restored under its new name")

	dst = &pairtest.Script{Names: []string{alias}, TableMeta: dst.TableMeta}
	_, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Contains(t, dst.Executed[0], "RENAME `t`")

	dst = &pairtest.Script{Names: []string{"t"}, TableMeta: map[int64]*meta.Table{30: {ID: 30, Name: "t"}}}
	_, err = New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Empty(t, dst.Executed, "swapped in by an earlier attempt")

	dst.TableMeta = nil
	lost, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), &pairtest.Script{}, dst)).FinishSnapshot(ctx, in)
	require.NoError(t, err)
	require.Equal(t, job.SnapshotFinished{Wanted: &job.SnapshotWanted{Retry: true, Reason: "table t was restored, and is not on the destination any more"}}, lost)
}

func TestWaitEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	src := &pairtest.Script{BackupStates: []sqlclient.BackupJob{{State: "SNAPSHOTING"}}}
	_, err := New(pairtest.Scripted(pairtest.DatabaseSpec(), src, nil)).TakeSnapshot(ctx, ordered(pairtest.DatabaseSpec(), nil, ""), func(job.Heartbeat) { cancel() })
	require.True(t, errors.Is(err, context.Canceled))
}

func TestHowFarASnapshotIs(t *testing.T) {
	var w waiter
	w.left("")
	require.Nil(t, w.copying, "the work is not divided yet")
	w.left("1=10, 2=10, 3=11")
	w.left("2=10, 3=11")
	require.Equal(t, []int{2, 3}, []int{w.copying.Left, w.copying.Most})
	w.left("")
	require.Equal(t, 100, w.copying.Percent())
	w.left("1=10, 2=10, 3=11, 4=11")
	require.Equal(t, []int{4, 4}, []int{w.copying.Left, w.copying.Most}, "the next step has its own tablets")
}

// TestAboutHowMuchIsCopied: the source is asked once, for what is selected; what it does not tell stays unknown.
func TestAboutHowMuchIsCopied(t *testing.T) {
	rows := []sqlclient.Row{{"Name": "t", "Data_length": "1000"}, {"Name": "u", "Data_length": "500"}, {"Name": "x_tmp", "Data_length": "7"}, {"Name": "v"}}
	filtered := pairtest.DatabaseSpec()
	filtered.Exclude = []string{"*_tmp"}
	about := func(spec *job.Spec, partial *job.PartialSync, src *pairtest.Script) job.Copying {
		w := waiter{j: New(pairtest.Scripted(spec, src, nil))}
		w.weigh(t.Context(), partial)
		w.weigh(t.Context(), partial)
		w.left("1=10, 2=10, 3=10, 4=10")
		w.left("4=10")
		return *w.copying
	}
	src := &pairtest.Script{TableStatus: rows}
	c := about(filtered, nil, src)
	require.Equal(t, []int64{1500, 1125}, []int64{c.AboutBytes, c.AboutDone()})
	require.Equal(t, 1, src.StatusAsked)
	require.Equal(t, int64(500), about(filtered, &job.PartialSync{TableID: 2, Table: "u"}, src).AboutBytes)
	require.Zero(t, about(filtered, &job.PartialSync{TableID: 2, Table: "u", Partitions: []string{"p"}}, src).AboutBytes, "nobody tells of partitions")
	require.Zero(t, about(filtered, nil, &pairtest.Script{StatusErr: errors.New("denied")}).AboutBytes)
}
