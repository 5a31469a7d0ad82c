package preflight

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// told answers the statements of a look at a cluster, by how they begin.
type told struct {
	pair.Database
	rows map[string][]sqlclient.Row
	err  map[string]error
	set  sqlclient.Setting
}

func (c *told) Session(ctx context.Context, set sqlclient.Setting, _ time.Duration, work func(context.Context, sqlclient.QueryFunc) error) error {
	c.set = set
	return work(ctx, c.Query)
}

func (c *told) Query(_ context.Context, statement string) ([]sqlclient.Row, error) {
	for begin, err := range c.err {
		if strings.HasPrefix(statement, begin) {
			return nil, err
		}
	}
	for begin, rows := range c.rows {
		if strings.HasPrefix(statement, begin) {
			return rows, nil
		}
	}
	return nil, nil
}

func (c *told) FrontendConfig(_ context.Context, key string) (string, bool, error) {
	return "2000", key == pair.LabelNumber, c.err["CONFIG"]
}

func (c *told) CreateDatabaseText(_ context.Context, db string) (string, error) {
	return "CREATE DATABASE `" + db + "`\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n)", c.err["DATABASE"]
}

func (c *told) CreateTableText(context.Context, string, string) (string, error) {
	return `PROPERTIES ("binlog.enable" = "false", "binlog.ttl_seconds" = "60", "binlog.max_bytes" = "9223372036854775807", "binlog.max_history_nums" = "5")`, nil
}

// A look tells addresses through the mapping, what lives and what can be reached, and how
// long binlogs are kept.
func TestDescribeClusters(t *testing.T) {
	open, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer open.Close()
	port := open.Addr().(*net.TCPAddr).Port
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	silent := closed.Addr().(*net.TCPAddr).Port
	require.NoError(t, closed.Close())

	b := pairtest.NewBench(t)
	b.Spec.Source.Host, b.Spec.Source.Port, b.Spec.Source.ThriftPort = "127.0.0.1", port, port
	b.Spec.Source.HostMapping = map[string]string{"10.0.0.1": "127.0.0.1"}
	b.Src.Nodes = []meta.Backend{
		{ID: 12, Host: "10.0.0.9", Port: 1, HTTPPort: port},
		{ID: 11, Host: "10.0.0.1", Port: 1, HTTPPort: port, Alive: true},
		{ID: 13, Host: "10.0.0.1", Port: 1, HTTPPort: silent, Alive: true},
	}
	j := New(b.PairJob())
	text := strconv.Itoa
	sql := &told{
		rows: map[string][]sqlclient.Row{
			"SHOW VARIABLES": {{"Value": "Doris version doris-3.0.4-rc02"}},
			"SHOW FRONTENDS": {{"Host": "10.0.0.1", "QueryPort": text(port), "RpcPort": text(silent), "IsMaster": "true", "Alive": "true", "Role": "FOLLOWER", "Version": "doris-3.0.4"}},
			"SHOW BACKENDS":  {{"BackendId": "11", "Version": "doris-3.0.4-be"}},
		},
		err: map[string]error{},
	}
	j.Source.SQL, j.Destination.SQL = sql, sql
	logs := []job.LogOf{{Database: "sales"}, {Database: "sales", Table: "t"}}
	seen := j.DescribeClusters(t.Context(), job.ClustersWanted{Source: logs}).Source
	require.Empty(t, seen.Errors)
	require.Equal(t, "3.0.4", seen.Version)
	require.False(t, seen.FrontendsUntold)
	alive := true
	require.Len(t, seen.Frontends, 1)
	failure := seen.Frontends[0].Error
	seen.Frontends[0].Error = ""
	require.Equal(t, job.FrontendSeen{
		Host: "127.0.0.1", Private: "10.0.0.1", Port: port, ThriftPort: silent, IsMaster: true, Role: "FOLLOWER", Version: "doris-3.0.4", Alive: &alive,
	}, seen.Frontends[0])
	require.Contains(t, failure, "does not reach 127.0.0.1:"+text(silent))

	require.Len(t, seen.Backends, 3)
	require.Equal(t, job.BackendSeen{ID: 11, Host: "127.0.0.1", Private: "10.0.0.1", Port: 1, HTTPPort: port, Version: "doris-3.0.4-be", Alive: true, Reached: true}, seen.Backends[0])
	require.Contains(t, seen.Backends[1].Error, "public ip of 10.0.0.9 is not found")
	require.False(t, seen.Backends[1].Alive)
	require.False(t, seen.Backends[2].Reached)
	require.Equal(t, []job.LogKept{
		{LogOf: logs[0], Enabled: true, TTLSeconds: 86400}, {LogOf: logs[1], TTLSeconds: 60, MaxBinlogs: 5},
	}, seen.Logs)
	require.Equal(t, map[string]string{pair.LabelNumber: "2000"}, seen.Limits)

	// An account without privileges sees less, and nothing is wrong with that.
	denied := &sqlclient.Error{Code: 1227, Message: "errCode = 2, detailMessage = Access denied; you need (at least one of) the (Admin_priv) privilege(s) for this operation"}
	sql.err = map[string]error{"SHOW FRONTENDS": denied, "SHOW BACKENDS": denied, "CONFIG": denied}
	seen = j.DescribeClusters(t.Context(), job.ClustersWanted{}).Source
	require.Empty(t, seen.Errors)
	require.True(t, seen.FrontendsUntold)
	require.Equal(t, []job.FrontendSeen{{Host: "127.0.0.1", Port: port, ThriftPort: port, Reached: true}}, seen.Frontends)
	require.Empty(t, seen.Backends[0].Version)

	// A cluster that does not answer is told once, with what the job knows of it.
	sql.err = map[string]error{"SHOW VARIABLES": pairtest.LostReply()}
	seen = j.DescribeClusters(t.Context(), job.ClustersWanted{Source: logs}).Source
	require.Len(t, seen.Errors, 1)
	require.Contains(t, seen.Errors[0], "cannot ask for the version")
	require.Len(t, seen.Frontends, 1)
	require.Empty(t, seen.Logs)
}

// A look at tables takes those that are wanted and that the frontend knows the rows of.
func TestDescribeTables(t *testing.T) {
	b := pairtest.NewBench(t)
	j := New(b.PairJob())
	source := &told{rows: map[string][]sqlclient.Row{"SHOW TABLE STATUS FROM `" + j.Source.Spec.Database + "`": {
		{"Name": "orders", "Rows": "12", "Data_length": "3456", "Update_time": "2026-12-01 03:04:05"}, {"Name": "other", "Rows": "1", "Data_length": "1"},
		{"Name": "fresh", "Rows": "-1", "Data_length": "0"}, {"Name": "v"},
	}}}
	j.Source.SQL, j.Destination.SQL = source, &told{err: map[string]error{"SHOW TABLE STATUS": &sqlclient.Error{Code: 1044, Message: "denied"}}}
	wanted := []string{"orders", "fresh", "v", "gone"}
	sizes := j.DescribeTables(t.Context(), job.TableSizesWanted{Source: wanted, Destination: wanted})
	require.Equal(t, map[string]job.TableSize{"orders": {Rows: 12, Bytes: 3456, Changed: time.Date(2026, 12, 1, 3, 4, 5, 0, time.UTC)}}, sizes.Source.Tables)
	require.Equal(t, sqlclient.Setting{"time_zone": "+00:00"}, source.set, "or nobody knows of which zone that is")
	require.Empty(t, sizes.Source.Error)
	require.Contains(t, sizes.Destination.Error, "denied")
}
