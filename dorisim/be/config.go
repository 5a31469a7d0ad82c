package be

import (
	"fmt"
	"log/slog"
	"time"
)

// Fault points that a backend passes (Config.Faults). An error makes the
// operation fail, faults.ErrDropped closes the connection instead. All are
// passed before the effect, except FaultIngestReply: the reply gets lost.
const (
	FaultWrite            = "be.write"
	FaultPublish          = "be.publish"
	FaultIngest           = "be.ingest_binlog"
	FaultIngestReply      = "be.ingest_binlog.reply"
	FaultQueryIngest      = "be.query_ingest_binlog"
	FaultBinlogDownload   = "be.http.binlog"
	FaultSnapshotDownload = "be.http.snapshot"
	FaultDownload         = "be.download"
)

// Names of backend properties (be.conf) that change behaviour.
const (
	PropertyBinlog         = "enable_feature_binlog"
	PropertyTokenCheck     = "enable_token_check"
	PropertyIngestPoolSize = "ingest_binlog_work_pool_size"
)

// Config describes one backend.
type Config struct {
	ID int64
	// Host is the address to listen on, AdvertisedHost the one the FE tells
	// others; it may be one on which nothing listens (host mapping).
	Host           string
	AdvertisedHost string
	// ThriftPort and HTTPPort are chosen by the kernel when 0.
	ThriftPort, HTTPPort int
	// StorageRoot is where snapshot paths begin. No disk is used.
	StorageRoot string
	// Token returns the cluster token that snapshot downloads must carry.
	Token  func() string
	Logger *slog.Logger
	// IngestDelay returns how long an ingest_binlog takes at least; may be nil.
	IngestDelay func() time.Duration
	// Faults is asked at every fault point; may be nil.
	Faults func(point string) error
	// Properties override the defaults of be.conf.
	Properties map[string]string
	// RetryPause is the pause between tries of an HTTP step, default 1 s.
	RetryPause time.Duration
	// SegmentRows bounds the rows of a segment file, default 65,536.
	SegmentRows int
	// Now is the clock of snapshot expiry, default time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	if c.AdvertisedHost == "" {
		c.AdvertisedHost = c.Host
	}
	if c.StorageRoot == "" {
		c.StorageRoot = fmt.Sprintf("/data%d/storage", c.ID)
	}
	if c.Token == nil {
		c.Token = func() string { return "" }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.IngestDelay == nil {
		c.IngestDelay = func() time.Duration { return 0 }
	}
	if c.Faults == nil {
		c.Faults = func(string) error { return nil }
	}
	if c.RetryPause == 0 {
		c.RetryPause = time.Second
	}
	if c.SegmentRows == 0 {
		c.SegmentRows = 1 << 16
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// defaultProperties are the be.conf entries that show_config knows, with their
// types. Binlogs are on, other than in a real be.conf: a simulated cluster is
// made for them.
var defaultProperties = []property{
	{"enable_all_http_auth", "bool", "false", "false"},
	{PropertyBinlog, "bool", "true", "false"},
	{PropertyTokenCheck, "bool", "true", "false"},
	{PropertyIngestPoolSize, "int32_t", "-1", "false"},
}

// property is one row of show_config: name, type, value, is_mutable.
type property struct{ name, kind, value, mutable string }
