// Package cli has the commands of ccr. Both binaries have them: ccr, and ccr-standalone,
// which serves by itself, too.
package cli

import (
	"time"

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

// Program is a binary with the commands of ccr.
type Program struct {
	// Name is what the binary is called.
	Name string
	// Version was stamped by the Makefile: "<tag>:<commit>"; "" if it was not.
	Version string
	// Environ is what os.Environ returns.
	Environ []string
	// now is time.Now, unless a test has another.
	now func() time.Time
	// Serves is the command that runs with Settings; "config" shows these.
	Serves   string
	Settings []config.Group
}

// CCR is the binary ccr.
func CCR(version string, environ []string) Program {
	return Program{Name: "ccr", Version: version, Environ: environ, Serves: "ccr server", Settings: serverGroups}
}

// Root builds the command line of ccr.
func (p Program) Root() *cobra.Command {
	root := &cobra.Command{
		Use:           p.Name,
		Short:         "Replication between Apache Doris clusters",
		Long:          rootLong,
		Version:       p.version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	config.Correct(root)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(p.Commands()...)
	return root
}

// Commands are all commands of ccr, for the root command of a binary.
func (p Program) Commands() []*cobra.Command {
	return []*cobra.Command{
		p.serveCommand(serveSpec{
			use: "server", short: "Run the HTTP API and a worker", api: true, worker: true,
			example: "  ccr server --temporal-address temporal:7233\n  CCR_TEMPORAL_ADDRESS=temporal:7233 CCR_LOG_FORMAT=json ccr server --config /etc/ccr.yaml",
			groups:  serverGroups,
		}),
		p.serveCommand(serveSpec{
			use: "api", short: "Run the HTTP API only", api: true,
			example: "  ccr api --temporal-address temporal:7233 --listen 127.0.0.1:9190",
			groups:  []config.Group{config.GroupAPI, config.GroupAccess, config.GroupTemporal, config.GroupSecrets, config.GroupLog, config.GroupProcess},
		}),
		p.serveCommand(serveSpec{
			use: "worker", short: "Run a worker only", worker: true,
			example: "  ccr worker --temporal-address temporal:7233 --metrics-listen 127.0.0.1:9191",
			groups:  workerGroups,
		}),
		p.checkCommand(),
		p.verifyCommand(),
		plain(p.jobCommand()),
		plain(p.clusterCommand()),
		plain(withStatuses(p.contextCommand())),
		importCommand(p.Environ),
		healthCommand(p.Environ),
		p.configCommand(),
		plain(tokenCommand()),
		sealCommand(p.Environ),
		plain(p.versionCommand()),
	}
}

// plain gives a command without settings, and those below it, the usual help, whatever
// that of the root command is.
func plain(cmd *cobra.Command) *cobra.Command {
	cmd.SetUsageFunc((&cobra.Command{}).UsageFunc())
	return cmd
}

// workerGroups are the settings of a process that runs a worker.
var workerGroups = []config.Group{
	config.GroupAccess, config.GroupTemporal, config.GroupSecrets, config.GroupWorker, config.GroupDoris, config.GroupFeatures, config.GroupLog, config.GroupProcess,
}

// serverGroups are the settings of a process that runs everything but Temporal.
var serverGroups = append([]config.Group{config.GroupAPI}, workerGroups...)
