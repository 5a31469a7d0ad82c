package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
	"github.com/doris-ccr/ccr/job"
)

// eventsDescribed is how many events describe shows.
const eventsDescribed = 5

func (c *connection) jobDescribe() *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use: "describe name...", Aliases: []string{"get", "status"}, Short: "Show what a job is, how it is, and what you can do",
		Long: `describe shows what a job was asked to do, how it is and what a person can do about it, and
the last events. With -o json or yaml it is the answer of GET /jobs/{name}, or a list of them.`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: c.completeJobs(0),
		RunE: func(cmd *cobra.Command, args []string) error {
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				return c.describe(ctx, asker, args)
			})
		},
	}
	out.bindWatch(cmd)
	return cmd
}

// described is a job with its newest events and its progress.
type described struct {
	job      client.Job
	progress *client.Progress
	events   []client.Event
}

func (c *connection) describe(ctx context.Context, asker *client.Client, names []string) (view, error) {
	var (
		raw  []json.RawMessage
		jobs []described
	)
	err := each(names, func(name string) error {
		j, err := asker.Job(ctx, name)
		if err != nil {
			return err
		}
		d := described{job: j.Value}
		// What these lack is not shown.
		if p, err := asker.Progress(ctx, name); err == nil {
			d.progress = &p.Value
		}
		if e, err := asker.Events(ctx, name); err == nil {
			d.events = e.Value.Events
		}
		raw, jobs = append(raw, j.JSON), append(jobs, d)
		return nil
	})
	if len(jobs) == 0 {
		return view{}, err
	}
	return view{JSON: list(raw), Table: func(w io.Writer, _ bool) {
		for i, d := range jobs {
			if i > 0 {
				fmt.Fprintln(w)
			}
			c.printJob(w, d)
		}
	}}, err
}

// field prints a line of a description; one without a value is left out.
func field(w io.Writer, name, format string, args ...any) {
	if text := oneLine(fmt.Sprintf(format, args...)); text != "" {
		fmt.Fprintf(w, "%s:\t%s\n", name, text)
	}
}

func (c *connection) printJob(w io.Writer, d described) {
	j, s := d.job, d.job.Status
	field(w, "Name", "%s", j.Name)
	field(w, "Type", "%s", j.SyncType)
	field(w, "Source", "%s", where(j.Src))
	field(w, "Destination", "%s", where(j.Dest))
	field(w, "State", "%s, %s", s.StateWord(), s.ProgressState)
	field(w, "Doing", "%s", s.Doing)
	printCopying(w, &s)
	field(w, "Next step", "%s", s.NextStep)
	field(w, "Position", "commit seq %d", s.CommitSeq)
	c.printLag(w, &s)
	c.printProblem(w, s.LastError)
	printOrders(w, j)
	printSyncs(w, s, d.progress)
	for i, x := range s.Differences {
		name := "Differences"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(w, "%s\t%s: %s (since %s)\n", colon(name), oneLine(x.Table), oneLine(x.Text), c.ago(x.Since))
	}
	for i, e := range d.events[max(0, len(d.events)-eventsDescribed):] {
		name := "Events"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(w, "%s\t%s  %s  %s\n", colon(name), moment(e.At), e.Level, oneLine(e.Text))
	}
}

func colon(name string) string {
	if name == "" {
		return ""
	}
	return name + ":"
}

func where(c client.Cluster) string {
	return fmt.Sprintf("%s on %s as %s", c.Object(), net.JoinHostPort(c.Host, c.Port), c.User)
}

func (c *connection) printLag(w io.Writer, s *client.Status) {
	switch {
	case s.Lag == nil:
		field(w, "Lag", "not known yet")
	case s.LagObservedAt == nil:
		field(w, "Lag", "%d binlogs", *s.Lag)
	default:
		behind := optional(behind(s), seconds)
		field(w, "Lag", "%d binlogs, %s behind (asked %s)", *s.Lag, behind, c.ago(*s.LagObservedAt))
	}
}

func printCopying(w io.Writer, s *client.Status) {
	if s.Copying == nil {
		return
	}
	text := fmt.Sprintf("%d of %d tablets left", s.Copying.TabletsLeft, s.Copying.Tablets)
	if s.Copying.AboutBytes > 0 {
		text += fmt.Sprintf(", about %s of %s (all replicas counted)", job.SizeText(s.Copying.AboutBytesDone), job.SizeText(s.Copying.AboutBytes))
	}
	field(w, "Copying", "%s", text)
}

func (c *connection) printProblem(w io.Writer, p *client.Problem) {
	if p == nil {
		return
	}
	field(w, "Problem", "%s", p.Text)
	field(w, "At binlog", "%s", p.Binlog)
	field(w, "Since", "%s, %d tries", c.ago(p.Since), p.Tries)
	field(w, "Remedy", "%s", p.Remedy)
}

func printOrders(w io.Writer, j client.Job) {
	field(w, "Include tables", "%s", strings.Join(j.IncludeTables, ", "))
	field(w, "Exclude tables", "%s", strings.Join(j.ExcludeTables, ", "))
	field(w, "Source hosts", "%s", mappings(j.Src.HostMapping))
	field(w, "Destination hosts", "%s", mappings(j.Dest.HostMapping))
	for _, side := range []struct {
		title string
		is    client.Cluster
	}{{"Source TLS", j.Src}, {"Destination TLS", j.Dest}} {
		field(w, side.title, "%s", job.SideTLS{TLS: side.is.TLS, TLSCA: side.is.TLSCA}.Words())
	}
	field(w, "Commit order", "%s", j.CommitOrder)
	if j.ReplicationNum > 0 {
		field(w, "Replicas", "%d", j.ReplicationNum)
	}
	if x := j.Extra; x.SkipBinlog {
		field(w, "Ordered", "skip by %s, commit seq %d %s", x.SkipBy, x.SkipCommitSeq, x.SkipTable)
	}
}

func printSyncs(w io.Writer, s client.Status, p *client.Progress) {
	full, partial := fmt.Sprint(s.FullSyncs), fmt.Sprint(s.PartialSyncs)
	if p != nil && p.FullSyncStartAt > 0 {
		full += ", the last at " + moment(time.Unix(p.FullSyncStartAt, 0)) + ": " + p.FullSyncInfo.Info
	}
	if p != nil && p.PartialSyncInfo != nil {
		partial += ", the last at " + moment(time.Unix(p.PartialSyncStartAt, 0)) + " of " + p.PartialSyncInfo.Table + ": " + p.PartialSyncInfo.Info
	}
	field(w, "Full syncs", "%s", full)
	field(w, "Partial syncs", "%s", partial)
}

func mappings(m map[string]string) string {
	var list []string
	for _, private := range slices.Sorted(maps.Keys(m)) {
		list = append(list, private+" -> "+m[private])
	}
	return strings.Join(list, ", ")
}
