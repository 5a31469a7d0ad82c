package e2e

import (
	"context"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

// ingestFault is a rule of the destination, or of the source.
type ingestFault struct {
	source bool
	rule   faults.Rule
}

// ingestFaults are what can happen to ingests: at the destination's backends, or
// to the rows on their way from the source's.
var ingestFaults = []ingestFault{
	{rule: faults.Rule{Point: "be.ingest_binlog", Action: faults.Fail, Message: "failed by a random program"}},
	{rule: faults.Rule{Point: "be.ingest_binlog", Action: faults.DropBefore}},
	{rule: faults.Rule{Point: "be.ingest_binlog@1", Action: faults.Fail, Message: "failed by a random program"}},
	{rule: faults.Rule{Point: "be.ingest_binlog", Action: faults.Delay, DelayMillis: 400}},
	{rule: faults.Rule{Point: "be.ingest_binlog", Action: faults.DelayAfter, DelayMillis: 700}},
	{source: true, rule: faults.Rule{Point: "be.http.binlog", Action: faults.DropBefore}},
	{source: true, rule: faults.Rule{Point: "be.http.binlog", Action: faults.Delay, DelayMillis: 300}},
	{rule: faults.Rule{Point: "fe.commitTxn", Action: faults.DropAfter}},
	{rule: faults.Rule{Point: "fe.beginTxn", Action: faults.DropAfter}},
	{rule: faults.Rule{Point: "fe.rollbackTxn", Action: faults.DropBefore}},
}

// lostReplies leave it unknown whether an ingest was done. Whoever repeats it in the
// same transaction ingests twice.
var lostReplies = ingestFault{rule: faults.Rule{Point: "be.ingest_binlog", Action: faults.DropAfter}}

// failingIngests lets some ingests of the batch fail or take long, while the
// program writes a merge-on-write table whose loads have each key several times:
// there a second ingest into one transaction shows (doris-rpc.md 4.1).
func failingIngests(ctx context.Context, p *program) error {
	table, t := p.pickOf(func(_ string, t *chaosTable) bool {
		return t.model == mergeOnWrite && (t.sequence || t.hidden) && t.writable() && !t.busy
	})
	if name := p.free(); t == nil && name != "" {
		hidden := p.once(2)
		table, t = name, &chaosTable{model: mergeOnWrite, by: one(p, []string{"", byRange}), v: "v", n: "n", sequence: !hidden, hidden: hidden}
		if ok, err := p.createTable(ctx, name, t); !ok {
			return err
		}
	}
	if t == nil {
		return nil
	}
	for range 2 + p.IntN(3) {
		if err := p.failIngests(); err != nil {
			return err
		}
		for range 2 + p.IntN(4) {
			if p.tables[table] != t || !t.writable() {
				return nil // another statement has come between
			}
			if err := p.rewriteKeys(ctx, table, t); err != nil {
				return err
			}
		}
		if err := p.meanwhile(ctx, 2); err != nil {
			return err
		}
	}
	return nil
}

// failIngests switches a rule on that strikes a few times, whosever ingests they
// are.
func (p *program) failIngests() error {
	f := one(p, ingestFaults)
	if p.once(2) {
		f = lostReplies
	}
	f.rule.Skip, f.rule.Count, f.rule.MayNotStrike = p.IntN(4), 2+p.IntN(8), true // by chance
	side := p.pair.Destination
	if f.source {
		side = p.pair.Source
	}
	p.note(fmt.Sprintf("-- %d times, %s: %s", f.rule.Count, f.rule.Point, f.rule.Action))
	_, err := side.Faults().Add(f.rule)
	return err
}

// rewriteKeys writes few keys many times in one load, or deletes or updates some.
func (p *program) rewriteKeys(ctx context.Context, table string, t *chaosTable) error {
	var statement string
	switch kind := p.IntN(5); {
	case kind == 0:
		statement = p.deletion(table, t)
	case kind == 1 && t.updatable():
		statement = p.updating(table, t)
	default:
		from := 0
		if t.partitioned() {
			from = one(p, t.partitions).from
		}
		var rows []string
		for range 6 + p.IntN(10) {
			rows = append(rows, "("+p.valuesOf(t, from+p.IntN(5))+")")
		}
		statement = fmt.Sprintf("INSERT INTO %s %s VALUES %s", table, t.columns(), strings.Join(rows, ", "))
	}
	_, err := p.try(ctx, statement)
	return err
}
