// Command dorisim runs simulated Doris clusters on loopback addresses.
//
// Build it with CGO_ENABLED=0 and -tags gms_pure_go.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/dorisim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dorisim:", err)
		os.Exit(1)
	}
}

const long = `dorisim runs simulated Apache Doris clusters in one process. They speak Doris'
wire protocols (MySQL, Thrift, BE HTTP) on loopback addresses, hold real rows in
memory, and can be the source and the destination of any CCR client.

Ports are predictable: with --port-base 9030 the first cluster's FE has its
MySQL port at 9030, Thrift at 9031, HTTP at 9032; its BE has Thrift at 9530 and
HTTP at 9531; the admin port is 9930. Each further FE or BE is 10 higher, each
further cluster 1000 higher. --port-base 0 lets the kernel choose.

The admin port takes commands over HTTP; curl 127.0.0.1:9930/ lists them all.
For example:
  curl 127.0.0.1:9930/status
  curl -X POST 127.0.0.1:9930/be/0/kill           (also restart; fe/0/kill, fe/1/master)
  curl -X POST 127.0.0.1:9930/faults -d '{"point":"fe.commitTxn","action":"drop_after","count":1}'
  curl -X DELETE 127.0.0.1:9930/faults
  curl -X POST 127.0.0.1:9930/binlogs/collect -d '{"database":"db"}'
  curl -X POST 127.0.0.1:9930/profile -d '{"name":"realistic","publish_ms":500}'`

const example = `  dorisim --clusters 2                  # a source and a destination
  dorisim --fes 3 --bes 3 --profile realistic
  dorisim --config clusters.yaml        # see --print-config for the form`

func command() *cobra.Command {
	o := defaults()
	var file string
	var printConfig bool
	cmd := &cobra.Command{
		Use: "dorisim", Short: "Run simulated Apache Doris clusters", Long: long, Example: example,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := o.file()
			if file != "" {
				var err error
				if f, err = readFile(file); err != nil {
					return err
				}
			}
			if printConfig {
				return f.write(cmd.OutOrStdout())
			}
			return run(cmd, f, o.verbose)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&o.clusters, "clusters", o.clusters, "number of clusters; two are called source and destination")
	flags.IntVar(&o.FEs, "fes", o.FEs, "frontends of each cluster")
	flags.IntVar(&o.BEs, "bes", o.BEs, "backends of each cluster")
	flags.StringVar(&o.Host, "host", o.Host, "address to listen on, within 127.0.0.0/8")
	flags.BoolVar(&o.AllowAnyHost, "allow-any-host", false, "accept a --host that other machines reach; nothing protects the clusters (for containers)")
	flags.BoolVar(&o.Spread, "spread", o.Spread, "give every FE and BE an address of its own, counted up from --host")
	flags.IntVar(&o.PortBase, "port-base", o.PortBase, "first port of the first cluster; 0: any")
	flags.StringVar(&o.AdvertisePrefix, "advertise-prefix", o.AdvertisePrefix, `advertise private addresses, e.g. "10.66.0.", on which nothing listens`)
	flags.StringVar(&o.Profile, "profile", o.Profile, "instant or realistic delays")
	flags.StringVar(&o.Version, "doris-version", o.Version, "what to imitate: new (2.1.9, 3.0.5 and later), 3.0 or 2.1 (what came before), 2024-11 (master of November 2024, as measured)")
	flags.StringVar(&o.RootPassword, "root-password", o.RootPassword, "password of root (better: DORISIM_ROOT_PASSWORD)")
	flags.IntVar(&o.LatePercent, "late-binlogs", o.LatePercent, "percent of the binlogs that readers see late and out of order, as in Doris under load")
	flags.DurationVar(&o.LateMax, "late-binlogs-max", o.LateMax, "the longest that a binlog is late")
	flags.Uint64Var(&o.LateSeed, "late-binlogs-seed", o.LateSeed, "seed of the delays; 0: another one each time")
	flags.StringVar(&file, "config", "", "YAML file with the clusters; the flags above are then ignored")
	flags.BoolVar(&printConfig, "print-config", false, "print the configuration as YAML and exit")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "log what happens")
	return cmd
}

// run starts the clusters and waits for the end.
func run(cmd *cobra.Command, f configFile, verbose bool) (err error) {
	ctx := cmd.Context()
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	var clusters []*dorisim.Cluster
	defer func() {
		for _, c := range clusters {
			err = errors.Join(err, c.Close())
		}
	}()
	for _, spec := range f.Clusters {
		cfg, err := spec.config(logger.With("cluster", spec.Name))
		if err != nil {
			return err
		}
		c, err := dorisim.Start(ctx, cfg)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%w (does another dorisim run? choose other ports with --port-base)", err)
		}
		if err != nil {
			return err
		}
		clusters = append(clusters, c)
	}
	printAddresses(cmd.OutOrStdout(), clusters)
	<-ctx.Done()
	return nil
}
