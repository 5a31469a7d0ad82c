package fe

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
)

// LocalRepository is the built-in repository "leave it on the backends' disks".
const LocalRepository = "__keep_on_local__"

// SnapshotRequest asks for a finished backup.
type SnapshotRequest struct {
	// Database and Table serve the privilege check only; Table may be empty.
	Database, Table string
	// Label of the backup; labels are global in a cluster.
	Label string
	// Compress lets the server compress its reply; old servers do not.
	Compress bool
}

// Snapshot is what a restore needs.
type Snapshot struct {
	// Meta is opaque, JobInfo the JSON of doris-rpc.md 5.3.
	Meta, JobInfo Blob
	// ExpiredAt is when backends may delete the files; zero on old servers.
	ExpiredAt time.Time
	// CommitSeq of the whole backup; 0 on old servers.
	CommitSeq int64
}

// Snapshot fetches a backup's metadata. ErrSnapshotNotExist and
// ErrSnapshotExpired mean that a new backup is needed.
func (c *Client) Snapshot(ctx context.Context, req SnapshotRequest) (Snapshot, error) {
	op := operation{method: "getSnapshot", timeout: c.cfg.SnapshotTimeout, repeatable: true}
	r, err := call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TGetSnapshotResult_, error) {
		q := &frontendservice.TGetSnapshotRequest{
			User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, Table: &req.Table,
			LabelName: &req.Label, SnapshotName: new(string),
			SnapshotType: frontendservice.TSnapshotTypePtr(frontendservice.TSnapshotType_LOCAL),
		}
		if req.Compress {
			q.EnableCompress = &req.Compress
		}
		return s.GetSnapshot(ctx, q)
	})
	if err != nil {
		return Snapshot{}, err
	}
	if len(r.GetMeta()) == 0 || len(r.GetJobInfo()) == 0 {
		return Snapshot{}, incomplete(op.method, "snapshot %s has no meta or no job info", req.Label)
	}
	snapshot := Snapshot{Meta: PlainBlob(r.GetMeta()), JobInfo: PlainBlob(r.GetJobInfo()), CommitSeq: r.GetCommitSeq()}
	if r.GetCompressed() {
		snapshot.Meta, snapshot.JobInfo = PackedBlob(r.GetMeta()), PackedBlob(r.GetJobInfo())
	}
	if r.GetExpiredAt() > 0 {
		snapshot.ExpiredAt = time.UnixMilli(r.GetExpiredAt())
	}
	return snapshot, nil
}

// TableRef names an object of a snapshot and, optionally, the name to restore it
// as.
type TableRef struct{ Table, Alias string }

// RestoreRequest submits a restore.
type RestoreRequest struct {
	Database string // of the destination, must exist
	Label    string
	// Tables chooses what to restore; empty means everything.
	Tables []TableRef
	// Properties; nil means what replication always sends, reserve_replica=true.
	Properties map[string]string
	// JobInfo has the extra_info of doris-rpc.md 5.4.
	Meta, JobInfo Blob

	CleanTables     bool
	CleanPartitions bool
	AtomicRestore   bool
	// Compressed sends Meta and JobInfo compressed; the server must have
	// enable_restore_snapshot_rpc_compression on.
	Compressed   bool
	ForceReplace bool
}

// RestoreSnapshot submits a restore job, which then runs on its own: look at
// SHOW RESTORE. ErrRestoreBusy: another job of the database is running.
func (c *Client) RestoreSnapshot(ctx context.Context, req RestoreRequest) error {
	q, err := c.restoreQuestion(req)
	if err != nil {
		return err
	}
	op := operation{method: "restoreSnapshot", timeout: c.cfg.SnapshotTimeout}
	_, err = call(ctx, c, op, func(ctx context.Context, s *frontendservice.FrontendServiceClient) (*frontendservice.TRestoreSnapshotResult_, error) {
		return s.RestoreSnapshot(ctx, q)
	})
	return err
}

func (c *Client) restoreQuestion(req RestoreRequest) (*frontendservice.TRestoreSnapshotRequest, error) {
	repository := LocalRepository
	q := &frontendservice.TRestoreSnapshotRequest{
		User: &c.cfg.User, Passwd: &c.cfg.Password, Db: &req.Database, LabelName: &req.Label, RepoName: &repository,
		Properties:  map[string]string{},
		CleanTables: flag(req.CleanTables), CleanPartitions: flag(req.CleanPartitions),
		AtomicRestore: flag(req.AtomicRestore), Compressed: flag(req.Compressed), ForceReplace: flag(req.ForceReplace),
	}
	if req.Properties == nil {
		q.Properties["reserve_replica"] = "true"
	}
	maps.Copy(q.Properties, req.Properties)
	for _, ref := range req.Tables {
		t := &types.TTableRef{Table: &ref.Table}
		if ref.Alias != "" {
			t.AliasName = &ref.Alias
		}
		q.TableRefs = append(q.TableRefs, t)
	}
	form := Blob.Plain
	if req.Compressed {
		form = Blob.Packed
	}
	var err error
	if q.Meta, err = form(req.Meta); err != nil {
		return nil, fmt.Errorf("meta for restore %s: %w", req.Label, err)
	}
	if q.JobInfo, err = form(req.JobInfo); err != nil {
		return nil, fmt.Errorf("job info for restore %s: %w", req.Label, err)
	}
	return q, nil
}

// flag is nil for false: servers before a flag then see a request they know.
func flag(on bool) *bool {
	if !on {
		return nil
	}
	return &on
}
