package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

const jobLong = `job shows, makes, steers and deletes the jobs of a running ccr.

The server is http://127.0.0.1:9190, unless --api, ` + apiEnv + ` or a context (see ccr
context) says otherwise. A token for it is taken from --token-file, ` + tokenEnv + `,
` + tokenFileEnv + ` or the context.

The exit status is 0 if what was asked for is done, 1 for an error, 2 for a mistake on the
command line or in a file, 3 if there is no such job, 4 if something is not so in time,
5 without a token that permits it, 6 if it was refused, 7 if the server does not answer;
of verify and repair 8 if something is different, 9 if not everything could be compared.`

func (p Program) jobCommand() *cobra.Command {
	c := p.connection()
	cmd := &cobra.Command{
		Use: "job", Short: "Show, make, steer and delete jobs", Long: jobLong,
		Example: "  ccr job list\n  ccr job describe sales\n  ccr job apply -f jobs.yaml --dry-run\n  ccr job wait sales --for incremental --timeout 10m",
	}
	c.bind(cmd, cmd.PersistentFlags())
	cmd.AddCommand(
		c.jobList(), c.jobDescribe(), c.jobEvents(), c.jobLag(), c.jobWait(),
		c.jobCreate(), c.jobApply(), c.jobDelete(),
		c.jobSimple("pause", "Pause jobs: they keep their positions", "paused",
			`A paused job keeps its position. Mind how long the source keeps binlogs: a job that is
paused for longer has to begin with a full sync (ccr cluster describe says until when).`),
		c.jobSimple("resume", "Let paused jobs go on; a stalled job tries again at once", "resumed", ""),
		c.jobSimple("desync", "Make the tables of the destination ordinary ones (is_being_synced=false)", "desynced", ""),
		c.jobSimple("sync", "Take desync back", "synced", ""),
		c.jobBinlogs(), c.jobSkip(), c.jobForceFullSync(), c.jobPartialSync(),
		c.jobTables(), c.jobHosts(), c.jobCredentials(), c.jobOptions(),
		p.jobVerify(), p.jobRepair(c),
	)
	return withStatuses(group(cmd))
}

// done is said of each job for which a command was carried out.
func done(cmd *cobra.Command, name, what string) error {
	return say(cmd.OutOrStdout(), "job %s %s", name, what)
}

// each does something for each job, and goes on after a failure: the error has all of
// them.
func each(names []string, do func(name string) error) error {
	var failed []error
	for _, name := range names {
		if err := told(do(name)); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// jobSimple is a command that takes nothing but names.
func (c *connection) jobSimple(command, about, did, more string) *cobra.Command {
	return &cobra.Command{
		Use: command + " name...", Short: about, Long: more, Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			return each(args, func(name string) error {
				if err := asker.Command(cmd.Context(), name, command); err != nil {
					return err
				}
				return done(cmd, name, did)
			})
		},
	}
}

func (c *connection) jobDelete() *cobra.Command {
	var yes, missing bool
	cmd := &cobra.Command{
		Use: "delete name...", Short: "End jobs; what they have brought stays on the destination",
		Long: `delete ends jobs and removes what they may have left half-done on the clusters. The data
on the destination stays, its tables with is_being_synced (call "ccr job desync" first to make
them ordinary ones). When it returns the name can be used again.`,
		Example: "  ccr job delete sales\n  ccr job delete old1 old2 --yes --ignore-not-found",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			what := fmt.Sprintf("delete %s on %s: replication ends, the destination keeps what it has", jobsNamed(args), asker.Address())
			if err := confirm(cmd, yes, what); err != nil {
				return err
			}
			return each(args, func(name string) error {
				err := asker.Delete(cmd.Context(), name)
				if missing && errors.Is(err, client.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				return done(cmd, name, "deleted")
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&missing, "ignore-not-found", false, "a job that does not exist is no error")
	return cmd
}

func jobsNamed(names []string) string {
	text := "job"
	if len(names) > 1 {
		text = fmt.Sprintf("%d jobs:", len(names))
	}
	for i, name := range names {
		if i > 0 {
			text += ","
		}
		text += " " + name
	}
	return text
}

func (c *connection) jobForceFullSync() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "force-fullsync name...", Aliases: []string{"fullsync"}, Short: "Copy everything again by a snapshot",
		Long: `force-fullsync takes a snapshot of all that a job replicates, for binlogs that must not be
passed over, and where the two sides differ ("ccr job repair" brings only what differs). The old
tables stay readable on the destination until the copies replace them.`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			if err := confirm(cmd, yes, "copy everything again of "+jobsNamed(args)); err != nil {
				return err
			}
			return each(args, func(name string) error {
				if err := asker.Command(cmd.Context(), name, "force_fullsync"); err != nil {
					return err
				}
				return done(cmd, name, "begins a full sync")
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// jobPartialSync copies one table again.
func (c *connection) jobPartialSync() *cobra.Command {
	var id int64
	cmd := &cobra.Command{
		Use: "partial-sync name table", Short: "Copy one table again by a snapshot",
		Long: `partial-sync takes a snapshot of one table, under the name that it has at the source. The old
one stays readable on the destination until the copy replaces it.`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: c.completeTables,
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			name, table := args[0], args[1]
			if id == 0 {
				if id, err = tableID(cmd.Context(), asker, name, table); err != nil {
					return err
				}
			}
			if err := asker.SkipBinlog(cmd.Context(), name, client.Skip{By: "partialsync", Table: table, TableID: id}); err != nil {
				return err
			}
			return done(cmd, name, "begins a snapshot of table "+table)
		},
	}
	cmd.Flags().Int64Var(&id, "table-id", 0, "id of the table at the source; found out if it is left out")
	return cmd
}

// tableID finds the id that a table has at the source.
func tableID(ctx context.Context, asker *client.Client, name, table string) (int64, error) {
	p, err := asker.Progress(ctx, name)
	if err != nil {
		return 0, err
	}
	for id, known := range p.Value.TableNameMapping {
		if known == table {
			return id, nil
		}
	}
	return 0, &statusError{fmt.Errorf("job %s has no table %s (ccr job tables %s shows those that it has)", name, table, name), exitNotFound}
}
