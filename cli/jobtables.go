package cli

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

func (c *connection) jobTables() *cobra.Command {
	var (
		out              output
		include, exclude []string
	)
	cmd := &cobra.Command{
		Use: "tables name", Short: "Show the tables of a job, or change which a database job replicates",
		Long: `tables shows the tables of a job: their names and ids at the source, ids on the destination,
and, of those that are ahead of the others after a snapshot, up to which binlog.

With --include or --exclude it changes which tables a database job replicates: those that match
one of the first (or all, if there are none) and none of the second; * and ? stand for characters. A
list that is not given stays as it is, "" clears it. A table that becomes included comes by a snapshot;
one that becomes excluded stays on the destination as it is.`,
		Example: "  ccr job tables sales\n  ccr job tables sales --include 'orders*' --include users --exclude '*_tmp'\n  ccr job tables sales --exclude ''",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			var change client.Tables
			if cmd.Flags().Changed("include") {
				change.Include = patterns(include)
			}
			if cmd.Flags().Changed("exclude") {
				change.Exclude = patterns(exclude)
			}
			if change.Include != nil || change.Exclude != nil {
				if err := asker.UpdateTables(cmd.Context(), args[0], change); err != nil {
					return err
				}
				return done(cmd, args[0], "replicates other tables now: see ccr job describe "+args[0])
			}
			return out.show(cmd, func(ctx context.Context) (view, error) { return findTables(ctx, asker, args[0]) })
		},
	}
	out.bindWatch(cmd)
	cmd.Flags().StringSliceVar(&include, "include", nil, `patterns of tables to replicate, separated by commas or repeated; "" for all`)
	cmd.Flags().StringSliceVar(&exclude, "exclude", nil, `patterns of tables to leave out; "" for none`)
	return cmd
}

// patterns is a list as it was given; "" alone is the empty list.
func patterns(given []string) *[]string {
	list := []string{}
	for _, p := range given {
		if p = strings.TrimSpace(p); p != "" {
			list = append(list, p)
		}
	}
	return &list
}

// tableRow is a table of a job.
type tableRow struct {
	Name          string `json:"name"`
	ID            int64  `json:"id"`
	DestinationID int64  `json:"dest_id"`
	AheadTo       int64  `json:"commit_seq,omitempty"`
}

func findTables(ctx context.Context, asker *client.Client, name string) (v view, err error) {
	p, err := asker.Progress(ctx, name)
	if err != nil {
		return v, err
	}
	rows := []tableRow{}
	for _, id := range slices.Sorted(maps.Keys(p.Value.TableNameMapping)) {
		rows = append(rows, tableRow{p.Value.TableNameMapping[id], id, p.Value.TableMapping[id], p.Value.TableCommitSeqMap[id]})
	}
	slices.SortStableFunc(rows, func(x, y tableRow) int { return strings.Compare(x.Name, y.Name) })
	v.JSON, err = json.Marshal(map[string]any{"tables": rows})
	v.Table = func(w io.Writer, _ bool) {
		rowOf(w, "NAME", "ID", "DESTINATION ID", "AHEAD TO")
		for _, r := range rows {
			ahead := ""
			if r.AheadTo > 0 {
				ahead = decimal(r.AheadTo)
			}
			rowOf(w, r.Name, r.ID, r.DestinationID, ahead)
		}
	}
	return v, err
}
