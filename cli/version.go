package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what was stamped into the binary; without that it is what the Go toolchain
// knows of the build.
func (p Program) version() string {
	if p.Version != "" {
		return p.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "devel:" + s.Value
			}
		}
	}
	return "devel:unknown"
}

func (p Program) versionCommand() *cobra.Command {
	c := p.connection()
	var (
		out    output
		server bool
	)
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version, with --server that of a server, too",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			versions := map[string]string{"version": p.version()}
			if server {
				asker, err := c.client()
				if err != nil {
					return err
				}
				if versions["server"], err = asker.Version(cmd.Context()); err != nil {
					return told(err)
				}
			}
			raw, err := json.Marshal(versions)
			if err != nil {
				return fmt.Errorf("print the version: %w", err)
			}
			return out.print(cmd.OutOrStdout(), view{JSON: raw, Table: func(w io.Writer, _ bool) {
				fmt.Fprintln(w, versions["version"])
				if server {
					fmt.Fprintln(w, "server", versions["server"])
				}
			}})
		},
	}
	out.bind(cmd)
	cmd.Flags().BoolVar(&server, "server", false, "ask the server for its version, too")
	c.bind(cmd, cmd.Flags())
	return cmd
}
