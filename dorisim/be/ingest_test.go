package be

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// pair is a source with one binlog of tablet 5, version 2, and a destination
// with the empty tablet 50.
func pair(t *testing.T, change ...func(*Config)) (source, destination *Backend) {
	source = startBackend(t, 1, func(c *Config) { c.SegmentRows = 2 })
	destination = startBackend(t, 2, change...)
	schema := schemaOf(types.UniqueKeys, intColumn("v", ""), types.Column{Name: "t", Type: textType, Nullable: true})
	w := newWriter(t, source, TabletSpec{TabletID: 5, Schema: schema, BinlogEnabled: true, InvertedIndexes: []int64{3}})
	w.write(RowsetData{Rows: []types.Row{rowOf(1, 1, "a"), rowOf(2, nil, "b"), rowOf(3, 3, nil)}, Delete: map[int]bool{2: true}})
	require.NoError(t, destination.CreateTablet(TabletSpec{TabletID: 50, PartitionID: 9, Schema: schema, BinlogEnabled: true}))
	return source, destination
}

func ingest(t *testing.T, b *Backend, r *backendservice.TIngestBinlogRequest) *backendservice.TIngestBinlogResult_ {
	t.Helper()
	result, err := client(t, b, true).IngestBinlog(context.Background(), r)
	require.NoError(t, err)
	return result
}

func requireStatus(t *testing.T, code status.TStatusCode, text string, s *status.TStatus) {
	t.Helper()
	require.Equal(t, code, s.StatusCode, "%v", s.ErrorMsgs)
	if text == "" {
		require.Empty(t, s.ErrorMsgs)
		return
	}
	require.Len(t, s.ErrorMsgs, 1)
	require.Contains(t, s.ErrorMsgs[0], text)
}

func TestIngest(t *testing.T) {
	for _, strict := range []bool{true, false} {
		source, destination := pair(t)
		c := client(t, destination, strict)
		for range 2 { // the table is not merge-on-write: no harm
			result, err := c.IngestBinlog(context.Background(), ingestRequest(source, 5, 2, 70, 50))
			require.NoError(t, err)
			requireStatus(t, status.TStatusCode_OK, "", result.Status)
			require.False(t, result.GetIsAsync())
		}
		require.Empty(t, scanAll(t, destination, 50), "invisible until published")
		require.True(t, destination.CanPublish(70, 50))
		require.NoError(t, destination.Publish(70, 9, 50, 2))
		requireRows(t, []types.Row{rowOf(1, 1, "a"), rowOf(2, nil, "b")}, scanAll(t, destination, 50))
		// The rowset is a binlog of the destination, too: a chain of clusters.
		third := startBackend(t, 3)
		require.NoError(t, third.CreateTablet(TabletSpec{TabletID: 60, Schema: schemaOf(types.UniqueKeys, intColumn("v", ""), types.Column{Name: "t", Type: textType, Nullable: true})}))
		requireStatus(t, status.TStatusCode_OK, "", ingest(t, third, ingestRequest(destination, 50, 2, 80, 60)).Status)
	}
}

func TestIngestEmptyAndPredicate(t *testing.T) {
	source, destination := startBackend(t, 1), startBackend(t, 2)
	spec := TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys, intColumn("v", "")), BinlogEnabled: true}
	w := newWriter(t, source, spec)
	w.write(rows(rowOf(1, 1), rowOf(2, 2)))
	w.write(RowsetData{Predicate: where("k", "=", 2)})
	require.NoError(t, source.Publish(999, 1, 5, 4))
	require.NoError(t, destination.CreateTablet(spec))
	for v := int64(2); v <= 4; v++ {
		requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, v, v, 5)).Status)
		require.NoError(t, destination.Publish(v, 9, 5, v))
	}
	requireRows(t, []types.Row{rowOf(1, 1)}, scanAll(t, destination, 5))
}

func TestIngestRefusals(t *testing.T) {
	source, destination := pair(t)
	good := func() *backendservice.TIngestBinlogRequest { return ingestRequest(source, 5, 2, 70, 50) }
	fields := []struct {
		name  string
		unset func(*backendservice.TIngestBinlogRequest)
	}{
		{"load_id", func(r *backendservice.TIngestBinlogRequest) { r.LoadID = nil }},
		{"local_tablet_id", func(r *backendservice.TIngestBinlogRequest) { r.LocalTabletID = nil }},
		{"partition_id", func(r *backendservice.TIngestBinlogRequest) { r.PartitionID = nil }},
		{"remote_port", func(r *backendservice.TIngestBinlogRequest) { r.RemotePort = nil }},
		{"remote_host", func(r *backendservice.TIngestBinlogRequest) { r.RemoteHost = nil }},
		{"binlog_version", func(r *backendservice.TIngestBinlogRequest) { r.BinlogVersion = nil }},
		{"remote_tablet_id", func(r *backendservice.TIngestBinlogRequest) { r.RemoteTabletID = nil }},
		{"txn_id", func(r *backendservice.TIngestBinlogRequest) { r.TxnID = nil }},
	}
	r := good()
	for _, f := range fields { // from the last to the first: the first missing one is named
		f.unset(r)
		requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, f.name+" is empty", ingest(t, destination, r).Status)
	}
	requireStatus(t, status.TStatusCode_TABLET_MISSING, "tablet 51 not found", ingest(t, destination, ingestRequest(source, 5, 2, 70, 51)).Status)
	requireStatus(t, status.TStatusCode_HTTP_ERROR, "(127.0.0.1)[HTTP_ERROR]", ingest(t, destination, ingestRequest(source, 5, 3, 70, 50)).Status)
	requireStatus(t, status.TStatusCode_HTTP_ERROR, "tablet is not exist, tablet_id=6", ingest(t, destination, ingestRequest(source, 6, 2, 70, 50)).Status)

	other := schemaOf(types.UniqueKeys, intColumn("other", ""))
	require.NoError(t, destination.CreateTablet(TabletSpec{TabletID: 52, Schema: other}))
	requireStatus(t, status.TStatusCode_INTERNAL_ERROR, "failed to init rowset meta", ingest(t, destination, ingestRequest(source, 5, 2, 70, 52)).Status)

	destination.SetProperty(PropertyBinlog, "false")
	requireStatus(t, status.TStatusCode_RUNTIME_ERROR, "enable feature binlog is false", ingest(t, destination, r).Status)
	require.False(t, destination.CanPublish(70, 50))
}

func TestIngestUnderOlderAndNewerSchema(t *testing.T) {
	source, destination := pair(t)
	wider := schemaOf(types.UniqueKeys, intColumn("v", ""), types.Column{Name: "t", Type: textType, Nullable: true}, intColumn("n", ""))
	require.NoError(t, destination.UpdateSchema(50, wider))
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, 2, 70, 50)).Status)
	require.NoError(t, destination.Publish(70, 9, 50, 2))
	requireRows(t, []types.Row{rowOf(1, 1, "a", nil), rowOf(2, nil, "b", nil)}, scanAll(t, destination, 50))

	require.NoError(t, source.UpdateSchema(5, schemaOf(types.UniqueKeys, intColumn("x", ""))))
	require.NoError(t, source.Write(71, 1, 5, rows(rowOf(1, 1))))
	require.NoError(t, source.Publish(71, 1, 5, 3))
	requireStatus(t, status.TStatusCode_INTERNAL_ERROR, "failed to init rowset meta", ingest(t, destination, ingestRequest(source, 5, 3, 71, 50)).Status)
}

// proxy stands between the backends and damages what passes.
func proxy(t *testing.T, to *Backend, damage func(w http.ResponseWriter, r *http.Request, body []byte) []byte) *backendservice.TIngestBinlogRequest {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		to.httpHandler().ServeHTTP(recorder, r)
		body := recorder.Body.Bytes()
		for k, v := range recorder.Header() {
			w.Header()[k] = v
		}
		if r.Method == http.MethodGet {
			body = damage(w, r, body)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	r := ingestRequest(to, 5, 2, 70, 50)
	host, port := u.Hostname(), u.Port()
	r.RemoteHost, r.RemotePort = &host, &port
	return r
}

func TestIngestDamagedTransfers(t *testing.T) {
	source, destination := pair(t)
	method := func(r *http.Request, m string) bool { return r.URL.Query().Get("method") == m }
	cases := []struct {
		name   string
		code   status.TStatusCode
		text   string
		damage func(w http.ResponseWriter, r *http.Request, body []byte) []byte
	}{
		{"truncated body", status.TStatusCode_RUNTIME_ERROR, "downloaded file size is not equal, local=", func(_ http.ResponseWriter, r *http.Request, body []byte) []byte {
			if method(r, "get_segment_file") {
				return body[:len(body)-3]
			}
			return body
		}},
		{"flipped byte", status.TStatusCode_RUNTIME_ERROR, "download file md5 is not equal, local=", func(_ http.ResponseWriter, r *http.Request, body []byte) []byte {
			if method(r, "get_segment_file") {
				body[len(body)/2] ^= 1
			}
			return body
		}},
		{"flipped byte without digest", status.TStatusCode_RUNTIME_ERROR, "failed to commit txn for remote tablet. rowset_id: ", func(w http.ResponseWriter, r *http.Request, body []byte) []byte {
			w.Header().Del("Content-MD5")
			if method(r, "get_segment_file") {
				body[len(body)/2] ^= 1
			}
			return body
		}},
		{"binlog info", status.TStatusCode_RUNTIME_ERROR, "failed to parse binlog info into 2 parts: nonsense", func(_ http.ResponseWriter, r *http.Request, body []byte) []byte {
			if method(r, "get_binlog_info") {
				return []byte("nonsense")
			}
			return body
		}},
		{"rowset meta", status.TStatusCode_INTERNAL_ERROR, "failed to parse rowset meta", func(_ http.ResponseWriter, r *http.Request, body []byte) []byte {
			if method(r, "get_rowset_meta") {
				return []byte("nonsense")
			}
			return body
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			requireStatus(t, c.code, c.text, ingest(t, destination, proxy(t, source, c.damage)).Status)
			require.False(t, destination.CanPublish(70, 50))
		})
	}
	var mu sync.Mutex
	calls := 0
	r := proxy(t, source, func(_ http.ResponseWriter, r *http.Request, body []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls <= 2 {
			return body[:1]
		}
		return body
	})
	requireStatus(t, status.TStatusCode_RUNTIME_ERROR, "into 2 parts", ingest(t, destination, r).Status)
	requireStatus(t, status.TStatusCode_RUNTIME_ERROR, "into 2 parts", ingest(t, destination, r).Status)
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, r).Status)
}

func TestIngestTriesThreeTimes(t *testing.T) {
	source, destination := pair(t)
	fails := 2
	var mu sync.Mutex
	source.cfg.Faults = func(point string) error {
		mu.Lock()
		defer mu.Unlock()
		if point == FaultBinlogDownload && fails > 0 {
			fails--
			return errors.New("injected")
		}
		return nil
	}
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, 2, 70, 50)).Status)
}

func TestAsyncIngest(t *testing.T) {
	release := make(chan time.Duration)
	source, destination := pair(t, func(c *Config) {
		c.Properties = map[string]string{PropertyIngestPoolSize: "1"}
		c.IngestDelay = func() time.Duration { return <-release }
	})
	c := client(t, destination, true)
	query := func(txn, tablet int64) *backendservice.TQueryIngestBinlogResult_ {
		partition := int64(9)
		result, err := c.QueryIngestBinlog(context.Background(), &backendservice.TQueryIngestBinlogRequest{
			TxnID: &txn, PartitionID: &partition, TabletID: &tablet, LoadID: &thrifttypes.TUniqueId{Hi: -1, Lo: -1}})
		require.NoError(t, err)
		return result
	}
	status := func(txn int64) backendservice.TIngestBinlogStatus { return query(txn, 50).GetStatus() }
	require.Equal(t, backendservice.TIngestBinlogStatus_NOT_FOUND, status(70))
	for txn, version := range map[int64]int64{70: 2, 71: 3} {
		result, err := c.IngestBinlog(context.Background(), ingestRequest(source, 5, version, txn, 50))
		require.NoError(t, err)
		require.True(t, result.GetIsAsync())
		require.Equal(t, backendservice.TIngestBinlogStatus_DOING, status(txn))
	}
	release <- 0
	release <- 0
	require.Eventually(t, func() bool {
		return status(70) == backendservice.TIngestBinlogStatus_OK && status(71) == backendservice.TIngestBinlogStatus_FAILED
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, destination.Publish(70, 9, 50, 2))
	require.Equal(t, backendservice.TIngestBinlogStatus_NOT_FOUND, status(70))

	missing := query(70, 51)
	require.Equal(t, backendservice.TIngestBinlogStatus_NOT_FOUND, missing.GetStatus())
	require.Equal(t, "tablet 51 not found", missing.GetErrMsg())
	result, err := c.QueryIngestBinlog(context.Background(), &backendservice.TQueryIngestBinlogRequest{TxnID: new(int64)})
	require.NoError(t, err)
	require.Equal(t, backendservice.TIngestBinlogStatus_ANALYSIS_ERROR, result.GetStatus())
	require.Equal(t, "partition_id is empty", result.GetErrMsg())
}

// TestIngestForAnotherPartition: what is ingested belongs to the partition that
// the request names; publishing the right one does not find it.
func TestIngestForAnotherPartition(t *testing.T) {
	source, destination := pair(t)
	r := ingestRequest(source, 5, 2, 70, 50)
	right := r.GetPartitionID()
	wrong := right + 1
	r.PartitionID = &wrong
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, r).Status)
	answer, err := client(t, destination, true).QueryIngestBinlog(context.Background(), &backendservice.TQueryIngestBinlogRequest{
		TxnID: r.TxnID, PartitionID: &right, TabletID: r.LocalTabletID, LoadID: r.LoadID})
	require.NoError(t, err)
	require.Equal(t, backendservice.TIngestBinlogStatus_NOT_FOUND, answer.GetStatus())
	require.ErrorContains(t, destination.Publish(70, right, 50, 2), "is not committed here")

	r.PartitionID = &right
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, r).Status)
	require.NoError(t, destination.Publish(70, right, 50, 2))
}

func TestAbortDuringIngest(t *testing.T) {
	started := make(chan struct{})
	release := make(chan time.Duration)
	source, destination := pair(t, func(c *Config) {
		c.IngestDelay = func() time.Duration { close(started); return <-release }
	})
	done := make(chan *backendservice.TIngestBinlogResult_, 1)
	c := client(t, destination, true)
	go func() {
		result, _ := c.IngestBinlog(context.Background(), ingestRequest(source, 5, 2, 70, 50))
		done <- result
	}()
	<-started
	destination.Abort(70)
	release <- 0
	result := <-done
	require.NotNil(t, result)
	requireStatus(t, status.TStatusCode_RUNTIME_ERROR, "failed to commit txn for remote tablet", result.Status)
	require.False(t, destination.CanPublish(70, 50))
}

func TestLostReply(t *testing.T) {
	source, destination := pair(t, func(c *Config) {
		c.Faults = func(point string) error {
			if point == FaultIngestReply {
				return faults.ErrDropped
			}
			return nil
		}
	})
	_, err := client(t, destination, true).IngestBinlog(context.Background(), ingestRequest(source, 5, 2, 70, 50))
	require.Error(t, err)
	require.True(t, destination.CanPublish(70, 50), "the effect stays")
}

func TestUnknownMethod(t *testing.T) {
	b := startBackend(t, 1)
	conf := &thrift.TConfiguration{}
	socket := thrift.NewTSocketConf(net.JoinHostPort(b.Host(), strconv.Itoa(b.BePort())), conf)
	require.NoError(t, socket.Open())
	defer socket.Close()
	c := thrift.NewTStandardClient(thrift.NewTBinaryProtocolConf(socket, conf), thrift.NewTBinaryProtocolConf(socket, conf))
	for range 2 { // the connection stays usable
		_, err := c.Call(context.Background(), "make_snapshot", backendservice.NewTIngestBinlogRequest(), backendservice.NewTIngestBinlogResult_())
		var x thrift.TApplicationException
		require.ErrorAs(t, err, &x)
		require.EqualValues(t, thrift.UNKNOWN_METHOD, x.TypeId())
		require.Contains(t, x.Error(), "Invalid method name: 'make_snapshot'")
	}
}

func TestKillAndRestart(t *testing.T) {
	source, destination := pair(t)
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, 2, 70, 50)).Status)
	c := client(t, destination, true)
	port, httpPort := destination.BePort(), destination.HTTPPort()
	destination.Kill()
	_, err := c.IngestBinlog(context.Background(), ingestRequest(source, 5, 2, 71, 50))
	require.Error(t, err)
	_, err = destination.Version(50)
	require.ErrorIs(t, err, ErrDown)
	require.False(t, destination.CanPublish(70, 50))
	require.ErrorIs(t, destination.Publish(70, 9, 50, 2), ErrDown)

	require.NoError(t, destination.Restart())
	require.Equal(t, port, destination.BePort())
	require.Equal(t, httpPort, destination.HTTPPort())
	require.True(t, destination.CanPublish(70, 50), "committed rowsets are on the disk")
	require.NoError(t, destination.Publish(70, 9, 50, 2))
	require.Len(t, scanAll(t, destination, 50), 2)

	source.Kill()
	result := ingest(t, destination, ingestRequest(source, 5, 2, 72, 50))
	requireStatus(t, status.TStatusCode_HTTP_ERROR, "[HTTP_ERROR]", result.Status)
	require.NoError(t, source.Restart())
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, destination, ingestRequest(source, 5, 2, 72, 50)).Status)
}

func TestClone(t *testing.T) {
	source, sibling := startBackend(t, 1), startBackend(t, 2)
	w := newWriter(t, source, TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys, intColumn("v", "")), BinlogEnabled: true})
	w.write(rows(rowOf(1, 1)))
	w.write(rows(rowOf(2, 2)))
	require.NoError(t, sibling.Clone(context.Background(), 5, source))
	require.Len(t, scanAll(t, sibling, 5), 2)
	require.NoError(t, startBackendTablet(t, 3, w).Clone(context.Background(), 5, sibling))
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, source, ingestRequest(sibling, 5, 3, 69, 5)).Status) // the binlogs came along
	source.ReleaseBinlogs(5, 2)
	late := startBackend(t, 4)
	require.NoError(t, late.Clone(context.Background(), 5, source))
	result := ingest(t, source, ingestRequest(late, 5, 2, 71, 5))
	requireStatus(t, status.TStatusCode_HTTP_ERROR, "get binlog info failed, binlog_version=2", result.Status)
	require.NoError(t, sibling.Publish(999, 1, 5, 4))
	requireStatus(t, status.TStatusCode_OK, "", ingest(t, source, ingestRequest(sibling, 5, 4, 70, 5)).Status)
}

func startBackendTablet(t *testing.T, id int64, w *writer) *Backend {
	b := startBackend(t, id)
	require.NoError(t, b.CreateTablet(TabletSpec{TabletID: w.tablet, Schema: schemaOf(types.DupKeys, intColumn("v", ""))}))
	return b
}

func TestRowsetIDs(t *testing.T) {
	b := New(Config{ID: 1})
	id := b.nextRowsetID()
	require.Len(t, id, 48)
	require.True(t, strings.HasPrefix(id, "0200000000000001"))
	require.NotEqual(t, id, b.nextRowsetID())
}
