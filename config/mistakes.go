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
func Meant(word string, among []string) string { return meant(near(word, among)) }

func meant(candidates []string) string {
	if len(candidates) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(candidates, " or ") + "?)"
}

// nearFlags returns the flags whose names are hardly different from name.
func nearFlags(flags *pflag.FlagSet, name string) []string {
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	list := near(name, names)
	for i := range list {
		list[i] = "--" + list[i]
	}
	return list
}

// near returns the words at the least distance, at most two letters away.
func near(word string, among []string) (list []string) {
	least := 3
	for _, w := range among {
		switch d := distance(word, w); {
		case d > least || d == 3:
		case d < least:
			least, list = d, []string{w}
		default:
			list = append(list, w)
		}
	}
	return list
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
