package be

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

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
	return r.GetIsAsync(), replyError(method, addr, r.GetStatus())
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
