package console

import (
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// linePoints is how many points the small picture of the last hour has.
const linePoints = 40

// sparkline is a small picture of the last hour: it needs no script.
type sparkline struct {
	// Path is that of an SVG in a box of 100 by 20; "" = nothing is known.
	Path string
	Most int64
}

// newSparkline draws values of which -1 is unknown.
func newSparkline(values []int64) sparkline {
	var most int64
	known := 0
	for _, v := range values {
		most = max(most, v)
		if v >= 0 {
			known++
		}
	}
	var path strings.Builder
	pen := "M"
	for i, v := range values {
		if v < 0 {
			pen = "M"
			continue
		}
		x := 100 * float64(i) / float64(max(len(values)-1, 1))
		y := 19 - 18*float64(v)/float64(max(most, 1))
		if known == 1 { // a short line: a dot by itself looks like dirt
			fmt.Fprintf(&path, "M%.1f %.1fh-5", max(x, 5), y)
			break
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", pen, x, y)
		if pen == "M" {
			path.WriteString("h.01") // a single point is seen, too
		}
		pen = "L"
	}
	return sparkline{Path: path.String(), Most: most}
}

// chart is a picture of the last hour of one job. Its values are drawn by script; without, there is the line.
type chart struct {
	Title  string
	Kind   string // "count", "seconds" or "rate"
	Values []float64
	Line   sparkline
	Last   string
}

// newCharts are the pictures of a job; none if nothing is known of its last hour.
func newCharts(l lang, s job.Samples) []chart {
	if len(s.Lag) == 0 {
		return nil
	}
	floats := func(values []int64) []float64 {
		list := make([]float64, len(values))
		for i, v := range values {
			list[i] = float64(v)
		}
		return list
	}
	rates, line := loadRates(s.Applied)
	return []chart{
		{Title: l.text("Time behind"), Kind: "seconds", Values: floats(s.Behind), Line: newSparkline(s.Behind)},
		{Title: l.text("Binlogs behind"), Kind: "count", Values: floats(s.Lag), Line: newSparkline(s.Lag)},
		{Title: l.text("Loads applied a second"), Kind: "rate", Values: rates, Line: newSparkline(line)},
	}
}

// loadRates are loads a second from how many were applied by each point, -1 where that is not known. The
// second result has them in loads a minute.
func loadRates(applied []int64) (rates []float64, perMinute []int64) {
	every := job.SampleEvery.Seconds() * job.SamplesKept / float64(max(len(applied), 1))
	for i, n := range applied {
		rates, perMinute = append(rates, -1), append(perMinute, -1)
		if i == 0 || n < 0 || applied[i-1] < 0 || n < applied[i-1] {
			continue
		}
		rate := float64(n-applied[i-1]) / every
		rates[i], perMinute[i] = float64(int64(rate*100+.5))/100, int64(rate*60+.5)
	}
	return rates, perMinute
}
