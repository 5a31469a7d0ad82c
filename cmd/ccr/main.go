// Command ccr replicates databases and tables between Apache Doris clusters.
// Its processes are equal and keep no state: a Temporal cluster remembers every
// job. ccr-standalone is the same with everything in one process.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// SIGHUP is left alone, so that nohup works.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := rootCommand(os.Environ()).ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "ccr:", err)
		os.Exit(exitStatus(err))
	}
}

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
	return 1
}
