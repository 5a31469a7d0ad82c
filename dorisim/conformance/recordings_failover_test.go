package conformance

import (
	"encoding/json"
	"net"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
)

// TestRecordingsFailover is what failover.json has of three frontends
// (doris-rpc.md 3, rule 1): what a follower answers and what it sends to the
// master, and that a new master goes on where the old one was killed.
func TestRecordingsFailover(t *testing.T) {
	c, s := recordedCluster(t, func(cfg *dorisim.Config) { cfg.FEs = 3 })
	s.exec("CREATE DATABASE fo")
	s.exec("CREATE TABLE fo.t (k INT, v INT) DUPLICATE KEY(k) DISTRIBUTED BY HASH(k) BUCKETS 1 " + oneReplica)
	meta, err := s.fe.GetMeta(ctx, &frontendservice.TGetMetaRequest{User: new("root"), Passwd: new(""), Db: &frontendservice.TGetMetaDB{Name: new("fo")}})
	require.NoError(t, err)
	db, table := meta.DbMeta.GetID(), meta.DbMeta.Tables[0].GetID()
	begin := func(to *frontendservice.FrontendServiceClient, label string) *frontendservice.TBeginTxnResult_ {
		result, err := to.BeginTxn(ctx, &frontendservice.TBeginTxnRequest{User: new("root"), Passwd: new(""), Db: new("fo"), TableIds: []int64{table}, Label: &label})
		require.NoError(t, err)
		return result
	}
	open := begin(s.fe, "open").GetTxnID()
	done := begin(s.fe, "done").GetTxnID()
	_, err = s.fe.CommitTxn(ctx, &frontendservice.TCommitTxnRequest{User: new("root"), Passwd: new(""), Db: new("fo"), TxnID: &done,
		CommitInfos: []*thrifttypes.TTabletCommitInfo{}})
	require.NoError(t, err)

	follower := frontend(t, c.FE(1).ThriftAddr())
	through := &side{t: t, db: openAs(t, c.FE(1).MySQLAddr(), "root", "")}
	refused := begin(follower, "x")
	require.Equal(t, status.TStatusCode_NOT_MASTER, refused.Status.StatusCode)
	require.Equal(t, c.FE(0).ThriftAddr(), hostPort(refused.MasterAddress))
	waiting := func(label string) *frontendservice.TWaitingTxnStatusResult_ {
		result, err := follower.WaitingTxnStatus(ctx, &frontendservice.TWaitingTxnStatusRequest{DbID: &db, Label: &label})
		require.NoError(t, err)
		requireOK(t, result.Status)
		return result
	}
	require.Equal(t, int32(3), waiting("done").GetTxnStatusID())
	require.Equal(t, int32(0), waiting("open").GetTxnStatusID(), "a follower has not replayed what is in PREPARE")
	require.Equal(t, "PREPARE", values(through.query("SHOW TRANSACTION FROM fo WHERE id = %d", open), "TransactionStatus"), "the master's rows")
	through.exec("BACKUP SNAPSHOT fo.s TO `__keep_on_local__`")
	s.waitState("FINISHED", "SHOW BACKUP FROM fo WHERE SnapshotName = \"s\"")
	require.Equal(t, "FINISHED", values(through.query("SHOW BACKUP FROM fo"), "State"))

	s.exec("INSERT INTO fo.t VALUES (1, 1)")
	last := c.Core().LastJournal()
	require.NoError(t, c.KillFE(0))
	require.Equal(t, recordedFrontends(t), frontendStates(through.query("SHOW FRONTENDS")))
	through.exec("INSERT INTO fo.t VALUES (2, 2)")
	require.Greater(t, c.Core().LastJournal(), last, "commit seqs go on")
	require.NotEqual(t, status.TStatusCode_NOT_MASTER, begin(follower, "open").Status.StatusCode, "the new master")
	snapshot, err := follower.GetSnapshot(ctx, &frontendservice.TGetSnapshotRequest{User: new("root"), Passwd: new(""), Db: new("fo"), LabelName: new("s"),
		SnapshotName: new(""), SnapshotType: new(frontendservice.TSnapshotType_LOCAL)})
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_SNAPSHOT_NOT_EXIST, snapshot.Status.StatusCode, "its bytes were on the old master's disk")
}

func hostPort(a *thrifttypes.TNetworkAddress) string {
	return net.JoinHostPort(a.GetHostname(), strconv.Itoa(int(a.GetPort())))
}

// recordedFrontends are IsMaster and Alive of the frontends after the master was
// killed; which of the others takes over is chance.
func recordedFrontends(t *testing.T) []string {
	t.Helper()
	var states []string
	for _, entry := range readRecording[[]map[string]json.RawMessage](t, "failover.json") {
		if entry["after"] == nil {
			continue
		}
		var rows [][]string // host, IsMaster, Alive
		require.NoError(t, json.Unmarshal(entry["after"], &rows))
		for _, r := range rows {
			states = append(states, r[1]+" "+r[2])
		}
	}
	slices.Sort(states)
	return states
}

func frontendStates(rows []row) []string {
	var states []string
	for _, r := range rows {
		states = append(states, r["IsMaster"]+" "+r["Alive"])
	}
	slices.Sort(states)
	return states
}
