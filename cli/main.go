package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs a command line until it ends or a signal stops it, and returns the status
// with which the process ends.
func Main(root *cobra.Command) int {
	// SIGHUP is left alone, so that nohup works.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	root.SetOut(printable{os.Stdout})
	root.SetErr(printable{os.Stderr})
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(root.ErrOrStderr(), "%s: %v\n", root.Name(), err)
		return exitStatus(err)
	}
	return 0
}
