package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/apiserver"
	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/importer"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/secret"
	"github.com/doris-ccr/ccr/worker"
)

// importPasswordEnv holds the password of the syncer's store: command lines can
// be read by others.
const importPasswordEnv = "CCR_IMPORT_DB_PASSWORD"

const importLong = `import reads the store of the existing CCR syncer and starts each of its jobs as
a job of ccr that goes on at the stored position: no full sync. Stop the syncer
first, and never start it again on these jobs; its store is only read.

For each job both clusters are checked, and the destination is asked which
transactions the syncer had committed beyond what it had stored. What cannot be
continued is refused with the reason and left alone; jobs that were in the middle
of a snapshot take it again. Paused jobs stay paused. Run it as often as you like:
jobs that ccr has already are passed over.

The store's settings have the names and defaults of the syncer's own flags;
--syncer-config reads them from its configuration file, db.conf. The password of a
MySQL or PostgreSQL store comes from there or from ` + importPasswordEnv + `.`

const importExample = `  ccr import --db-dir /opt/ccr/db/ccr.db --dry-run
  ccr import --db-dir /opt/ccr/db/ccr.db --secret-key-file ccr-data/secret.key
  ccr import --syncer-config /opt/ccr/bin/db.conf --temporal-address temporal:7233
  CCR_IMPORT_DB_PASSWORD=... ccr import --db-type mysql --db-host db --db-user ccr --job ccr_sales`

// importFlags are what import takes beside the settings.
type importFlags struct {
	store         importer.StoreConfig
	syncerConfig  string
	jobs          []string
	dryRun, force bool
}

func importCommand(environ []string) *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Import the jobs of the existing CCR syncer at their positions",
		Long:    importLong,
		Example: importExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			return runImport(cmd, environ, cfg, f)
		},
	}
	// Before the flags of the store: those have underscores in old scripts.
	config.Bind(cmd.Flags(), config.GroupTemporal, config.GroupSecrets, config.GroupDoris, config.GroupLog)
	flags := cmd.Flags()
	flags.StringVar(&f.store.Type, "db-type", importer.SQLite, "kind of store: sqlite3, mysql or postgresql")
	flags.StringVar(&f.store.File, "db-dir", "ccr.db", "the SQLite file (a file, despite the name)")
	flags.StringVar(&f.store.Host, "db-host", "127.0.0.1", "host of the store")
	flags.IntVar(&f.store.Port, "db-port", 3306, "port of the store; 5432 for most PostgreSQL servers")
	flags.StringVar(&f.store.User, "db-user", "root", "user of the store")
	flags.StringVar(&f.store.Name, "db-name", "ccr", "MySQL database or PostgreSQL schema")
	flags.StringVar(&f.store.SSLMode, "db-sslmode", "disable", "PostgreSQL's sslmode: disable, require, verify-ca or verify-full")
	flags.StringVar(&f.syncerConfig, "syncer-config", "", "configuration file of the syncer (db.conf) to read the settings above from; flags win")
	flags.StringArrayVar(&f.jobs, "job", nil, "import this job only; may be repeated")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything, say what would happen, change nothing")
	flags.BoolVar(&f.force, "force", false, "import although the syncer seems to run, binlogs are lost (the job begins with a full sync) or the outcome of its last transaction is unknown (rows may be there twice)")
	config.Teach(cmd)
	return cmd
}

// storeOf settles where the store is: what was given on the command line wins
// over the syncer's file, which wins over the defaults.
func (f importFlags) storeOf(cmd *cobra.Command, environ []string) (importer.StoreConfig, error) {
	store := f.store
	if f.syncerConfig != "" {
		if err := importer.ReadSyncerConfig(f.syncerConfig, &store); err != nil {
			return store, err
		}
		for name, restore := range map[string]func(){
			"db-type": func() { store.Type = f.store.Type }, "db-dir": func() { store.File = f.store.File },
			"db-host": func() { store.Host = f.store.Host }, "db-port": func() { store.Port = f.store.Port },
			"db-user": func() { store.User = f.store.User }, "db-name": func() { store.Name = f.store.Name },
		} {
			if cmd.Flags().Changed(name) {
				restore()
			}
		}
	}
	for _, line := range environ {
		if value, ok := strings.CutPrefix(line, importPasswordEnv+"="); ok {
			store.Password = value
		}
	}
	return store, nil
}

func runImport(cmd *cobra.Command, environ []string, cfg config.Config, f importFlags) error {
	ctx := cmd.Context()
	store, err := f.storeOf(cmd, environ)
	if err != nil {
		return err
	}
	sqlTLS, err := cfg.SQLTLS()
	if err != nil {
		return err
	}
	logger := cfg.NewLogger(cmd.ErrOrStderr())
	o := importer.Options{
		Store: store, Jobs: f.jobs, DryRun: f.dryRun, Force: f.force, NewUID: apiserver.NewUID,
		Connector: replication.NewConnector(replication.Options{
			Logger: logger, SQLTLS: sqlTLS, ConnectTimeout: cfg.ConnectTimeout, RPCTimeout: cfg.RPCTimeout, CommitTimeout: cfg.CommitTimeout,
		}),
	}
	defer func() { _ = o.Connector.Close() }() // nothing is left to do about an error
	if !f.dryRun {
		c, err := importTarget(ctx, cfg, logger, &o)
		if err != nil {
			return err
		}
		defer c.Close()
	}
	results, err := importer.Run(ctx, o)
	if err == nil && len(results) == 0 {
		fmt.Fprintln(cmd.OutOrStdout(), "the syncer's store has no jobs")
	}
	return errors.Join(printResults(cmd.OutOrStdout(), results, f.dryRun), err)
}

// importTarget makes ready what only a real import needs: the key, and Temporal.
func importTarget(ctx context.Context, cfg config.Config, logger *slog.Logger, o *importer.Options) (client.Client, error) {
	var err error
	if o.Keyring, err = secret.Load(cfg.SecretKey, cfg.SecretKeyFile); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.TemporalTLSConfig()
	if err != nil {
		return nil, err
	}
	key, err := cfg.TemporalKeySource()
	if err != nil {
		return nil, err
	}
	c, err := worker.Dial(ctx, worker.DialOptions{
		Address: cfg.TemporalAddress, Namespace: cfg.TemporalNamespace, TLS: tlsConfig, APIKey: key, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	if err := worker.EnsureSearchAttributes(ctx, c, cfg.TemporalNamespace); err != nil {
		c.Close()
		return nil, err
	}
	o.Start = func(ctx context.Context, in job.WorkflowInput) error {
		workflowType, argument := in.Run()
		_, err := c.ExecuteWorkflow(ctx, apiserver.StartOptions(in.Spec), workflowType, argument)
		var started *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &started) {
			return importer.ErrExists
		}
		if err != nil {
			return fmt.Errorf("start job %s: %w", in.Spec.Name, err)
		}
		return nil
	}
	return c, nil
}

// printResults prints what became of each job. The error counts the refused ones.
func printResults(w io.Writer, results []importer.Result, dryRun bool) error {
	done := "imported"
	if dryRun {
		done = "can be imported"
	}
	refused := 0
	for _, r := range results {
		switch {
		case r.Err == nil:
			fmt.Fprintf(w, "%s: %s, %s\n", r.Job, done, r.Summary)
		case errors.Is(r.Err, importer.ErrExists):
			fmt.Fprintf(w, "%s: left alone, %v\n", r.Job, r.Err)
		default:
			refused++
			fmt.Fprintf(w, "%s: refused: %v\n", r.Job, r.Err)
		}
		for _, note := range r.Notes {
			fmt.Fprintf(w, "    %s\n", note)
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d jobs refused", refused, len(results))
	}
	return nil
}
