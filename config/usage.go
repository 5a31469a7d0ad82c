package config

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
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
		fmt.Fprintln(out)
		if own := Own(c.Flags()); own.HasAvailableFlags() {
			fmt.Fprintf(out, "Options:\n%s\n", own.FlagUsagesWrapped(helpWidth))
		}
		fmt.Fprint(out, Help(c.Flags()))
		fmt.Fprint(out, "File:\n  --config path                                  CCR_CONFIG\n"+
			"      YAML file with settings under the names of their flags.\n")
		return nil
	})
}

// Own returns the flags of a command that are no settings: they have neither a
// variable nor a key in the file.
func Own(flags *pflag.FlagSet) *pflag.FlagSet {
	known := map[string]bool{fileFlag: true, "help": true}
	for _, s := range settings() {
		known[s.name] = true
	}
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if !known[f.Name] {
			own.AddFlag(f)
		}
	})
	return own
}
