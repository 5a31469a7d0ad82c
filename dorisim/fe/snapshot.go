package fe

import (
	"context"
	"errors"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// GetSnapshot implements doris-rpc.md 3.11.
func (s *service) GetSnapshot(ctx context.Context, r *frontendservice.TGetSnapshotRequest) (*frontendservice.TGetSnapshotResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TGetSnapshotResult_ {
		return &frontendservice.TGetSnapshotResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "getSnapshot", reply, func() (*frontendservice.TGetSnapshotResult_, error) {
		err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"label_name", r.LabelName != nil},
			given{"snapshot_name", r.SnapshotName != nil}, given{"snapshot_type", r.SnapshotType != nil})
		if err != nil {
			return nil, err
		}
		if *r.SnapshotType != frontendservice.TSnapshotType_LOCAL {
			return nil, core.Errorf("snapshot_type is not LOCAL")
		}
		if err := s.authorize(fromPeer(ctx, r.User, r.Passwd, r.Token), mayRead, named(r.Db, r.Table)); err != nil {
			return nil, err
		}
		snapshot, err := s.snapshot(*r.LabelName)
		if err != nil {
			return nil, err
		}
		result := reply(ok(), nil)
		result.Meta, result.JobInfo = snapshot.Meta, snapshot.JobInfo
		if s.has.snapshotPosition {
			result.ExpiredAt, result.CommitSeq = pointer(snapshot.ExpiredAt.UnixMilli()), &snapshot.CommitSeq
		}
		if r.GetEnableCompress() && s.has.compression {
			return result, compress(result)
		}
		return result, nil
	})
}

// snapshot answers "not exist" for expired ones where the status is not known.
func (s *service) snapshot(label string) (backup.Snapshot, error) {
	snapshot, err := s.backup.Snapshot(label)
	var gone *backup.SnapshotError
	if errors.As(err, &gone) && !s.has.snapshotPosition {
		return snapshot, &backup.SnapshotError{Label: label}
	}
	return snapshot, err
}

func compress(r *frontendservice.TGetSnapshotResult_) (err error) {
	if r.Meta, err = backup.Gzip(r.Meta); err != nil {
		return err
	}
	if r.JobInfo, err = backup.Gzip(r.JobInfo); err != nil {
		return err
	}
	r.Compressed = pointer(true)
	return nil
}

// RestoreSnapshot implements doris-rpc.md 3.12.
func (s *service) RestoreSnapshot(ctx context.Context, r *frontendservice.TRestoreSnapshotRequest) (*frontendservice.TRestoreSnapshotResult_, error) {
	reply := func(st *status.TStatus, master *types.TNetworkAddress) *frontendservice.TRestoreSnapshotResult_ {
		return &frontendservice.TRestoreSnapshotResult_{Status: st, MasterAddress: master}
	}
	return answer(ctx, s, "restoreSnapshot", reply, func() (*frontendservice.TRestoreSnapshotResult_, error) {
		err := require(given{"user", r.User != nil}, given{"passwd", r.Passwd != nil}, given{"db", r.Db != nil}, given{"label_name", r.LabelName != nil},
			given{"repo_name", r.RepoName != nil}, given{"meta", r.Meta != nil}, given{"job_info", r.JobInfo != nil})
		if err != nil {
			return nil, err
		}
		flags := r.GetCleanTables() || r.GetCleanPartitions() || r.GetAtomicRestore() || r.GetForceReplace()
		if flags && r.Properties == nil {
			return nil, &codeError{code: status.TStatusCode_INTERNAL_ERROR}
		}
		if err := s.authorize(fromPeer(ctx, r.User, r.Passwd, r.Token), mayLoad, named(r.Db, nil)); err != nil {
			return nil, err
		}
		request := backup.RestoreRequest{
			DB: *r.Db, Label: *r.LabelName, Repository: *r.RepoName, Properties: r.Properties, Meta: r.Meta, JobInfo: r.JobInfo,
			Compressed: r.GetCompressed(), CleanTables: r.GetCleanTables(), CleanPartitions: r.GetCleanPartitions(),
			Atomic: r.GetAtomicRestore(), ForceReplace: r.GetForceReplace() && s.has.lockBinlog,
		}
		for _, ref := range r.TableRefs {
			request.Tables = append(request.Tables, backup.RestoreTable{Name: ref.GetTable(), Alias: ref.GetAliasName()})
		}
		if err := s.backup.Restore(ctx, request); err != nil {
			return nil, err
		}
		return reply(ok(), nil), nil
	})
}
