package main

import (
	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/config"
)

const rootLong = `ccr replicates databases and tables of one Apache Doris cluster into another.

It is only a control plane: rows travel from source backend to destination
backend. Every job is a workflow on a Temporal server, so it survives the death
of any process; operators steer jobs over HTTP with curl.

  ccr server --temporal-address temporal:7233     API and worker in one process
  ccr api    --temporal-address temporal:7233     only the HTTP API
  ccr worker --temporal-address temporal:7233     only a worker

Run as many of each as you like: they are equal and keep no state. To try ccr
on one machine without a Temporal server, run ccr-standalone instead.

Every setting is a flag, an environment variable and a key of the YAML file
given by --config. Flags win over the environment, which wins over the file.`

// rootCommand builds the command line. environ is what os.Environ returns.
func rootCommand(environ []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "ccr",
		Short:         "Replication between Apache Doris clusters",
		Long:          rootLong,
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	config.Correct(root)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(
		serveCommand(environ, serveSpec{
			use: "server", short: "Run the HTTP API and a worker", api: true, worker: true,
			example: "  ccr server --temporal-address temporal:7233\n  CCR_TEMPORAL_ADDRESS=temporal:7233 CCR_LOG_FORMAT=json ccr server --config /etc/ccr.yaml",
			groups:  append([]config.Group{config.GroupAPI}, workerGroups...),
		}),
		serveCommand(environ, serveSpec{
			use: "api", short: "Run the HTTP API only", api: true,
			example: "  ccr api --temporal-address temporal:7233 --listen 127.0.0.1:9190",
			groups:  []config.Group{config.GroupAPI, config.GroupAccess, config.GroupTemporal, config.GroupSecrets, config.GroupLog, config.GroupProcess},
		}),
		serveCommand(environ, serveSpec{
			use: "worker", short: "Run a worker only", worker: true,
			example: "  ccr worker --temporal-address temporal:7233 --metrics-listen 127.0.0.1:9191",
			groups:  workerGroups,
		}),
		checkCommand(environ),
		verifyCommand(environ),
		importCommand(environ),
		healthCommand(environ),
		configCommand(environ),
		tokenCommand(),
		versionCommand(),
	)
	return root
}

// workerGroups are the settings of a process that runs a worker.
var workerGroups = []config.Group{
	config.GroupAccess, config.GroupTemporal, config.GroupSecrets, config.GroupWorker, config.GroupDoris, config.GroupFeatures, config.GroupLog, config.GroupProcess,
}
