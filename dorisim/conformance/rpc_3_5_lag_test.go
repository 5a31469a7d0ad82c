package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

func (s *side) lag(db string, tableID, prev int64) *frontendservice.TGetBinlogLagResult_ {
	s.t.Helper()
	result, err := s.fe.GetBinlogLag(ctx, binlogRequest(db, tableID, prev, 1))
	require.NoError(s.t, err)
	return result
}

func TestBinlogLag(t *testing.T) {
	c, s := private(t)
	analysis(t, "unknown database, database=no_such_db", s.lag("no_such_db", -1, -1).Status)
	db := s.database()
	s.table(db, "a", 1)
	a := s.tableMeta(db, "a").GetID()
	requireBare(t, status.TStatusCode_BINLOG_NOT_FOUND_TABLE, s.lag(db, a, -1).Status)
	last := s.lastSeq(db)
	for range 3 {
		s.exec("INSERT INTO `%s`.`a` VALUES (1, 1)", db)
		last = s.nextUpsert(db, last).GetCommitSeq()
	}
	log := s.binlogs(db, -1, -1)
	first, second := log[0], log[1]

	all := s.lag(db, -1, -1)
	requireOK(t, all.Status)
	require.EqualValues(t, 4, all.GetLag())
	require.EqualValues(t, -1, all.GetFirstCommitSeq(), "the DUMMY's")
	require.Equal(t, last, all.GetLastCommitSeq())
	require.Equal(t, first.GetCommitSeq(), all.GetNextCommitSeq())
	require.Equal(t, log[3].GetTimestamp(), all.GetLastBinlogTimestamp())

	some := s.lag(db, -1, first.GetCommitSeq())
	require.EqualValues(t, 3, some.GetLag())
	require.Equal(t, second.GetCommitSeq(), some.GetNextCommitSeq())
	require.Equal(t, second.GetTimestamp(), some.GetNextBinlogTimestamp())
	none := s.lag(db, -1, last)
	requireOK(t, none.Status)
	require.Zero(t, none.GetLag())
	require.Zero(t, none.GetNextCommitSeq(), "never 62")

	require.NoError(t, c.CollectBinlogs(db, second.GetCommitSeq()))
	lost := s.lag(db, -1, first.GetCommitSeq())
	requireOK(t, lost.Status)
	require.EqualValues(t, 3, lost.GetLag(), "the DUMMY counts when the position precedes it")
	require.Equal(t, second.GetCommitSeq(), lost.GetFirstCommitSeq())
	require.Equal(t, second.GetCommitSeq(), lost.GetNextCommitSeq(), "the first entry")
	require.Equal(t, second.GetTimestamp(), lost.GetFirstBinlogTimestamp(), "that of the last entry that is gone: never later than the newest")
}
