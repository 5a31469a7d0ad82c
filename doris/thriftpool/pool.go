// Package thriftpool keeps connections to Doris' Thrift servers and makes calls
// over them: one call at a time on a connection, the connection closed when the
// call's context ends, and dropped after any error (doris-rpc.md 1.1).
package thriftpool

import (
	"context"
	"math"
	"net"
	"sync"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

// Defaults of Config and Target.
const (
	DefaultMaxIdle        = 64
	DefaultIdleTimeout    = 5 * time.Minute
	DefaultConnectTimeout = 10 * time.Second
	DefaultMaxMessageSize = 1 << 30
)

// Config bounds what a Pool keeps. The zero value of a field is its default.
type Config struct {
	MaxIdle     int           // idle connections kept per target (default 64)
	IdleTimeout time.Duration // an older idle connection is not used again (default 5 min)
}

// Target is a server and how to speak to it. Connections are shared by targets
// that differ in MaxMessageSize at most.
type Target struct {
	Addr           string        // host:port
	ConnectTimeout time.Duration // default 10 s
	MaxMessageSize int32         // bytes accepted in one reply (default and at most 1 GiB)
	Framed         bool          // THREADED_SELECTOR frontends ask for it
}

// Pool holds idle connections. It is safe for concurrent use.
type Pool struct {
	cfg Config

	mu     sync.Mutex
	closed bool
	idle   map[Target][]*conn // the most recently used one last
}

// New returns an empty pool.
func New(cfg Config) *Pool {
	if cfg.MaxIdle <= 0 {
		cfg.MaxIdle = DefaultMaxIdle
	}
	if cfg.IdleTimeout <= 0 {
		cfg.IdleTimeout = DefaultIdleTimeout
	}
	return &Pool{cfg: cfg, idle: map[Target][]*conn{}}
}

// Close closes the idle connections; those in use are closed when their call
// ends. Calls made afterwards fail.
func (p *Pool) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = map[Target][]*conn{}, true
	p.mu.Unlock()
	for _, conns := range idle {
		closeAll(conns)
	}
	return nil
}

// Idle returns how many idle connections to the target are kept.
func (p *Pool) Idle(t Target) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle[t.withDefaults().shared()])
}

// conn is one connection with the protocol on top of it. Only raw may be used
// by anybody but the call that owns the connection, and only to be closed.
type conn struct {
	raw      *meter
	socket   *thrift.TSocket
	protocol thrift.TProtocol
	seq      int32
	idleAt   time.Time
}

const bufferSize = 16 << 10

func dial(ctx context.Context, t Target) (*conn, error) {
	dialer := net.Dialer{Timeout: t.ConnectTimeout}
	dialed, err := dialer.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	raw := &meter{Conn: dialed}
	conf := &thrift.TConfiguration{MaxMessageSize: DefaultMaxMessageSize}
	socket := thrift.NewTSocketFromConnConf(raw, conf)
	var transport thrift.TTransport = thrift.NewTBufferedTransport(socket, bufferSize)
	if !t.Framed {
		return &conn{raw: raw, socket: socket, protocol: bounded{thrift.NewTBinaryProtocolConf(transport, conf), raw}}, nil
	}
	framed := thrift.NewTFramedTransportConf(transport, conf)
	protocol := bounded{thrift.NewTBinaryProtocolConf(framed, conf), raw}
	// How large a frame may be is the meter's to say.
	framed.SetTConfiguration(&thrift.TConfiguration{MaxMessageSize: math.MaxInt32, MaxFrameSize: math.MaxInt32})
	return &conn{raw: raw, socket: socket, protocol: protocol}, nil
}

// take returns an idle connection that still looks alive, or nil.
func (p *Pool) take(t Target) (*conn, error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, net.ErrClosed
		}
		conns := p.idle[t]
		if len(conns) == 0 {
			p.mu.Unlock()
			return nil, nil
		}
		last := len(conns) - 1
		c := conns[last]
		conns[last] = nil
		p.idle[t] = conns[:last]
		p.mu.Unlock()

		if time.Since(c.idleAt) < p.cfg.IdleTimeout && c.socket.IsOpen() {
			return c, nil
		}
		c.close()
	}
}

// put keeps a healthy connection for the next call.
func (p *Pool) put(t Target, c *conn) {
	c.idleAt = time.Now()
	p.mu.Lock()
	keep := !p.closed && len(p.idle[t]) < p.cfg.MaxIdle
	if keep {
		p.idle[t] = append(p.idle[t], c)
	}
	p.mu.Unlock()
	if !keep {
		c.close()
	}
}

// forget closes the idle connections to a server that has just failed: they
// would fail in the same way.
func (p *Pool) forget(t Target) {
	p.mu.Lock()
	conns := p.idle[t]
	delete(p.idle, t)
	p.mu.Unlock()
	closeAll(conns)
}

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}

// close gives the connection up. Its error says nothing that a caller could
// act upon.
func (c *conn) close() { _ = c.raw.Close() }

func (t Target) withDefaults() Target {
	if t.ConnectTimeout <= 0 {
		t.ConnectTimeout = DefaultConnectTimeout
	}
	if t.MaxMessageSize <= 0 || t.MaxMessageSize > DefaultMaxMessageSize {
		t.MaxMessageSize = DefaultMaxMessageSize
	}
	return t
}

// shared is what all targets have in common that share connections.
func (t Target) shared() Target {
	t.MaxMessageSize = 0
	return t
}
