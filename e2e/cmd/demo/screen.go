package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/e2e/harness"
)

const width = 78

// screen draws a view that moves in place on a terminal, and prints a line now
// and then where there is none (a CI log).
type screen struct {
	out      io.Writer
	terminal bool
	interval time.Duration
	drawn    int // lines of the last view
}

func newScreen(f *os.File) *screen {
	s := &screen{out: f, interval: 3 * time.Second}
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" {
		s.terminal, s.interval = true, 500*time.Millisecond
	}
	return s
}

func (s *screen) heading(text string) {
	fmt.Fprintf(s.out, "%s\n%s\n", s.bold(text), strings.Repeat("─", width))
}

func (s *screen) step(text string) { fmt.Fprintf(s.out, "· %s\n", text) }
func (s *screen) blank()           { fmt.Fprintln(s.out) }

func (s *screen) bold(text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// view is one picture of both sides.
type view struct {
	elapsed, total time.Duration
	jobs           []jobLine
	tables         []tableLine
}

type jobLine struct {
	name, state, progress, problem string
	commitSeq, lag                 int64
}

type tableLine struct {
	name, model    string
	source, target int64
}

func snapshot(ctx context.Context, shop *workload, ccr *harness.CCR, elapsed, total time.Duration) view {
	v := view{elapsed: elapsed, total: total, tables: shop.counts(ctx)}
	for _, name := range shop.jobs() {
		line := jobLine{name: name, state: "?"}
		if status, err := ccr.Status(ctx, name); err == nil {
			line.state, line.progress = status.State, status.ProgressState
			line.commitSeq = status.CommitSeq
			if status.Stalled {
				line.state, line.problem = "stalled", status.LastError.Text
			}
		} else {
			line.problem = err.Error()
		}
		if lag, err := ccr.Call(ctx, "get_lag", map[string]any{"name": name}); err == nil {
			line.lag = harness.Int(lag, "lag")
		}
		v.jobs = append(v.jobs, line)
	}
	return v
}

func (s *screen) show(v view) {
	if !s.terminal {
		s.showLine(v)
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, " %-14s %-8s %-24s %11s %8s\n", "JOB", "STATE", "PROGRESS", "COMMIT SEQ", "LAG")
	for _, j := range v.jobs {
		fmt.Fprintf(&b, " %-14s %-8s %-24s %11d %8d\n", j.name, j.state, j.progress, j.commitSeq, j.lag)
	}
	fmt.Fprintf(&b, "\n %-30s %-11s %12s %14s\n", "TABLE", "MODEL", "SOURCE ROWS", "DESTINATION")
	for _, t := range v.tables {
		mark := "  "
		if t.source == t.target {
			mark = " ="
		}
		fmt.Fprintf(&b, " %-30s %-11s %12d %14s%s\n", t.name, t.model, t.source, count(t.target), mark)
	}
	for _, j := range v.jobs {
		if j.problem != "" {
			fmt.Fprintf(&b, " %s\n", clip(j.name+": "+j.problem))
		}
	}
	done := int(float64(width-20) * min(1, v.elapsed.Seconds()/max(1, v.total.Seconds())))
	fmt.Fprintf(&b, "\n writing %s%s %3.0f s\n", strings.Repeat("█", done), strings.Repeat("░", width-20-done), v.elapsed.Seconds())

	text := b.String()
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA", s.drawn)
	}
	for line := range strings.Lines(text) {
		fmt.Fprintf(s.out, "\x1b[2K%s", line)
	}
	if extra := s.drawn - strings.Count(text, "\n"); extra > 0 {
		fmt.Fprintf(s.out, "\x1b[J")
	}
	s.drawn = strings.Count(text, "\n")
}

// showLine is the view for a log: one line a picture.
func (s *screen) showLine(v view) {
	var parts []string
	for _, j := range v.jobs {
		parts = append(parts, fmt.Sprintf("%s %s seq %d lag %d", j.name, j.progress, j.commitSeq, j.lag))
	}
	var source, target int64
	for _, t := range v.tables {
		source += t.source
		target += max(0, t.target)
	}
	fmt.Fprintf(s.out, "%3.0fs  rows %d -> %d  %s\n", v.elapsed.Seconds(), source, target, strings.Join(parts, "  "))
	for _, j := range v.jobs {
		if j.problem != "" {
			fmt.Fprintf(s.out, "      %s: %s\n", j.name, j.problem)
		}
	}
}

func count(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func clip(text string) string {
	r := []rune(strings.ReplaceAll(text, "\n", " "))
	if len(r) > width-2 {
		return string(r[:width-5]) + "..."
	}
	return string(r)
}

func (s *screen) howToGoOn(pair *harness.Pair, ccr *harness.CCR, keep bool) {
	fmt.Fprintf(s.out, "\n%s\n", s.bold("Go on playing"))
	if !keep {
		fmt.Fprint(s.out, ` make demo KEEP=1   leaves all of this running: Web UI, API, both clusters
 docs/quickstart.md does the same by hand, and says how to use your own clusters
`)
		return
	}
	fmt.Fprintf(s.out, ` console      http://%[1]s/
 all jobs     http://%[1]s/view
 Web UI       http://%s
 source       mysql -h 127.0.0.1 -P %s -u root sales
 destination  mysql -h 127.0.0.1 -P %s -u root sales_replica

 curl -X POST -d '{"name":"demo_db"}' http://%[1]s/job_status
 curl -X POST -d '{"name":"demo_db"}' http://%[1]s/get_lag
 curl -X POST -d '{"name":"demo_db"}' http://%[1]s/pause
 curl -X POST -d '{"name":"demo_db"}' http://%[1]s/resume

 Ctrl-C stops everything.
`, ccr.API, ccr.UI, pair.Source.Port(), pair.Destination.Port())
}
