// Command ccr replicates databases and tables between Apache Doris clusters.
// Its processes are equal and keep no state: a Temporal cluster remembers every
// job. ccr-standalone is the same with everything in one process.
package main

import (
	"context"
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
		os.Exit(1)
	}
}
