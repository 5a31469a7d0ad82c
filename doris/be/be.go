// Package be is a client of Doris' backends (doris-rpc.md 4.1, 4.2): it asks a
// destination backend to fetch one tablet's rows of one source transaction.
package be

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// Endpoint is a backend's Thrift address as this process reaches it.
type Endpoint struct {
	Host string
	Port int
}

// String returns host:port.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// Defaults of Config.
const (
	DefaultLimit         = 48
	DefaultIngestTimeout = 15 * time.Minute
	DefaultPollMin       = 50 * time.Millisecond
	DefaultPollMax       = time.Second

	queryTimeout = 30 * time.Second
)

// Config bounds what a Pool does. The zero value of a field is its default.
type Config struct {
	// Limit of ingests in flight per backend, over all users of the pool
	// (default 48).
	Limit          int
	ConnectTimeout time.Duration // default 10 s
	// IngestTimeout of one ingest as a whole (default 15 min): a backend answers
	// after the download of a whole tablet's rows.
	IngestTimeout time.Duration
	// PollMin and PollMax bound the growing pause between questions to a backend
	// that ingests asynchronously (default 50 ms and 1 s).
	PollMin, PollMax time.Duration
	// Observe is told of each call; err is nil if the server answered OK.
	Observe func(method, addr string, d time.Duration, err error)
}

// Pool talks to any number of backends. It is safe for concurrent use.
type Pool struct {
	cfg   Config
	conns *thriftpool.Pool

	mu    sync.Mutex
	slots map[string]chan struct{} // by address; one element per ingest in flight
}

// NewPool returns a pool. It makes no call.
func NewPool(cfg Config) *Pool {
	if cfg.Limit <= 0 {
		cfg.Limit = DefaultLimit
	}
	for d, def := range map[*time.Duration]time.Duration{
		&cfg.IngestTimeout: DefaultIngestTimeout, &cfg.PollMin: DefaultPollMin, &cfg.PollMax: DefaultPollMax,
	} {
		if *d <= 0 {
			*d = def
		}
	}
	return &Pool{
		cfg:   cfg,
		conns: thriftpool.New(thriftpool.Config{MaxIdle: cfg.Limit}),
		slots: map[string]chan struct{}{},
	}
}

// Close closes the idle connections; calls made afterwards fail.
func (p *Pool) Close() error { return p.conns.Close() }

// TransportError is a call without an answer. An ingest may simply be repeated:
// it is idempotent.
type TransportError = thriftpool.Error

// StatusError is a definite refusal by the backend.
type StatusError status.Error

// Text returns the server's messages in one line.
func (e *StatusError) Text() string { return (*status.Error)(e).Text() }

// Error implements error. It has the server's text unchanged.
func (e *StatusError) Error() string { return (*status.Error)(e).Error() }

// What a backend may refuse, for errors.Is.
var (
	// ErrTabletMissing: the destination backend has no such tablet.
	ErrTabletMissing = errors.New("the backend has no such tablet")
	// ErrHTTP: the download from the source backend failed; another replica may
	// have the rows.
	ErrHTTP = errors.New("download from the source backend failed")
	// ErrBinlogDisabled: enable_feature_binlog is off on the backend.
	ErrBinlogDisabled = errors.New("binlogs are disabled on the backend")
	// ErrIngestFailed: an asynchronous ingest failed; the backend gives no
	// reason.
	ErrIngestFailed = errors.New("ingest failed on the backend")
	// ErrIngestForgotten: the backend does not know the asynchronous ingest it
	// had accepted, e.g. because it was restarted.
	ErrIngestForgotten = errors.New("the backend has forgotten the ingest")
	// ErrIncomplete: the answer lacks what it must have.
	ErrIncomplete = errors.New("the backend's answer is incomplete")
)

// Is implements errors.Is for the sentinels of this package.
func (e *StatusError) Is(target error) bool {
	switch target {
	case ErrTabletMissing:
		return e.Code == status.TabletMissing
	case ErrHTTP:
		return e.Code == status.HTTPError
	case ErrBinlogDisabled:
		return strings.Contains(e.Text(), "enable feature binlog is false")
	}
	return false
}

// IngestRequest asks a destination backend to fetch what one source transaction
// wrote into one tablet.
type IngestRequest struct {
	TxnID          int64 // of the destination (or its sub-transaction)
	RemoteTabletID int64 // of the source
	Version        int64 // that the transaction made of the source partition
	// RemoteHost and RemotePort are the HTTP address of a source backend as the
	// destination backend reaches it.
	RemoteHost    string
	RemotePort    int
	PartitionID   int64 // of the destination
	LocalTabletID int64 // of the destination
}

// loadID is what the existing tool sends; backends want the field to be set and
// do not use it.
func loadID() *types.TUniqueId { return &types.TUniqueId{Hi: -1, Lo: -1} }

// Ingest has the backend fetch the rows and returns when it has them. It waits
// for a free slot of the backend first. It is idempotent.
func (p *Pool) Ingest(ctx context.Context, addr Endpoint, req IngestRequest) error {
	release, err := p.acquire(ctx, addr)
	if err != nil {
		return err
	}
	defer release()

	started := time.Now()
	async, err := p.ingest(ctx, addr, req)
	if err != nil || !async {
		return err
	}
	return p.await(ctx, addr, req, started.Add(p.cfg.IngestTimeout))
}

// acquire takes one of the backend's slots.
func (p *Pool) acquire(ctx context.Context, addr Endpoint) (release func(), err error) {
	p.mu.Lock()
	slots, ok := p.slots[addr.String()]
	if !ok {
		slots = make(chan struct{}, p.cfg.Limit)
		p.slots[addr.String()] = slots
	}
	p.mu.Unlock()
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, &TransportError{Method: "ingest_binlog", Addr: addr.String(), Err: context.Cause(ctx)}
	}
}

func (p *Pool) service(addr Endpoint, timeout time.Duration) *backendservice.BackendServiceClient {
	target := thriftpool.Target{Addr: addr.String(), ConnectTimeout: p.cfg.ConnectTimeout}
	return backendservice.NewBackendServiceClient(p.conns.Client(target, timeout))
}

func (p *Pool) observe(method string, addr Endpoint, started time.Time, err error) {
	if p.cfg.Observe != nil {
		p.cfg.Observe(method, addr.String(), time.Since(started), err)
	}
}

// ingest makes the call; async means that the backend has only accepted it.
func (p *Pool) ingest(ctx context.Context, addr Endpoint, req IngestRequest) (async bool, err error) {
	const method = "ingest_binlog"
	started := time.Now()
	defer func() { p.observe(method, addr, started, err) }()

	port := strconv.Itoa(req.RemotePort)
	r, err := p.service(addr, p.cfg.IngestTimeout).IngestBinlog(ctx, &backendservice.TIngestBinlogRequest{
		TxnID: &req.TxnID, RemoteTabletID: &req.RemoteTabletID, BinlogVersion: &req.Version,
		RemoteHost: &req.RemoteHost, RemotePort: &port,
		PartitionID: &req.PartitionID, LocalTabletID: &req.LocalTabletID, LoadID: loadID(),
	})
	if err != nil {
		return false, transport(method, addr, err)
	}
	return r.GetIsAsync(), judge(method, addr, r.GetStatus())
}

// await asks until an accepted ingest is done.
func (p *Pool) await(ctx context.Context, addr Endpoint, req IngestRequest, until time.Time) error {
	for pause := p.cfg.PollMin; ; pause = min(2*pause, p.cfg.PollMax) {
		select {
		case <-ctx.Done():
			return &TransportError{Method: "query_ingest_binlog", Addr: addr.String(), Sent: true, Err: context.Cause(ctx)}
		case <-time.After(pause):
		}
		done, err := p.query(ctx, addr, req)
		var lost *TransportError
		if errors.As(err, &lost) && ctx.Err() == nil && time.Now().Before(until) {
			continue // asking again is harmless
		}
		if done || err != nil {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("ingest of tablet %d into %s is not done after %v", req.LocalTabletID, addr, p.cfg.IngestTimeout)
		}
	}
}

// query asks once what became of an accepted ingest.
func (p *Pool) query(ctx context.Context, addr Endpoint, req IngestRequest) (done bool, err error) {
	const method = "query_ingest_binlog"
	started := time.Now()
	defer func() { p.observe(method, addr, started, err) }()

	r, err := p.service(addr, queryTimeout).QueryIngestBinlog(ctx, &backendservice.TQueryIngestBinlogRequest{
		TxnID: &req.TxnID, PartitionID: &req.PartitionID, TabletID: &req.LocalTabletID, LoadID: loadID(),
	})
	if err != nil {
		return false, transport(method, addr, err)
	}
	if !r.IsSetStatus() {
		return false, fmt.Errorf("be %s: %s: the status is missing: %w", addr, method, ErrIncomplete)
	}
	switch r.GetStatus() {
	case backendservice.TIngestBinlogStatus_OK:
		return true, nil
	case backendservice.TIngestBinlogStatus_DOING:
		return false, nil
	case backendservice.TIngestBinlogStatus_NOT_FOUND:
		if strings.HasPrefix(r.GetErrMsg(), "tablet ") {
			return false, fmt.Errorf("be %s: %s: %s: %w", addr, method, r.GetErrMsg(), ErrTabletMissing)
		}
		return false, fmt.Errorf("be %s: %s: transaction %d, tablet %d: %w", addr, method, req.TxnID, req.LocalTabletID, ErrIngestForgotten)
	}
	return false, fmt.Errorf("be %s: %s: %s %s: transaction %d, tablet %d from %s:%d: %w", addr, method,
		r.GetStatus(), r.GetErrMsg(), req.TxnID, req.LocalTabletID, req.RemoteHost, req.RemotePort, ErrIngestFailed)
}

// transport makes sure that a call without a usable answer is a *TransportError.
func transport(method string, addr Endpoint, err error) error {
	var lost *TransportError
	if errors.As(err, &lost) || errors.Is(err, thriftpool.ErrUnknownMethod) {
		return err
	}
	return &TransportError{Method: method, Addr: addr.String(), Sent: true, Err: err}
}

func judge(method string, addr Endpoint, s *wire.TStatus) error {
	if s == nil {
		return fmt.Errorf("be %s: %s: the status is missing: %w", addr, method, ErrIncomplete)
	}
	if code := status.Code(s.GetStatusCode()); code != status.OK {
		return &StatusError{Server: "be", Addr: addr.String(), Method: method, Code: code, Messages: slices.Clone(s.GetErrorMsgs())}
	}
	return nil
}
