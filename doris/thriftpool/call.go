package thriftpool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/apache/thrift/lib/go/thrift"
)

// ErrUnknownMethod: the server is too old to know the method. Nothing happened.
var ErrUnknownMethod = errors.New("the server does not know this method")

// Error is a call that got no answer.
type Error struct {
	Method, Addr string
	// Sent tells whether the whole request may have reached the server. If so,
	// the outcome of the call is unknown; if not, nothing happened.
	Sent bool
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	outcome := "not sent"
	if e.Sent {
		outcome = "no answer, outcome unknown"
	}
	return fmt.Sprintf("%s: %s: %s: %v", e.Addr, e.Method, outcome, e.Err)
}

// Unwrap gives the cause: a network error, os.ErrDeadlineExceeded for a call
// that took too long, or the context's error if that ended the call.
func (e *Error) Unwrap() error { return e.Err }

// Client returns a client for the code that Thrift generates. Each call takes
// at most timeout (0: as long as the context lives). Its errors are *Error, or
// wrap ErrUnknownMethod. It is safe for concurrent use.
func (p *Pool) Client(t Target, timeout time.Duration) thrift.TClient {
	t = t.withDefaults()
	return &client{pool: p, target: t.shared(), limit: t.MaxMessageSize, timeout: timeout}
}

type client struct {
	pool    *Pool
	target  Target
	limit   int32 // of an answer, in bytes
	timeout time.Duration
}

// Call implements thrift.TClient.
func (c *client) Call(ctx context.Context, method string, args, result thrift.TStruct) (thrift.ResponseMeta, error) {
	callCtx, cancel := ctx, context.CancelFunc(func() {})
	if c.timeout > 0 {
		callCtx, cancel = context.WithTimeout(ctx, c.timeout)
	}
	defer cancel()

	sent, err := c.call(callCtx, method, args, result)
	switch {
	case err == nil:
		return thrift.ResponseMeta{}, nil
	case errors.Is(err, ErrUnknownMethod):
		return thrift.ResponseMeta{}, fmt.Errorf("%s: %s: %w", c.target.Addr, method, ErrUnknownMethod)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case callCtx.Err() != nil:
		err = fmt.Errorf("no answer in %v: %w", c.timeout, os.ErrDeadlineExceeded)
	}
	return thrift.ResponseMeta{}, &Error{Method: method, Addr: c.target.Addr, Sent: sent, Err: err}
}

// call makes one call on one connection and reports whether the request may
// have been received.
func (c *client) call(ctx context.Context, method string, args, result thrift.TStruct) (sent bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	conn, err := c.pool.take(c.target)
	if err != nil {
		return false, err
	}
	if conn == nil {
		if conn, err = dial(ctx, c.target); err != nil {
			c.pool.forget(c.target)
			return false, err
		}
	}
	// Closing the socket is the one way to end a blocking read or write.
	stop := context.AfterFunc(ctx, conn.close)

	conn.raw.begin(c.limit)
	sent, err = conn.exchange(ctx, method, args, result)
	healthy := err == nil || errors.Is(err, ErrUnknownMethod)
	if stop() && healthy {
		c.pool.put(c.target, conn)
		return sent, err
	}
	conn.close()
	if !healthy && ctx.Err() == nil {
		c.pool.forget(c.target)
	}
	return sent, err
}

// exchange sends the request and reads the reply. A request that could not be
// written completely has not been executed: the server waits for its end.
func (c *conn) exchange(ctx context.Context, method string, args, result thrift.TStruct) (sent bool, err error) {
	c.seq++
	wire := thrift.NewTStandardClient(c.protocol, c.protocol)
	if err := wire.Send(ctx, c.protocol, c.seq, method, args); err != nil {
		return false, err
	}
	err = wire.Recv(ctx, c.protocol, c.seq, method, result)
	var refusal thrift.TApplicationException
	if errors.As(err, &refusal) && refusal.TypeId() == thrift.UNKNOWN_METHOD {
		return true, ErrUnknownMethod
	}
	return true, asTooLarge(err)
}
