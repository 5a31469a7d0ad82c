package client

import (
	"context"
	"time"
)

// Clusters are the clusters that jobs are between, as a worker process sees them.
type Clusters struct {
	Clusters   []ClusterSeen `json:"clusters"`
	Unanswered []string      `json:"unanswered"`
}

// ClusterSeen is one of them.
type ClusterSeen struct {
	Name            string            `json:"name"`
	SeenThrough     string            `json:"seen_through"`
	Side            string            `json:"side"`
	From            string            `json:"from"`
	At              time.Time         `json:"at"`
	Version         string            `json:"version"`
	Frontends       []Node            `json:"frontends"`
	FrontendsUntold bool              `json:"frontends_untold"`
	Backends        []Node            `json:"backends"`
	Logs            []LogKept         `json:"logs"`
	Limits          map[string]string `json:"limits"`
	Errors          []string          `json:"errors"`
	Jobs            []ClusterJob      `json:"jobs"`
}

// Node is a frontend or a backend.
type Node struct {
	ID         int64  `json:"id"`
	Host       string `json:"host"`
	Private    string `json:"private"`
	Port       int    `json:"port"`
	ThriftPort int    `json:"thrift_port"`
	HTTPPort   int    `json:"http_port"`
	IsMaster   bool   `json:"is_master"`
	Role       string `json:"role"`
	Version    string `json:"version"`
	Alive      *bool  `json:"alive"`
	Reached    bool   `json:"reached"`
	Error      string `json:"error"`
}

// LogKept is how long binlogs of a database or table are kept.
type LogKept struct {
	Database   string `json:"database"`
	Table      string `json:"table"`
	Enabled    bool   `json:"enabled"`
	TTLSeconds int64  `json:"ttl_seconds"`
	MaxBytes   int64  `json:"max_bytes"`
	MaxBinlogs int64  `json:"max_binlogs"`
	Error      string `json:"error"`
}

// ClusterJob is a job that uses the cluster.
type ClusterJob struct {
	Name           string     `json:"name"`
	Side           string     `json:"side"`
	Database       string     `json:"database"`
	Table          string     `json:"table"`
	State          string     `json:"state"`
	PlaceKeptUntil *time.Time `json:"place_kept_until"`
}

// Clusters looks at all clusters.
func (c *Client) Clusters(ctx context.Context) (Reply[Clusters], error) {
	return get[Clusters](ctx, c, "/api/v1/clusters")
}

// JobClusters looks at the source and the destination of a job.
func (c *Client) JobClusters(ctx context.Context, name string) (Reply[Clusters], error) {
	return get[Clusters](ctx, c, jobPath(name, "/clusters"))
}
