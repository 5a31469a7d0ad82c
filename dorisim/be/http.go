package be

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

// httpHandler is the BE's web server as far as replication needs it
// (doris-rpc.md 4.3, 4.4; doris-sql.md 2.5). Everything else is 404, the batch
// probe among it.
func (b *Backend) httpHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(binlogPath, b.serveBinlog)
	mux.HandleFunc(snapshotPath, b.serveSnapshot)
	mux.HandleFunc("GET /api/show_config", b.serveConfig)
	return mux
}

// reply answers with a short text.
func reply(w http.ResponseWriter, code int, format string, args ...any) {
	serveBytes(w, code, fmt.Appendf(nil, format, args...), false)
}

// serveBytes answers with a body; net/http leaves it out for HEAD.
func serveBytes(w http.ResponseWriter, code int, body []byte, md5 bool) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	if md5 {
		header.Set("Content-MD5", hexMD5(body))
	}
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client has gone if this fails
}

// readOnly refuses methods other than GET and HEAD.
func readOnly(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	reply(w, http.StatusNotFound, "Not Found")
	return false
}

// fault passes a fault point; it reports false after it has answered, or
// dropped the connection.
func (b *Backend) fault(w http.ResponseWriter, point string) bool {
	err := b.cfg.Faults(point)
	if err == nil {
		return true
	}
	if h, ok := w.(http.Hijacker); ok && errors.Is(err, faults.ErrDropped) {
		if conn, _, hijackErr := h.Hijack(); hijackErr == nil {
			_ = conn.Close()
			return false
		}
	}
	reply(w, http.StatusInternalServerError, "%v", err)
	return false
}

// serveBinlog is /api/_binlog/_download.
func (b *Backend) serveBinlog(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) || !b.fault(w, FaultBinlogDownload) {
		return
	}
	if !b.enabled(PropertyBinlog) {
		reply(w, http.StatusInternalServerError, "binlog feature is not enabled.")
		return
	}
	request := binlogRequest{w: w, query: r.URL.Query()}
	method, ok := request.parameter("method")
	if !ok {
		return
	}
	serve := map[string]func(*tablet, *binlogRequest){
		"get_binlog_info":        serveBinlogInfo,
		"get_rowset_meta":        serveRowsetMeta,
		"get_segment_file":       serveSegment,
		"get_segment_index_file": serveSegmentIndex,
	}[method]
	if serve == nil {
		reply(w, http.StatusNotImplemented, "invalid method: %s", method)
		return
	}
	text, ok := request.parameter("tablet_id")
	if !ok {
		return
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		reply(w, http.StatusInternalServerError, "tablet is not exist, tablet_id=%s", text)
		return
	}
	t, err := b.tablet(id)
	if err != nil {
		reply(w, http.StatusInternalServerError, "tablet is not exist, tablet_id=%s", text)
		return
	}
	serve(t, &request)
}

// binlogRequest is one request for a part of a binlog.
type binlogRequest struct {
	w     http.ResponseWriter
	query map[string][]string
}

// parameter returns a query parameter; it has answered if there is none.
func (r *binlogRequest) parameter(name string) (string, bool) {
	values := r.query[name]
	if len(values) == 0 || values[0] == "" {
		reply(r.w, http.StatusInternalServerError, "parameter %s not specified in url.", name)
		return "", false
	}
	return values[0], true
}

// number returns a query parameter, -1 for one that is no number.
func (r *binlogRequest) number(name string) (int64, bool) {
	text, ok := r.parameter(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1, true
	}
	return n, true
}

func serveBinlogInfo(t *tablet, r *binlogRequest) {
	version, ok := r.parameter("binlog_version")
	if !ok {
		return
	}
	n, err := strconv.ParseInt(version, 10, 64)
	rs, found := t.binlog(n)
	if err != nil || !found {
		reply(r.w, http.StatusNotFound, "get binlog info failed, binlog_version=%s", version)
		return
	}
	reply(r.w, http.StatusOK, "%s:%d", rs.id, len(rs.segments))
}

func serveRowsetMeta(t *tablet, r *binlogRequest) {
	id, ok := r.parameter("rowset_id")
	if !ok {
		return
	}
	version, ok := r.number("binlog_version")
	if !ok {
		return
	}
	rs, found := t.binlog(version)
	if !found || rs.id != id {
		reply(r.w, http.StatusNotFound, "get rowset meta failed, rowset_id=%s", id)
		return
	}
	meta, err := rs.encodeMeta(t.id, version)
	if err != nil {
		reply(r.w, http.StatusInternalServerError, "%v", err)
		return
	}
	serveBytes(r.w, http.StatusOK, meta, false)
}

func serveSegment(t *tablet, r *binlogRequest) {
	rs, index, ok := r.segment(t)
	if ok {
		r.file(rs.segments, index)
	}
}

func serveSegmentIndex(t *tablet, r *binlogRequest) {
	rs, index, ok := r.segment(t)
	if !ok {
		return
	}
	indexID, ok := r.number("segment_index_id")
	if !ok {
		return
	}
	if indexID != -1 { // format V1 has one file an index; ours is V2
		reply(r.w, http.StatusNotFound, "file not exist.")
		return
	}
	r.file(rs.indexFiles, index)
}

// segment finds the rowset and reads the segment number.
func (r *binlogRequest) segment(t *tablet) (*rowset, int64, bool) {
	id, ok := r.parameter("rowset_id")
	if !ok {
		return nil, 0, false
	}
	index, ok := r.number("segment_index")
	if !ok {
		return nil, 0, false
	}
	rs, _, found := t.binlogByID(id)
	if !found {
		reply(r.w, http.StatusNotFound, "file not exist.")
		return nil, 0, false
	}
	return rs, index, true
}

func (r *binlogRequest) file(files [][]byte, index int64) {
	if index < 0 || index >= int64(len(files)) {
		reply(r.w, http.StatusNotFound, "file not exist.")
		return
	}
	serveBytes(r.w, http.StatusOK, files[index], r.wantsMD5())
}

func (r *binlogRequest) wantsMD5() bool {
	v := r.query["acquire_md5"]
	return len(v) > 0 && v[0] != ""
}

// serveSnapshot is /api/_tablet/_download.
func (b *Backend) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	if !readOnly(w, r) || !b.fault(w, FaultSnapshotDownload) {
		return
	}
	q := r.URL.Query()
	file := q.Get("file")
	if file == "" {
		reply(w, http.StatusOK, "parameter file not specified in url.")
		return
	}
	if b.enabled(PropertyTokenCheck) {
		token := q.Get("token")
		if token == "" {
			reply(w, http.StatusUnauthorized, "[NOT_AUTHORIZED]token is not specified.")
			return
		}
		if token != b.cfg.Token() {
			reply(w, http.StatusUnauthorized, "[NOT_AUTHORIZED]invalid token %s", token)
			return
		}
	}
	if slices.Contains(strings.Split(file, "/"), "..") {
		reply(w, http.StatusForbidden, "Not allowed to read relative path: %s", file)
		return
	}
	clean := path.Clean(file)
	if !b.files.allowed(clean) {
		reply(w, http.StatusUnauthorized, "[NOT_AUTHORIZED]file path is not allowed: %s", file)
		return
	}
	if names, ok := b.files.list(clean); ok {
		var listing strings.Builder
		for _, name := range names {
			listing.WriteString(name + "\n")
		}
		reply(w, http.StatusOK, "%s", listing.String())
		return
	}
	content, ok := b.files.file(clean)
	if !ok {
		reply(w, http.StatusNotFound, "file not exist: %s", file)
		return
	}
	serveBytes(w, http.StatusOK, content, q.Get("acquire_md5") != "")
}

// serveConfig is /api/show_config: rows of name, type, value, is_mutable.
func (b *Backend) serveConfig(w http.ResponseWriter, r *http.Request) {
	wanted := r.URL.Query().Get("conf_item")
	rows := [][4]string{}
	b.propertyMu.RLock()
	for _, p := range b.properties {
		if wanted == "" || wanted == p.name {
			rows = append(rows, [4]string{p.name, p.kind, p.value, p.mutable})
		}
	}
	b.propertyMu.RUnlock()
	slices.SortFunc(rows, func(a, b [4]string) int { return strings.Compare(a[0], b[0]) })
	body, err := json.Marshal(rows)
	if err != nil {
		reply(w, http.StatusInternalServerError, "%v", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client has gone if this fails
}
