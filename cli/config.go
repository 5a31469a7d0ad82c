package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/config"
)

// configCommand shows what a process would run with, and documents it.
func (p Program) configCommand() *cobra.Command {
	var asReference bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the effective settings and where each comes from",
		Long: `config prints, as a YAML file, the settings with which "` + p.Serves + `" would run if
it were given the same flags, environment and file, and where each value comes
from. Secrets are masked. The output is a good start for a file of your own.`,
		Example: "  " + p.Name + " config\n  " + p.Name + " config --config /etc/ccr.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asReference {
				fmt.Fprint(cmd.OutOrStdout(), reference(cmd.Root()))
				return nil
			}
			cfg, err := config.Load(cmd.Flags(), p.Environ)
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), cfg.Effective(p.Settings...))
			return nil
		},
	}
	config.Bind(cmd.Flags(), p.Settings...)
	cmd.Flags().BoolVar(&asReference, "reference", false, "print the reference of all settings as Markdown")
	config.Teach(cmd)
	return cmd
}

// reference returns docs/configuration.md: the settings, then the flags that
// single commands have beside them.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(config.Reference())
	b.WriteString("\n## Flags of single commands\n\nThese are flags only. The simulator's are in [simulator.md](simulator.md).\n\n" +
		"| Command | Flag | Default | Meaning |\n|---|---|---|---|\n")
	describeFlags(&b, root)
	return b.String()
}

// sameFlags annotates a command whose flags are described with another command.
const sameFlags = "ccr:same-flags"

func describeFlags(b *strings.Builder, cmd *cobra.Command) {
	if other := cmd.Annotations[sameFlags]; other != "" {
		fmt.Fprintf(b, "| `%s` | | | as of `%s` |\n", cmd.CommandPath(), other)
		return
	}
	flags := config.Own(cmd.Flags())
	flags.AddFlagSet(cmd.PersistentFlags())
	flags.VisitAll(func(f *pflag.Flag) {
		value := ""
		if f.DefValue != "" && f.DefValue != "[]" {
			value = "`" + f.DefValue + "`"
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			kind = " " + kind
		}
		// What takes several lines of a terminal is one line here.
		fmt.Fprintf(b, "| `%s` | `--%s%s` | %s | %s |\n", cmd.CommandPath(), f.Name, kind, value, strings.Join(strings.Fields(usage), " "))
	})
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "completion" {
			describeFlags(b, sub)
		}
	}
}
