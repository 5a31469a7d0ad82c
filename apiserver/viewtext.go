package apiserver

import (
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/labstack/echo/v4"
)

// viewColumn is one column of the overview as text. The titles are those of
// http-api.md 3.17, then ours.
type viewColumn struct {
	title string
	cell  func(viewRow) string
}

var viewColumns = []viewColumn{
	{"Job Name", func(r viewRow) string { return r.JobName }},
	{"Type", func(r viewRow) string { return r.Type }},
	{"Lag", func(r viewRow) string { return r.Lag }},
	{"Lag(Secs)", func(r viewRow) string { return r.LagSec }},
	{"Sync State", func(r viewRow) string { return r.SyncState }},
	{"Sub Sync State", func(r viewRow) string { return r.SubSyncState }},
	{"Last Fullsync Time", func(r viewRow) string { return r.LastFullSyncTime }},
	{"Last Fullsync Reason", func(r viewRow) string { return r.LastFullSyncReason }},
	{"Is Hostmapping", func(r viewRow) string { return r.IsHostMapping }},
	{"Other Args", func(r viewRow) string { return r.OtherArgs }},
	{"State", func(r viewRow) string { return r.State }},
	{"Error", func(r viewRow) string { return r.Error }},
	{"Last Event", func(r viewRow) string { return r.LastEvent }},
	{"Lag Observed At", func(r viewRow) string { return r.LagObservedAt }},
	{"Behind(Secs)", func(r viewRow) string { return r.BehindSecs }},
	{"Differences", func(r viewRow) string { return r.Differences }},
}

// viewTable writes aligned columns, one line a job.
func viewTable(c echo.Context, rows []viewRow) error {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	line := func(cell func(viewColumn) string) {
		for _, column := range viewColumns {
			fmt.Fprint(w, flat(cell(column)), "\t")
		}
		fmt.Fprintln(w)
	}
	line(func(column viewColumn) string { return column.title })
	for _, r := range rows {
		line(func(column viewColumn) string { return column.cell(r) })
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return viewText(c, out.String())
}

// viewRaw writes one line a value and a block a job, for grep.
func viewRaw(c echo.Context, rows []viewRow) error {
	var out strings.Builder
	for i, r := range rows {
		if i > 0 {
			out.WriteString("\n")
		}
		for _, column := range viewColumns {
			fmt.Fprintf(&out, "%s: %s\n", column.title, flat(column.cell(r)))
		}
	}
	return viewText(c, out.String())
}

func viewText(c echo.Context, text string) error {
	// Texts of jobs are in there: no browser is to guess that it is a page.
	c.Response().Header().Set("X-Content-Type-Options", "nosniff")
	return c.Blob(http.StatusOK, contentType, []byte(text))
}

// flat keeps a text on one line and in one cell, without what a terminal would obey.
func flat(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.C, r) }), " ")
}
