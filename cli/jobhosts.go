package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
	"github.com/doris-ccr/ccr/job"
)

func (c *connection) jobHosts() *cobra.Command {
	var (
		out             output
		source, dest    []string
		sourceAt, dstAt givenAddress
		force           bool
	)
	cmd := &cobra.Command{
		Use: "hosts name", Short: "Show or change the host mappings of a job",
		Long: `hosts shows under which public addresses a job reaches the frontends and backends of its
clusters. With --src or --dest it merges into them: private=public adds or changes an entry,
private= removes it. The running step starts over with the new addresses.

With --src-host, --src-port or --src-thrift-port (--dest-...) it names another frontend, or another
address, of the same cluster. A worker looks first that it is the same one; --force tells the job
although nobody answers there, never if another cluster does.

With --src-tls and --src-tls-ca (--dest-...) it changes how SQL goes to that side; "" is as the workers
say (--doris-tls), and less than they allow is refused.`,
		Example: "  ccr job hosts sales\n  ccr job hosts sales --src 172.16.1.1=10.0.10.1 --src 172.16.1.5= --dest 172.16.2.3=10.0.10.9\n  ccr job hosts sales --src-tls verify-ca --src-tls-ca their-ca.pem",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			moved := client.Addresses{Force: force}
			if moved.Source, err = sourceAt.address(cmd, "src"); err != nil {
				return err
			}
			if moved.Destination, err = dstAt.address(cmd, "dest"); err != nil {
				return err
			}
			if moved.Source != nil || moved.Destination != nil {
				if len(source)+len(dest) > 0 {
					return usageErrorf("change the mappings (--src, --dest) and the frontends (--src-host, ...) one after the other")
				}
				if err := asker.UpdateHosts(cmd.Context(), args[0], moved); err != nil {
					return err
				}
				return done(cmd, args[0], "uses the new addresses")
			}
			if len(source)+len(dest) == 0 {
				return out.show(cmd, func(ctx context.Context) (view, error) { return findHosts(ctx, asker, args[0]) })
			}
			var change client.HostMappings
			if change.Source, err = pairs("--src", source); err != nil {
				return err
			}
			if change.Destination, err = pairs("--dest", dest); err != nil {
				return err
			}
			if err := asker.MapHosts(cmd.Context(), args[0], change); err != nil {
				return err
			}
			return done(cmd, args[0], "uses the new addresses")
		},
	}
	out.bind(cmd)
	cmd.Flags().StringSliceVar(&source, "src", nil, "private=public of a host of the source; private= removes it")
	cmd.Flags().StringSliceVar(&dest, "dest", nil, "the same of the destination")
	sourceAt.bind(cmd, "src", "source")
	dstAt.bind(cmd, "dest", "destination")
	cmd.Flags().BoolVar(&force, "force", false, "with --src-host and the like: tell the job although nobody answers there")
	return cmd
}

// givenAddress is where a frontend is, as flags say it.
type givenAddress struct{ host, port, thrift, tls, caFile string }

func (g *givenAddress) bind(cmd *cobra.Command, side, name string) {
	cmd.Flags().StringVar(&g.host, side+"-host", "", "host of a frontend of the "+name)
	cmd.Flags().StringVar(&g.port, side+"-port", "", "its MySQL port")
	cmd.Flags().StringVar(&g.thrift, side+"-thrift-port", "", "its Thrift port")
	cmd.Flags().StringVar(&g.tls, side+"-tls", "", "how SQL goes to the "+name+": "+strings.Join(job.TLSModes(), ", "))
	cmd.Flags().StringVar(&g.caFile, side+"-tls-ca", "", "PEM file of the authority of its certificates")
	_ = cmd.RegisterFlagCompletionFunc(side+"-tls", words(job.TLSModes()...))
}

// address is nil if nothing is given.
func (g *givenAddress) address(cmd *cobra.Command, side string) (*client.Address, error) {
	a := client.Address{Host: g.host, Port: g.port, ThriftPort: g.thrift}
	if cmd.Flags().Changed(side + "-tls") {
		a.TLS = &g.tls
	}
	if cmd.Flags().Changed(side + "-tls-ca") {
		ca := ""
		if g.caFile != "" {
			text, err := readInput(g.caFile, cmd.InOrStdin(), maxAuthority)
			if err != nil {
				return nil, usageErrorf("--%s-tls-ca %s: %w", side, g.caFile, err)
			}
			ca = string(text)
		}
		a.TLSCA = &ca
	}
	if a == (client.Address{}) {
		return nil, nil
	}
	return &a, nil
}

// maxAuthority bounds what is read of a file of certificates.
const maxAuthority = 1 << 20

// pairs reads private=public.
func pairs(flag string, given []string) (map[string]string, error) {
	m := map[string]string{}
	for _, text := range given {
		private, public, found := strings.Cut(text, "=")
		if private = strings.TrimSpace(private); !found || private == "" {
			return nil, usageErrorf("%s %q: it has the form private=public, or private= to remove an entry", flag, text)
		}
		m[private] = strings.TrimSpace(public)
	}
	return m, nil
}

func findHosts(ctx context.Context, asker *client.Client, name string) (v view, err error) {
	j, err := asker.Job(ctx, name)
	if err != nil {
		return v, err
	}
	never := func(m map[string]string) map[string]string {
		if m == nil {
			return map[string]string{}
		}
		return m
	}
	source, dest := never(j.Value.Src.HostMapping), never(j.Value.Dest.HostMapping)
	v.JSON, err = json.Marshal(map[string]any{"src_host_mapping": source, "dest_host_mapping": dest})
	at := func(c client.Cluster) string { return net.JoinHostPort(c.Host, c.Port) + " thrift " + c.ThriftPort }
	v.Table = func(w io.Writer, _ bool) {
		field(w, "Source", "%s", at(j.Value.Src))
		field(w, "Destination", "%s", at(j.Value.Dest))
		if len(source)+len(dest) == 0 {
			return
		}
		fmt.Fprintln(w)
		rowOf(w, "SIDE", "PRIVATE", "PUBLIC")
		for _, side := range []struct {
			name string
			m    map[string]string
		}{{"src", source}, {"dest", dest}} {
			for _, private := range slices.Sorted(maps.Keys(side.m)) {
				rowOf(w, side.name, private, side.m[private])
			}
		}
	}
	return v, err
}
