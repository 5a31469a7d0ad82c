package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/job"
)

const (
	// verifyPoll is the pause between two looks how far a verification is.
	verifyPoll = time.Second
	// verifyTries is how many looks in a row may fail before verify gives up.
	verifyTries = 30

	// The exit statuses of verify beside 0 and 1.
	statusDifferent  = 2
	statusIncomplete = 3
)

const verifyLong = `verify has a running ccr compare the tables of a job on both sides, while loads go
on, and waits for the report. With --repair it brings again what differs, and
verifies that. With --every it is made a habit, and nothing is waited for. There is
one verification a job at a time; if this command is interrupted, the verification
goes on, and "ccr verify status" tells of it.

The server and the token for it (role operate; for status, read) are those of the flags, of the
environment (` + apiEnv + `, ` + tokenEnv + `) or of a context, see "ccr context".

The exit status is 0 if all that was compared is equal, or has become so by
repairing, 2 if something is different, 3 if some tables could not be compared or
the verification has not ended or was cancelled, and 1 if it has failed.`

const verifyExample = `  ccr verify sales
  ccr verify sales --table 'orders*' --method rows --watch
  ccr verify sales --repair --dry-run
  ccr verify sales --every 24h --window 01:00-05:00 --jitter 30m
  ccr verify status sales --format json
  ccr verify cancel sales`

// verifyFlags are what verify and its commands take.
type verifyFlags struct {
	server         *connection
	format, report string
	watch, detach  bool
	request        verifyBody
}

// verifyBody is the body of /verify.
type verifyBody struct {
	Name          string   `json:"name"`
	Tables        []string `json:"tables,omitempty"`
	Partitions    []string `json:"partitions,omitempty"`
	Method        string   `json:"method,omitempty"`
	Repair        bool     `json:"repair,omitempty"`
	DryRun        bool     `json:"dry_run,omitempty"`
	Replicas      bool     `json:"replicas,omitempty"`
	Rate          int64    `json:"rate,omitempty"`
	ByteRate      int64    `json:"byte_rate,omitempty"`
	MaxRows       int      `json:"max_rows,omitempty"`
	WorkloadGroup string   `json:"workload_group,omitempty"`
	MemLimit      int64    `json:"mem_limit,omitempty"`
	QueryTimeout  string   `json:"query_timeout,omitempty"`
	Hold          string   `json:"hold,omitempty"`
	Every         *string  `json:"every,omitempty"`
	Window        string   `json:"window,omitempty"`
	Jitter        string   `json:"jitter,omitempty"`
}

// verified is what is read of the replies of /verify and /verify_status.
type verified struct {
	Report   json.RawMessage `json:"report"`
	Result   string          `json:"result"`
	Schedule json.RawMessage `json:"schedule"`
}

func (p Program) verifyCommand() *cobra.Command {
	f := verifyFlags{server: p.connection()}
	var every string
	cmd := &cobra.Command{
		Use:     "verify name",
		Short:   "Compare the tables of a job on both sides, and repair what differs",
		Long:    verifyLong,
		Example: verifyExample,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: f.server.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.request.Name = args[0]
			if cmd.Flags().Changed("every") {
				f.request.Every = &every
			}
			return f.verify(cmd)
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.request.Tables, "table", nil, "only these tables of a database job, with * and ?; may be repeated")
	flags.StringArrayVar(&f.request.Partitions, "partition", nil, "only these partitions of one table; may be repeated")
	flags.StringVar(&f.request.Method, "method", "", "count, checksum (the default), checksum_columns or rows")
	flags.BoolVar(&f.request.Repair, "repair", false, "bring again what differs, and verify it")
	flags.BoolVar(&f.request.DryRun, "dry-run", false, "only plan what a repair would bring")
	flags.BoolVar(&f.request.Replicas, "replicas", false, "compare the replicas of each cluster with each other, too")
	flags.Int64Var(&f.request.Rate, "rate", 0, "rows a second to read on each cluster; 0 for no bound")
	flags.Int64Var(&f.request.ByteRate, "byte-rate", 0, "bytes a second to read on each cluster, by what is stored; 0 for no bound")
	flags.IntVar(&f.request.MaxRows, "max-rows", 0, "keys that the method rows lists for a table; 0 for 100")
	flags.StringVar(&f.request.WorkloadGroup, "workload-group", "", "workload group of the queries")
	flags.Int64Var(&f.request.MemLimit, "mem-limit", 0, "exec_mem_limit of each query, in bytes; 0 for the account's")
	flags.StringVar(&f.request.QueryTimeout, "query-timeout", "", "query_timeout of each query, e.g. 15m; empty for the account's")
	flags.StringVar(&f.request.Hold, "hold", "", "how long commits of loads may wait so that a partition can be read, e.g. 1s, 0s for never; empty for 5s")
	flags.StringVar(&every, "every", "", `verify regularly, e.g. 24h; "" ends that`)
	flags.StringVar(&f.request.Window, "window", "", "with --every: part of the day in UTC in which to verify, e.g. 01:00-05:00")
	flags.StringVar(&f.request.Jitter, "jitter", "", "with --every: begin later by up to this, e.g. 30m")
	flags.BoolVar(&f.watch, "watch", false, "show how far it is on standard error while waiting")
	flags.BoolVar(&f.detach, "detach", false, "wait for nothing; print the id of the report")
	flags.StringVar(&f.format, "format", "text", "text or json")
	f.server.bind(cmd, cmd.PersistentFlags())
	status := f.command("status", "Show the verification that runs, or the last one", func(cmd *cobra.Command) error { return f.status(cmd) })
	status.Flags().StringVar(&f.format, "format", "text", "text or json")
	status.Flags().BoolVar(&f.watch, "watch", false, "wait for the end, and show how far it is on standard error")
	status.Flags().StringVar(&f.report, "report", "", "id of an older report")
	cmd.AddCommand(status,
		f.command("pause", "Stop comparing until resume", func(cmd *cobra.Command) error { return f.steer(cmd.Context(), "/verify_pause") }),
		f.command("resume", "Go on after pause", func(cmd *cobra.Command) error { return f.steer(cmd.Context(), "/verify_resume") }),
		f.command("cancel", "End the verification with the report of what is done", func(cmd *cobra.Command) error { return f.steer(cmd.Context(), "/verify_cancel") }),
	)
	return cmd
}

// command is one of the commands about a verification that was started.
func (f *verifyFlags) command(name, short string, run func(*cobra.Command) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " name", Short: short, Args: cobra.ExactArgs(1), ValidArgsFunction: f.server.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.request.Name = args[0]
			return run(cmd)
		},
	}
}

// ask posts a body to an endpoint of the server.
func (f *verifyFlags) ask(ctx context.Context, path, role string, body, out any) error {
	asker, err := f.server.client()
	if err != nil {
		return err
	}
	return asker.Operate(ctx, path, role, body, out)
}

// verify starts a verification and waits for its end.
func (f *verifyFlags) verify(cmd *cobra.Command) error {
	return f.start(cmd, "/verify", f.request)
}

// start has a verification or a repair begin, and waits for its end.
func (f *verifyFlags) start(cmd *cobra.Command, path string, request any) error {
	if err := f.checkFormat(); err != nil {
		return err
	}
	var started verified
	if err := f.ask(cmd.Context(), path, "operate", request, &started); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if f.request.Every != nil {
		if len(started.Schedule) == 0 {
			return say(out, "job %s is not verified regularly any more", f.request.Name)
		}
		return f.print(out, started.Schedule, "")
	}
	if err := json.Unmarshal(started.Report, &f.report); err != nil {
		return fmt.Errorf("read the id of the report: %w", err)
	}
	if f.detach {
		return say(out, "%s", f.report)
	}
	return f.wait(cmd)
}

// status shows a report.
func (f *verifyFlags) status(cmd *cobra.Command) error {
	if err := f.checkFormat(); err != nil {
		return err
	}
	if f.watch {
		return f.wait(cmd)
	}
	found, report, err := f.read(cmd.Context())
	if err != nil {
		return err
	}
	return f.show(cmd.OutOrStdout(), found, report)
}

// wait waits until the verification has ended. A server that does not answer for a
// while is asked again.
func (f *verifyFlags) wait(cmd *cobra.Command) error {
	ctx := cmd.Context()
	failed, last := 0, ""
	for {
		found, report, err := f.read(ctx)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("the verification goes on; see it with: ccr verify status %s", f.request.Name)
		case err != nil:
			if failed++; failed >= verifyTries {
				return err
			}
		case found.Result != "" || report.ID == "":
			return f.show(cmd.OutOrStdout(), found, report)
		default:
			failed = 0
			if text := progressOf(report); f.watch && text != last {
				fmt.Fprintln(cmd.ErrOrStderr(), text)
				last = text
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(verifyPoll):
		}
	}
}

// progressOf is how far a verification is, on one line.
func progressOf(r job.VerifyReport) string {
	done := r.Equal + r.Different + r.Repaired + r.Busy + r.NotComparable
	text := fmt.Sprintf("%s: %d of %d tables, %d different, %d rows", r.State, done, r.Total, r.Different, r.SourceRows)
	if r.Doing != "" {
		text += ", now " + r.Doing
	}
	for _, p := range r.Repairs {
		if p.State == job.RepairOrdered || p.State == job.RepairDone {
			text += ", repairing " + p.Partial.Table
		}
	}
	if r.Problem != "" {
		text += ", trying again: " + r.Problem
	}
	return text
}

func (f *verifyFlags) read(ctx context.Context) (found verified, report job.VerifyReport, err error) {
	wanted := map[string]string{"name": f.request.Name, "report": f.report}
	if err := f.ask(ctx, "/verify_status", "read", wanted, &found); err != nil {
		return found, report, err
	}
	if len(found.Report) > 0 {
		if err := json.Unmarshal(found.Report, &report); err != nil {
			return found, report, fmt.Errorf("read the report: %w", err)
		}
	}
	return found, report, nil
}

func (f *verifyFlags) steer(ctx context.Context, path string) error {
	return f.ask(ctx, path, "operate", map[string]string{"name": f.request.Name}, nil)
}

// show prints a report; its error has the exit status.
func (f *verifyFlags) show(out io.Writer, found verified, report job.VerifyReport) error {
	if report.ID == "" {
		return errors.New("the job has not been verified yet")
	}
	if err := f.print(out, found.Report, report.Text()); err != nil {
		return err
	}
	switch found.Result {
	case "equal":
		return nil
	case "different":
		return &statusError{fmt.Errorf("%d of %d tables are different", report.Different, report.Total), statusDifferent}
	case "failed":
		return fmt.Errorf("the verification has failed: %s", report.Error)
	case "":
		return &statusError{errors.New("the verification has not ended"), statusIncomplete}
	case "cancelled":
		return &statusError{errors.New("the verification was cancelled"), statusIncomplete}
	}
	return &statusError{fmt.Errorf("%d of %d tables could not be compared", report.Busy+report.NotComparable, report.Total), statusIncomplete}
}

// print prints JSON, or the text, if there is one.
func (f *verifyFlags) print(out io.Writer, raw json.RawMessage, text string) error {
	if f.format == "text" && text != "" {
		_, err := io.WriteString(out, text)
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(raw)
}

func (f *verifyFlags) checkFormat() error {
	if f.format != "text" && f.format != "json" {
		return fmt.Errorf("--format %q: it is text or json", f.format)
	}
	return nil
}

func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}
