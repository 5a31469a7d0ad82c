// Command ccr-standalone is ccr in one process: HTTP API, worker, an embedded
// Temporal server with its Web UI. It needs no flag.
package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/cli"
	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/standalone"
)

// version is stamped by the Makefile.
var version = ""

const long = `ccr-standalone replicates databases and tables between Apache Doris clusters.

Everything runs in this one process: the HTTP API that operators know from the
existing CCR syncer, the worker that moves the data, and a Temporal server that
remembers how far every job is (in a SQLite file below --data-dir). Stop it and
start it again: every job goes on where it was.

  ccr-standalone
  curl -X POST -H 'Content-Type: application/json' -d '{"name": "my_job",
    "src":  {"host": "fe1", "port": "9030", "thrift_port": "9020",
             "user": "root", "password": "", "database": "sales", "table": ""},
    "dest": {"host": "fe2", "port": "9030", "thrift_port": "9020",
             "user": "root", "password": "", "database": "sales", "table": ""}
  }' http://127.0.0.1:9190/create_ccr

Everything else that ccr can do, ccr-standalone can do, too: see the commands below.
For several machines run "ccr server" against a Temporal cluster instead.`

func main() {
	// What is made in the data directory is nobody else's business, SQLite's files
	// included.
	syscall.Umask(0o077)
	if err := haveUser(); err != nil {
		fmt.Fprintln(os.Stderr, "ccr-standalone:", err)
		os.Exit(1)
	}
	os.Exit(cli.Main(command()))
}

// settings are those of a process that runs everything, Temporal included.
var settings = []config.Group{
	config.GroupAPI, config.GroupAccess, config.GroupStandalone, config.GroupSecrets, config.GroupWorker,
	config.GroupDoris, config.GroupFeatures, config.GroupLog, config.GroupProcess,
}

// haveUser sees to it that the process knows who it is. Temporal asks, and does not
// start without an answer. The user of a container is in no list of users, and Go looks
// into two variables then, once, before main is reached: so where one is missing the
// program begins anew with both.
func haveUser() error {
	missing := false
	for name, value := range map[string]string{"USER": "ccr", "HOME": "/"} {
		if os.Getenv(name) != "" {
			continue
		}
		missing = true
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	if !missing {
		return nil
	}
	program, err := os.Executable()
	if err == nil {
		err = syscall.Exec(program, os.Args, os.Environ())
	}
	return fmt.Errorf("begin anew with $USER and $HOME: %w", err)
}

func command() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "ccr-standalone",
		Short:         "Replicate between Apache Doris clusters, everything in one process",
		Long:          long,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			return standalone.Run(cmd.Context(), standalone.Options{
				Config: cfg, Version: version, Logger: cfg.NewLogger(os.Stderr), Out: cmd.OutOrStdout(),
			})
		},
	}
	config.Bind(cmd.Flags(), settings...)
	config.Teach(cmd)
	config.Correct(cmd)
	program := cli.Program{Name: "ccr-standalone", Version: version, Environ: os.Environ(), Serves: "ccr-standalone", Settings: settings}
	cmd.AddCommand(temporalCommand())
	cmd.AddCommand(program.Commands()...)
	return cmd
}

func temporalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "temporal",
		Short: "Run only the embedded Temporal server and its Web UI",
		Long: `Run only the embedded Temporal server and its Web UI, without API and worker.
Processes started with "ccr server --temporal-address ..." then work against it:
a cluster in small, to try things out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			return standalone.RunTemporal(cmd.Context(), standalone.Options{
				Config: cfg, Logger: cfg.NewLogger(os.Stderr), Out: cmd.OutOrStdout(),
			})
		},
	}
	config.Bind(cmd.Flags(), config.GroupStandalone, config.GroupLog)
	config.Teach(cmd)
	return cmd
}
