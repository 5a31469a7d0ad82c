package fe_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/status"
	fs "github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

func TestBackends(t *testing.T) {
	f := startFrontend(t).says("getBackendMeta", &fs.TGetBackendMetaResult_{Status: okStatus, Backends: []*types.TBackend{
		{Host: "10.0.0.2", BePort: 9060, HTTPPort: 8040, IsAlive: p(true), ID: p(int64(10002))},
		{Host: "10.0.0.3", BePort: 9060, HTTPPort: 8040, IsAlive: p(false), ID: p(int64(10003))}}})
	c := newClient(t, fe.Config{}, f)
	got, err := c.Backends(t.Context())
	require.NoError(t, err)
	require.Equal(t, []meta.Backend{
		{ID: 10002, Host: "10.0.0.2", Port: 9060, HTTPPort: 8040, Alive: true},
		{ID: 10003, Host: "10.0.0.3", Port: 9060, HTTPPort: 8040}}, got)

	for name, list := range map[string][]*types.TBackend{"none": {}, "unset": nil, "no id": {{Host: "h"}}} {
		f.says("getBackendMeta", &fs.TGetBackendMetaResult_{Status: okStatus, Backends: list})
		_, err = c.Backends(t.Context())
		require.ErrorIs(t, err, fe.ErrIncomplete, name)
	}
}

func TestMasterTokenEmpty(t *testing.T) {
	f := startFrontend(t).says("getMasterToken", token(""))
	_, err := newClient(t, fe.Config{}, f).MasterToken(t.Context())
	require.ErrorIs(t, err, fe.ErrIncomplete)
}

func tableMeta() *fs.TGetMetaTableMeta {
	return &fs.TGetMetaTableMeta{ID: p(int64(10200)), Name: p("t"), Type: p("OLAP"), Partitions: []*fs.TGetMetaPartitionMeta{{
		ID: p(int64(10210)), Name: p("p1"), Range: p("[types: [INT]; keys: [1]; , types: [INT]; keys: [2]; ]"), VisibleVersion: p(int64(21)), IsTemp: p(true),
		Indexes: []*fs.TGetMetaIndexMeta{{ID: p(int64(10220)), Name: p("t"), Tablets: []*fs.TGetMetaTabletMeta{{
			ID: p(int64(10231)), Replicas: []*fs.TGetMetaReplicaMeta{{ID: p(int64(10240)), BackendID: p(int64(10002)), Version: p(int64(21))}}}}}}}}}
}

func TestMeta(t *testing.T) {
	f := startFrontend(t).says("getMeta", &fs.TGetMetaResult_{Status: okStatus, DbMeta: &fs.TGetMetaDBMeta{
		ID: p(int64(10100)), Name: p("d"), Tables: []*fs.TGetMetaTableMeta{tableMeta()},
		DroppedPartitions: []int64{1, 2}, DroppedPartitionMap: map[int64]int64{2: 8}, DroppedTableMap: map[int64]int64{3: 9}, DroppedIndexes: []int64{4}}})
	got, err := newClient(t, fe.Config{}, f).Meta(t.Context(), fe.MetaRequest{DatabaseID: 10100, TableIDs: []int64{10200}, Tables: []string{"u"}})
	require.NoError(t, err)
	require.Equal(t, &meta.Database{
		ID: 10100, Name: "d",
		Tables: map[int64]*meta.Table{10200: {ID: 10200, Name: "t", Type: "OLAP", Partitions: []*meta.Partition{{
			ID: 10210, Name: "p1", Range: "[types: [INT]; keys: [1]; , types: [INT]; keys: [2]; ]", Key: "types: [INT]; keys: [1]; types: [INT]; keys: [2];",
			VisibleVersion: 21, Temporary: true,
			Indexes: []*meta.Index{{ID: 10220, Name: "t", Tablets: []*meta.Tablet{{ID: 10231, Replicas: []meta.Replica{{ID: 10240, BackendID: 10002, Version: 21}}}}}},
		}}}},
		DroppedPartitions: map[int64]int64{1: 0, 2: 8}, DroppedTables: map[int64]int64{3: 9}, DroppedIndexes: map[int64]int64{4: 0},
	}, got)
	require.Equal(t, &fs.TGetMetaRequest{User: p("root"), Passwd: p("secret"), Db: &fs.TGetMetaDB{ID: p(int64(10100)),
		Tables: []*fs.TGetMetaTable{{ID: p(int64(10200))}, {Name: p("u")}}}}, f.requests()[0])
}

func TestMetaMissing(t *testing.T) {
	f := startFrontend(t).says("getMeta", &fs.TGetMetaResult_{Status: okStatus})
	c := newClient(t, fe.Config{}, f)
	_, err := c.Meta(t.Context(), fe.MetaRequest{Database: "gone"})
	require.ErrorIs(t, err, fe.ErrDatabaseNotFound)
	require.NotErrorIs(t, err, fe.ErrIncomplete)

	f.says("getMeta", &fs.TGetMetaResult_{Status: okStatus, DbMeta: &fs.TGetMetaDBMeta{ID: p(int64(1)), Name: p("d")}})
	got, err := c.Meta(t.Context(), fe.MetaRequest{Database: "d"})
	require.NoError(t, err, "a database may be empty")
	require.Empty(t, got.Tables)
	require.False(t, f.requests()[1].(*fs.TGetMetaRequest).Db.IsSetTables(), "unset asks for all tables")
}

func TestMetaHalfEmpty(t *testing.T) {
	tests := map[string]func(*fs.TGetMetaDBMeta){
		"database id":  func(d *fs.TGetMetaDBMeta) { d.ID = nil },
		"table id":     func(d *fs.TGetMetaDBMeta) { d.Tables[0].ID = nil },
		"partition id": func(d *fs.TGetMetaDBMeta) { d.Tables[0].Partitions[0].ID = nil },
		"indexes":      func(d *fs.TGetMetaDBMeta) { d.Tables[0].Partitions[0].Indexes = nil },
		"index name":   func(d *fs.TGetMetaDBMeta) { d.Tables[0].Partitions[0].Indexes[0].Name = nil },
		"tablets":      func(d *fs.TGetMetaDBMeta) { d.Tables[0].Partitions[0].Indexes[0].Tablets = nil },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			db := &fs.TGetMetaDBMeta{ID: p(int64(1)), Name: p("d"), Tables: []*fs.TGetMetaTableMeta{tableMeta()}}
			damage(db)
			f := startFrontend(t).says("getMeta", &fs.TGetMetaResult_{Status: okStatus, DbMeta: db})
			_, err := newClient(t, fe.Config{}, f).Meta(t.Context(), fe.MetaRequest{Database: "d"})
			require.ErrorIs(t, err, fe.ErrIncomplete)
		})
	}
}

func wireBinlog(seq int64) *fs.TBinlog {
	return &fs.TBinlog{CommitSeq: p(seq), Type: p(fs.TBinlogType_UPSERT), Timestamp: p(int64(5)), DbID: p(int64(1)), TableIds: []int64{2}, Data: p("{}")}
}

func TestBinlogs(t *testing.T) {
	f := startFrontend(t).says("getBinlog", &fs.TGetBinlogResult_{Status: okStatus, Binlogs: []*fs.TBinlog{
		wireBinlog(9001), {CommitSeq: p(int64(9005)), Type: p(fs.TBinlogType(200))}}})
	c := newClient(t, fe.Config{}, f)
	got, err := c.Binlogs(t.Context(), fe.BinlogRequest{Database: "d", Table: "t", TableID: 2, PrevCommitSeq: 9000, Limit: 255})
	require.NoError(t, err)
	require.Equal(t, fe.BinlogBatch{Status: status.OK, Binlogs: []binlog.Record{
		{CommitSeq: 9001, Timestamp: 5, Type: binlog.TypeUpsert, DBID: 1, TableIDs: []int64{2}, Data: "{}"},
		{CommitSeq: 9005, Timestamp: -1, Type: 200}}}, got)
	require.Equal(t, &fs.TGetBinlogRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), Table: p("t"), TableID: p(int64(2)),
		PrevCommitSeq: p(int64(9000)), NumAcquired: p(int64(255))}, f.requests()[0])

	_, err = c.Binlogs(t.Context(), fe.BinlogRequest{Database: "d", PrevCommitSeq: -1})
	require.NoError(t, err)
	require.Equal(t, &fs.TGetBinlogRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), PrevCommitSeq: p(int64(-1))}, f.requests()[1])
}

// An answer that is too large is refused before it is read to its end, whether one
// binlog is large or all of them are together, and nobody is asked for it again.
func TestBinlogsThatAreTooLarge(t *testing.T) {
	for _, framed := range []bool{false, true} {
		for _, of := range []int{1, 1000} {
			f := &frontend{handlers: map[string]func(any) (any, error){}}
			serve(t, f, framed)
			reply := &fs.TGetBinlogResult_{Status: okStatus}
			for i := range of {
				reply.Binlogs = append(reply.Binlogs, &fs.TBinlog{CommitSeq: p(int64(i + 1)), Type: p(fs.TBinlogType_UPSERT), Data: p(strings.Repeat("x", 1<<20/of))})
			}
			f.says("getBinlog", reply)
			c := newClient(t, fe.Config{Framed: framed, FailoverTimeout: time.Hour}, f)
			_, err := c.Binlogs(t.Context(), fe.BinlogRequest{Database: "d", Limit: 255, MaxBytes: 1 << 18})
			require.ErrorIs(t, err, fe.ErrTooLarge)
			var lost *fe.TransportError
			require.ErrorAs(t, err, &lost)
			require.Len(t, f.requests(), 1)
			got, err := c.Binlogs(t.Context(), fe.BinlogRequest{Database: "d", Limit: 255})
			require.NoError(t, err)
			require.Len(t, got.Binlogs, of)
		}
	}
}

func TestBinlogsStatuses(t *testing.T) {
	dummy := &fs.TBinlog{CommitSeq: p(int64(9100)), Type: p(fs.TBinlogType_DUMMY), Belong: p(int64(-1))}
	tooOld, tooNew := refuse(wire.TStatusCode_BINLOG_TOO_OLD_COMMIT_SEQ), refuse(wire.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ)
	tests := map[string]struct {
		reply   *fs.TGetBinlogResult_
		want    fe.Code
		binlogs int
		err     error
	}{
		"nothing yet":                 {reply: &fs.TGetBinlogResult_{Status: tooNew}, want: status.BinlogTooNewCommitSeq},
		"history lost":                {reply: &fs.TGetBinlogResult_{Status: tooOld, Binlogs: []*fs.TBinlog{dummy}}, want: status.BinlogTooOldCommitSeq, binlogs: 1},
		"history lost, without proof": {reply: &fs.TGetBinlogResult_{Status: tooOld}, err: fe.ErrIncomplete},
		"OK and empty":                {reply: &fs.TGetBinlogResult_{Status: okStatus}, err: fe.ErrIncomplete},
		"not after the position":      {reply: &fs.TGetBinlogResult_{Status: okStatus, Binlogs: []*fs.TBinlog{wireBinlog(9000)}}, err: fe.ErrIncomplete},
		"not ascending":               {reply: &fs.TGetBinlogResult_{Status: okStatus, Binlogs: []*fs.TBinlog{wireBinlog(9002), wireBinlog(9001)}}, err: fe.ErrIncomplete},
		"no type":                     {reply: &fs.TGetBinlogResult_{Status: okStatus, Binlogs: []*fs.TBinlog{{CommitSeq: p(int64(9001))}}}, err: fe.ErrIncomplete},
		"no log":                      {reply: &fs.TGetBinlogResult_{Status: refuse(wire.TStatusCode_BINLOG_NOT_FOUND_DB)}, err: fe.ErrBinlogNotFound},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startFrontend(t).says("getBinlog", tt.reply)
			got, err := newClient(t, fe.Config{}, f).Binlogs(t.Context(), fe.BinlogRequest{Database: "d", PrevCommitSeq: 9000})
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.want, got.Status)
			require.Len(t, got.Binlogs, tt.binlogs)
		})
	}
}

func TestBinlogLag(t *testing.T) {
	f := startFrontend(t).says("getBinlogLag", &fs.TGetBinlogLagResult_{Status: okStatus, Lag: p(int64(3)), FirstCommitSeq: p(int64(1)), LastCommitSeq: p(int64(9)),
		NextCommitSeq: p(int64(5)), FirstBinlogTimestamp: p(int64(10)), LastBinlogTimestamp: p(int64(90)), NextBinlogTimestamp: p(int64(50))})
	c := newClient(t, fe.Config{}, f)
	lag, err := c.BinlogLag(t.Context(), fe.BinlogRequest{Database: "d", PrevCommitSeq: 4})
	require.NoError(t, err)
	require.False(t, lag.ObservedAt.IsZero())
	lag.ObservedAt = time.Time{}
	require.Equal(t, binlog.Lag{Binlogs: 3, FirstCommitSeq: 1, LastCommitSeq: 9, NextCommitSeq: 5, FirstTimestamp: 10, LastTimestamp: 90, NextTimestamp: 50}, lag)

	f.says("getBinlogLag", &fs.TGetBinlogLagResult_{Status: okStatus})
	_, err = c.BinlogLag(t.Context(), fe.BinlogRequest{Database: "d"})
	require.ErrorIs(t, err, fe.ErrIncomplete)
}

func TestLockBinlog(t *testing.T) {
	f := startFrontend(t).says("lockBinlog", &fs.TLockBinlogResult_{Status: okStatus, LockedCommitSeq: p(int64(9))})
	got, err := newClient(t, fe.Config{}, f).LockBinlog(t.Context(), fe.LockRequest{Database: "d", TableID: -1, JobUniqueID: "j", CommitSeq: -1})
	require.NoError(t, err)
	require.EqualValues(t, 9, got)
	require.Equal(t, &fs.TLockBinlogRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), TableID: p(int64(-1)), JobUniqueID: p("j"), LockCommitSeq: p(int64(-1))}, f.requests()[0])
}

func zipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func unzipped(t *testing.T, data []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	require.NoError(t, err)
	plain, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(plain)
}

func TestSnapshot(t *testing.T) {
	f := startFrontend(t).says("getSnapshot", &fs.TGetSnapshotResult_{Status: okStatus, Meta: []byte("m"), JobInfo: []byte("{}"), ExpiredAt: p(int64(1745419250589)), CommitSeq: p(int64(7))})
	c := newClient(t, fe.Config{}, f)
	got, err := c.Snapshot(t.Context(), fe.SnapshotRequest{Database: "d", Label: "l"})
	require.NoError(t, err)
	require.Equal(t, fe.Snapshot{Meta: fe.PlainBlob([]byte("m")), JobInfo: fe.PlainBlob([]byte("{}")), ExpiredAt: time.UnixMilli(1745419250589), CommitSeq: 7}, got)
	require.Equal(t, &fs.TGetSnapshotRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), Table: p(""), LabelName: p("l"), SnapshotName: p(""),
		SnapshotType: p(fs.TSnapshotType_LOCAL)}, f.requests()[0])

	f.says("getSnapshot", &fs.TGetSnapshotResult_{Status: okStatus, Meta: zipped(t, "m"), JobInfo: zipped(t, "{}"), Compressed: p(true)})
	got, err = c.Snapshot(t.Context(), fe.SnapshotRequest{Database: "d", Label: "l", Compress: true})
	require.NoError(t, err)
	require.Equal(t, fe.Snapshot{Meta: fe.PackedBlob(zipped(t, "m")), JobInfo: fe.PackedBlob(zipped(t, "{}"))}, got)

	f.says("getSnapshot", &fs.TGetSnapshotResult_{Status: okStatus, Meta: []byte("m")})
	_, err = c.Snapshot(t.Context(), fe.SnapshotRequest{Database: "d", Label: "l"})
	require.ErrorIs(t, err, fe.ErrIncomplete)
}

func TestRestoreSnapshot(t *testing.T) {
	f := startFrontend(t).says("restoreSnapshot", &fs.TRestoreSnapshotResult_{Status: okStatus})
	c := newClient(t, fe.Config{}, f)
	require.NoError(t, c.RestoreSnapshot(t.Context(), fe.RestoreRequest{Database: "d", Label: "l", Meta: fe.PlainBlob([]byte("m")), JobInfo: fe.PlainBlob([]byte("{}"))}))
	require.Equal(t, &fs.TRestoreSnapshotRequest{User: p("root"), Passwd: p("secret"), Db: p("d"), LabelName: p("l"), RepoName: p("__keep_on_local__"),
		Properties: map[string]string{"reserve_replica": "true"}, Meta: []byte("m"), JobInfo: []byte("{}")}, f.requests()[0])

	require.NoError(t, c.RestoreSnapshot(t.Context(), fe.RestoreRequest{Database: "d", Label: "l", Meta: fe.PlainBlob([]byte("m")), JobInfo: fe.PlainBlob([]byte("{}")),
		Tables: []fe.TableRef{{Table: "t", Alias: "a"}, {Table: "u"}}, Properties: map[string]string{}, CleanTables: true, CleanPartitions: true,
		AtomicRestore: true, ForceReplace: true, Compressed: true}))
	r := f.requests()[1].(*fs.TRestoreSnapshotRequest)
	require.Equal(t, "m", unzipped(t, r.Meta))
	require.Equal(t, "{}", unzipped(t, r.JobInfo))
	require.Equal(t, []*types.TTableRef{{Table: p("t"), AliasName: p("a")}, {Table: p("u")}}, r.TableRefs)
	require.NotNil(t, r.Properties, "an empty map is set")
	require.Empty(t, r.Properties)
	for _, flag := range []*bool{r.CleanTables, r.CleanPartitions, r.AtomicRestore, r.ForceReplace, r.Compressed} {
		require.Equal(t, p(true), flag)
	}
}
