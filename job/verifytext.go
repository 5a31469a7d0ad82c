package job

import (
	"fmt"
	"strings"
	"time"
)

// maxTextKeys bounds the keys that are shown of a difference.
const maxTextKeys = 20

// Text is the report for people, one line a table that is not equal, and more below
// it.
func (r *VerifyReport) Text() string {
	var b strings.Builder
	done := r.Equal + r.Different + r.Repaired + r.Busy + r.NotComparable
	fmt.Fprintf(&b, "verification of %s (%s): %s, %d of %d tables", r.Job, r.Request.Method, r.State, done, r.Total)
	if r.Doing != "" {
		fmt.Fprintf(&b, ", now %s", r.Doing)
	}
	b.WriteString("\n")
	if !r.ResumesAt.IsZero() {
		fmt.Fprintf(&b, "its window has ended: it goes on at %s, or when it is resumed\n", r.ResumesAt.UTC().Format(time.RFC3339))
	}
	if r.Error != "" {
		fmt.Fprintf(&b, "failed: %s\n", r.Error)
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, "trying again: %s\n", r.Problem)
	}
	fmt.Fprintf(&b, "equal %d, different %d, repaired %d, busy %d, not comparable %d\n", r.Equal, r.Different, r.Repaired, r.Busy, r.NotComparable)
	fmt.Fprintf(&b, "rows: source %d, destination %d; read %d rows%s\n", r.SourceRows, r.DestinationRows, r.RowsRead, bytesText(r.BytesRead))
	ended := "not ended"
	if !r.EndedAt.IsZero() {
		ended = fmt.Sprintf("ended %s, took %s", r.EndedAt.UTC().Format(time.RFC3339), r.EndedAt.Sub(r.StartedAt).Round(time.Millisecond))
	}
	fmt.Fprintf(&b, "report %s, started %s, %s\n", r.ID, r.StartedAt.UTC().Format(time.RFC3339), ended)
	for i := range r.Tables {
		r.Tables[i].text(&b)
	}
	for _, p := range r.Repairs {
		fmt.Fprintf(&b, "repair of %s: %s", p.Partial.describe(), p.State)
		if p.Rows > 0 {
			fmt.Fprintf(&b, ", %d rows%s", p.Rows, bytesText(p.Bytes))
		}
		if p.Text != "" {
			fmt.Fprintf(&b, " (%s)", p.Text)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// bytesText is ", about 1.5 GB", nothing for 0, which is unknown.
func bytesText(n int64) string {
	if n <= 0 {
		return ""
	}
	size, unit := float64(n), "B"
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, u
	}
	return fmt.Sprintf(", about %.4g %s", size, unit)
}

func (t *VerifiedTable) text(b *strings.Builder) {
	if t.Outcome == VerifyEqual && len(t.NotCompared) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s: %s", t.Table, strings.ReplaceAll(string(t.Outcome), "_", " "))
	if t.Why != "" {
		fmt.Fprintf(b, ", %s", t.Why)
	}
	if t.Position > 0 {
		fmt.Fprintf(b, " (position %d)", t.Position)
	}
	b.WriteString("\n")
	for _, d := range t.Differences {
		d.text(b)
	}
	for _, d := range t.Busy {
		fmt.Fprintf(b, "  busy: %s\n", d.Text)
	}
	if t.More > 0 {
		fmt.Fprintf(b, "  and %d more\n", t.More)
	}
	if len(t.NotCompared) > 0 {
		fmt.Fprintf(b, "  columns that are not compared: %s\n", strings.Join(t.NotCompared, ", "))
	}
}

func (d VerifyDifference) text(b *strings.Builder) {
	fmt.Fprintf(b, "  %s", d.Kind)
	if d.Partition != "" {
		fmt.Fprintf(b, ", partition %s", d.Partition)
	}
	if len(d.Buckets) > 0 {
		fmt.Fprintf(b, ", buckets %s", strings.Trim(fmt.Sprint(d.Buckets), "[]"))
	}
	if len(d.Columns) > 0 {
		fmt.Fprintf(b, ", columns %s", strings.Join(d.Columns, ", "))
	}
	fmt.Fprintf(b, ": %s\n", d.Text)
	for _, key := range d.Keys[:min(len(d.Keys), maxTextKeys)] {
		fmt.Fprintf(b, "    %s\n", key)
	}
	if extra := len(d.Keys) - maxTextKeys; extra > 0 {
		fmt.Fprintf(b, "    and %d more\n", extra)
	}
}

// describe names what a partial sync brings.
func (p *PartialSync) describe() string {
	switch {
	case p.View:
		return "view " + p.Table
	case len(p.Partitions) > 0:
		return p.Table + ", partitions " + strings.Join(p.Partitions, ", ")
	}
	return p.Table + ", the whole table"
}
