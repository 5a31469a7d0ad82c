package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

func (s *side) lock(db string, tableID int64, job string, seq *int64) *frontendservice.TLockBinlogResult_ {
	s.t.Helper()
	result, err := s.fe.LockBinlog(ctx, &frontendservice.TLockBinlogRequest{
		User: new(user), Passwd: new(password), Db: &db, TableID: &tableID, JobUniqueID: &job, LockCommitSeq: seq})
	require.NoError(s.t, err)
	return result
}

func TestLockBinlog(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "a", 1)
	last := s.lastSeq(db)
	for range 2 {
		s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
		last = s.nextUpsert(db, last).GetCommitSeq()
	}
	log := s.binlogs(db, -1, -1)
	locked := func(want int64, r *frontendservice.TLockBinlogResult_) {
		t.Helper()
		requireOK(t, r.Status)
		require.Equal(t, want, r.GetLockedCommitSeq())
	}
	locked(log[1].GetCommitSeq(), s.lock(db, -1, "j1", log[1].CommitSeq))
	locked(log[1].GetCommitSeq(), s.lock(db, -1, "j1", log[0].CommitSeq)) // only forward
	locked(last, s.lock(db, -1, "j1", new(int64(-1))))
	locked(last, s.lock(db, -1, "j2", nil))
	locked(last, s.lock(db, -1, "j3", new(int64(-2)))) // any negative number is the newest
	locked(last, s.lock(db, s.tableMeta(db, "a").GetID(), "j4", nil))

	future := s.lock(db, -1, "j5", new(last+1))
	require.Equal(t, status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ, future.Status.StatusCode)
	require.EqualValues(t, -1, future.GetLockedCommitSeq())
	require.Equal(t, status.TStatusCode_BINLOG_NOT_FOUND_TABLE, s.lock(db, 4, "j1", nil).Status.StatusCode)
	s.exec("CREATE DATABASE IF NOT EXISTS `conf_plain`")
	require.Equal(t, status.TStatusCode_BINLOG_NOT_FOUND_DB, s.lock("conf_plain", -1, "j1", nil).Status.StatusCode)
}
