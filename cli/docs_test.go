package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// ccrLine finds the commands of ccr in a line of a shell.
var ccrLine = regexp.MustCompile(`(?:^|\| |&& |\(|xargs |\$\()ccr ([^|&)#>]*)`)

// Every line of ccr in the page of the command line, and every command in its table, is one
// that exists, with flags that exist.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile("../docs/cli.md")
	require.NoError(t, err)
	page := string(text)
	found := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		for _, line := range strings.Split(block[1], "\n") {
			for _, m := range ccrLine.FindAllStringSubmatch(line, -1) {
				parses(t, shellWords(m[1]))
				found++
			}
		}
	}
	require.Greater(t, found, 30)
	root := CCR("", nil).Root()
	for _, group := range []string{"job", "cluster", "context"} {
		cmd, _, err := root.Find([]string{group})
		require.NoError(t, err)
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				require.Regexp(t, "`(ccr "+group+" )?"+sub.Name()+"[` ]", page, "ccr %s %s is not in docs/cli.md", group, sub.Name())
			}
		}
	}
}

// shellWords takes a line of a shell apart, as far as the page goes.
func shellWords(line string) (list []string) {
	for _, w := range regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1) {
		list = append(list, strings.Trim(w, "'"))
	}
	return list
}

func parses(t *testing.T, args []string) *cobra.Command {
	t.Helper()
	root := CCR("", nil).Root()
	root.InitDefaultCompletionCmd(args...)
	cmd, rest, err := root.Find(args)
	require.NoError(t, err, args)
	require.NotEqual(t, "ccr", cmd.Name(), args)
	require.NoError(t, cmd.ParseFlags(rest), args)
	if cmd.Args != nil && cmd.Name() != "pause" { // xargs gives it its names
		require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), args)
	}
	return cmd
}
