package cli

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
	"github.com/doris-ccr/ccr/config"
)

const contextLong = `context keeps the servers that you work with: their addresses, where the token for
each is, and the authority that signed its certificate. Commands ask the current one,
or the one that --context or ` + contextEnv + ` names.

They are in ~/.config/ccr/config.yaml (below XDG_CONFIG_HOME, if that is set;
` + contextsEnv + ` names another file). A file with a token in it is refused if others can read it.`

func (p Program) contextCommand() *cobra.Command {
	c := p.connection()
	cmd := &cobra.Command{Use: "context", Short: "Keep the servers that you work with", Long: contextLong,
		Example: "  ccr context set prod --api https://ccr.example.com:9190 --token-file ~/.config/ccr/prod.token\n  ccr context use prod\n  ccr context list"}
	cmd.AddCommand(c.contextList(), c.contextUse(), c.contextSet(), c.contextDelete())
	return group(cmd)
}

// group makes a command that only has others below it.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = config.UnknownCommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

func (c *connection) contextList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "Show the contexts; * is the current one", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := loadContexts(c.environ)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 3, ' ', 0)
			rowOf(w, "CURRENT", "NAME", "API", "TOKEN", "CA")
			for _, name := range slices.Sorted(maps.Keys(all.Contexts)) {
				one, current, token := all.Contexts[name], "", ""
				if name == all.Current {
					current = "*"
				}
				switch {
				case one.Token != "":
					token = "in the file"
				case one.TokenFile != "":
					token = one.TokenFile
				}
				rowOf(w, current, name, one.API, token, one.CAFile)
			}
			return w.Flush()
		},
	}
}

func (c *connection) contextUse() *cobra.Command {
	return &cobra.Command{
		Use: "use name", Short: "Make a context the current one", Args: cobra.ExactArgs(1), ValidArgsFunction: c.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := loadContexts(c.environ)
			if err != nil {
				return err
			}
			if _, err := all.find(args[0]); err != nil {
				return err
			}
			all.Current = args[0]
			if err := all.save(); err != nil {
				return err
			}
			return say(cmd.OutOrStdout(), "commands ask %s now: %s", args[0], all.Contexts[args[0]].API)
		},
	}
}

func (c *connection) contextSet() *cobra.Command {
	var given serverContext
	var tokenFromStdin bool
	cmd := &cobra.Command{
		Use: "set name", Short: "Make or change a context", Args: cobra.ExactArgs(1), ValidArgsFunction: c.completeContexts,
		Long: `set makes a context, or changes what the flags name of one. The first one becomes the
current one. A token comes from a file that stays where it is (--token-file), or is read
from standard input and kept in the file with contexts (--token-stdin).`,
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := loadContexts(c.environ)
			if err != nil {
				return err
			}
			one, flags := all.Contexts[args[0]], cmd.Flags()
			if flags.Changed("api") {
				one.API = given.API
			}
			if flags.Changed("ca-file") {
				one.CAFile = absolute(given.CAFile)
			}
			if flags.Changed("token-file") {
				one.Token, one.TokenFile = "", absolute(given.TokenFile)
			}
			if tokenFromStdin {
				token, err := readToken(cmd)
				if err != nil {
					return err
				}
				one.Token, one.TokenFile = token, ""
			}
			if one.API == "" {
				return usageErrorf("--api is missing: the address of the server")
			}
			if _, err := client.New(client.Options{Address: one.API, CAFile: one.CAFile}); err != nil {
				return &statusError{err, exitUsage}
			}
			all.Contexts[args[0]] = one
			if len(all.Contexts) == 1 {
				all.Current = args[0]
			}
			return all.save()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&given.API, "api", "", "address of the API server, e.g. https://ccr.example.com:9190")
	flags.StringVar(&given.TokenFile, "token-file", "", `file with the token; "" for none`)
	flags.StringVar(&given.CAFile, "ca-file", "", "PEM file of the authority that signed the server's certificate; empty for the system's")
	flags.BoolVar(&tokenFromStdin, "token-stdin", false, "read the token from standard input, and keep it in the file with contexts")
	return cmd
}

// readToken reads a token from standard input; a person is asked for it.
func readToken(cmd *cobra.Command) (string, error) {
	if isTerminal(cmd.InOrStdin()) {
		return askSecret(cmd, "Token")
	}
	text, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 4096))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	token := trimLine(text)
	if token == "" {
		return "", usageErrorf("standard input has no token")
	}
	return token, nil
}

// absolute makes a path mean the same wherever commands are run.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func (c *connection) contextDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete name", Short: "Forget a context", Args: cobra.ExactArgs(1), ValidArgsFunction: c.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := loadContexts(c.environ)
			if err != nil {
				return err
			}
			if _, err := all.find(args[0]); err != nil {
				return err
			}
			delete(all.Contexts, args[0])
			if all.Current == args[0] {
				all.Current = ""
			}
			return all.save()
		},
	}
}
