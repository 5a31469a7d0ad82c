package conformance

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

const (
	user     = "root"
	password = "s3cret"
	patience = 20 * time.Second
)

var ctx = context.Background()

// The two clusters that most tests share; each test uses databases of its own.
var sourceCluster, destinationCluster *dorisim.Cluster

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	for _, c := range []struct {
		name    string
		cluster **dorisim.Cluster
	}{{"source", &sourceCluster}, {"destination", &destinationCluster}} {
		started, err := dorisim.Start(ctx, clusterConfig(c.name))
		if err != nil {
			fmt.Fprintf(os.Stderr, "start the %s cluster: %v\n", c.name, err)
			return 1
		}
		defer started.Close()
		*c.cluster = started
	}
	code := m.Run()
	for _, c := range []*dorisim.Cluster{sourceCluster, destinationCluster} {
		for _, r := range c.Faults().Unstruck() {
			fmt.Fprintf(os.Stderr, "cluster %s: the fault rule {%s %s} has struck nothing\n", c.Name(), r.Point, r.Action)
			code = 1
		}
	}
	return code
}

func clusterConfig(name string) dorisim.Config {
	return dorisim.Config{Name: name, FEs: 2, BEs: 3, RootPassword: password}
}

// side is one cluster as a client sees it.
type side struct {
	t      *testing.T
	db     *sql.DB
	fe     *frontendservice.FrontendServiceClient
	thrift string // address of the master's Thrift port
}

func source(t *testing.T) *side      { return connect(t, sourceCluster) }
func destination(t *testing.T) *side { return connect(t, destinationCluster) }

// private starts a cluster for tests that disturb it.
func private(t *testing.T, change ...func(*dorisim.Config)) (*dorisim.Cluster, *side) {
	t.Helper()
	cfg := clusterConfig("private")
	for _, f := range change {
		f(&cfg)
	}
	c, err := dorisim.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	faultstest.Struck(t, c.Faults())
	return c, connect(t, c)
}

func connect(t *testing.T, c *dorisim.Cluster) *side {
	t.Helper()
	s := &side{t: t, db: openSQL(t, c.FE(0).MySQLAddr()), thrift: c.FE(0).ThriftAddr()}
	s.fe = frontend(t, s.thrift)
	return s
}

func openSQL(t *testing.T, addr string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s)/", user, password, addr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// protocol dials a Thrift port; strict chooses the header style.
func protocol(t *testing.T, addr string, strict bool) *thrift.TStandardClient {
	t.Helper()
	conf := &thrift.TConfiguration{TBinaryStrictWrite: &strict, ConnectTimeout: patience, SocketTimeout: 2 * patience}
	socket := thrift.NewTSocketConf(addr, conf)
	require.NoError(t, socket.Open())
	t.Cleanup(func() { _ = socket.Close() })
	p := thrift.NewTBinaryProtocolConf(thrift.NewTBufferedTransport(socket, 4096), conf)
	return thrift.NewTStandardClient(p, p)
}

func frontend(t *testing.T, addr string) *frontendservice.FrontendServiceClient {
	t.Helper()
	return frontendservice.NewFrontendServiceClient(protocol(t, addr, true))
}

func (s *side) backend(b *thrifttypes.TBackend) *backendservice.BackendServiceClient {
	s.t.Helper()
	return backendservice.NewBackendServiceClient(protocol(s.t, net.JoinHostPort(b.Host, strconv.Itoa(int(b.BePort))), true))
}

// exec runs a statement that must succeed.
func (s *side) exec(format string, args ...any) {
	s.t.Helper()
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(format, args...))
	require.NoError(s.t, err, format)
}

// row is a result row by column title.
type row map[string]string

// query returns the rows; NULL reads as "NULL".
func (s *side) query(format string, args ...any) []row {
	s.t.Helper()
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf(format, args...))
	require.NoError(s.t, err, format)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(s.t, err)
	result := []row{}
	for rows.Next() {
		cells := make([]sql.NullString, len(columns))
		targets := make([]any, len(columns))
		for i := range cells {
			targets[i] = &cells[i]
		}
		require.NoError(s.t, rows.Scan(targets...))
		r := row{}
		for i, c := range columns {
			r[c] = "NULL"
			if cells[i].Valid {
				r[c] = cells[i].String
			}
		}
		result = append(result, r)
	}
	require.NoError(s.t, rows.Err())
	return result
}

// columns returns the titles of a statement's result.
func (s *side) columns(statement string) []string {
	s.t.Helper()
	rows, err := s.db.QueryContext(ctx, statement)
	require.NoError(s.t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(s.t, err)
	return columns
}

var databases atomic.Int64

// database makes a database with binlogs on, dropped after the test.
func (s *side) database() string {
	s.t.Helper()
	name := fmt.Sprintf("conf_%d", databases.Add(1))
	s.exec("CREATE DATABASE `%s` PROPERTIES (\"binlog.enable\" = \"true\")", name)
	return name
}

// table makes a duplicate-key table k INT, v INT with two buckets.
func (s *side) table(db, name string, replicas int) {
	s.t.Helper()
	s.exec("CREATE TABLE `%s`.`%s` (`k` INT NOT NULL, `v` INT NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 "+
		"PROPERTIES (\"replication_num\" = \"%d\", \"binlog.enable\" = \"true\")", db, name, replicas)
}

// meta asks getMeta for tables of a database by name.
func (s *side) meta(db string, tables ...string) *frontendservice.TGetMetaDBMeta {
	s.t.Helper()
	request := &frontendservice.TGetMetaRequest{User: new(user), Passwd: new(password), Db: &frontendservice.TGetMetaDB{Name: &db}}
	for _, name := range tables {
		request.Db.Tables = append(request.Db.Tables, &frontendservice.TGetMetaTable{Name: &name})
	}
	result, err := s.fe.GetMeta(ctx, request)
	require.NoError(s.t, err)
	requireOK(s.t, result.Status)
	require.NotNil(s.t, result.DbMeta)
	return result.DbMeta
}

func (s *side) tableMeta(db, table string) *frontendservice.TGetMetaTableMeta {
	s.t.Helper()
	tables := s.meta(db, table).Tables
	require.Len(s.t, tables, 1)
	return tables[0]
}

// backends returns the backends by id.
func (s *side) backends() map[int64]*thrifttypes.TBackend {
	s.t.Helper()
	result, err := s.fe.GetBackendMeta(ctx, &frontendservice.TGetBackendMetaRequest{Cluster: new(""), User: new(user), Passwd: new(password)})
	require.NoError(s.t, err)
	requireOK(s.t, result.Status)
	byID := map[int64]*thrifttypes.TBackend{}
	for _, b := range result.Backends {
		byID[b.GetID()] = b
	}
	return byID
}

// binlogRequest reads the db log, or the table log if tableID >= 0.
func binlogRequest(db string, tableID, prev, n int64) *frontendservice.TGetBinlogRequest {
	r := &frontendservice.TGetBinlogRequest{User: new(user), Passwd: new(password), Db: &db, PrevCommitSeq: &prev, NumAcquired: &n}
	if tableID >= 0 {
		r.TableID = &tableID
	}
	return r
}

// binlogs returns everything after prev.
func (s *side) binlogs(db string, tableID, prev int64) []*frontendservice.TBinlog {
	s.t.Helper()
	var all []*frontendservice.TBinlog
	for {
		result, err := s.fe.GetBinlog(ctx, binlogRequest(db, tableID, prev, 255))
		require.NoError(s.t, err)
		if result.Status.StatusCode == status.TStatusCode_BINLOG_TOO_NEW_COMMIT_SEQ {
			return all
		}
		requireOK(s.t, result.Status)
		if len(result.Binlogs) == 0 {
			return all
		}
		all = append(all, result.Binlogs...) // older versions answer with one at a time
		prev = all[len(all)-1].GetCommitSeq()
	}
}

// lastSeq is the newest commit seq of the db log, -1 if there is none.
func (s *side) lastSeq(db string) int64 {
	s.t.Helper()
	last := int64(-1)
	for _, b := range s.binlogs(db, -1, last) {
		last = b.GetCommitSeq()
	}
	return last
}

// nextUpsert waits for the first UPSERT after prev.
func (s *side) nextUpsert(db string, prev int64) *frontendservice.TBinlog {
	s.t.Helper()
	var found *frontendservice.TBinlog
	require.Eventually(s.t, func() bool {
		for _, b := range s.binlogs(db, -1, prev) {
			if b.GetType() == frontendservice.TBinlogType_UPSERT {
				found = b
				return true
			}
		}
		return false
	}, patience, 5*time.Millisecond)
	return found
}

// requireOK wants status OK without texts.
func requireOK(t *testing.T, s *status.TStatus) {
	t.Helper()
	require.NotNil(t, s)
	require.Equal(t, status.TStatusCode_OK, s.StatusCode, "%v", s.ErrorMsgs)
}

// requireStatus wants a code and one text that contains text.
func requireStatus(t *testing.T, code status.TStatusCode, text string, s *status.TStatus) {
	t.Helper()
	require.NotNil(t, s)
	require.Equal(t, code, s.StatusCode, "%v", s.ErrorMsgs)
	require.Len(t, s.ErrorMsgs, 1)
	require.Contains(t, s.ErrorMsgs[0], text)
}

// requireBare wants a code and no text at all.
func requireBare(t *testing.T, code status.TStatusCode, s *status.TStatus) {
	t.Helper()
	require.NotNil(t, s)
	require.Equal(t, code, s.StatusCode, "%v", s.ErrorMsgs)
	require.Empty(t, s.ErrorMsgs)
}

// analysis wants an ANALYSIS_ERROR with Doris' prefix.
func analysis(t *testing.T, text string, s *status.TStatus) {
	t.Helper()
	requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, "errCode = 2, detailMessage = "+text, s)
}

// httpDo makes one HTTP request to a backend; query is key, value, ...
func httpDo(t *testing.T, method string, b *thrifttypes.TBackend, path string, query ...string) (int, http.Header, string) {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	u := url.URL{Scheme: "http", Host: net.JoinHostPort(b.Host, strconv.Itoa(int(b.HTTPPort))), Path: path, RawQuery: q.Encode()}
	request, err := http.NewRequest(method, u.String(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(body)
}

// values joins one column of a result for comparison.
func values(rows []row, column string) string {
	var list []string
	for _, r := range rows {
		list = append(list, r[column])
	}
	return strings.Join(list, ",")
}

// refuses runs a statement that must fail with the MySQL code and a text that
// contains want.
func (s *side) refuses(code uint16, want, format string, args ...any) {
	s.t.Helper()
	_, err := s.db.ExecContext(ctx, fmt.Sprintf(format, args...))
	var refusal *mysql.MySQLError
	require.ErrorAs(s.t, err, &refusal, format)
	require.Equal(s.t, code, refusal.Number, refusal.Message)
	require.Contains(s.t, refusal.Message, want)
}
