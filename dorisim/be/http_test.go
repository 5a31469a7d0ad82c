package be

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/types"
)

// fetch makes one request to the backend's HTTP port; query is key, value, ...
func fetch(t *testing.T, b *Backend, method, path string, query ...string) (int, http.Header, string) {
	t.Helper()
	q := url.Values{}
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	request, err := http.NewRequest(method, "http://"+b.Host()+":"+strconv.Itoa(b.HTTPPort())+path+"?"+q.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, response.Header, string(body)
}

func TestBinlogHTTP(t *testing.T) {
	b, _ := pair(t)
	get := func(query ...string) (int, string) {
		code, _, body := fetch(t, b, http.MethodGet, binlogPath, query...)
		return code, body
	}
	code, info := get("method", "get_binlog_info", "tablet_id", "5", "binlog_version", "2")
	require.Equal(t, 200, code)
	id, segments, _ := strings.Cut(info, ":")
	require.Len(t, id, 48)
	require.Equal(t, "2", segments)

	segment := []string{"method", "get_segment_file", "tablet_id", "5", "rowset_id", id, "segment_index", "1"}
	code, head, _ := fetch(t, b, http.MethodHead, binlogPath, segment...)
	require.Equal(t, 200, code)
	require.Empty(t, head.Get("Content-MD5"))
	code, header, file := fetch(t, b, http.MethodGet, binlogPath, append(segment, "acquire_md5", "true")...)
	require.Equal(t, 200, code)
	require.Equal(t, strconv.Itoa(len(file)), head.Get("Content-Length"))
	require.Equal(t, hexMD5([]byte(file)), header.Get("Content-MD5"))
	require.Equal(t, "text/plain; charset=utf-8", header.Get("Content-Type"))
	code, _, _ = fetch(t, b, http.MethodHead, binlogPath, "method", "get_segment_index_file", "tablet_id", "5", "rowset_id", id, "segment_index", "0", "segment_index_id", "-1")
	require.Equal(t, 200, code)

	for _, c := range []struct {
		code  int
		text  string
		query []string
	}{
		{500, "parameter method not specified in url.", nil},
		{501, "invalid method: x", []string{"method", "x"}},
		{500, "parameter tablet_id not specified in url.", []string{"method", "get_binlog_info"}},
		{500, "tablet is not exist, tablet_id=8", []string{"method", "get_binlog_info", "tablet_id", "8"}},
		{500, "parameter binlog_version not specified in url.", []string{"method", "get_binlog_info", "tablet_id", "5"}},
		{404, "get binlog info failed, binlog_version=3", []string{"method", "get_binlog_info", "tablet_id", "5", "binlog_version", "3"}},
		{404, "get rowset meta failed, rowset_id=zz", []string{"method", "get_rowset_meta", "tablet_id", "5", "binlog_version", "2", "rowset_id", "zz"}},
		{404, "file not exist.", []string{"method", "get_segment_file", "tablet_id", "5", "rowset_id", id, "segment_index", "2"}},
		{404, "file not exist.", []string{"method", "get_segment_index_file", "tablet_id", "5", "rowset_id", id, "segment_index", "0", "segment_index_id", "3"}},
		{500, "parameter segment_index not specified in url.", []string{"method", "get_segment_file", "tablet_id", "5", "rowset_id", id}},
	} {
		code, body := get(c.query...)
		require.Equal(t, c.text, body)
		require.Equal(t, c.code, code, c.text)
	}
	b.SetProperty(PropertyBinlog, "false")
	code, body := get("method", "get_binlog_info", "tablet_id", "5", "binlog_version", "2")
	require.Equal(t, 500, code)
	require.Equal(t, "binlog feature is not enabled.", body)
}

func TestConfigHTTP(t *testing.T) {
	b := startBackend(t, 1)
	_, _, body := fetch(t, b, http.MethodGet, "/api/show_config", "conf_item", PropertyBinlog)
	require.JSONEq(t, `[["enable_feature_binlog","bool","true","false"]]`, body)
	code, _, _ := fetch(t, b, http.MethodHead, "/api/_tablet/_batch_download", "check", "true")
	require.Equal(t, 404, code)
}

func TestSnapshotHTTP(t *testing.T) {
	b, _ := pair(t)
	root, files, err := b.MakeSnapshot(5, 2, time.Hour)
	require.NoError(t, err)
	require.Regexp(t, `^/data1/storage/snapshot/\d{14}\.1\.3600$`, root)
	dir := path.Join(root, "5", "77")
	code, _, listing := fetch(t, b, http.MethodGet, snapshotPath, "token", testToken, "file", dir)
	require.Equal(t, 200, code)
	require.Equal(t, strings.Join(files, "\n")+"\n", listing)
	require.Contains(t, files, "5.hdr")

	file := path.Join(dir, files[0])
	_, header, body := fetch(t, b, http.MethodGet, snapshotPath, "token", testToken, "file", file, "acquire_md5", "true")
	require.Equal(t, hexMD5([]byte(body)), header.Get("Content-MD5"))
	_, header, _ = fetch(t, b, http.MethodHead, snapshotPath, "token", testToken, "file", file, "acquire_md5", "true")
	require.Equal(t, hexMD5([]byte(body)), header.Get("Content-MD5"))
	require.Equal(t, strconv.Itoa(len(body)), header.Get("Content-Length"))

	for _, c := range []struct {
		code  int
		text  string
		query []string
	}{
		{200, "parameter file not specified in url.", nil},
		{401, "token is not specified.", []string{"file", file}},
		{401, "invalid token x", []string{"file", file, "token", "x"}},
		{401, "file path is not allowed: /etc/passwd", []string{"file", "/etc/passwd", "token", testToken}},
		{401, "file path is not allowed: /data1/storage2", []string{"file", "/data1/storage2", "token", testToken}},
		{403, "", []string{"file", dir + "/../77/" + files[0], "token", testToken}},
		{404, "", []string{"file", dir + "/none", "token", testToken}},
	} {
		code, _, body := fetch(t, b, http.MethodGet, snapshotPath, c.query...)
		require.Equal(t, c.code, code, body)
		require.Contains(t, body, c.text)
	}
	b.SetProperty(PropertyTokenCheck, "false")
	code, _, _ = fetch(t, b, http.MethodGet, snapshotPath, "file", file)
	require.Equal(t, 200, code)
	b.ReleaseSnapshot(root)
	code, _, _ = fetch(t, b, http.MethodGet, snapshotPath, "file", file)
	require.Equal(t, 404, code)
}

// restoreTask downloads tablet 5 of b into tablet 50.
func restoreTask(b *Backend, root string) DownloadTask {
	return DownloadTask{JobID: 4, TabletID: 50, RemoteTabletID: 5, RemoteHost: b.Host(), RemotePort: b.HTTPPort(),
		RemoteDir: path.Join(root, "5", "77"), Token: testToken}
}

func TestRestore(t *testing.T) {
	source, destination := pair(t)
	w := &writer{t: t, b: source, tablet: 5, version: 2, txn: 6000}
	w.write(rows(rowOf(7, 7, "g")))
	root, _, err := source.MakeSnapshot(5, 3, time.Hour)
	require.NoError(t, err)
	w.write(rows(rowOf(8, 8, "h"))) // after the snapshot

	ctx := context.Background()
	task := restoreTask(source, root)
	require.ErrorContains(t, destination.MoveIn(4, 50), "nothing was downloaded")
	bad := task
	bad.Token = "wrong"
	err = destination.Download(ctx, bad)
	require.ErrorContains(t, err, "invalid token")
	require.ErrorContains(t, destination.MoveIn(4, 50), "not complete")
	require.NoError(t, destination.Download(ctx, task))
	require.NoError(t, destination.Download(ctx, task), "a repeated download finds its files")
	require.Empty(t, scanAll(t, destination, 50), "kept aside")
	require.NoError(t, destination.MoveIn(4, 50))
	v, err := destination.Version(50)
	require.NoError(t, err)
	require.EqualValues(t, 3, v)
	requireRows(t, []types.Row{rowOf(1, 1, "a"), rowOf(2, nil, "b"), rowOf(7, 7, "g")}, scanAll(t, destination, 50))
	// Incremental sync goes on from there.
	require.Equal(t, int32(0), int32(ingest(t, destination, ingestRequest(source, 5, 4, 70, 50)).Status.StatusCode))
	require.NoError(t, destination.Publish(70, 9, 50, 4))
	require.Len(t, scanAll(t, destination, 50), 4)

	require.NoError(t, destination.Download(ctx, task))
	destination.Discard(4)
	require.Error(t, destination.MoveIn(4, 50))
}

func TestRestoreOfCompactedAndAlteredTablet(t *testing.T) {
	source, destination := startBackend(t, 1), startBackend(t, 2)
	s := schemaOf(types.DupKeys, intColumn("v", ""))
	w := newWriter(t, source, TabletSpec{TabletID: 5, Schema: s})
	for i := range compactAt {
		w.write(rows(rowOf(i, i)))
	}
	wider := schemaOf(types.DupKeys, intColumn("v", ""), intColumn("n", ""))
	require.NoError(t, source.UpdateSchema(5, wider))
	w.write(rows(rowOf(compactAt, 1, 1)))
	root, _, err := source.MakeSnapshot(5, w.version, time.Hour)
	require.NoError(t, err)

	// The destination numbers its columns otherwise.
	renumbered := schemaOf(types.DupKeys, intColumn("n", ""), intColumn("v", ""))
	require.NoError(t, destination.CreateTablet(TabletSpec{TabletID: 50, Schema: renumbered}))
	require.NoError(t, destination.CreateTablet(TabletSpec{TabletID: 51, Schema: s}))
	require.NoError(t, destination.Download(context.Background(), restoreTask(source, root)))
	require.NoError(t, destination.MoveIn(4, 50))
	got := scanAll(t, destination, 50)
	require.Len(t, got, compactAt+1)
	require.Equal(t, rowOf(3, nil, 3), got[3])
	require.Equal(t, rowOf(compactAt, 1, 1), got[compactAt])

	other := restoreTask(source, root)
	other.TabletID = 51
	require.NoError(t, destination.Download(context.Background(), other))
	require.ErrorIs(t, destination.MoveIn(4, 51), errSchemaMismatch)
}

func TestSnapshotExpires(t *testing.T) {
	var offset atomic.Int64
	b := startBackend(t, 1, func(c *Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	})
	newWriter(t, b, TabletSpec{TabletID: 5, Schema: schemaOf(types.DupKeys)})
	root, _, err := b.MakeSnapshot(5, 1, time.Minute)
	require.NoError(t, err)
	file := path.Join(root, "5", "77", "5.hdr")
	code, _, _ := fetch(t, b, http.MethodGet, snapshotPath, "token", testToken, "file", file)
	require.Equal(t, 200, code)
	offset.Store(int64(2 * time.Minute))
	code, _, _ = fetch(t, b, http.MethodGet, snapshotPath, "token", testToken, "file", file)
	require.Equal(t, 404, code)
}

func TestTokenStaysOutOfErrors(t *testing.T) {
	source, destination := pair(t)
	root, _, err := source.MakeSnapshot(5, 2, time.Hour)
	require.NoError(t, err)
	task := restoreTask(source, root)
	source.Kill()
	err = destination.Download(context.Background(), task)
	require.Error(t, err)
	require.NotContains(t, err.Error(), testToken)
}
