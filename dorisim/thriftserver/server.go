// Package thriftserver serves Thrift's binary protocol the way Doris' FE and BE
// do (doris-rpc.md 1.1): a thread per connection, unframed (or framed, as an
// option), strict and non-strict headers read, strict ones written, and every
// unknown method answered with UNKNOWN_METHOD.
package thriftserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"

	"github.com/apache/thrift/lib/go/thrift"
)

// DefaultMaxMessageSize is Doris' thrift_max_message_size, in bytes.
const DefaultMaxMessageSize = 100 << 20

// maxFrameSize is Doris' thrift_max_frame_size, in bytes (doris-rpc.md 1.2).
const maxFrameSize = 16_384_000

// ErrDropConnection, returned (or wrapped) by a handler, closes the connection
// without a reply.
var ErrDropConnection = thrift.ErrAbandonRequest

// Options of a server. The zero value is Doris' default.
type Options struct {
	Framed         bool
	MaxMessageSize int32 // bytes; 0 = DefaultMaxMessageSize
	Logger         *slog.Logger
}

// Server serves one processor on one listener.
type Server struct {
	methods map[string]thrift.TProcessorFunction
	config  *thrift.TConfiguration
	framed  bool
	log     *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]struct{}
	closed   bool
}

// New returns a server for the methods of p.
func New(p thrift.TProcessor, o Options) *Server {
	if o.MaxMessageSize == 0 {
		o.MaxMessageSize = DefaultMaxMessageSize
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	strictRead, strictWrite := false, true
	s := &Server{
		methods: p.ProcessorMap(), framed: o.Framed, log: o.Logger, conns: map[net.Conn]struct{}{},
		config: &thrift.TConfiguration{
			MaxMessageSize: o.MaxMessageSize, MaxFrameSize: min(maxFrameSize, o.MaxMessageSize),
			TBinaryStrictRead: &strictRead, TBinaryStrictWrite: &strictWrite,
		},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Serve accepts connections until Close, and closes l.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return errors.Join(net.ErrClosed, l.Close())
	}
	s.listener = l
	s.mu.Unlock()
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.isClosed() {
				return nil
			}
			return fmt.Errorf("accept on %s: %w", l.Addr(), err)
		}
		if !s.add(conn) {
			_ = conn.Close()
			return nil
		}
		go func() {
			defer s.wg.Done()
			defer s.remove(conn)
			s.serve(conn)
		}()
	}
}

// Close drops the listener and all connections at once, cancels the context of
// running calls, and waits until they have returned.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.cancel() // after the connections: a call that ends now answers nobody
	s.wg.Wait()
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

func (s *Server) add(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[conn] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) remove(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// budget reads from a connection no more than what one message may have; the
// library bounds only the fields of a message, Doris the whole of it.
type budget struct {
	net.Conn
	limit, left int64
}

// errMessageSize ends the connection of a client that sends too much, as Doris
// does: it gets no answer.
var errMessageSize = errors.New("MaxMessageSize reached")

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errMessageSize
	}
	n, err := b.Conn.Read(p)
	b.left -= int64(n)
	return n, err
}

func (s *Server) serve(conn net.Conn) {
	message := &budget{Conn: conn, limit: int64(s.config.GetMaxMessageSize())}
	var transport thrift.TTransport = thrift.NewStreamTransportRW(message)
	if s.framed {
		transport = thrift.NewTFramedTransportConf(transport, s.config)
	}
	protocol := thrift.NewTBinaryProtocolConf(transport, s.config)
	ctx := context.WithValue(s.ctx, peerKey{}, conn.RemoteAddr().String())
	for {
		message.left = message.limit
		if err := s.call(ctx, protocol); err != nil {
			if !ended(err) && !s.isClosed() {
				s.log.Debug("thrift connection ends", "peer", conn.RemoteAddr(), "error", err)
			}
			return
		}
	}
}

// call reads and answers one call. An error ends the connection.
func (s *Server) call(ctx context.Context, p thrift.TProtocol) error {
	name, kind, seq, err := p.ReadMessageBegin(ctx)
	if err != nil {
		return err
	}
	if kind != thrift.CALL && kind != thrift.ONEWAY {
		return fmt.Errorf("message type %d of %q is no call", kind, name)
	}
	method, ok := s.methods[name]
	if !ok {
		return refuse(ctx, p, name, seq)
	}
	ok, callErr := s.process(ctx, method, name, seq, p)
	if ok {
		return nil // an application error has been answered
	}
	if callErr == nil {
		return fmt.Errorf("%s was not answered", name)
	}
	return callErr
}

// process runs one call. A handler that panics ends its connection, not the
// server.
func (s *Server) process(ctx context.Context, method thrift.TProcessorFunction, name string, seq int32, p thrift.TProtocol) (answered bool, err thrift.TException) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("thrift call panicked", "method", name, "panic", cause, "stack", string(debug.Stack()))
			answered, err = false, thrift.NewTApplicationException(thrift.INTERNAL_ERROR, fmt.Sprintf("internal error: %v", cause))
		}
	}()
	return method.Process(ctx, seq, p, p)
}

// refuse answers a method that the server does not have.
func refuse(ctx context.Context, p thrift.TProtocol, name string, seq int32) error {
	if err := p.Skip(ctx, thrift.STRUCT); err != nil {
		return err
	}
	if err := p.ReadMessageEnd(ctx); err != nil {
		return err
	}
	x := thrift.NewTApplicationException(thrift.UNKNOWN_METHOD, fmt.Sprintf("Invalid method name: '%s'", name))
	if err := p.WriteMessageBegin(ctx, name, thrift.EXCEPTION, seq); err != nil {
		return err
	}
	if err := x.Write(ctx, p); err != nil {
		return err
	}
	if err := p.WriteMessageEnd(ctx); err != nil {
		return err
	}
	return p.Flush(ctx)
}

// ended tells an orderly end of a connection from a broken one.
func ended(err error) bool {
	if errors.Is(err, ErrDropConnection) {
		return true
	}
	var transport thrift.TTransportException
	return errors.As(err, &transport) && transport.TypeId() == thrift.END_OF_FILE
}

type peerKey struct{}

// Peer returns the client's IP address of the call that ctx belongs to, "" if
// there is none.
func Peer(ctx context.Context) string {
	text, _ := ctx.Value(peerKey{}).(string)
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return ""
	}
	return addr.Addr().Unmap().String()
}
