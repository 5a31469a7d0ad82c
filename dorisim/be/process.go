package be

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/dorisim/port"
	"github.com/doris-ccr/ccr/dorisim/thriftserver"
)

// ports are kept over restarts.
type ports struct{ thrift, http int }

// process is one run of the backend between Start and Kill.
type process struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	thrift *thriftserver.Server
	http   *http.Server
	client *http.Client
	pool   chan struct{} // slots of asynchronous ingests; nil = synchronous

	mu      sync.Mutex
	stopped bool
}

// Start opens the Thrift and HTTP ports. A started backend stays as it is.
func (b *Backend) Start() error {
	b.processMu.Lock()
	defer b.processMu.Unlock()
	if b.process.Load() != nil {
		return nil
	}
	thriftListener, err := b.listen(&b.ports.thrift)
	if err != nil {
		return fmt.Errorf("backend %d: Thrift port: %w", b.ID(), err)
	}
	httpListener, err := b.listen(&b.ports.http)
	if err != nil {
		return errors.Join(fmt.Errorf("backend %d: HTTP port: %w", b.ID(), err), thriftListener.Close())
	}
	p := b.newProcess()
	b.process.Store(p)
	p.run(func() {
		if err := p.thrift.Serve(thriftListener); err != nil && p.ctx.Err() == nil {
			b.log.Error("Thrift server stopped", "error", err)
		}
	})
	p.run(func() {
		if err := p.http.Serve(httpListener); err != nil && !errors.Is(err, http.ErrServerClosed) {
			b.log.Error("HTTP server stopped", "error", err)
		}
	})
	return nil
}

// Restart starts a killed backend on its old ports with its old disk.
func (b *Backend) Restart() error { return b.Start() }

// Kill ends the process: ports and connections drop at once, work in progress
// is lost; tablets, committed rowsets, binlogs and snapshots stay.
func (b *Backend) Kill() {
	b.processMu.Lock()
	defer b.processMu.Unlock()
	p := b.process.Swap(nil)
	if p == nil {
		return
	}
	p.stop()
	b.txns.crash()
}

// Close kills the backend for good.
func (b *Backend) Close() { b.Kill() }

// Alive tells whether the process runs.
func (b *Backend) Alive() bool { return b.process.Load() != nil }

// BePort is the Thrift port, 0 before the first Start.
func (b *Backend) BePort() int {
	b.processMu.Lock()
	defer b.processMu.Unlock()
	return b.ports.thrift
}

// HTTPPort is the port of the BE's HTTP server, 0 before the first Start.
func (b *Backend) HTTPPort() int {
	b.processMu.Lock()
	defer b.processMu.Unlock()
	return b.ports.http
}

func (b *Backend) listen(number *int) (net.Listener, error) {
	l, err := port.Listen(b.cfg.Host, *number)
	if err != nil {
		return nil, err
	}
	if addr, ok := l.Addr().(*net.TCPAddr); ok {
		*number = addr.Port
	}
	return l, nil
}

func (b *Backend) newProcess() *process {
	p := &process{}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.thrift = thriftserver.New(backendservice.NewBackendServiceProcessor(&service{backend: b, process: p}), thriftserver.Options{Logger: b.log})
	p.http = &http.Server{Handler: b.httpHandler(), ReadHeaderTimeout: 10 * time.Second}
	p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true}}
	switch n, err := strconv.Atoi(b.Property(PropertyIngestPoolSize)); {
	case err != nil || n < 0:
	case n == 0:
		p.pool = make(chan struct{}, runtime.NumCPU())
	default:
		p.pool = make(chan struct{}, n)
	}
	return p
}

// run starts a goroutine that stop waits for; it reports false if the process
// has stopped.
func (p *process) run(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.wg.Go(f)
	return true
}

func (p *process) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.cancel()
	_ = p.http.Close()
	p.thrift.Close()
	p.client.CloseIdleConnections()
	p.wg.Wait()
}
