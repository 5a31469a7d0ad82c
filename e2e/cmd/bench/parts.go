package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// part is one section of the way of a row, by the clock that the simulated clusters and
// the benchmark share.
type part struct {
	name string
	took func(row) time.Duration
}

// row is when a row passed the stations of its way.
type row struct {
	visible                      time.Time // on the source
	begun, committed, there, met time.Time // on the destination, and by the benchmark
}

// rowParts are the sections, in order.
var rowParts = []part{
	{"until begun (poll, begin)", func(r row) time.Duration { return r.begun.Sub(r.visible) }},
	{"until committed (ingest, commit)", func(r row) time.Duration { return r.committed.Sub(r.begun) }},
	{"until visible (publish)", func(r row) time.Duration { return r.there.Sub(r.committed) }},
	{"until seen", func(r row) time.Duration { return r.met.Sub(r.there) }},
}

// printParts prints where the time goes: of the median of each section, and for each of
// the slowest rows. The clusters' own transactions tell it.
func (b *bench) printParts(sources, destinations []core.Txn, seen []time.Time) {
	rows := rowsOf(sources, destinations, seen)
	if len(rows) == 0 {
		return
	}
	fmt.Printf("    %-34s %10s %10s %10s   slowest rows\n", "", "p50", "p90", "p99")
	slowest := slices.Clone(rows)
	slices.SortFunc(slowest, func(a, b row) int { return int(b.met.Sub(b.visible) - a.met.Sub(a.visible)) })
	slowest = slowest[:min(6, len(slowest))]
	for _, p := range rowParts {
		var all []time.Duration
		for _, r := range rows {
			all = append(all, p.took(r))
		}
		slices.Sort(all)
		var worst []string
		for _, r := range slowest {
			worst = append(worst, rounded(p.took(r)).String())
		}
		fmt.Printf("    %-34s %10s %10s %10s   %s\n", p.name, rounded(median(all)), rounded(percentile(all, 90)), rounded(percentile(all, 99)), strings.Join(worst, " "))
	}
	var when []string
	for _, r := range slowest {
		when = append(when, fmt.Sprintf("row %d", slices.IndexFunc(rows, func(o row) bool { return o.visible.Equal(r.visible) })))
	}
	fmt.Printf("    %s\n", strings.Join(when, ", "))
}

// rowsOf matches the transactions of both sides, one each and in the same order. None, if
// they do not match: some have shared a transaction.
func rowsOf(sources, destinations []core.Txn, seen []time.Time) (rows []row) {
	if len(sources) != len(seen) || len(destinations) != len(seen) {
		return nil
	}
	slices.SortFunc(sources, func(a, b core.Txn) int { return a.FinishTime.Compare(b.FinishTime) })
	for i, d := range destinations {
		rows = append(rows, row{visible: sources[i].FinishTime, begun: d.PrepareTime, committed: d.CommitTime, there: d.FinishTime, met: seen[i]})
	}
	return rows
}

// transactions are those of a cluster's database d that came after an id.
func transactions(c *core.Core, after int64) (later []core.Txn) {
	db, found := c.Database("d")
	if !found {
		return nil
	}
	for _, t := range c.Txns(db.ID) {
		if t.ID > after && t.State == core.TxnVisible {
			later = append(later, t)
		}
	}
	return later
}

// newestTxn is the id of the newest transaction of a cluster's database d.
func newestTxn(c *core.Core) int64 {
	all := transactions(c, 0)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].ID
}
