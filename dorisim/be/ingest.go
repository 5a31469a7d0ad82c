package be

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// service implements BackendService for one process (doris-rpc.md 4.1, 4.2).
type service struct {
	backend *Backend
	process *process
}

// statusError is a failure with the code that the reply carries.
type statusError struct {
	code status.TStatusCode
	text string
}

func (e *statusError) Error() string { return e.text }

func failed(code status.TStatusCode, format string, args ...any) error {
	return &statusError{code: code, text: fmt.Sprintf(format, args...)}
}

// IngestBinlog downloads the rowset that made a version of a remote tablet into
// a local transaction.
func (s *service) IngestBinlog(_ context.Context, r *backendservice.TIngestBinlogRequest) (*backendservice.TIngestBinlogResult_, error) {
	result := backendservice.NewTIngestBinlogResult_()
	err := s.ingest(r, result)
	if errors.Is(err, faults.ErrDropped) {
		return nil, thriftserver.ErrDropConnection
	}
	if err == nil {
		err = s.backend.cfg.Faults(FaultIngestReply)
	}
	if errors.Is(err, faults.ErrDropped) || s.process.ctx.Err() != nil {
		return nil, thriftserver.ErrDropConnection
	}
	result.Status = s.backend.toStatus(err)
	return result, nil
}

// ingest checks the request in Doris' order and runs or queues it.
func (s *service) ingest(r *backendservice.TIngestBinlogRequest, result *backendservice.TIngestBinlogResult_) error {
	b := s.backend
	if err := b.cfg.Faults(FaultIngest); err != nil {
		return err
	}
	if !b.enabled(PropertyBinlog) {
		return failed(status.TStatusCode_RUNTIME_ERROR, "enable feature binlog is false")
	}
	if field := missingField(r); field != "" {
		return failed(status.TStatusCode_ANALYSIS_ERROR, "%s is empty", field)
	}
	t, err := b.tablet(r.GetLocalTabletID())
	if err != nil {
		return failed(status.TStatusCode_TABLET_MISSING, "tablet %d not found", r.GetLocalTabletID())
	}
	local := b.txns.prepare(r.GetTxnID(), r.GetPartitionID(), t.id)
	if s.process.pool == nil {
		return s.runIngest(t, local, r)
	}
	async := true
	queued := s.process.run(func() {
		select {
		case s.process.pool <- struct{}{}:
			defer func() { <-s.process.pool }()
		case <-s.process.ctx.Done():
			return
		}
		if err := s.runIngest(t, local, r); err != nil {
			b.log.Warn("ingest_binlog failed", "tablet", t.id, "txn", r.GetTxnID(), "error", err)
		}
	})
	if !queued {
		return failed(status.TStatusCode_INTERNAL_ERROR, "backend is shutting down")
	}
	result.IsAsync = &async
	return nil
}

// missingField names the first unset argument in the order of the field table.
func missingField(r *backendservice.TIngestBinlogRequest) string {
	switch {
	case r == nil || !r.IsSetTxnID():
		return "txn_id"
	case !r.IsSetRemoteTabletID():
		return "remote_tablet_id"
	case !r.IsSetBinlogVersion():
		return "binlog_version"
	case !r.IsSetRemoteHost():
		return "remote_host"
	case !r.IsSetRemotePort():
		return "remote_port"
	case !r.IsSetPartitionID():
		return "partition_id"
	case !r.IsSetLocalTabletID():
		return "local_tablet_id"
	case !r.IsSetLoadID():
		return "load_id"
	default:
		return ""
	}
}

// runIngest downloads and commits, whether or not an earlier call of the
// transaction has done so; a failure aborts the local transaction if it has no
// rowset yet. A caller who is gone ends nothing.
func (s *service) runIngest(t *tablet, local *localTxn, r *backendservice.TIngestBinlogRequest) error {
	b, ctx := s.backend, s.process.ctx
	deadline := time.Now().Add(b.cfg.IngestDelay())
	rs, err := s.download(ctx, t, r)
	if err == nil {
		err = pauseUntil(ctx, deadline)
	}
	if err != nil {
		b.txns.fail(r.GetTxnID(), local)
		return err
	}
	var lost []int
	if t.spec.MergeOnWrite && b.txns.hasRowset(local) {
		// This call's delete bitmap has marks under its own rowset id; the first
		// call's rowset stays, and what its bitmap marked of itself is lost.
		lost, err = t.ownMarks(rs)
	}
	if err == nil {
		err = b.txns.commitIngest(r.GetTxnID(), t.id, local, rs, lost)
	}
	if err != nil {
		return failed(status.TStatusCode_RUNTIME_ERROR, "failed to commit txn for remote tablet. rowset_id: %s, remote_tablet_id=%d, txn_id=%d: %v",
			rs.id, r.GetRemoteTabletID(), r.GetTxnID(), err)
	}
	return nil
}

func pauseUntil(ctx context.Context, deadline time.Time) error {
	rest := time.Until(deadline)
	if rest <= 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(rest):
		return nil
	}
}

// download follows the steps of doris-rpc.md 4.3.
func (s *service) download(ctx context.Context, t *tablet, r *backendservice.TIngestBinlogRequest) (*rowset, error) {
	f := newFetcher(s.process, r.GetRemoteHost(), r.GetRemotePort(), s.backend.cfg.RetryPause)
	d := binlogDownload{fetcher: f, query: url.Values{"tablet_id": {strconv.FormatInt(r.GetRemoteTabletID(), 10)}}}
	segments, err := d.info(ctx, r.GetBinlogVersion())
	if err != nil {
		return nil, err
	}
	meta, err := d.meta(ctx, r.GetBinlogVersion())
	if err != nil {
		return nil, err
	}
	t.mu.RLock()
	history := t.history
	t.mu.RUnlock()
	local, err := localSchema(history, meta.Schema)
	if err != nil {
		return nil, failed(status.TStatusCode_INTERNAL_ERROR, "failed to init rowset meta: %v", err)
	}
	rs, err := rowsetFromMeta(meta, local)
	if err != nil {
		return nil, failed(status.TStatusCode_INTERNAL_ERROR, "failed to init rowset meta: %v", err)
	}
	rs.loadID = meta.TxnID
	rs.id, rs.txnID, rs.partitionID = s.backend.nextRowsetID(), r.GetTxnID(), r.GetPartitionID()
	if rs.segments, err = d.files(ctx, "get_segment_file", segments, nil); err != nil {
		return nil, err
	}
	if meta.Indexed {
		if rs.indexFiles, err = d.files(ctx, "get_segment_index_file", segments, url.Values{"segment_index_id": {"-1"}}); err != nil {
			return nil, err
		}
	}
	if _, err := rs.entries(); err != nil {
		return nil, failed(status.TStatusCode_RUNTIME_ERROR, "failed to commit txn for remote tablet. rowset_id: %s, remote_tablet_id=%d, txn_id=%d: %v",
			rs.id, r.GetRemoteTabletID(), r.GetTxnID(), err)
	}
	rs.forget()
	return rs, nil
}

// binlogDownload asks one source backend for the files of one binlog.
type binlogDownload struct {
	*fetcher
	query url.Values
}

const binlogPath = "/api/_binlog/_download"

func (d *binlogDownload) with(method string) url.Values {
	q := url.Values{"method": {method}}
	for k, v := range d.query {
		q[k] = v
	}
	return q
}

// info learns the rowset id and the number of segments.
func (d *binlogDownload) info(ctx context.Context, version int64) (segments int, err error) {
	q := d.with("get_binlog_info")
	q.Set("binlog_version", strconv.FormatInt(version, 10))
	body, err := d.text(ctx, binlogPath, q)
	if err != nil {
		return 0, err
	}
	parts := strings.Split(string(body), ":")
	if len(parts) != 2 {
		return 0, failed(status.TStatusCode_RUNTIME_ERROR, "failed to parse binlog info into 2 parts: %s", body)
	}
	if segments, err = strconv.Atoi(parts[1]); err != nil || segments < 0 {
		return 0, failed(status.TStatusCode_RUNTIME_ERROR, "invalid num_segments: %s", parts[1])
	}
	d.query.Set("rowset_id", parts[0])
	return segments, nil
}

func (d *binlogDownload) meta(ctx context.Context, version int64) (*rowsetMeta, error) {
	q := d.with("get_rowset_meta")
	q.Set("binlog_version", strconv.FormatInt(version, 10))
	body, err := d.text(ctx, binlogPath, q)
	if err != nil {
		return nil, err
	}
	meta, err := decodeMeta(body)
	if err != nil {
		return nil, failed(status.TStatusCode_INTERNAL_ERROR, "failed to parse rowset meta")
	}
	return meta, nil
}

// files downloads one file a segment: HEAD for the size, then GET.
func (d *binlogDownload) files(ctx context.Context, method string, segments int, extra url.Values) ([][]byte, error) {
	files := make([][]byte, 0, min(segments, 1024))
	for i := range segments {
		q := d.with(method)
		q.Set("segment_index", strconv.Itoa(i))
		for k, v := range extra {
			q[k] = v
		}
		a, err := d.head(ctx, binlogPath, q)
		if err != nil {
			return nil, err
		}
		q.Set("acquire_md5", "true")
		file, err := d.file(ctx, binlogPath, q, a.size)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// toStatus gives an error the code and the spelling of a BE status.
func (b *Backend) toStatus(err error) *status.TStatus {
	s := status.NewTStatus()
	var (
		known   *statusError
		http    *httpError
		content *contentError
	)
	switch {
	case err == nil:
		s.StatusCode = status.TStatusCode_OK
		return s
	case errors.As(err, &known):
		s.StatusCode = known.code
		s.ErrorMsgs = []string{known.text}
	case errors.As(err, &http):
		s.StatusCode = status.TStatusCode_HTTP_ERROR
		s.ErrorMsgs = []string{fmt.Sprintf("(%s)[HTTP_ERROR]%v", b.cfg.AdvertisedHost, http)}
	case errors.As(err, &content):
		s.StatusCode = status.TStatusCode_RUNTIME_ERROR
		s.ErrorMsgs = []string{fmt.Sprintf("(%s)[RUNTIME_ERROR]%v", b.cfg.AdvertisedHost, content)}
	default:
		s.StatusCode = status.TStatusCode_INTERNAL_ERROR
		s.ErrorMsgs = []string{fmt.Sprintf("(%s)[INTERNAL_ERROR]%v", b.cfg.AdvertisedHost, err)}
	}
	return s
}

// QueryIngestBinlog tells how an asynchronous ingest went.
func (s *service) QueryIngestBinlog(_ context.Context, r *backendservice.TQueryIngestBinlogRequest) (*backendservice.TQueryIngestBinlogResult_, error) {
	if err := s.backend.cfg.Faults(FaultQueryIngest); err != nil {
		return nil, thriftserver.ErrDropConnection
	}
	result := backendservice.NewTQueryIngestBinlogResult_()
	answer := func(status backendservice.TIngestBinlogStatus, text string) (*backendservice.TQueryIngestBinlogResult_, error) {
		result.Status = &status
		if text != "" {
			result.ErrMsg = &text
		}
		return result, nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"txn_id", r != nil && r.IsSetTxnID()},
		{"partition_id", r != nil && r.IsSetPartitionID()},
		{"tablet_id", r != nil && r.IsSetTabletID()},
		{"load_id", r != nil && r.IsSetLoadID()},
	} {
		if !f.set {
			return answer(backendservice.TIngestBinlogStatus_ANALYSIS_ERROR, f.name+" is empty")
		}
	}
	if _, err := s.backend.tablet(r.GetTabletID()); err != nil {
		return answer(backendservice.TIngestBinlogStatus_NOT_FOUND, fmt.Sprintf("tablet %d not found", r.GetTabletID()))
	}
	state, _ := s.backend.txns.state(r.GetTxnID(), r.GetPartitionID(), r.GetTabletID())
	switch state {
	case localCommitted:
		return answer(backendservice.TIngestBinlogStatus_OK, "")
	case localFailed:
		return answer(backendservice.TIngestBinlogStatus_FAILED, "")
	case localPrepared:
		return answer(backendservice.TIngestBinlogStatus_DOING, "")
	default:
		return answer(backendservice.TIngestBinlogStatus_NOT_FOUND, "")
	}
}
