package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/apiserver"
	"github.com/doris-ccr/ccr/config"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
)

const (
	// checkTimeout bounds the checks as a whole: somebody waits for them.
	checkTimeout = 3 * time.Minute
	// checkBody bounds what is read of a request, in bytes.
	checkBody = 4 << 20
)

const checkLong = `check looks at both clusters as create_ccr would, and further, and changes nothing:
versions, binlog settings and how long binlogs are kept, privileges, every
frontend and backend through the host mappings, tables and their properties, what
the destination has already. It takes the body of create_ccr, or a file with jobs as
"ccr job apply" takes it; with "-f -" from standard input.

Without --api this process asks the clusters itself: neither a server nor Temporal
is needed. Run it on the machine on which a worker will run, for what can be
reached is part of the answer. With --api or --context a worker of a running ccr is
asked, and also whether the job's name is free and other jobs write to the same tables.
A token for it (role admin) is taken from ` + tokenEnv + `.

The exit status is 0 if nothing stands in the way of the job (warnings are shown),
and 1 if a check has failed or could not be made.`

const checkExample = `  ccr check -f job.json
  ccr check -f jobs.yaml && ccr job apply -f jobs.yaml
  vault read -field=job secret/ccr | ccr check -f -
  ccr check -f job.json --output json
  CCR_TOKEN=... ccr check -f job.json --api https://ccr.example.com:9190`

// checkFlags are what check takes beside the settings.
type checkFlags struct {
	file, output string
	server       *connection
}

func (p Program) checkCommand() *cobra.Command {
	f, environ := checkFlags{server: p.connection()}, p.Environ
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Look whether a job can run between two clusters; change nothing",
		Long:    checkLong,
		Example: checkExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), environ)
			if err != nil {
				return err
			}
			return runCheck(cmd, cfg, f)
		},
	}
	config.Bind(cmd.Flags(), config.GroupDoris, config.GroupLog)
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "file", "f", "", `file with the body of create_ccr, or with jobs as "ccr job apply" takes them; "-" for standard input`)
	flags.StringVarP(&f.output, "output", "o", "table", "table or json")
	flags.StringVar(&f.server.api, "api", "", "ask the worker of a running ccr: address of an API server, e.g. http://127.0.0.1:9190")
	f.server.bindServer(cmd, flags)
	flags.StringVar(&f.server.ca, "ca-file", "", "PEM file of the authority that signed the API server's certificate; empty for the system's")
	config.Teach(cmd)
	return cmd
}

func runCheck(cmd *cobra.Command, cfg config.Config, f checkFlags) error {
	if f.output != "table" && f.output != "json" {
		return fmt.Errorf("--output %q: it is table or json", f.output)
	}
	bodies, err := readBodies(f.file, cmd.InOrStdin(), f.server.environ)
	if err != nil {
		return err
	}
	var failures []error
	for _, text := range bodies {
		err := checkOne(cmd, cfg, f, text, len(bodies) > 1)
		if err != nil && len(bodies) == 1 {
			return err
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// checkOne makes the checks of one job, and prints them.
func checkOne(cmd *cobra.Command, cfg config.Config, f checkFlags, text []byte, oneOfSeveral bool) error {
	body, err := apiserver.ReadCreateBody(text)
	if err != nil {
		return err
	}
	report, err := makeChecks(cmd, cfg, f, text, body)
	if err != nil {
		return named(oneOfSeveral, body.Spec.Name, err)
	}
	if body.Ignored != "" {
		report.Checks = append(report.Checks, job.CheckResult{Check: "request", Status: job.CheckWarn,
			Detail: "create_ccr passes over a part of the body: " + body.Ignored, Remedy: "correct or remove it"})
	}
	heading := ""
	if oneOfSeveral {
		heading = body.Spec.Name
	}
	if f.output == "json" {
		err = printJSON(cmd.OutOrStdout(), heading, report)
	} else {
		err = printTable(cmd.OutOrStdout(), heading, report, f.asksServer())
	}
	if err != nil {
		return fmt.Errorf("print the checks: %w", err)
	}
	return named(oneOfSeveral, body.Spec.Name, verdict(report))
}

// named says which of several jobs an error is about.
func named(oneOfSeveral bool, name string, err error) error {
	if err == nil || !oneOfSeveral {
		return err
	}
	return fmt.Errorf("job %s: %w", name, err)
}

// asksServer tells whether a server is asked, and not the clusters.
func (f *checkFlags) asksServer() bool { return f.server.api != "" || f.server.context != "" }

func makeChecks(cmd *cobra.Command, cfg config.Config, f checkFlags, text []byte, body apiserver.CreateBody) (report job.CheckReport, err error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), checkTimeout)
	defer cancel()
	if !f.asksServer() {
		return checkHere(ctx, cmd, cfg, body)
	}
	asker, err := f.server.client()
	if err != nil {
		return report, err
	}
	err = asker.Operate(ctx, "/check_ccr", "admin", text, &report)
	return report, err
}

// readBodies reads bodies of create_ccr from a file or from standard input: an object of
// JSON is one, anything else describes jobs as the files of "ccr job apply" do.
func readBodies(file string, stdin io.Reader, environ []string) ([][]byte, error) {
	if file == "" {
		return nil, errors.New(`--file is missing: the body of create_ccr or a file for ccr job apply, "-" for standard input`)
	}
	text, err := readInput(file, stdin, checkBody)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && json.Valid(text) {
		return [][]byte{text}, nil
	}
	jobs, err := manifestsIn(text, file, environ)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(jobs) == 0 {
		return nil, fmt.Errorf("read %s: it describes no job", file)
	}
	bodies := make([][]byte, len(jobs))
	for i, m := range jobs {
		if bodies[i], err = m.body(); err != nil {
			return nil, err
		}
	}
	return bodies, nil
}

// checkHere makes the checks in this process.
func checkHere(ctx context.Context, cmd *cobra.Command, cfg config.Config, body apiserver.CreateBody) (job.CheckReport, error) {
	sqlTLS, err := cfg.SQLTLS()
	if err != nil {
		return job.CheckReport{}, err
	}
	connector := replication.NewConnector(replication.Options{
		Logger: cfg.NewLogger(cmd.ErrOrStderr()), Features: &cfg.Features,
		SQLTLS: sqlTLS, ConnectTimeout: cfg.ConnectTimeout, RPCTimeout: cfg.RPCTimeout, CommitTimeout: cfg.CommitTimeout,
	})
	defer func() { _ = connector.Close() }() // nothing is left to do about an error
	j := connector.Open(body.Spec, replication.Passwords{Source: body.SourcePassword, Destination: body.DestinationPassword})
	defer j.Close()
	report, err := j.CheckSetup(ctx)
	if err != nil {
		return report, fmt.Errorf("the checks did not end: %w", err)
	}
	return report, nil
}

// verdict is the error that ends the process with status 1.
func verdict(report job.CheckReport) error {
	failed := 0
	for _, c := range report.Checks {
		if c.Status == job.CheckFail {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(report.Checks))
	}
	return nil
}

// printJSON prints what check_ccr answers, with the name of the job if it is not "".
func printJSON(w io.Writer, name string, report job.CheckReport) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Name    string            `json:"name,omitempty"`
		Overall job.CheckStatus   `json:"overall"`
		Checks  []job.CheckResult `json:"checks"`
	}{name, report.Overall(), report.Checks})
}

// printTable prints one line a check, and below it what to do where something is
// to be done. The name of the job stands above if it is not "".
func printTable(w io.Writer, name string, report job.CheckReport, asked bool) error {
	width := 0
	for _, c := range report.Checks {
		width = max(width, len(c.Check))
	}
	var b strings.Builder
	if name != "" {
		fmt.Fprintf(&b, "job %s\n", name)
	}
	for _, c := range report.Checks {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", strings.ToUpper(string(c.Status)), width, c.Check, c.Detail)
		if c.Remedy != "" {
			fmt.Fprintf(&b, "%*s=> %s\n", width+8, "", c.Remedy)
		}
	}
	fmt.Fprintf(&b, "\nOverall: %s\n", report.Overall())
	if !asked {
		b.WriteString("Not looked at without --api: whether the name is free, and whether other jobs write to the same tables.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// valueOf reads a variable of the environment, "" if it is not set.
func valueOf(environ []string, name string) string {
	value, _ := lookUp(environ, name)
	return value
}

// lookUp reads a variable of the environment, and tells whether it is set.
func lookUp(environ []string, name string) (value string, found bool) {
	for _, line := range environ {
		if v, ok := strings.CutPrefix(line, name+"="); ok {
			value, found = v, true
		}
	}
	return value, found
}
