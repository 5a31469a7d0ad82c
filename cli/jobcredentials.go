package cli

import (
	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

// givenAccount says which account a side gets, and where its password is. Passwords are
// never on the command line: others can read that.
type givenAccount struct {
	user, file, env string
	ask             bool
}

func (g *givenAccount) bind(cmd *cobra.Command, side, name string) {
	flags := cmd.Flags()
	flags.StringVar(&g.user, side+"-user", "", "user of the "+name+"; as it is if it is left out")
	flags.StringVar(&g.file, side+"-password-file", "", "file with the password of the "+name+", readable for its owner only")
	flags.StringVar(&g.env, side+"-password-env", "", "variable of the environment with the password of the "+name)
	flags.BoolVar(&g.ask, side+"-password", false, "ask for the password of the "+name+" on the terminal")
}

// account reads the password; nil if nothing is given for this side.
func (g *givenAccount) account(cmd *cobra.Command, environ []string, side, name string) (*client.Account, error) {
	if *g == (givenAccount{}) {
		return nil, nil
	}
	var (
		a        client.Account
		password string
		err      error
	)
	if g.user != "" {
		a.User = &g.user
	}
	switch {
	case g.file != "" && g.env != "", g.file != "" && g.ask, g.env != "" && g.ask:
		return nil, usageErrorf("the password of the %s is given in two ways", name)
	case g.file != "":
		if password, err = readSecret(g.file); err != nil {
			return nil, usageErrorf("read --%s-password-file: %w", side, err)
		}
	case g.env != "":
		value, ok := lookUp(environ, g.env)
		if !ok {
			return nil, usageErrorf("--%s-password-env: there is no variable %s in the environment", side, g.env)
		}
		password = value
	case g.ask:
		if password, err = askSecret(cmd, "Password of the "+name); err != nil {
			return nil, err
		}
	default:
		return &a, nil
	}
	a.Password = &password
	return &a, nil
}

func (c *connection) jobCredentials() *cobra.Command {
	var (
		source, dest givenAccount
		force        bool
	)
	cmd := &cobra.Command{
		Use: "credentials name", Short: "Give a job other users or passwords of Doris",
		Long: `credentials changes the account with which a job works on its source or destination, so that a
password can be changed while the job runs. The password comes from a file, from a variable of the
environment or from the terminal, never from the command line.

A worker logs in with the new account first, and looks whether it has the privileges that the job
needs; if not, nothing is changed. --force tells the job without that, before the account is changed
on the cluster, say.`,
		Example: "  ccr job credentials sales --src-password\n  ccr job credentials sales --dest-user repl2 --dest-password-file /run/secrets/doris",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			change := client.Credentials{Force: force}
			var err error
			if change.Source, err = source.account(cmd, c.environ, "src", "source"); err != nil {
				return err
			}
			if change.Destination, err = dest.account(cmd, c.environ, "dest", "destination"); err != nil {
				return err
			}
			if change.Source == nil && change.Destination == nil {
				return usageErrorf("nothing is to be changed: name a user or a password of the source (--src-...) or of the destination (--dest-...)")
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			if err := asker.UpdateCredentials(cmd.Context(), args[0], change); err != nil {
				return err
			}
			return done(cmd, args[0], "works with the new credentials")
		},
	}
	source.bind(cmd, "src", "source")
	dest.bind(cmd, "dest", "destination")
	cmd.Flags().BoolVar(&force, "force", false, "do not log in with the new account first")
	return cmd
}
