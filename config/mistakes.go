package config

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/doris-ccr/ccr/job"
)

// Correct makes a command, and those below it, answer a misspelt command or flag
// with the one that was probably meant and with where to look.
func Correct(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = UnknownCommand
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
		if !unknown {
			return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
		}
		return fmt.Errorf("%w%s; see %s --help", err, meant(nearFlags(c.Flags(), name)), c.CommandPath())
	})
}

// UnknownCommand takes no arguments: each would be a command that does not exist.
func UnknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q%s; see %s --help", args[0], meant(c.SuggestionsFor(args[0])), c.CommandPath())
}

// Meant is " (did you mean ...?)" with the words that are hardly different from one that
// nobody knows, "" if there are none.
func Meant(word string, among []string) string { return meant(job.Nearest(word, among)) }

func meant(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(candidates, " or ") + "?)"
}

// nearFlags returns the flags whose names are hardly different from name.
func nearFlags(flags *pflag.FlagSet, name string) (near []string) {
	var known []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, f.Name)
		}
	})
	for _, flag := range job.Nearest(name, known) {
		near = append(near, "--"+flag)
	}
	return near
}
