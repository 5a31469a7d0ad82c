package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// table has what was measured, in the order of the first measurement.
type table struct{ figures []*figure }

// figure is one thing that was measured of all contenders.
type figure struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
	// Contenders are in the order of the first round.
	Contenders []measured `json:"contenders"`
}

// measured is one figure of one contender.
type measured struct {
	Name   string    `json:"name"`
	Median float64   `json:"median"`
	Ratio  float64   `json:"ratio,omitempty"` // to the first contender; 0: there is none
	Values []float64 `json:"values"`          // of each round
}

func (t *table) add(name, unit, contender string, value float64) {
	i := slices.IndexFunc(t.figures, func(f *figure) bool { return f.Name == name })
	if i < 0 {
		i = len(t.figures)
		t.figures = append(t.figures, &figure{Name: name, Unit: unit})
	}
	f := t.figures[i]
	j := slices.IndexFunc(f.Contenders, func(m measured) bool { return m.Name == contender })
	if j < 0 {
		j = len(f.Contenders)
		f.Contenders = append(f.Contenders, measured{Name: contender})
	}
	f.Contenders[j].Values = append(f.Contenders[j].Values, value)
}

// finish works medians and ratios out.
func (t *table) finish() {
	for _, f := range t.figures {
		for i := range f.Contenders {
			m := &f.Contenders[i]
			m.Median = middle(m.Values)
			if first := f.Contenders[0].Median; i > 0 && first != 0 {
				m.Ratio = m.Median / first
			}
		}
	}
}

// middle is the median.
func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// write prints a table in Markdown: a row for each figure, with the ratios of the others
// to the first contender.
func (t *table) write(w io.Writer) error {
	t.finish()
	if len(t.figures) == 0 {
		return nil
	}
	head, rule := []string{""}, []string{"---"}
	contenders := t.figures[0].Contenders
	for i, c := range contenders {
		head, rule = append(head, c.Name), append(rule, "---:")
		if i > 0 {
			head, rule = append(head, c.Name+" / "+contenders[0].Name), append(rule, "---:")
		}
	}
	rows := [][]string{head, rule}
	for _, f := range t.figures {
		row := []string{f.Name}
		for i, c := range f.Contenders {
			row = append(row, strings.TrimSpace(short(c.Median)+" "+f.Unit))
			switch {
			case i > 0 && c.Ratio != 0:
				row = append(row, short(c.Ratio))
			case i > 0:
				row = append(row, "–")
			}
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |"); err != nil {
			return err
		}
	}
	return nil
}

// short prints three digits that count.
func short(v float64) string {
	if v >= 1000 || v <= -1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

func (t *table) writeJSON(w io.Writer) error {
	t.finish()
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(t.figures); err != nil {
		return fmt.Errorf("print the comparison: %w", err)
	}
	return nil
}
