package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"go.temporal.io/sdk/temporal"

	"github.com/doris-ccr/ccr/job"
)

// reportProblem records that the job cannot go on and delays the next try. The problem
// stands until the first success; its Since and Tries tell how long it has.
func (r *run) reportProblem(p job.Problem) {
	if !r.serverRetries {
		p.Tries = 1
	}
	p.Since, p.Tries = r.now(), max(1, p.Tries)
	r.keepProblem(p)
	r.waitBefore(r.p.Problem.Tries)
}

// remedyVersions is the remedy where a step answers what the workflow does not
// understand: its worker is older or newer than the one that reads the answer.
const remedyVersions = "run workers of one version: finish the roll-out, or roll it back"

// keepProblem records a problem and adds its tries to those that were before. A step
// that was stopped while it tried again by itself has counted its own.
func (r *run) keepProblem(p job.Problem) {
	p.Text = limit(p.Text, problemLimit)
	p.Late = r.late(p.CommitSeq)
	old := r.p.Problem
	p = p.Continues(old)
	if old == nil || old.Text != p.Text {
		r.event(levelError, "cannot go on: %s", oneLine(p.Text, refusalLimit))
	}
	r.p.Problem = &p
}

// late tells whether the binlog was met only after the position had passed it.
func (r *run) late(commitSeq int64) bool {
	return commitSeq > 0 && commitSeq < r.p.Position.CommitSeq && !r.p.Dealt(commitSeq)
}

// waitBefore delays the next step as after n failures in a row.
func (r *run) waitBefore(n int) { r.notBefore = r.now().Add(backoff(n)) }

// clearProblem clears the problem.
func (r *run) clearProblem() {
	if p := r.p.Problem; p != nil {
		r.event(levelInfo, "going on after %d tries", p.Tries)
		r.p.Problem = nil
	}
}

// stepProblem makes a problem from the error of an activity. Our activities put
// the whole problem into the details of their errors. Other errors are what an
// activity could not report itself.
func stepProblem(err error, step string) job.Problem {
	p := job.Problem{Kind: job.KindNormal, Text: step + ": " + err.Error()}
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	switch {
	case errors.As(err, &app):
		p.Text = step + ": " + app.Message()
		if strings.Contains(p.Text, "exceeds size limit") { // the server's words for a result
			p.Remedy = remedyTooLarge
		}
		var reported job.Problem
		if app.HasDetails() && app.Details(&reported) == nil && reported.Text != "" {
			p = reported
		}
	case errors.As(err, &timeout):
		p.Text = fmt.Sprintf("%s: no worker finished it in time (%s)", step, timeout.TimeoutType())
		p.Remedy = "look whether workers are running and what they log"
	}
	return p
}

// What texts may take in the state, in bytes. An FE may answer with a page.
const (
	problemLimit = 2 << 10
	eventLimit   = 300
	refusalLimit = 1 << 10 // a statement and the answer to it
	summaryLimit = 100
)

// encodedSummaryLimit bounds a summary as the server counts it, as JSON. It
// refuses more than 400 bytes, and with them the whole workflow task, for ever.
const encodedSummaryLimit = 350

// summaryOf makes a summary of an activity or a timer for the Web UI.
func summaryOf(text string) string {
	text = oneLine(text, 2*summaryLimit)
	for {
		encoded, err := json.Marshal(text)
		if err == nil && len(encoded) <= encodedSummaryLimit {
			return text
		}
		text = limit(text, len(text)*3/4)
	}
}

// limit cuts text to at most n bytes, between characters.
func limit(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const mark = "…"
	cut := max(0, n-len(mark))
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + mark
}

// oneLine is limit for places that show one line.
func oneLine(text string, n int) string {
	return limit(strings.Join(strings.Fields(text), " "), n)
}
