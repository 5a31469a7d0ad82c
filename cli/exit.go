package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

// The exit statuses of the commands that ask a server (docs/cli.md). The commands that
// were there before them keep theirs.
const (
	exitError        = 1
	exitUsage        = 2 // the command line, or a file that it names
	exitNotFound     = 3 // no such job, cluster or context
	exitNotMet       = 4 // a condition is not met in time, or a command is recorded and still goes on
	exitUnauthorized = 5
	exitRefused      = 6 // by the job, by the server, or by the person who was asked
	exitUnavailable  = 7 // the server, Temporal or the workers do not answer
	exitDifferent    = 8 // a verification has found a difference
	exitIncomplete   = 9 // a verification could not compare everything
)

// statusError ends the process with a status of its own.
type statusError struct {
	error
	status int
}

func (e *statusError) Unwrap() error { return e.error }

// exitStatus is the status with which an error ends the process, 1 mostly.
func exitStatus(err error) int {
	var e *statusError
	if errors.As(err, &e) {
		return e.status
	}
	return exitError
}

func usageErrorf(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), exitUsage}
}

func refusedErrorf(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), exitRefused}
}

func notMetErrorf(format string, args ...any) error {
	return &statusError{fmt.Errorf(format, args...), exitNotMet}
}

// told gives an error of a request its exit status, and says what a person can do.
func told(err error) error {
	var status *statusError
	switch {
	case err == nil, errors.As(err, &status):
		return err
	case errors.Is(err, client.ErrNotFound):
		return &statusError{fmt.Errorf("%w (ccr job list shows the jobs that there are)", err), exitNotFound}
	case errors.Is(err, client.ErrUnauthorized):
		return &statusError{err, exitUnauthorized}
	case errors.Is(err, client.ErrPending):
		return &statusError{err, exitNotMet}
	case errors.Is(err, client.ErrRefused):
		return &statusError{err, exitRefused}
	case errors.As(err, new(*client.UnreachableError)) && !errors.Is(err, context.Canceled):
		return &statusError{fmt.Errorf("%w (another server: --api, CCR_API or a context, see ccr context --help)", err), exitUnavailable}
	case errors.Is(err, client.ErrUnavailable):
		return &statusError{err, exitUnavailable}
	}
	return err
}

// withStatuses makes a command, and those below it, end with the statuses above.
func withStatuses(cmd *cobra.Command) *cobra.Command {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return told(run(cmd, args)) }
	}
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageErrorf("%s", withHelp(err, cmd))
			}
			return nil
		}
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &statusError{cmd.Root().FlagErrorFunc()(cmd, err), exitUsage} // which says what was meant
	})
	for _, sub := range cmd.Commands() {
		withStatuses(sub)
	}
	return cmd
}

// withHelp says where to look, if the text does not.
func withHelp(err error, cmd *cobra.Command) string {
	if text := err.Error(); strings.HasSuffix(text, "--help") {
		return text
	}
	return fmt.Sprintf("%v; see %s --help", err, cmd.CommandPath())
}
