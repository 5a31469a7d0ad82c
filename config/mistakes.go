package config

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Correct makes a command, and those below it, answer a misspelt command or flag
// with the one that was probably meant and with where to look.
func Correct(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("unknown command %q%s; see %s --help", args[0], meant(c.SuggestionsFor(args[0])), c.CommandPath())
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
		if !unknown {
			return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
		}
		return fmt.Errorf("%w%s; see %s --help", err, meant(nearFlags(c.Flags(), name)), c.CommandPath())
	})
}

func meant(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(candidates, " or ") + "?)"
}

// nearFlags returns the flags whose names are hardly different from name: those
// at the least distance, at most two letters away.
func nearFlags(flags *pflag.FlagSet, name string) []string {
	least := 3
	var near []string
	flags.VisitAll(func(f *pflag.Flag) {
		switch d := distance(name, f.Name); {
		case f.Hidden || d > least || d == 3:
		case d < least:
			least, near = d, []string{"--" + f.Name}
		default:
			near = append(near, "--"+f.Name)
		}
	})
	return near
}

// distance is how many letters must be put in, taken away or replaced to make b
// of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		above := row[0] // of the letter before
		row[0] = i + 1
		for j := range len(b) {
			replaced := above
			if a[i] != b[j] {
				replaced++
			}
			above = row[j+1]
			row[j+1] = min(replaced, above+1, row[j]+1)
		}
	}
	return row[len(b)]
}
