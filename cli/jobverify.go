package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// jobVerify is verify with the exit statuses of the other commands about jobs.
func (p Program) jobVerify() *cobra.Command {
	cmd := p.verifyCommand()
	cmd.Long = `verify has a running ccr compare the tables of a job on both sides, while loads go on, and waits
for the report; it is "ccr verify" with the exit statuses of the other commands about jobs: 8 if
something is different, 9 if some tables could not be compared, or the verification has not ended.
With --repair it brings again what differs, with --every it is made a habit.`
	cmd.Example = "  ccr job verify sales --table 'orders*' --watch\n  ccr job verify status sales"
	cmd.Annotations = map[string]string{sameFlags: "ccr verify"}
	withVerdicts(cmd)
	return cmd
}

// withVerdicts translates the exit statuses of "ccr verify", which scripts know.
func withVerdicts(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return verdictOf(run(cmd, args)) }
	for _, sub := range cmd.Commands() {
		withVerdicts(sub)
	}
}

func verdictOf(err error) error {
	var e *statusError
	if !errors.As(err, &e) {
		return err
	}
	switch e.status {
	case statusDifferent:
		return &statusError{e.error, exitDifferent}
	case statusIncomplete:
		return &statusError{e.error, exitIncomplete}
	}
	return err
}

// repairBody is the body of /repair.
type repairBody struct {
	Name   string `json:"name"`
	Report string `json:"report,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"`
}

func (p Program) jobRepair(c *connection) *cobra.Command {
	var body repairBody
	f := &verifyFlags{server: c}
	cmd := &cobra.Command{
		Use: "repair name", Short: "Bring again exactly what a verification has found to differ",
		Long: `repair brings again what the last verification (or that of --report) has found to differ, verifies
it, and waits for the report. Its exit statuses are those of verify.`,
		Example: "  ccr job repair sales --dry-run\n  ccr job repair sales --watch",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: c.completeJobs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.request.Name, body.Name = args[0], args[0]
			return f.start(cmd, "/repair", body)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&body.Report, "report", "", "id of the report that found it; the last one if it is left out")
	flags.BoolVar(&body.DryRun, "dry-run", false, "only plan what would be brought")
	flags.BoolVar(&f.watch, "watch", false, "show how far it is on standard error while waiting")
	flags.BoolVar(&f.detach, "detach", false, "wait for nothing; print the id of the report")
	flags.StringVar(&f.format, "format", "text", "text or json")
	withVerdicts(cmd)
	return cmd
}
