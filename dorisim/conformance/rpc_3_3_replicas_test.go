package conformance

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// post steers a cluster over its admin port.
func post(t *testing.T, c *dorisim.Cluster, path, body string) string {
	t.Helper()
	response, err := http.Post("http://"+c.AdminAddr()+path, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, string(text))
	return string(text)
}

// replicasOf are those of the first tablet.
func (s *side) replicasOf(db, table string) (tablet int64, replicas []*frontendservice.TGetMetaReplicaMeta) {
	s.t.Helper()
	first := s.tableMeta(db, table).Partitions[0].Indexes[0].Tablets[0]
	return first.GetID(), first.Replicas
}

func (s *side) address(backend int64) string {
	s.t.Helper()
	for _, r := range s.query("SHOW BACKENDS") {
		if r["BackendId"] == itoa(backend) {
			return r["Host"] + ":" + r["HeartbeatPort"]
		}
	}
	s.t.Fatalf("no backend %d", backend)
	return ""
}

// ingestStatus is what a destination backend says of one call.
func (s *side) ingestStatus(i ingestion) *status.TStatus {
	s.t.Helper()
	result, err := s.backend(i.backend).IngestBinlog(ctx, i.request)
	require.NoError(s.t, err)
	return result.Status
}

// TestReplicasInClone is doris-rpc.md 3.3: while a backend is decommissioned its
// tablets have one more replica, with version -1, whose backend does not know
// the tablet; loads do without it. In the end data and binlogs are elsewhere.
func TestReplicasInClone(t *testing.T) {
	cluster, to := private(t)
	from := source(t)
	fromDB, toDB := from.database(), to.database()
	from.table(fromDB, "orders", 1)
	to.table(toDB, "orders", 1)
	to.exec("INSERT INTO `%s`.`orders` VALUES (1, 1)", toDB)
	prev := from.lastSeq(fromDB)
	from.exec("INSERT INTO `%s`.`orders` VALUES (2, 2), (3, 3), (4, 4)", fromDB)
	from.nextUpsert(fromDB, prev)

	tablet, replicas := to.replicasOf(toDB, "orders")
	require.Len(t, replicas, 1)
	old := replicas[0].GetBackendID()
	held, err := cluster.Faults().Add(faults.Rule{Point: "clone", Action: faults.Hold})
	require.NoError(t, err)
	to.exec(`ALTER SYSTEM DECOMMISSION BACKEND "%s"`, to.address(old))
	require.Eventually(t, func() bool { _, replicas = to.replicasOf(toDB, "orders"); return len(replicas) == 2 }, patience, time.Millisecond)
	clone := replicas[1]
	require.Equal(t, int64(-1), clone.GetVersion())
	require.NotEqual(t, old, clone.GetBackendID())
	require.Contains(t, values(to.query("ADMIN SHOW REPLICA STATUS FROM `%s`.`orders`", toDB), "State"), "CLONE")

	table := to.tableMeta(toDB, "orders")
	txn := to.begin(toDB, table.GetID())
	var infos []*thrifttypes.TTabletCommitInfo
	missing := 0
	for _, call := range ingestions(from, to, from.tableMeta(fromDB, "orders").Partitions[0], table.Partitions[0], 2, txn) {
		switch s := to.ingestStatus(call); s.StatusCode {
		case status.TStatusCode_TABLET_MISSING:
			missing++
			require.Equal(t, []string{"tablet " + itoa(call.request.GetLocalTabletID()) + " not found"}, s.ErrorMsgs)
		default:
			requireOK(t, s)
			infos = append(infos, &thrifttypes.TTabletCommitInfo{TabletId: call.request.GetLocalTabletID(), BackendId: call.backend.GetID()})
		}
	}
	require.Positive(t, missing)
	requireOK(t, to.commit(toDB, txn, infos))
	to.exec("INSERT INTO `%s`.`orders` VALUES (5, 5)", toDB)
	require.Equal(t, "1,2,3,4,5", values(to.query("SELECT `k` FROM `%s`.`orders` ORDER BY `k`", toDB), "k"))

	faultstest.Release(t, cluster.Faults(), held)
	require.Eventually(t, func() bool { _, ok := to.backends()[old]; return !ok }, patience, 5*time.Millisecond, "an empty backend is dropped")
	_, replicas = to.replicasOf(toDB, "orders")
	require.Len(t, replicas, 1)
	require.Equal(t, int64(4), replicas[0].GetVersion())
	require.Equal(t, "1,2,3,4,5", values(to.query("SELECT `k` FROM `%s`.`orders` ORDER BY `k`", toDB), "k"))
	code, _, _ := httpDo(t, http.MethodGet, to.backends()[replicas[0].GetBackendID()], "/api/_binlog/_download",
		"method", "get_binlog_info", "tablet_id", itoa(tablet), "binlog_version", "2")
	require.Equal(t, 200, code, "binlogs move with the tablet")
	require.NotContains(t, values(to.query("SHOW BACKENDS"), "BackendId"), itoa(old))
}

// TestBadReplicas is doris-rpc.md 3.3: a bad replica is listed as before, and
// its backend may have lost the tablet.
func TestBadReplicas(t *testing.T) {
	cluster, s := private(t, func(c *dorisim.Config) { c.Admin = true })
	db := s.database()
	s.table(db, "orders", 3)
	tablet, before := s.replicasOf(db, "orders")
	held, err := cluster.Faults().Add(faults.Rule{Point: "clone", Action: faults.Hold})
	require.NoError(t, err)
	broken := before[1].GetBackendID()
	post(t, cluster, "/replica/break", `{"tablet": `+itoa(tablet)+`, "backend": `+itoa(broken)+`}`)
	_, after := s.replicasOf(db, "orders")
	require.Equal(t, before, after, "nothing tells them apart")
	result, err := s.backend(s.backends()[broken]).IngestBinlog(ctx, &backendservice.TIngestBinlogRequest{TxnID: new(int64(1)), RemoteTabletID: new(int64(1)),
		BinlogVersion: new(int64(2)), RemoteHost: new("127.0.0.1"), RemotePort: new("1"), PartitionID: new(int64(1)), LocalTabletID: &tablet, LoadID: &thrifttypes.TUniqueId{}})
	require.NoError(t, err)
	requireStatus(t, status.TStatusCode_TABLET_MISSING, "tablet "+itoa(tablet)+" not found", result.Status)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1), (2, 2), (3, 3)", db)
	bad := func() string {
		rows := s.query("ADMIN SHOW REPLICA STATUS FROM `%s`.`orders`", db)
		list := []row{}
		for _, r := range rows {
			if r["IsBad"] == "true" {
				list = append(list, r)
			}
		}
		return values(list, "BackendId")
	}
	require.Equal(t, itoa(broken), bad())
	faultstest.Release(t, cluster.Faults(), held)
	require.Eventually(t, func() bool { _, r := s.replicasOf(db, "orders"); return bad() == "" && r[1].GetVersion() == 2 }, patience, 5*time.Millisecond)

	held, err = cluster.Faults().Add(faults.Rule{Point: "clone", Action: faults.Hold})
	require.NoError(t, err)
	s.exec(`ADMIN SET REPLICA STATUS PROPERTIES ("tablet_id" = "%d", "backend_id" = "%d", "status" = "bad")`, tablet, broken)
	require.Equal(t, itoa(broken), bad())
	faultstest.Release(t, cluster.Faults(), held)
	require.Eventually(t, func() bool { return bad() == "" }, patience, 5*time.Millisecond)
}
