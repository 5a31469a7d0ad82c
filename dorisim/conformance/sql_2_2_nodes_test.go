package conformance

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim"
)

// startNode has the admin port start a further node.
func startNode(t *testing.T, c *dorisim.Cluster, kind string) (index int, address string) {
	t.Helper()
	var started struct {
		Index   int    `json:"index"`
		Address string `json:"address"`
	}
	require.NoError(t, json.Unmarshal([]byte(post(t, c, "/"+kind+"/start", "")), &started))
	return started.Index, started.Address
}

// TestBackendsComeAndGo: backends are added, decommissioned and dropped while
// the cluster runs; tablets move (doris-sql.md 2.2, doris-rpc.md 3.2).
func TestBackendsComeAndGo(t *testing.T) {
	cluster, s := private(t, func(c *dorisim.Config) { c.Admin, c.BEs = true, 2 })
	db := s.database()
	s.table(db, "old", 2)
	s.exec("INSERT INTO `%s`.`old` VALUES (1, 1), (2, 2), (3, 3)", db)
	rows := func(table string) string {
		return values(s.query("SELECT `k` FROM `%s`.`%s` ORDER BY `k`", db, table), "k")
	}
	first := s.address(oneOf(s.backends()))
	s.refuses(1105, "available backend num 1", `ALTER SYSTEM DECOMMISSION BACKEND "%s"`, first)
	s.refuses(1105, "use DROPP instead of DROP", `ALTER SYSTEM DROP BACKEND "%s"`, first)
	s.refuses(1105, "Same backend already exists["+first+"]", `ALTER SYSTEM ADD BACKEND "%s"`, first)
	s.refuses(1105, "Backend does not exist[127.0.0.1:1]", `ALTER SYSTEM DECOMMISSION BACKEND "127.0.0.1:1"`)
	s.refuses(1105, "backend does not exists[127.0.0.1:1]", `ALTER SYSTEM DROPP BACKEND "127.0.0.1:1"`)

	_, address := startNode(t, cluster, "be")
	require.Len(t, s.backends(), 2, "a process is no member yet")
	s.exec(`ALTER SYSTEM ADD BACKEND "%s"`, address)
	require.Len(t, s.backends(), 3)
	added := int64(0)
	for id := range s.backends() {
		if s.address(id) == address {
			added = id
		}
	}
	require.NotZero(t, added)
	s.exec("CREATE TABLE `%s`.`new` (`k` INT NOT NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1 PROPERTIES (\"replication_num\" = \"3\")", db)
	s.exec("INSERT INTO `%s`.`new` VALUES (7)", db)
	s.refuses(1105, "available backend num 2", `ALTER SYSTEM DECOMMISSION BACKEND "%s"`, first)
	s.exec("DROP TABLE `%s`.`new` FORCE", db)

	s.exec(`ALTER SYSTEM DECOMMISSION BACKEND "%s"`, first)
	require.Eventually(t, func() bool { return len(s.backends()) == 2 }, patience, 5*time.Millisecond)
	require.Contains(t, s.backends(), added)
	require.Equal(t, "1,2,3", rows("old"))
	_, replicas := s.replicasOf(db, "old")
	require.Len(t, replicas, 2)
	s.exec("INSERT INTO `%s`.`old` VALUES (4, 4)", db)
	require.Equal(t, "1,2,3,4", rows("old"))

	// The process is still there: back again, under another id, with nothing.
	s.exec(`ALTER SYSTEM ADD BACKEND "%s"`, first)
	require.Len(t, s.backends(), 3)
	s.exec(`ALTER SYSTEM DROPP BACKEND "%d"`, added)
	require.NotContains(t, s.backends(), added)
	require.Eventually(t, func() bool {
		_, r := s.replicasOf(db, "old")
		return len(r) == 2 && r[0].GetVersion() == 3 && r[1].GetVersion() == 3
	}, patience, 5*time.Millisecond, "what was lost is copied from the other replica")
	require.Equal(t, "1,2,3,4", rows("old"))

	s.exec(`ALTER SYSTEM ADD BACKEND "127.0.0.9:9050"`)
	dead := s.query("SHOW BACKENDS")
	require.Equal(t, "false", dead[len(dead)-1]["Alive"], "no process there")
	s.exec(`ALTER SYSTEM DROPP BACKEND "127.0.0.9:9050"`)
	require.Len(t, s.backends(), 2)
}

// TestFrontendsComeAndGo: so do frontends; a new one sends clients to the
// master.
func TestFrontendsComeAndGo(t *testing.T) {
	cluster, s := private(t, func(c *dorisim.Config) { c.Admin, c.FEs = true, 1 })
	index, address := startNode(t, cluster, "fe")
	require.Len(t, s.query("SHOW FRONTENDS"), 1)
	s.exec(`ALTER SYSTEM ADD FOLLOWER "%s"`, address)
	s.refuses(1105, "frontend already exists", `ALTER SYSTEM ADD OBSERVER "%s"`, address)
	require.Equal(t, "FOLLOWER,FOLLOWER", values(s.query("SHOW FRONTENDS"), "Role"))
	other := frontend(t, cluster.FE(index).ThriftAddr())
	result, err := other.GetBinlog(ctx, binlogRequest("d", -1, -1, 1))
	require.NoError(t, err)
	require.Equal(t, status.TStatusCode_NOT_MASTER, result.Status.StatusCode)
	require.NotZero(t, result.MasterAddress.Port)
	s.refuses(1105, "OBSERVER does not exist["+address+"]", `ALTER SYSTEM DROP OBSERVER "%s"`, address)
	s.refuses(1105, "can not drop current master node.", `ALTER SYSTEM DROP FOLLOWER "127.0.0.1:9010"`)
	s.exec(`ALTER SYSTEM DROP FOLLOWER "%s"`, address)
	require.Len(t, s.query("SHOW FRONTENDS"), 1)
	_, err = other.GetBinlog(ctx, binlogRequest("d", -1, -1, 1))
	require.Error(t, err, "its process is gone")
	s.refuses(1105, "frontend does not exist["+address+"]", `ALTER SYSTEM DROP FOLLOWER "%s"`, address)

	s.exec(`ALTER SYSTEM ADD OBSERVER "%s"`, address)
	require.ErrorContains(t, cluster.SwitchMaster(index), "observer")
}

func oneOf[V any](m map[int64]V) int64 {
	for k := range m {
		return k
	}
	return 0
}
