package cli

import (
	"context"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

func (c *connection) jobLag() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use: "lag name...", Short: "Show how far jobs are behind, two seconds old at most",
		Long: `lag asks how far jobs are behind their sources at this moment. LAG is the number of binlogs
that are not consumed. With -o json or yaml it is the answer of GET /jobs/{name}/lag, or a list of
them with the names.`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) { return findLags(ctx, asker, args) })
		},
	}
	out.bindWatch(cmd)
	return cmd
}

func findLags(ctx context.Context, asker *client.Client, names []string) (view, error) {
	type named struct {
		name string
		lag  client.Lag
	}
	var (
		lags []named
		raw  []json.RawMessage
	)
	err := each(names, func(name string) error {
		l, err := asker.Lag(ctx, name)
		if err != nil {
			return err
		}
		lags = append(lags, named{name, l.Value})
		text := l.JSON
		if len(names) > 1 {
			if text, err = json.Marshal(map[string]any{"name": name, "lag": l.JSON}); err != nil {
				return err
			}
		}
		raw = append(raw, text)
		return nil
	})
	if len(lags) == 0 {
		return view{}, err
	}
	return view{JSON: list(raw), Table: func(w io.Writer, wide bool) {
		head := []any{"NAME", "LAG", "BEHIND", "NEXT BINLOG", "OBSERVED"}
		if wide {
			head = append(head, "NEXT", "FIRST", "LAST")
		}
		rowOf(w, head...)
		for _, l := range lags {
			late := l.lag.BehindSecs
			if late == nil {
				late = &l.lag.TimeIntervalSecs
			}
			next := l.lag.NextBinlogTimestamp
			if l.lag.Lag == 0 {
				next = ""
			}
			row := []any{l.name, l.lag.Lag, optional(late, seconds), next, l.lag.ObservedAt}
			if wide {
				row = append(row, l.lag.NextCommitSeq, l.lag.FirstCommitSeq, l.lag.LastCommitSeq)
			}
			rowOf(w, row...)
		}
	}}, err
}
