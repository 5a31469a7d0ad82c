package config

import (
	"fmt"

	"github.com/spf13/cobra"
)

// Teach makes the --help of a command with settings show them by group, with
// their environment variables, instead of one long list.
func Teach(cmd *cobra.Command) {
	cmd.SetUsageFunc(func(c *cobra.Command) error {
		out := c.OutOrStderr()
		fmt.Fprintf(out, "Usage:\n  %s [settings]\n", c.CommandPath())
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
				fmt.Fprintf(out, "  %s [settings]     %s\n", sub.CommandPath(), sub.Short)
			}
		}
		if c.Example != "" {
			fmt.Fprintf(out, "\nExamples:\n%s\n", c.Example)
		}
		fmt.Fprintf(out, "\n%s", Help(c.Flags()))
		fmt.Fprint(out, "File:\n  --config path                                  CCR_CONFIG\n"+
			"      YAML file with settings under the names of their flags.\n")
		return nil
	})
}
