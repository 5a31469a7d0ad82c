package server

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/worker"
)

const (
	// dialTimeout bounds one try to connect.
	dialTimeout = 10 * time.Second
	// dialPauseFirst doubles to dialPauseMost between tries.
	dialPauseFirst = 250 * time.Millisecond
	dialPauseMost  = 5 * time.Second
)

// connect dials Temporal until it answers or ctx is done: processes are often
// started together with their Temporal server, which takes longer.
func connect(ctx context.Context, opts Options, registry prometheus.Registerer) (client.Client, error) {
	dial, err := dialOptions(opts)
	if err != nil {
		return nil, err
	}
	for pause := dialPauseFirst; ; pause = min(2*pause, dialPauseMost) {
		c, err := dialOnce(ctx, dial, registry)
		if err == nil {
			return c, nil
		}
		opts.Logger.Warn("Temporal is not ready, trying again", "address", dial.Address, "namespace", dial.Namespace,
			"in", pause, "error", err)
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to Temporal: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
}

func dialOptions(opts Options) (worker.DialOptions, error) {
	tlsConfig, err := opts.Config.TemporalTLSConfig()
	if err != nil {
		return worker.DialOptions{}, err
	}
	key, err := opts.Config.TemporalKeySource()
	if err != nil {
		return worker.DialOptions{}, err
	}
	return worker.DialOptions{
		Address:   opts.Config.TemporalAddress,
		Namespace: opts.Config.TemporalNamespace,
		TLS:       tlsConfig,
		APIKey:    key,
		Logger:    opts.Logger,
	}, nil
}

func dialOnce(ctx context.Context, dial worker.DialOptions, registry prometheus.Registerer) (client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	// Every try has a registry of its own: those of failed tries are dropped.
	metrics := prometheus.NewRegistry()
	dial.Metrics = metrics
	c, err := worker.Dial(ctx, dial)
	if err != nil {
		return nil, err
	}
	// Starting a job fails while its search attributes are not registered.
	if err := worker.EnsureSearchAttributes(ctx, c, dial.Namespace); err != nil {
		c.Close()
		return nil, err
	}
	if err := registry.Register(metrics); err != nil {
		c.Close()
		return nil, fmt.Errorf("register the metrics of the Temporal client: %w", err)
	}
	return c, nil
}
