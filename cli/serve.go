package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/server"
)

// serveSpec is what tells the serving commands apart.
type serveSpec struct {
	use, short, example string
	api, worker         bool
	groups              []config.Group
}

func (p Program) serveCommand(spec serveSpec) *cobra.Command {
	cmd := &cobra.Command{
		Use:     spec.use,
		Short:   spec.short,
		Long:    spec.short + ". It stops in order on SIGINT, SIGTERM and SIGQUIT.",
		Example: spec.example,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), p.Environ)
			if err != nil {
				return err
			}
			return server.Run(cmd.Context(), server.Options{
				Config:  cfg,
				API:     spec.api,
				Worker:  spec.worker,
				Logger:  cfg.NewLogger(cmd.ErrOrStderr()),
				Version: p.version(),
				Ready: func(apiURL string) {
					if apiURL != "" {
						fmt.Fprintf(cmd.OutOrStdout(), "HTTP API on %s\n", apiURL)
					}
				},
			})
		},
	}
	config.Bind(cmd.Flags(), spec.groups...)
	config.Teach(cmd)
	return cmd
}
