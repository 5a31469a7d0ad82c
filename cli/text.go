package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// rowOf prints the cells of a row of a table. A table has one line a row: whatever would
// end it, or would move the cursor of a terminal, becomes a blank.
func rowOf(w io.Writer, cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = oneLine(fmt.Sprint(c))
		if texts[i] == "" {
			texts[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(texts, "\t"))
}

func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// short cuts a text for a table.
func short(text string, most int) string {
	runes := []rune(oneLine(text))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-3]) + "..."
}

// seconds is a length of time for people: 45s, 3m20s, 5h10m, 3d4h.
func seconds(n int64) string {
	const minute, hour, day = 60, 3600, 86400
	switch {
	case n < minute:
		return fmt.Sprintf("%ds", n)
	case n < hour:
		return fmt.Sprintf("%dm%ds", n/minute, n%minute)
	case n < day:
		return fmt.Sprintf("%dh%dm", n/hour, n%hour/minute)
	}
	return fmt.Sprintf("%dd%dh", n/day, n%day/hour)
}

// ago is how long ago a time was.
func (c *connection) ago(t time.Time) string {
	return seconds(max(int64(c.now().Sub(t)/time.Second), 0)) + " ago"
}

// moment is a time as tables show it.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// optional is a number that may not be known.
func optional(n *int64, form func(int64) string) string {
	if n == nil {
		return ""
	}
	return form(*n)
}
