package worker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

// DialOptions say how to reach Temporal.
type DialOptions struct {
	// Address is host:port of a frontend, or of several, separated by commas: a
	// server that dies is then left out.
	Address string
	// Namespace; empty = "default".
	Namespace string
	// TLS is nil for a connection without it.
	TLS *tls.Config
	// APIKey gives the key that is sent with each call; nil = none.
	APIKey func(context.Context) (string, error)
	// Logger takes what the SDK has to say; nil = slog.Default().
	Logger *slog.Logger
	// Metrics takes the SDK's metrics; nil = none. Each client needs a registerer
	// of its own: a second one would report the same metrics again.
	Metrics prometheus.Registerer
}

// Dial connects to Temporal. The client encodes and decodes as every part of
// ccr does; API servers and workers have to use it alike.
func Dial(ctx context.Context, o DialOptions) (client.Client, error) {
	if o.Address == "" {
		return nil, errors.New("no Temporal address")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	target, dialOptions, err := frontends(o.Address)
	if err != nil {
		return nil, err
	}
	options := client.Options{
		HostPort:      target,
		Namespace:     o.Namespace,
		Logger:        log.NewStructuredLogger(sdkLogger(o.Logger)),
		DataConverter: DataConverter(),
		ConnectionOptions: client.ConnectionOptions{
			TLS:              o.TLS,
			KeepAliveTime:    keepAliveTime,
			KeepAliveTimeout: keepAliveTimeout,
			// What is large is compressed already (DataConverter), and the rest is not worth
			// a compression of its own for each heartbeat.
			GrpcCompression: &client.GrpcCompressionNone{},
			DialOptions:     dialOptions,
		},
	}
	if o.APIKey != nil {
		options.Credentials = client.NewAPIKeyDynamicCredentials(o.APIKey)
	}
	if o.Metrics != nil {
		handler, err := newMetricsHandler(o.Metrics)
		if err != nil {
			return nil, err
		}
		options.MetricsHandler = handler
	}
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("connect to Temporal at %s: %w", o.Address, err)
	}
	return c, nil
}
