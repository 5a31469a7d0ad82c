package conformance

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
)

func digest(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// TestIngestBinlog is doris-rpc.md 4.1, argument checks and statuses.
func TestIngestBinlog(t *testing.T) {
	w := newTwin(t, source(t), destination(t))
	txn := w.to.begin(w.toDB, w.tableID)
	call := w.ingestions(txn)[0]
	be := w.to.backend(call.backend)
	ingest := func(r backendservice.TIngestBinlogRequest) *status.TStatus {
		t.Helper()
		result, err := be.IngestBinlog(ctx, &r)
		require.NoError(t, err)
		require.False(t, result.GetIsAsync())
		return result.Status
	}
	bare := func(code status.TStatusCode, text string, s *status.TStatus) {
		t.Helper()
		require.Equal(t, code, s.StatusCode)
		require.Equal(t, []string{text}, s.ErrorMsgs)
	}
	good := *call.request
	var r backendservice.TIngestBinlogRequest
	for _, f := range []struct {
		name string
		set  func()
	}{
		{"txn_id", func() { r.TxnID = good.TxnID }},
		{"remote_tablet_id", func() { r.RemoteTabletID = good.RemoteTabletID }},
		{"binlog_version", func() { r.BinlogVersion = good.BinlogVersion }},
		{"remote_host", func() { r.RemoteHost = good.RemoteHost }},
		{"remote_port", func() { r.RemotePort = good.RemotePort }},
		{"partition_id", func() { r.PartitionID = good.PartitionID }},
		{"local_tablet_id", func() { r.LocalTabletID = good.LocalTabletID }},
		{"load_id", func() { r.LoadID = good.LoadID }},
	} {
		bare(status.TStatusCode_ANALYSIS_ERROR, f.name+" is empty", ingest(r))
		f.set()
	}
	r = good
	r.LocalTabletID = new(int64(4))
	bare(status.TStatusCode_TABLET_MISSING, "tablet 4 not found", ingest(r))
	for name, change := range map[string]func(){
		"version": func() { r.BinlogVersion = new(w.version + 1) },
		"tablet":  func() { r.RemoteTabletID = new(int64(4)) },
		"port":    func() { r.RemotePort = new("1") },
		"host":    func() { r.RemoteHost = new("127.99.99.99") },
	} {
		r = good
		change()
		requireStatus(t, status.TStatusCode_HTTP_ERROR, "("+call.backend.Host+")[HTTP_ERROR]", ingest(r))
		require.NotEmpty(t, name)
	}
	requireOK(t, ingest(good))
	requireOK(t, w.to.rollback(w.toDB, txn))
}

// TestIngestSchemaMismatch: data is copied as files, never converted.
func TestIngestSchemaMismatch(t *testing.T) {
	from, to := source(t), destination(t)
	db, toDB := from.database(), to.database()
	from.table(db, "orders", 1)
	to.exec("CREATE TABLE `%s`.`orders` (`k` INT NOT NULL, `v` VARCHAR(10) NULL) DUPLICATE KEY(`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 2 PROPERTIES (\"replication_num\" = \"1\")", toDB)
	prev := from.lastSeq(db)
	from.exec("INSERT INTO `%s`.`orders` VALUES (1, 1)", db)
	from.nextUpsert(db, prev)
	table := to.tableMeta(toDB, "orders")
	call := ingestions(from, to, from.tableMeta(db, "orders").Partitions[0], table.Partitions[0], 2, to.begin(toDB, table.GetID()))[0]
	result, err := to.backend(call.backend).IngestBinlog(ctx, call.request)
	require.NoError(t, err)
	requireStatus(t, status.TStatusCode_INTERNAL_ERROR, "failed to init rowset meta", result.Status)
}

func TestIngestDisabled(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) { cfg.BEProperties = map[string]string{"enable_feature_binlog": "false"} })
	for _, b := range s.backends() {
		result, err := s.backend(b).IngestBinlog(ctx, backendservice.NewTIngestBinlogRequest())
		require.NoError(t, err)
		requireStatus(t, status.TStatusCode_RUNTIME_ERROR, "enable feature binlog is false", result.Status)
		code, _, body := httpDo(t, http.MethodGet, b, "/api/_binlog/_download", "method", "get_binlog_info")
		require.Equal(t, 500, code)
		require.Equal(t, "binlog feature is not enabled.", body)
	}
}

// TestAsyncIngest is doris-rpc.md 4.2.
func TestAsyncIngest(t *testing.T) {
	_, to := private(t, func(cfg *dorisim.Config) { cfg.BEProperties = map[string]string{"ingest_binlog_work_pool_size": "2"} })
	w := newTwin(t, source(t), to)
	txn := to.begin(w.toDB, w.tableID)
	call := w.ingestions(txn)[0]
	be := to.backend(call.backend)
	query := func() backendservice.TIngestBinlogStatus {
		result, err := be.QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{
			TxnID: &txn, PartitionID: call.request.PartitionID, TabletID: call.request.LocalTabletID, LoadID: &thrifttypes.TUniqueId{Hi: -1, Lo: -1}})
		require.NoError(t, err)
		require.Nil(t, result.ErrMsg)
		return result.GetStatus()
	}
	require.Equal(t, backendservice.TIngestBinlogStatus_NOT_FOUND, query())
	result, err := be.IngestBinlog(ctx, call.request)
	require.NoError(t, err)
	requireOK(t, result.Status)
	require.True(t, result.GetIsAsync())
	require.Eventually(t, func() bool { return query() == backendservice.TIngestBinlogStatus_OK }, patience, 5*time.Millisecond)
	missing, err := be.QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{TxnID: &txn})
	require.NoError(t, err)
	require.Equal(t, backendservice.TIngestBinlogStatus_ANALYSIS_ERROR, missing.GetStatus())
	require.Equal(t, "partition_id is empty", missing.GetErrMsg())
}

// TestBinlogDownload walks the steps of doris-rpc.md 4.3.
func TestBinlogDownload(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "orders", 1)
	prev := s.lastSeq(db)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8)", db)
	s.nextUpsert(db, prev)
	tablet := s.tableMeta(db, "orders").Partitions[0].Indexes[0].Tablets[0]
	b := s.backends()[tablet.Replicas[0].GetBackendID()]
	const path = "/api/_binlog/_download"
	id := itoa(tablet.GetID())
	code, header, info := httpDo(t, http.MethodGet, b, path, "method", "get_binlog_info", "tablet_id", id, "binlog_version", "2")
	require.Equal(t, 200, code)
	require.Regexp(t, `^[0-9a-f]{48}:1$`, info)
	require.Equal(t, "text/plain; charset=utf-8", header.Get("Content-Type"))
	rowset, _, _ := strings.Cut(info, ":")
	code, _, meta := httpDo(t, http.MethodGet, b, path, "method", "get_rowset_meta", "tablet_id", id, "rowset_id", rowset, "binlog_version", "2")
	require.Equal(t, 200, code)
	require.NotEmpty(t, meta)
	segment := []string{"method", "get_segment_file", "tablet_id", id, "rowset_id", rowset, "segment_index", "0"}
	code, header, body := httpDo(t, http.MethodHead, b, path, segment...)
	require.Equal(t, 200, code)
	require.Empty(t, body)
	size := header.Get("Content-Length")
	code, header, body = httpDo(t, http.MethodGet, b, path, append(segment, "acquire_md5", "true")...)
	require.Equal(t, 200, code)
	require.Equal(t, size, itoa(int64(len(body))))
	require.Equal(t, digest(body), header.Get("Content-MD5"))
	require.Len(t, header.Get("Content-MD5"), 32, "hex, not base64")

	for _, c := range []struct {
		code  int
		text  string
		query []string
	}{
		{404, "get binlog info failed, binlog_version=9", []string{"method", "get_binlog_info", "tablet_id", id, "binlog_version", "9"}},
		{404, "get rowset meta failed, rowset_id=x", []string{"method", "get_rowset_meta", "tablet_id", id, "rowset_id", "x", "binlog_version", "2"}},
		{500, "parameter tablet_id not specified in url.", []string{"method", "get_binlog_info"}},
		{500, "tablet is not exist, tablet_id=4", []string{"method", "get_binlog_info", "tablet_id", "4", "binlog_version", "2"}},
		{404, "file not exist.", []string{"method", "get_segment_file", "tablet_id", id, "rowset_id", rowset, "segment_index", "7"}},
		{501, "invalid method: nonsense", []string{"method", "nonsense", "tablet_id", id}},
	} {
		code, _, body := httpDo(t, http.MethodGet, b, path, c.query...)
		require.Equal(t, c.code, code)
		require.Equal(t, c.text, body)
	}
	code, _, body = httpDo(t, http.MethodGet, b, "/api/show_config", "conf_item", "enable_feature_binlog")
	require.Equal(t, 200, code)
	require.JSONEq(t, `[["enable_feature_binlog","bool","true","false"]]`, body)
}

// TestSnapshotDownload is doris-rpc.md 4.4.
func TestSnapshotDownload(t *testing.T) {
	s := source(t)
	db, label := s.database(), ""
	s.table(db, "orders", 1)
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1)", db)
	label = s.backup(db)
	info := decodeJobInfo(t, s.getSnapshot(db, label, false).JobInfo)
	tablet := itoa(s.tableMeta(db, "orders").Partitions[0].Indexes[0].Tablets[0].GetID())
	hash := number(t, at(t, info, "backup_objects", "orders", "partitions", "orders", "indexes", "orders", "schema_hash"))
	dir := path.Join(at(t, info, "tablet_snapshot_path_map", tablet).(string), tablet, hash)
	token := s.extraInfo()["token"].(string)
	var b *thrifttypes.TBackend
	for id, candidate := range s.backends() {
		if itoa(id) == number(t, at(t, info, "tablet_be_map", tablet)) {
			b = candidate
		}
	}
	require.NotNil(t, b)
	const download = "/api/_tablet/_download"
	code, _, listing := httpDo(t, http.MethodGet, b, download, "token", token, "file", dir)
	require.Equal(t, 200, code)
	require.True(t, strings.HasSuffix(listing, "\n"))
	var listed []any
	for _, name := range strings.Split(strings.TrimSuffix(listing, "\n"), "\n") {
		listed = append(listed, name)
		file := path.Join(dir, name)
		code, header, body := httpDo(t, http.MethodGet, b, download, "token", token, "file", file, "channel", "ingest_binlog", "acquire_md5", "true")
		require.Equal(t, 200, code)
		require.Equal(t, digest(body), header.Get("Content-MD5"))
		code, header, _ = httpDo(t, http.MethodHead, b, download, "token", token, "file", file, "acquire_md5", "true")
		require.Equal(t, 200, code)
		require.Equal(t, itoa(int64(len(body))), header.Get("Content-Length"))
		require.Equal(t, digest(body), header.Get("Content-MD5"))
	}
	require.ElementsMatch(t, at(t, info, "backup_objects", "orders", "partitions", "orders", "indexes", "orders", "tablets", tablet), listed)

	hdr := path.Join(dir, tablet+".hdr")
	for _, c := range []struct {
		code  int
		text  string
		query []string
	}{
		{401, "token is not specified.", []string{"file", hdr}},
		{401, "invalid token wrong", []string{"file", hdr, "token", "wrong"}},
		{401, "invalid token " + destination(t).extraInfo()["token"].(string), []string{"file", hdr, "token", destination(t).extraInfo()["token"].(string)}},
		{401, "file path is not allowed: /etc/passwd", []string{"file", "/etc/passwd", "token", token}},
		{403, "", []string{"file", dir + "/../" + hash + "/" + tablet + ".hdr", "token", token}},
		{404, "", []string{"file", dir + "/none", "token", token}},
		{200, "parameter file not specified in url.", []string{"token", token}},
	} {
		code, _, body := httpDo(t, http.MethodGet, b, download, c.query...)
		require.Equal(t, c.code, code, body)
		require.Contains(t, body, c.text)
	}
	code, _, _ = httpDo(t, http.MethodHead, b, "/api/_tablet/_batch_download", "check", "true")
	require.Equal(t, 404, code)
}
