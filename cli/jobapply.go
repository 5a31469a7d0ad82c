package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/doris-ccr/ccr/client"
)

const applyLong = `apply makes jobs as files describe them: it creates those that do not exist, and changes
those that differ. Applied twice, the second time changes nothing. What a file does not say stays as
it is; [] and {} clear a list or a mapping.

Of a running job the tables, host mappings, addresses of the clusters, users, replication_num,
commit_order and "paused" are changed by commands. Everything else a job keeps for its life: then
nothing at all is done, and it is said why, and the way out. Passwords cannot be compared; --credentials sends those of the files.

--dry-run shows what would be done. --prune PREFIX also deletes the jobs whose names begin with
PREFIX and that no file describes; every job of the files has to have the prefix, so that a
misspelt one deletes nothing. It asks first, or needs --yes.`

const applyExample = `  ccr job apply -f jobs.yaml --dry-run
  ccr job apply -f jobs.yaml
  ccr job apply -f team-a.yaml --prune team_a_ --yes
  ccr job apply -f jobs.yaml --dry-run --exit-code    # status 4 if something would be done`

// applier is one run of apply.
type applier struct {
	files                 []string
	dryRun, exitCode, yes bool
	credentials           bool
	prune                 string
	out                   output
}

func (c *connection) jobApply() *cobra.Command {
	var a applier
	cmd := &cobra.Command{
		Use: "apply -f file", Short: "Make jobs as files describe them", Long: applyLong, Example: applyExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.run(cmd, c) },
	}
	bindFiles(cmd, &a.files)
	a.out.bind(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&a.dryRun, "dry-run", false, "show what would be done, and do nothing")
	flags.BoolVar(&a.exitCode, "exit-code", false, "with --dry-run: end with status 4 if something would be done")
	flags.BoolVar(&a.credentials, "credentials", false, "send the users and passwords of the files to jobs that exist, too")
	flags.StringVar(&a.prune, "prune", "", "delete jobs whose names begin with this and that no file describes")
	flags.BoolVarP(&a.yes, "yes", "y", false, "do not ask before deleting")
	return cmd
}

func (a *applier) run(cmd *cobra.Command, c *connection) error {
	if err := a.out.check(); err != nil {
		return err
	}
	manifests, err := readManifests(a.files, cmd.InOrStdin(), c.environ)
	if err != nil {
		return err
	}
	if err := a.checkPrune(cmd, manifests); err != nil {
		return err
	}
	asker, err := c.client()
	if err != nil {
		return err
	}
	plans, err := a.plan(cmd.Context(), asker, manifests)
	if err != nil {
		return err
	}
	refused, pending, deletes := count(plans)
	if a.dryRun || refused > 0 {
		if err := a.print(cmd.OutOrStdout(), plans, true); err != nil {
			return err
		}
		switch {
		case refused > 0:
			return refusedErrorf("%d of %d jobs cannot be changed in this way: nothing is done", refused, len(plans))
		case a.exitCode && pending > 0:
			return notMetErrorf("%d of %d jobs are not as the files say", pending, len(plans))
		}
		return nil
	}
	if len(deletes) > 0 {
		what := fmt.Sprintf("delete %s on %s, which no file describes: replication ends, the destination keeps what it has", jobsNamed(deletes), asker.Address())
		if err := confirm(cmd, a.yes, what); err != nil {
			return err
		}
	}
	return a.carryOut(cmd, plans)
}

// checkPrune refuses a prefix that does not fit the files.
func (a *applier) checkPrune(cmd *cobra.Command, manifests []*manifest) error {
	if !cmd.Flags().Changed("prune") {
		return nil
	}
	if strings.TrimSpace(a.prune) == "" {
		return usageErrorf("--prune needs the beginning of the names that it may delete: all jobs of all people is never meant")
	}
	for _, m := range manifests {
		if !strings.HasPrefix(m.Name, a.prune) {
			return usageErrorf("%s: job %s does not begin with %q, the prefix of --prune: nothing is done", m.at, m.Name, a.prune)
		}
	}
	return nil
}

func (a *applier) plan(ctx context.Context, asker *client.Client, manifests []*manifest) (plans []*planned, err error) {
	p := planner{asker: asker, credentials: a.credentials}
	for _, m := range manifests {
		d, err := p.plan(ctx, m)
		if err != nil {
			return nil, err
		}
		plans = append(plans, d)
	}
	if a.prune != "" {
		deletes, err := p.prune(ctx, a.prune, manifests)
		if err != nil {
			return nil, err
		}
		plans = append(plans, deletes...)
	}
	return plans, nil
}

func count(plans []*planned) (refused, pending int, deletes []string) {
	for _, d := range plans {
		switch d.Action {
		case actRefuse:
			refused++
			continue
		case actUnchanged:
			continue
		case actDelete:
			deletes = append(deletes, d.Job)
		}
		pending++
	}
	return refused, pending, deletes
}

// carryOut does what is planned, and goes on with the next job after a failure.
func (a *applier) carryOut(cmd *cobra.Command, plans []*planned) error {
	var (
		names  []string
		byName = map[string]*planned{}
		did    []*planned
	)
	for _, d := range plans {
		names, byName[d.Job] = append(names, d.Job), d
	}
	err := each(names, func(name string) error {
		d := byName[name]
		for _, step := range d.steps {
			if err := step(cmd.Context()); err != nil {
				return fmt.Errorf("job %s: %w", name, err)
			}
		}
		did = append(did, d)
		if a.out.form == formTable || a.out.form == formWide {
			return a.print(cmd.OutOrStdout(), []*planned{d}, false)
		}
		return nil
	})
	if a.out.form == formJSON || a.out.form == formYAML {
		if printErr := a.print(cmd.OutOrStdout(), did, false); printErr != nil {
			return printErr
		}
	}
	return err
}

// words of what was done, and of what would be.
var (
	didWords   = map[string]string{actCreate: "created", actChange: "changed", actUnchanged: "unchanged", actDelete: "deleted", actRefuse: "cannot be changed"}
	wouldWords = map[string]string{actCreate: "would be created", actChange: "would be changed", actUnchanged: "unchanged", actDelete: "would be deleted", actRefuse: "cannot be changed"}
)

func (a *applier) print(w io.Writer, plans []*planned, would bool) error {
	if plans == nil {
		plans = []*planned{}
	}
	var raw bytes.Buffer
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"dry_run": would, "jobs": plans}); err != nil {
		return fmt.Errorf("print what is done: %w", err)
	}
	word := didWords
	if would {
		word = wouldWords
	}
	return a.out.print(w, view{JSON: raw.Bytes(), Table: func(w io.Writer, _ bool) {
		for _, d := range plans {
			fmt.Fprintf(w, "job %s %s\n", d.Job, word[d.Action])
			for _, c := range d.Changes {
				fmt.Fprintf(w, "    %s: %s => %s\n", c.Key, orNone(c.From), orNone(c.To))
				if c.Refused != "" {
					fmt.Fprintf(w, "        %s\n", c.Refused)
				}
			}
		}
	}})
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return oneLine(text)
}
