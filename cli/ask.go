package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// confirm asks a person before something is done that cannot be taken back. what says what
// will happen. Where nobody can be asked, --yes is needed.
func confirm(cmd *cobra.Command, yes bool, what string) error {
	if yes {
		return nil
	}
	in := cmd.InOrStdin()
	fmt.Fprintln(cmd.ErrOrStderr(), what)
	if f, ok := in.(*os.File); ok && !term.IsTerminal(int(f.Fd())) {
		return usageErrorf("nothing is done: nobody can be asked whether that is meant, for standard input is no terminal; say it with --yes")
	}
	fmt.Fprint(cmd.ErrOrStderr(), "Go on? [y/N] ")
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return refusedErrorf("nothing is done")
}

// askSecret reads a password from the terminal without showing it.
func askSecret(cmd *cobra.Command, what string) (string, error) {
	in := cmd.InOrStdin()
	f, ok := in.(*os.File)
	if ok && !term.IsTerminal(int(f.Fd())) {
		return "", usageErrorf("%s cannot be asked for, since standard input is no terminal: give a file or a variable of the environment with it", what)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: ", what)
	defer fmt.Fprintln(cmd.ErrOrStderr())
	if !ok { // a test
		line, err := bufio.NewReader(in).ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err
	}
	secret, err := term.ReadPassword(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	return string(secret), nil
}
