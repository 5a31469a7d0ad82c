package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/access"
	"github.com/doris-ccr/ccr/config"
)

// healthTimeout bounds the whole check; container runtimes give up themselves
// after a time that is usually longer.
const healthTimeout = 5 * time.Second

func healthCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running process on this machine whether it is well",
		Long: `healthcheck asks the process that listens on --listen (or, if that is set, on
--metrics-listen) whether it runs and reaches Temporal. It exits with status 0
if so. Meant for container health checks; the image holds no shell or curl.`,
		Example: "  ccr healthcheck\n  ccr healthcheck --metrics-listen 127.0.0.1:9191",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			address := cfg.Listen
			if cfg.MetricsListen != "" {
				address = cfg.MetricsListen
			}
			return checkHealth(cmd.Context(), address, cfg.TLSCert)
		},
	}
	config.Bind(cmd.Flags(), config.GroupAPI, config.GroupAccess, config.GroupProcess)
	config.Teach(cmd)
	return cmd
}

// checkHealth asks the process that listens on address, over HTTPS if it has a
// certificate.
func checkHealth(ctx context.Context, address, certFile string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: %w", address, err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1" // it listens on all addresses
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	asker, scheme := http.DefaultClient, "http"
	if certFile != "" {
		tlsConfig, err := access.LocalConfig(certFile)
		if err != nil {
			return err
		}
		asker, scheme = &http.Client{Transport: &http.Transport{TLSClientConfig: tlsConfig}}, "https"
	}
	url := scheme + "://" + net.JoinHostPort(host, port) + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	resp, err := asker.Do(req)
	if err != nil {
		return fmt.Errorf("not running: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1024))
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	return fmt.Errorf("not well: %s: %s", resp.Status, strings.TrimSpace(string(said)))
}
