// Package standalone runs everything in one process: the embedded Temporal
// server with its Web UI, the HTTP API and the worker.
package standalone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/secret"
	"github.com/doris-ccr/ccr/server"
	"github.com/doris-ccr/ccr/standalone/temporalserver"
)

// Options of Run.
type Options struct {
	Config  config.Config
	Version string
	Logger  *slog.Logger
	// Out receives the few lines that tell a person where things are.
	Out io.Writer
}

// ErrDataDirInUse: another process works in the data directory.
var ErrDataDirInUse = errors.New("another ccr-standalone is using this data directory")

// Run runs until ctx is done, then stops in order: API and worker first, so
// that running steps hand their position to Temporal while it still answers.
func Run(ctx context.Context, opts Options) error {
	// Asked first, so that nobody waits for Temporal only to be told.
	if err := canListen(ctx, opts.Config.Listen); err != nil {
		return fmt.Errorf("HTTP API: %w (choose another address with --listen)", err)
	}
	return withTemporal(ctx, opts, func(temporal *temporalserver.Server) error {
		cfg := opts.Config
		cfg.TemporalAddress = temporal.Address()
		if ui := temporal.UIAddress(); ui != "" && cfg.TemporalUIURL == "" {
			cfg.TemporalUIURL = "http://" + ui
		}
		if cfg.SecretKey == "" && cfg.SecretKeyFile == "" {
			cfg.SecretKeyFile = filepath.Join(cfg.DataDir, "secret.key")
			if _, err := secret.LoadOrCreate("", cfg.SecretKeyFile); err != nil {
				return err
			}
		}
		return server.Run(ctx, server.Options{
			Config: cfg, API: true, Worker: true, NearServer: true, Logger: opts.Logger, Version: opts.Version,
			Ready: func(api string) {
				fmt.Fprintf(opts.Out, "ccr is ready\n  HTTP API      %s\n", api)
				greet(opts.Out, temporal, cfg.DataDir)
			},
		})
	})
}

func canListen(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// RunTemporal runs only the Temporal server and its Web UI until ctx is done.
func RunTemporal(ctx context.Context, opts Options) error {
	return withTemporal(ctx, opts, func(temporal *temporalserver.Server) error {
		fmt.Fprintln(opts.Out, "Temporal is ready")
		greet(opts.Out, temporal, opts.Config.DataDir)
		<-ctx.Done()
		return nil
	})
}

// withTemporal calls use while the embedded Temporal server runs.
func withTemporal(ctx context.Context, opts Options, use func(*temporalserver.Server) error) (err error) {
	if opts.Logger != nil {
		server.LimitMemory(opts.Logger)
	}
	unlock, err := lockDataDir(opts.Config.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	temporal, err := temporalserver.Start(ctx, temporalserver.Options{
		Path:      filepath.Join(opts.Config.DataDir, "temporal.db"),
		Frontend:  opts.Config.TemporalListen,
		UI:        opts.Config.UIListen,
		UIHosts:   opts.Config.HostNames(),
		Namespace: opts.Config.TemporalNamespace,
		Logger:    opts.Logger,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, temporal.Stop()) }()
	return use(temporal)
}

func greet(out io.Writer, temporal *temporalserver.Server, dataDir string) {
	if ui := temporal.UIAddress(); ui != "" {
		fmt.Fprintf(out, "  Web UI        http://%s\n", ui)
	}
	fmt.Fprintf(out, "  Temporal      %s (for temporal and tctl)\n  data          %s\n", temporal.Address(), dataDir)
}

// closeToOthers takes the permissions of others from what Temporal keeps in the
// directory: an earlier version, or a copy, has left them. The key's file is not
// touched: one that others could read has to be noticed.
func closeToOthers(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "temporal.db*"))
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(file, info.Mode().Perm()&0o700)
		}
		if err != nil {
			return fmt.Errorf("keep Temporal's data from others: %w", err)
		}
	}
	return nil
}

// lockDataDir makes the directory and holds a lock on it: two servers on one
// SQLite file would each believe to own every job.
func lockDataDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s", ErrDataDirInUse, dir)
	}
	if err := closeToOthers(dir); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
