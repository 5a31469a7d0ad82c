// Package config holds every setting of the ccr programs. One table
// (settings.go) is the source of flags, environment variables, keys of the YAML
// file, help texts and docs/configuration.md, so that they cannot diverge.
//
// A setting named rpc-timeout is the flag --rpc-timeout, the variable
// CCR_RPC_TIMEOUT and the key rpc-timeout (or rpc_timeout) of the file. What is
// nearer to the operator wins: defaults < file < environment < flags.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// Config is the effective configuration of one process.
type Config struct {
	// HTTP API.
	Listen              string // host:port
	AllowInsecureListen bool   // permits addresses other than loopback without tokens or without TLS
	TokensFile          string // bearer tokens and their roles; empty = none asked for
	TLSCert             string // PEM file; empty = plain HTTP
	TLSKey              string // PEM file
	AllowedHosts        string // names of the servers, separated by commas
	EnableFailpoints    bool   // tests only
	MetricsListen       string // /metrics of a process without API; empty = none
	PprofListen         string // net/http/pprof; empty = none
	CommandTimeout      time.Duration
	CreateTimeout       time.Duration

	// Temporal.
	TemporalAddress    string
	TemporalNamespace  string
	TemporalTLS        bool
	TemporalCA         string // PEM file
	TemporalCert       string // PEM file
	TemporalKey        string // PEM file
	TemporalServerName string
	TemporalAPIKey     string
	TemporalAPIKeyFile string

	// Secrets.
	SecretKey     string
	SecretKeyFile string

	// Logging.
	LogLevel  string
	LogFormat string

	// Worker.
	StreamSlots       int
	VerifySlots       int
	PipelineWindow    int
	SharedUpserts     int
	BinlogBatchSize   int
	IngestConcurrency int
	IdlePollMin       time.Duration
	IdlePollMax       time.Duration
	PollBudget        int
	CompareEvery      time.Duration
	HeartbeatTimeout  time.Duration
	PayloadLimit      int
	WebhookURL        string
	WebhookSecret     string

	// Switches of the existing tool.
	Features job.Features

	// Doris.
	DorisTLS       string // off, required, verify-ca, verify-full
	DorisTLSMin    string // the least that a job may ask for; "" is DorisTLS
	DorisCA        string // PEM file
	DorisCert      string // PEM file
	DorisKey       string // PEM file
	ConnectTimeout time.Duration
	RPCTimeout     time.Duration
	CommitTimeout  time.Duration

	// TemporalUIURL is where people reach the Temporal Web UI.
	TemporalUIURL string

	// Standalone.
	DataDir        string
	TemporalListen string
	UIListen       string

	// Warnings are remarks about the configuration that somebody should read,
	// such as unknown CCR_ variables.
	Warnings []string

	// ignoredHost receives the existing tool's --host, which names a node of
	// its HA store and has no meaning here.
	ignoredHost string
	origins     map[string]string
}

// Default returns the settings that need no configuration at all.
func Default() Config {
	return Config{
		Listen:         "127.0.0.1:9190",
		CommandTimeout: 15 * time.Second,
		CreateTimeout:  30 * time.Second,

		TemporalAddress:   "127.0.0.1:7233",
		TemporalNamespace: "default",

		LogLevel:  "info",
		LogFormat: "text",

		StreamSlots:       2000,
		VerifySlots:       2,
		PipelineWindow:    16,
		SharedUpserts:     64,
		BinlogBatchSize:   255,
		IngestConcurrency: 48,
		IdlePollMin:       5 * time.Millisecond,
		IdlePollMax:       time.Second,
		PollBudget:        400,
		CompareEvery:      15 * time.Second,
		HeartbeatTimeout:  10 * time.Second,
		PayloadLimit:      2<<20 - 64<<10,

		Features: job.DefaultFeatures(),

		DorisTLS:       job.TLSOff,
		ConnectTimeout: 10 * time.Second,
		RPCTimeout:     30 * time.Second,
		CommitTimeout:  33 * time.Second,

		DataDir:        "ccr-data",
		TemporalListen: "127.0.0.1:7233",
		UIListen:       "127.0.0.1:8233",
	}
}

// HostNames are the names under which the servers may be asked, beside IP
// addresses and localhost: those of allowed-hosts, and those to listen on.
func (c *Config) HostNames() []string {
	names := strings.FieldsFunc(c.AllowedHosts, func(r rune) bool { return r == ',' || r == ' ' })
	for _, address := range []string{c.Listen, c.MetricsListen, c.PprofListen, c.UIListen} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	return names
}

// ErrInsecureListen: an address other than loopback was asked for, and nothing
// protects it.
var ErrInsecureListen = errors.New("this address is reachable from other machines")

// Validate refuses settings that cannot work together or that are out of range.
func (c *Config) Validate() error {
	for _, l := range []struct {
		name, address string
		guarded       bool // by tokens-file, tls-cert and tls-key
	}{
		{"listen", c.Listen, true}, {"metrics-listen", c.MetricsListen, true}, {"pprof-listen", c.PprofListen, true},
		{"temporal-listen", c.TemporalListen, false}, {"ui-listen", c.UIListen, false},
	} {
		if err := c.checkListen(l.address, l.guarded); err != nil {
			return fmt.Errorf("%s %q: %w", l.name, l.address, err)
		}
	}
	if err := c.checkWebhook(); err != nil {
		return err
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"stream-slots", c.StreamSlots}, {"verify-slots", c.VerifySlots}, {"pipeline-window", c.PipelineWindow}, {"shared-upserts", c.SharedUpserts}, {"binlog-batch-size", c.BinlogBatchSize},
		{"ingest-concurrency", c.IngestConcurrency}, {"poll-budget", c.PollBudget}, {"temporal-payload-limit", c.PayloadLimit},
	} {
		if n.value < 1 {
			return fmt.Errorf("%s is %d: it has to be at least 1", n.name, n.value)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"command-timeout", c.CommandTimeout}, {"create-timeout", c.CreateTimeout},
		{"heartbeat-timeout", c.HeartbeatTimeout}, {"idle-poll-min", c.IdlePollMin}, {"idle-poll-max", c.IdlePollMax},
		{"connect-timeout", c.ConnectTimeout}, {"rpc-timeout", c.RPCTimeout}, {"commit-timeout", c.CommitTimeout},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s is %s: it has to be more than zero", d.name, d.value)
		}
	}
	if c.CompareEvery < 0 {
		return fmt.Errorf("compare-every is %s: it has to be zero, which switches comparing off, or more", c.CompareEvery)
	}
	if c.IdlePollMin > c.IdlePollMax {
		return fmt.Errorf("idle-poll-min %s is more than idle-poll-max %s", c.IdlePollMin, c.IdlePollMax)
	}
	if c.TemporalAPIKey != "" && c.TemporalAPIKeyFile != "" {
		return errors.New("temporal-api-key and temporal-api-key-file are two places for one key: give one of them")
	}
	if (c.TemporalCert == "") != (c.TemporalKey == "") {
		return errors.New("temporal-cert and temporal-key have to be given together")
	}
	for _, name := range c.HostNames() {
		if strings.ContainsAny(name, "/*@ ") {
			return fmt.Errorf("allowed-hosts: %q is no name of a host", name)
		}
	}
	if err := c.checkDorisTLS(); err != nil {
		return err
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("tls-cert and tls-key have to be given together")
	}
	return nil
}

// openDoors are warnings about ways around the tokens: whoever reaches Temporal can
// do more than an administrator of the API.
func (c *Config) openDoors() []string {
	if c.TokensFile == "" {
		return nil
	}
	const consequence = ": whoever reaches it can steer every job, and read what the API hides (docs/security.md)"
	var warnings []string
	for _, door := range []struct{ what, setting, address string }{
		{"the embedded Temporal", "temporal-listen", c.TemporalListen}, {"the Temporal Web UI", "ui-listen", c.UIListen},
	} {
		if host, _, err := net.SplitHostPort(door.address); err == nil && !isLoopback(host) {
			warnings = append(warnings, fmt.Sprintf("the HTTP API asks for tokens, but %s at %s (%s) asks nobody for anything%s", door.what, door.address, door.setting, consequence))
		}
	}
	if c.temporalTLSWanted() {
		return warnings
	}
	for _, address := range strings.Split(c.TemporalAddress, ",") {
		address = strings.TrimSpace(address)
		if host, _, err := net.SplitHostPort(address); err == nil && !isLoopback(host) {
			return append(warnings, fmt.Sprintf("the HTTP API asks for tokens, but Temporal at %s is reached without TLS, as anybody could%s", address, consequence))
		}
	}
	return warnings
}

// checkListen accepts an empty address, which means "do not listen".
func (c *Config) checkListen(address string, guarded bool) error {
	if address == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("not host:port: %w", err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	if c.AllowInsecureListen || isLoopback(host) {
		return nil
	}
	if !guarded {
		return fmt.Errorf("%w and has no authentication: use a loopback address, put an authenticating proxy in front, or accept the risk with --allow-insecure-listen", ErrInsecureListen)
	}
	if c.TokensFile != "" && c.TLSCert != "" {
		return nil
	}
	return fmt.Errorf("%w: give tokens (--tokens-file) and TLS (--tls-cert, --tls-key), use a loopback address, or accept the risk with --allow-insecure-listen", ErrInsecureListen)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// checkWebhook looks at the address without showing it: it may hold a token.
func (c *Config) checkWebhook() error {
	if c.WebhookURL == "" {
		return nil
	}
	u, err := url.Parse(c.WebhookURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("webhook-url is not an address like https://host/path")
	}
	return nil
}
