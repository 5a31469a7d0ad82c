package fe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// operation is how one RPC may be treated.
type operation struct {
	method  string
	timeout time.Duration // of one attempt
	// repeatable operations may be sent again when their outcome is unknown.
	repeatable bool
	// most bytes of an answer, if that is less than Config.MaxMessageSize; 0: no
	// less.
	most int32
}

// reply is what all replies have in common.
type reply interface {
	comparable
	GetStatus() *wire.TStatus
}

type redirecting interface {
	GetMasterAddress() *types.TNetworkAddress
}

// Pauses between rounds over all frontends.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = time.Second
)

// call makes the RPC on the master: it starts with the frontend last known as
// master, follows NOT_MASTER, and goes through the other frontends when one
// cannot be reached, in rounds with growing pauses. It sends again only what
// certainly had no effect or may have it twice.
//
// The error is a *StatusError for every status but OK; the reply is returned
// beside it.
func call[R reply](ctx context.Context, c *Client, op operation, send func(context.Context, *frontendservice.FrontendServiceClient) (R, error)) (R, error) {
	if c.cfg.Unusable != nil {
		var none R
		return none, c.cfg.Unusable
	}
	giveUp := time.Now().Add(c.cfg.FailoverTimeout)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		r, err, final := round(ctx, c, op, send)
		if err == nil || final || time.Now().Add(pause).After(giveUp) {
			return r, err
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("%w (while waiting after: %w)", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// round tries each known frontend once. final tells that another round would
// not help, or would not be safe.
func round[R reply](ctx context.Context, c *Client, op operation, send func(context.Context, *frontendservice.FrontendServiceClient) (R, error)) (r R, err error, final bool) {
	queue := c.candidates()
	if len(queue) == 0 {
		return r, fmt.Errorf("%s: no frontend is configured", op.method), true
	}
	var tried []Endpoint
	var unmapped *UnmappedHostError
	for len(queue) > 0 {
		ep := queue[0]
		queue = queue[1:]
		if slices.Contains(tried, ep) {
			continue
		}
		tried = append(tried, ep)

		r, err = attempt(ctx, c, op, ep, send)
		var lost *TransportError
		switch {
		case errors.Is(err, ErrNotMaster):
			master, known, mapErr := c.redirect(r)
			if errors.As(mapErr, &unmapped) || !known {
				continue
			}
			queue = slices.Insert(queue, 0, master)
		case errors.As(err, &lost):
			if ctx.Err() != nil || lost.Sent && !op.repeatable || errors.Is(err, ErrTooLarge) {
				return r, err, true
			}
		default:
			if !errors.Is(err, ErrUnknownMethod) {
				c.setMaster(ep)
			}
			return r, err, true
		}
	}
	if unmapped != nil {
		return r, fmt.Errorf("%s: the master cannot be reached: %w", op.method, unmapped), true
	}
	return r, err, false
}

// attempt makes the RPC on one frontend.
func attempt[R reply](ctx context.Context, c *Client, op operation, ep Endpoint, send func(context.Context, *frontendservice.FrontendServiceClient) (R, error)) (R, error) {
	target := thriftpool.Target{
		Addr:           ep.String(),
		ConnectTimeout: c.cfg.ConnectTimeout,
		MaxMessageSize: c.cfg.MaxMessageSize,
		Framed:         c.cfg.Framed,
	}
	if op.most > 0 && (target.MaxMessageSize <= 0 || op.most < target.MaxMessageSize) {
		target.MaxMessageSize = op.most
	}
	started := time.Now()
	r, err := send(ctx, frontendservice.NewFrontendServiceClient(c.pool.Client(target, op.timeout)))
	err = replyError(op.method, target.Addr, r, err)
	if c.cfg.Observe != nil {
		c.cfg.Observe(op.method, target.Addr, time.Since(started), err)
	}
	return r, err
}

// replyError turns the outcome of one attempt into one of our errors.
func replyError[R reply](method, addr string, r R, err error) error {
	var none R
	var lost *TransportError
	switch {
	case errors.Is(err, ErrUnknownMethod) || errors.As(err, &lost):
		return err
	case err != nil: // the server answered something that is no reply
		return &TransportError{Method: method, Addr: addr, Sent: true, Err: err}
	case r == none || r.GetStatus() == nil:
		return incomplete(method, "the reply has no status")
	}
	s := r.GetStatus()
	if code := Code(s.GetStatusCode()); code != status.OK {
		return &StatusError{Server: "fe", Addr: addr, Method: method, Code: code, Messages: status.ReadableAll(s.GetErrorMsgs())}
	}
	return nil
}

// redirect reads where the master is from a NOT_MASTER reply. Servers in the
// middle of an election leave the address out, or send an empty host or port 0.
func (c *Client) redirect(r any) (master Endpoint, known bool, err error) {
	rd, ok := r.(redirecting)
	if !ok {
		return Endpoint{}, false, nil
	}
	addr := rd.GetMasterAddress()
	if addr == nil || addr.Hostname == "" || addr.Port <= 0 {
		return Endpoint{}, false, nil
	}
	host, err := MapHost(c.cfg.HostMapping, addr.Hostname)
	if err != nil {
		return Endpoint{}, false, err
	}
	return Endpoint{Host: host, Port: int(addr.Port)}, true, nil
}
