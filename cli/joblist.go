package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

// listed is how jobs are chosen and ordered for a list.
type listed struct {
	patterns []string
	states   []string
	by       string
}

var jobStates = []string{"running", "paused", "stalled", "unknown"}

func (c *connection) jobList() *cobra.Command {
	var (
		out output
		l   listed
	)
	cmd := &cobra.Command{
		Use: "list [pattern...]", Aliases: []string{"ls"}, Short: "Show all jobs and how they are",
		Long: `list shows all jobs, or those whose names match one of the patterns (with * and ?). LAG is
how many binlogs of the source had not been consumed when the source was asked last; BEHIND is
how long ago the oldest of them was made, or, of a server that does not tell that, the time between
the oldest and the newest. With -o json or yaml it is the answer of GET /jobs.`,
		Example: "  ccr job list\n  ccr job list 'sales_*' --state stalled -o wide\n  ccr job list -o name | xargs ccr job pause",
		RunE: func(cmd *cobra.Command, args []string) error {
			l.patterns = args
			if err := l.check(); err != nil {
				return err
			}
			asker, err := c.client()
			if err != nil {
				return err
			}
			return out.show(cmd, func(ctx context.Context) (view, error) {
				all, err := asker.Jobs(ctx)
				if err != nil {
					return view{}, err
				}
				return l.view(c, all)
			})
		},
		ValidArgsFunction: c.completeJobs(0),
	}
	out.bindWatch(cmd, formName)
	cmd.Flags().StringSliceVar(&l.states, "state", nil, "only jobs in these states: "+strings.Join(jobStates, ", "))
	cmd.Flags().StringVar(&l.by, "sort", "name", "name, lag or state")
	_ = cmd.RegisterFlagCompletionFunc("state", words(jobStates...))
	_ = cmd.RegisterFlagCompletionFunc("sort", words("name", "lag", "state"))
	return cmd
}

func (l *listed) check() error {
	for _, p := range l.patterns {
		if _, err := path.Match(p, ""); err != nil {
			return usageErrorf("%q is no pattern: %w", p, err)
		}
	}
	for _, s := range l.states {
		if !slices.Contains(jobStates, s) {
			return usageErrorf("--state %q: it is one of %s", s, strings.Join(jobStates, ", "))
		}
	}
	if !slices.Contains([]string{"name", "lag", "state"}, l.by) {
		return usageErrorf("--sort %q: it is name, lag or state", l.by)
	}
	return nil
}

// selects tells whether a job is to be shown.
func (l *listed) selects(j client.JobSummary) bool {
	matches := func(p string) bool {
		found, _ := path.Match(p, j.Name) // check has seen the pattern
		return found
	}
	return (len(l.patterns) == 0 || slices.ContainsFunc(l.patterns, matches)) && (len(l.states) == 0 || slices.Contains(l.states, stateOf(j)))
}

func stateOf(j client.JobSummary) string {
	if j.Status == nil {
		return "unknown"
	}
	return j.Status.StateWord()
}

// job is a job of a list with its JSON.
type listedJob struct {
	client.JobSummary
	raw json.RawMessage
}

func (l *listed) view(c *connection, all client.Reply[client.JobList]) (v view, err error) {
	var raw struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	if err := json.Unmarshal(all.JSON, &raw); err != nil {
		return v, err
	}
	var jobs []listedJob
	for i, j := range all.Value.Jobs {
		if l.selects(j) {
			jobs = append(jobs, listedJob{j, raw.Jobs[i]})
		}
	}
	slices.SortStableFunc(jobs, l.order)
	raw.Jobs = []json.RawMessage{}
	for _, j := range jobs {
		raw.Jobs = append(raw.Jobs, j.raw)
		v.Names = append(v.Names, j.Name)
	}
	v.JSON, err = json.Marshal(raw)
	v.Table = func(w io.Writer, wide bool) { c.tableOfJobs(w, wide, jobs) }
	return v, err
}

func (l *listed) order(x, y listedJob) int {
	switch l.by {
	case "lag":
		lag := func(j listedJob) int64 {
			if j.Status == nil || j.Status.Lag == nil {
				return -1
			}
			return *j.Status.Lag
		}
		return cmp.Compare(lag(y), lag(x))
	case "state": // what needs a person comes first
		order := []string{"stalled", "unknown", "paused", "running"}
		return cmp.Compare(slices.Index(order, stateOf(x.JobSummary)), slices.Index(order, stateOf(y.JobSummary)))
	}
	return 0 // as the server has them: by name
}

func (c *connection) tableOfJobs(w io.Writer, wide bool, jobs []listedJob) {
	head := []any{"NAME", "STATE", "SYNC", "LAG", "BEHIND"}
	if wide {
		head = append(head, "OBSERVED", "POSITION", "FULL", "PARTIAL", "DIFFERENCES")
	}
	rowOf(w, append(head, "DOING")...)
	most := 60
	if wide {
		most = 1000
	}
	for _, j := range jobs {
		s := j.Status
		if s == nil {
			empty := make([]any, len(head)-2)
			for i := range empty {
				empty[i] = ""
			}
			rowOf(w, append(append([]any{j.Name, "unknown"}, empty...), short(j.Error, most))...)
			continue
		}
		row := []any{j.Name, s.StateWord(), s.ProgressState, optional(s.Lag, decimal), optional(behind(s), seconds)}
		if wide {
			observed, differences := "", ""
			if s.LagObservedAt != nil {
				observed = c.ago(*s.LagObservedAt)
			}
			if n := len(s.Differences); n > 0 {
				differences = strconv.Itoa(n)
			}
			row = append(row, observed, s.CommitSeq, s.FullSyncs, s.PartialSyncs, differences)
		}
		doing := s.Doing
		if s.Stalled && s.LastError != nil {
			doing = s.LastError.Text
		}
		rowOf(w, append(row, short(doing, most))...)
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// behind is how far a job is behind in seconds, as well as the server tells.
func behind(s *client.Status) *int64 {
	if s.BehindSecs != nil {
		return s.BehindSecs
	}
	return s.LagSecs
}
