// Package temporalserver runs a whole Temporal server inside this process: the
// four services, a SQLite file, the Web UI. It serves ccr-standalone and tests.
package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"go.uber.org/dig"
)

// Options says where the server keeps its data and listens.
type Options struct {
	// Path of the SQLite file; it is created when missing. Empty: in memory,
	// gone when the server stops (tests).
	Path string
	// Frontend is the gRPC address, host:port. Port 0 lets the kernel choose.
	Frontend string
	// UI is the Web UI's address; empty: no UI.
	UI string
	// UIHosts are the names under which the Web UI may be asked, beside IP addresses
	// and localhost.
	UIHosts []string
	// Namespace to create if it does not exist. Default "default".
	Namespace string
	Logger    *slog.Logger
}

// Server is a running Temporal server.
type Server struct {
	internal temporal.Server
	ui       *webUI
	frontend string
	stopping atomic.Bool
}

// startTimeout bounds how long the frontend may take to answer. A fresh SQLite
// file is ready in under a second (temporal-measured.md 3); a busy machine may need more.
const startTimeout = 60 * time.Second

// Start runs the server and returns when its frontend answers.
func Start(ctx context.Context, opts Options) (*Server, error) {
	if opts.Namespace == "" {
		opts.Namespace = "default"
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	ports, err := choosePorts(opts.Frontend)
	if err != nil {
		return nil, err
	}
	cfg := serverConfig(opts, ports)
	if err := prepareDatabase(opts, cfg); err != nil {
		return nil, err
	}

	s := &Server{frontend: ports.frontendAddress()}
	srv, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(newLogger(opts.Logger, &s.stopping)),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(dynamicConfig()),
		temporal.WithStaticHosts(ports.staticHosts()),
	)
	if err != nil {
		return nil, fmt.Errorf("make embedded Temporal server: %w", causeOf(err))
	}
	if err := srv.Start(); err != nil {
		return nil, fmt.Errorf("start embedded Temporal server: %w", causeOf(err))
	}
	s.internal = srv
	if err := s.awaitFrontend(ctx, opts.Namespace); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	if opts.UI != "" {
		if s.ui, err = startUI(ctx, opts, s.frontend); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

// causeOf is what went wrong, without the graph of Temporal's parts that could not
// be made because of it.
func causeOf(err error) error {
	for {
		cause := dig.RootCause(err)
		if errors.Is(cause, err) {
			return cause
		}
		err = cause
	}
}

// Address is the frontend's host:port.
func (s *Server) Address() string { return s.frontend }

// UIAddress is the Web UI's host:port, "" without a UI.
func (s *Server) UIAddress() string {
	if s.ui == nil {
		return ""
	}
	return s.ui.address
}

// Stop ends the UI and the server.
func (s *Server) Stop() error {
	s.stopping.Store(true)
	if s.ui != nil {
		s.ui.stop()
	}
	if err := s.internal.Stop(); err != nil {
		return fmt.Errorf("stop embedded Temporal server: %w", err)
	}
	return nil
}

// awaitFrontend waits until the frontend serves the namespace: it answers a
// little before its caches know a namespace that was just written.
func (s *Server) awaitFrontend(ctx context.Context, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var last error
	for {
		c, err := client.DialContext(ctx, client.Options{HostPort: s.frontend, Namespace: namespace, Logger: slog.New(slog.DiscardHandler)})
		if err == nil {
			_, err = c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Namespace: namespace})
			c.Close()
			if err == nil {
				return nil
			}
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("embedded Temporal server on %s does not answer: %w", s.frontend, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func prepareDatabase(opts Options, cfg *config.Config) error {
	sqlCfg := cfg.Persistence.DataStores[storeName].SQL
	if opts.Path != "" {
		_, err := os.Stat(opts.Path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look at Temporal's data file: %w", err)
		}
		if err != nil {
			if err := createDatabase(opts.Path, sqlCfg); err != nil {
				return err
			}
		}
	}
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, opts.Namespace, false, searchAttributes())
	if err != nil {
		return fmt.Errorf("configure Temporal namespace %q: %w", opts.Namespace, err)
	}
	if err := sqliteschema.CreateNamespaces(sqlCfg, ns); err != nil {
		return fmt.Errorf("create Temporal namespace %q: %w", opts.Namespace, err)
	}
	return nil
}

// createDatabase makes the file under a temporary name first, so that a process
// killed in the middle does not leave half a schema behind.
func createDatabase(path string, sqlCfg *config.SQL) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	fresh := *sqlCfg
	fresh.DatabaseName = path + ".new"
	// No write-ahead log here: all of the schema has to be in the renamed file.
	fresh.ConnectAttributes = map[string]string{"mode": "rwc", "synchronous": "2"}
	for _, leftover := range []string{fresh.DatabaseName, fresh.DatabaseName + "-journal"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove unfinished Temporal data file: %w", err)
		}
	}
	if err := sqliteschema.SetupSchema(&fresh); err != nil {
		return fmt.Errorf("create Temporal's tables in %s: %w", path, err)
	}
	if err := os.Rename(fresh.DatabaseName, path); err != nil {
		return fmt.Errorf("put Temporal's data file in place: %w", err)
	}
	return nil
}

type ports struct {
	host                                string
	frontend, history, matching, worker int
}

// The internal ports lie below the range that systems take for outgoing
// connections (Linux: from 32768): between choosing a port and listening on it,
// any connection could get it otherwise, and Temporal panics then.
const lowestPort, portsEnd = 10_000, 32_000

// choosePorts takes the frontend's port as given and chooses the internal ones.
func choosePorts(frontend string) (ports, error) {
	host, text, err := net.SplitHostPort(frontend)
	if err != nil {
		return ports{}, fmt.Errorf("address %q for Temporal: %w", frontend, err)
	}
	wanted, err := strconv.Atoi(text)
	if err != nil {
		return ports{}, fmt.Errorf("address %q for Temporal: %w", frontend, err)
	}
	p := ports{host: host, frontend: wanted}
	var held []net.Listener
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	pick := func(port int) (int, error) {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return 0, fmt.Errorf("port for embedded Temporal: %w", err)
		}
		held = append(held, l)
		return l.Addr().(*net.TCPAddr).Port, nil
	}
	if p.frontend, err = pick(wanted); err != nil {
		return ports{}, fmt.Errorf("%w (choose another address with --temporal-listen)", err)
	}
	for _, dst := range []*int{&p.history, &p.matching, &p.worker} {
		const tries = 100
		for range tries {
			if *dst, err = pick(lowestPort + rand.IntN(portsEnd-lowestPort)); err == nil {
				break
			}
		}
		if err != nil {
			return ports{}, err
		}
	}
	return p, nil
}

func (p ports) frontendAddress() string { return net.JoinHostPort(p.host, strconv.Itoa(p.frontend)) }
