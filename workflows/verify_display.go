package workflows

import (
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// publishDetails has the Web UI show how far the verification is. It costs no event.
func (v *verification) publishDetails() {
	if details := v.describe(); details != v.details {
		workflow.SetCurrentDetails(v.ctx, details)
		v.details = details
	}
}

// describe is the report on one page of Markdown.
func (v *verification) describe() string {
	r := &v.report
	var b strings.Builder
	done := r.Equal + r.Different + r.Repaired + r.Busy + r.NotComparable
	fmt.Fprintf(&b, "### Verification of %s (%s): %s, %d of %d tables\n\n", cell(r.Job), cell(string(r.Request.Method)), r.State, done, r.Total)
	if !r.ResumesAt.IsZero() {
		fmt.Fprintf(&b, "**Its window has ended:** it goes on at %s\n\n", r.ResumesAt.UTC().Format(time.RFC3339))
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "**It has failed:** %s\n\n", cell(r.Error))
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, "**Trying again after:** %s\n\n", cell(r.Problem))
	}
	b.WriteString("| | |\n|---|---|\n")
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, cell(fmt.Sprintf(format, args...)))
	}
	if r.Doing != "" {
		row("Right now", "%s; tab Pending Activities has more", r.Doing)
	}
	row("Equal", "%d", r.Equal)
	row("Different", "%d", r.Different)
	if r.Repaired > 0 || len(r.Repairs) > 0 {
		row("Repaired", "%d", r.Repaired)
	}
	row("Busy", "%d", r.Busy)
	row("Not comparable", "%d", r.NotComparable)
	row("Rows", "%d on the source, %d on the destination", r.SourceRows, r.DestinationRows)
	b.WriteString("\n")
	for _, t := range r.Tables {
		if b.Len() > detailsLimit {
			break
		}
		switch {
		case t.Outcome == job.VerifyEqual:
		case len(t.Differences) > 0:
			fmt.Fprintf(&b, "* %s is %s: %s\n", cell(t.Table), t.Outcome, cell(t.Differences[0].Text))
		default:
			fmt.Fprintf(&b, "* %s is %s: %s\n", cell(t.Table), strings.ReplaceAll(string(t.Outcome), "_", " "), cell(t.Why))
		}
	}
	for _, p := range r.Repairs {
		if b.Len() > detailsLimit {
			break
		}
		fmt.Fprintf(&b, "* repair of %s: %s %s\n", cell(p.Partial.Table), p.State, cell(p.Text))
	}
	return limit(b.String(), detailsLimit)
}
