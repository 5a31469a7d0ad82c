// Package be is a client of Doris' backends (doris-rpc.md 4.1, 4.2): it asks a
// destination backend to fetch one tablet's rows of one source transaction.
package be

import (
	"sync"
	"time"

	"github.com/doris-ccr/ccr/doris/endpoint"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// Endpoint is a backend's Thrift address as this process reaches it.
type Endpoint = endpoint.Endpoint

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
	if cfg.IngestTimeout <= 0 {
		cfg.IngestTimeout = DefaultIngestTimeout
	}
	if cfg.PollMin <= 0 {
		cfg.PollMin = DefaultPollMin
	}
	if cfg.PollMax <= 0 {
		cfg.PollMax = DefaultPollMax
	}
	return &Pool{
		cfg:   cfg,
		conns: thriftpool.New(thriftpool.Config{MaxIdle: cfg.Limit}),
		slots: map[string]chan struct{}{},
	}
}

// Close closes the idle connections; calls made afterwards fail.
func (p *Pool) Close() error { return p.conns.Close() }
