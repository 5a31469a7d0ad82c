package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/secret"
)

const sealLong = `seal reads a password from standard input, up to the end of the line, and prints it
sealed with the key of the jobs' passwords (the first, if there are several): the
form in which the signal update_credentials takes it. The HTTP API seals by itself.

Only a process with the key can open what is printed. The password is never an
argument: command lines can be read by others.`

// sealCommand seals a password for who signals a job without the HTTP API. It needs no
// running process.
func sealCommand(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "seal",
		Short:   "Seal a password for the signal update_credentials",
		Long:    sealLong,
		Example: "  ccr seal --secret-key-file /etc/ccr/key < password.txt\n  read -rs p && printf '%s\\n' \"$p\" | ccr seal --secret-key-file /etc/ccr/key",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			keyring, err := secret.Load(cfg.SecretKey, cfg.SecretKeyFile)
			if err != nil {
				return err
			}
			password, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("read the password: %w", err)
			}
			sealed, err := keyring.Seal(strings.TrimRight(password, "\r\n"))
			if err != nil {
				return err
			}
			if sealed == "" {
				return errors.New("standard input has no password; an account without one needs no sealing")
			}
			fmt.Fprintln(cmd.OutOrStdout(), string(sealed))
			return nil
		},
	}
	config.Bind(cmd.Flags(), config.GroupSecrets)
	config.Teach(cmd)
	return cmd
}
