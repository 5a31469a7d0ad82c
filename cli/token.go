package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/access"
)

const tokenLong = `token makes and lists the bearer tokens of the HTTP API.

A tokens file has one token a line: a name, a role and the token's digest. The
names appear in the events of jobs and in logs. Roles: read sees jobs and
metrics, operate also steers them, admin also creates and deletes them. A process
with --tokens-file reads the file again when it changes: add a line, or take one
away, and within a second or two it is so.`

// tokenCommand makes and lists tokens. It needs no running process.
func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "Make and list bearer tokens", Long: tokenLong, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(tokenNewCommand(), tokenListCommand())
	return cmd
}

func tokenNewCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "new name role",
		Short: "Make a token and print it, once",
		Long: `new makes a token and prints it. It is shown this once only: the line of the tokens
file holds its digest. With --tokens-file the line is added to the file (which is
made when missing), else it is printed as well.`,
		Example: "  ccr token new maria operate --tokens-file /etc/ccr/tokens\n  ccr token new prometheus read",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			role, err := access.ParseRole(args[1])
			if err != nil {
				return err
			}
			token, line, err := access.NewToken(access.Identity{Name: args[0], Role: role})
			if err != nil {
				return err
			}
			if file == "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "Line for the tokens file:\n%s\nToken:\n", line)
			} else if err := addToken(file, args[0], line); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), token)
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "tokens-file", "", "file to add the token to")
	return cmd
}

// addToken refuses a name that the file has already: its line would make the
// whole file unreadable.
func addToken(file, name, line string) error {
	ids, err := access.List(file)
	if err != nil && !access.Empty(err) {
		return err
	}
	for _, id := range ids {
		if id.Name == name {
			return fmt.Errorf("%s has a token named %s already: take its line away first", file, name)
		}
	}
	return access.Append(file, line)
}

func tokenListCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Show the names and roles in a tokens file, or what is wrong with it",
		Example: "  ccr token list --tokens-file /etc/ccr/tokens",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return errors.New("--tokens-file is missing")
			}
			ids, err := access.List(file)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, id := range ids {
				fmt.Fprintf(w, "%s\t%s\n", id.Name, id.Role)
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&file, "tokens-file", "", "file to read")
	return cmd
}
