package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/config"
)

// configCommand shows what a process would run with, and documents it.
func configCommand(environ []string) *cobra.Command {
	var reference bool
	groups := append([]config.Group{config.GroupAPI}, workerGroups...)
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the effective settings and where each comes from",
		Long: `config prints, as a YAML file, the settings with which "ccr server" would run if
it were given the same flags, environment and file, and where each value comes
from. Secrets are masked. The output is a good start for a file of your own.`,
		Example: "  ccr config\n  ccr config --config /etc/ccr.yaml\n  ccr config --reference > docs/configuration.md",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reference {
				fmt.Fprint(cmd.OutOrStdout(), config.Reference())
				return nil
			}
			cfg, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), cfg.Effective(groups...))
			return nil
		},
	}
	config.Bind(cmd.Flags(), groups...)
	cmd.Flags().BoolVar(&reference, "reference", false, "print the reference of all settings as Markdown")
	config.Teach(cmd)
	return cmd
}
