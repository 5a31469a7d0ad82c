package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

func (c *connection) jobSkip() *cobra.Command {
	var (
		seq int64
		yes bool
	)
	cmd := &cobra.Command{
		Use: "skip name", Short: "Pass over the one binlog at which a job stands",
		Long: `skip shows the binlog at which a job stands, why, and its record, and passes over exactly that one if you
say so. The destination lacks its effect from then on, so this is for binlogs that mean nothing
there. If it must not be lacking: "ccr job partial-sync" brings the one table again,
"ccr job force-fullsync" all of them.

--commit-seq names the binlog; without it it is the one at which the job stands now. With --yes in
a script name it: another may have come meanwhile.`,
		Example: "  ccr job skip sales\n  ccr job skip sales --commit-seq 1001 --yes",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			j, err := asker.Job(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			at, preview, err := c.binlogToSkip(&j.Value, seq)
			if err != nil {
				return err
			}
			preview += "\n" + sawBinlog(cmd.Context(), asker, args[0], at)
			if yes {
				fmt.Fprintln(cmd.ErrOrStderr(), preview)
			}
			if err := confirm(cmd, yes, preview); err != nil {
				return err
			}
			if err := asker.SkipBinlog(cmd.Context(), args[0], client.Skip{By: "silence", CommitSeq: at}); err != nil {
				return err
			}
			return done(cmd, args[0], fmt.Sprintf("passes over the binlog at commit seq %d", at))
		},
	}
	cmd.Flags().Int64Var(&seq, "commit-seq", 0, "commit seq of the binlog; the one at which the job stands if it is left out")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// sawBinlog shows the binlog itself, or says why it cannot be shown.
func sawBinlog(ctx context.Context, asker *client.Client, name string, seq int64) string {
	seen, err := asker.Binlogs(ctx, name, seq, 1)
	switch {
	case err != nil:
		return "  the record cannot be shown: " + oneLine(err.Error())
	case len(seen.Value.Binlogs) == 0 || seen.Value.Binlogs[0].CommitSeq != seq:
		return fmt.Sprintf("  the source has no binlog of commit seq %d (any more)", seq)
	}
	return "what it is, and what the job would do:\n  " + strings.Join(binlogLines(&seen.Value.Binlogs[0], true), "\n  ")
}

// binlogToSkip settles which binlog is passed over, and tells what is known of it.
func (c *connection) binlogToSkip(j *client.Job, seq int64) (at int64, preview string, err error) {
	p := j.Status.LastError
	stands := p != nil && p.CommitSeq > 0
	switch {
	case !stands && seq == 0:
		return 0, "", notMetErrorf("job %s stands at no binlog (%s): nothing is passed over. If you know that it will not get past one, name it with --commit-seq", j.Name, stateText(&j.Status))
	case seq == 0:
		seq = p.CommitSeq
	}
	var b strings.Builder
	line := func(format string, args ...any) { b.WriteString("  " + oneLine(fmt.Sprintf(format, args...)) + "\n") }
	fmt.Fprintf(&b, "job %s, %s to %s:\n", j.Name, where(j.Src), where(j.Dest))
	if stands && seq == p.CommitSeq {
		line("binlog      %s", p.Binlog)
		if p.BinlogType == "UPSERT" {
			line("            a load: its rows will be missing on the destination")
		}
		line("error       %s", p.Text)
		line("since       %s, %d tries", c.ago(p.Since), p.Tries)
		if p.Remedy != "" {
			line("remedy      %s", p.Remedy)
		}
	} else {
		line("binlog      commit seq %d, at which the job does not stand: it has come to %d", seq, j.Status.CommitSeq)
		if seq <= j.Status.CommitSeq {
			return 0, "", refusedErrorf("job %s is past commit seq %d already (it has come to %d): nothing is passed over", j.Name, seq, j.Status.CommitSeq)
		}
	}
	line("skip        passes over it: the destination lacks its effect from then on")
	line("otherwise   ccr job partial-sync %s TABLE brings a table again, ccr job force-fullsync %s all", j.Name, j.Name)
	return seq, strings.TrimRight(b.String(), "\n"), nil
}
