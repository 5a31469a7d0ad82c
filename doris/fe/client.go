// Package fe is a client of Doris' frontends (doris-rpc.md 3): it finds the
// master, follows it when it moves, and turns replies into plain data and typed
// errors. An answer that is empty or half empty is an error, never a fact.
package fe

import (
	"slices"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/endpoint"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// Endpoint is a frontend's RPC address as this process reaches it.
type Endpoint = endpoint.Endpoint

// Defaults of Config (doris-rpc.md 1.3).
const (
	DefaultRPCTimeout      = 30 * time.Second
	DefaultCommitTimeout   = 33 * time.Second
	DefaultSnapshotTimeout = 3 * time.Minute
	DefaultFailoverTimeout = 5 * time.Second
)

// Config says which cluster to talk to. The zero value of a field is its
// default, except for Frontends and User.
type Config struct {
	Frontends      []Endpoint
	User, Password string
	// HostMapping maps the private addresses that the cluster tells to those
	// that this process reaches; see MapHost.
	HostMapping map[string]string

	ConnectTimeout  time.Duration // default 10 s
	RPCTimeout      time.Duration // of one attempt, default 30 s
	CommitTimeout   time.Duration // of CommitTxn, default 33 s
	SnapshotTimeout time.Duration // of Snapshot and RestoreSnapshot, default 3 min
	// FailoverTimeout bounds the search for a master that answers, beyond the
	// first round over all frontends (default 5 s).
	FailoverTimeout time.Duration

	MaxMessageSize int32 // bytes accepted in one reply, default 1 GiB
	Framed         bool  // for frontends with thrift_server_type THREADED_SELECTOR

	// Pool is shared by the clients of a process; nil gives the client a pool
	// of its own.
	Pool *thriftpool.Pool
	// Learned is told of each master that is not among Frontends. Optional.
	Learned func(Endpoint)
	// Unusable is why the cluster must not be asked, nil if it may be. It is the answer to
	// each call.
	Unusable error
	// Observe is told of each attempt; err is nil if the server answered OK.
	Observe func(method, addr string, d time.Duration, err error)
}

// Client talks to the frontends of one cluster. It is safe for concurrent use.
type Client struct {
	cfg     Config
	pool    *thriftpool.Pool
	ownPool bool

	mu        sync.Mutex
	frontends []Endpoint
	master    Endpoint // the last that answered as master; zero if none has
}

// New returns a client. It makes no call.
func New(cfg Config) *Client {
	setDefault(&cfg.RPCTimeout, DefaultRPCTimeout)
	setDefault(&cfg.CommitTimeout, DefaultCommitTimeout)
	setDefault(&cfg.SnapshotTimeout, DefaultSnapshotTimeout)
	setDefault(&cfg.FailoverTimeout, DefaultFailoverTimeout)
	c := &Client{cfg: cfg, pool: cfg.Pool}
	for _, ep := range cfg.Frontends {
		if !slices.Contains(c.frontends, ep) {
			c.frontends = append(c.frontends, ep)
		}
	}
	if c.pool == nil {
		c.pool, c.ownPool = thriftpool.New(thriftpool.Config{}), true
	}
	return c
}

func setDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// Close gives up the client's own connections; a shared pool stays open.
func (c *Client) Close() error {
	if c.ownPool {
		return c.pool.Close()
	}
	return nil
}

// Master returns the frontend last known as master, the zero Endpoint if none
// has answered yet.
func (c *Client) Master() Endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.master
}

// candidates returns the known frontends, the master first.
func (c *Client) candidates() []Endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]Endpoint, 0, len(c.frontends)+1)
	if c.master != (Endpoint{}) {
		list = append(list, c.master)
	}
	for _, ep := range c.frontends {
		if ep != c.master {
			list = append(list, ep)
		}
	}
	return list
}

// setMaster remembers who answered as master.
func (c *Client) setMaster(ep Endpoint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.master = ep
	if slices.Contains(c.frontends, ep) {
		return
	}
	c.frontends = append(c.frontends, ep)
	if c.cfg.Learned != nil {
		c.cfg.Learned(ep)
	}
}
