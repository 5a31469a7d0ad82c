package cli

import (
	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

func (c *connection) jobOptions() *cobra.Command {
	var (
		replicas int
		order    string
	)
	cmd := &cobra.Command{
		Use: "options name", Short: "Change the replicas or the commit order of a job",
		Long: `options changes what a job was created with: how many replicas its tables get on the destination
(-1: as on the source; tables that are there keep theirs), and whether tables wait for each other
(commit order global) or not (per_table).`,
		Example: "  ccr job options sales --commit-order per_table\n  ccr job options sales --replication-num 2",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var change client.JobOptions
			if cmd.Flags().Changed("replication-num") {
				change.ReplicationNum = &replicas
			}
			if cmd.Flags().Changed("commit-order") {
				change.CommitOrder = &order
			}
			if change == (client.JobOptions{}) {
				return usageErrorf("nothing is to be changed: give --replication-num or --commit-order")
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			if err := asker.UpdateOptions(cmd.Context(), args[0], change); err != nil {
				return err
			}
			return done(cmd, args[0], "has the new options")
		},
	}
	cmd.Flags().IntVar(&replicas, "replication-num", -1, "replicas on the destination; -1 for as on the source")
	cmd.Flags().StringVar(&order, "commit-order", "", "global or per_table")
	_ = cmd.RegisterFlagCompletionFunc("commit-order", words("global", "per_table"))
	return cmd
}
