package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

func (c *connection) jobBinlogs() *cobra.Command {
	var (
		out   output
		seq   int64
		limit int
	)
	cmd := &cobra.Command{
		Use: "binlogs name", Short: "Show the binlogs that come next, and what each would do",
		Long: `binlogs shows what the source has recorded from the binlog on at which the job stands, or after
the last that it has handled, and what the job would do with each. Nothing is done. -o wide shows
the records and the statements, too, with passwords masked.`,
		Example: "  ccr job binlogs sales --limit 5\n  ccr job binlogs sales -o wide",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				seen, err := asker.Binlogs(ctx, args[0], seq, limit)
				if err != nil {
					return view{}, err
				}
				return view{JSON: seen.JSON, Table: func(w io.Writer, wide bool) { printBinlogs(w, &seen.Value, wide) }}, nil
			})
		},
	}
	out.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 1, "how many, 20 at most")
	cmd.Flags().Int64Var(&seq, "commit-seq", 0, "the first; the one at which the job stands if it is left out")
	return cmd
}

func printBinlogs(w io.Writer, seen *client.BinlogsAhead, wide bool) {
	if seen.LostTo > 0 {
		fmt.Fprintf(w, "the source has dropped its binlogs up to commit seq %d\n", seen.LostTo)
	}
	for i := range seen.Binlogs {
		for _, line := range binlogLines(&seen.Binlogs[i], wide) {
			fmt.Fprintln(w, line)
		}
	}
	if len(seen.Binlogs) == 0 {
		fmt.Fprintln(w, "the source has recorded nothing more")
	}
	if seen.Error != "" {
		fmt.Fprintln(w, oneLine(seen.Error))
	}
}

// binlogLines describe a binlog.
func binlogLines(b *client.Binlog, wide bool) (lines []string) {
	head := fmt.Sprintf("%d  %s", b.CommitSeq, b.Summary)
	if b.CommittedAt != nil {
		head += "  " + moment(*b.CommittedAt)
	}
	lines = append(lines, oneLine(head), "  "+oneLine(b.Effect))
	for _, statement := range b.Statements {
		lines = append(lines, "    "+oneLine(statement))
	}
	if !wide {
		return lines
	}
	for line := range strings.SplitSeq(b.Record, "\n") {
		lines = append(lines, "  | "+oneLine(line))
	}
	if b.Cut {
		lines = append(lines, fmt.Sprintf("  | ... (its beginning; it has %d bytes)", b.Bytes))
	}
	return lines
}
