package e2e

import (
	"context"
	"fmt"
	"strings"
)

// The statements of a chaos program about tables as a whole.

func (p *program) create(ctx context.Context) error {
	name := p.free()
	if name == "" {
		return nil
	}
	return p.createAs(ctx, name)
}

func (p *program) createAs(ctx context.Context, name string) error {
	t := &chaosTable{model: one(p, chaosModels), by: one(p, chaosPartitionings), v: "v", n: "n"}
	t.sequence = t.unique() && p.once(4)
	t.hidden = t.unique() && !t.sequence && p.kinds.IntN(6) == 0
	t.twice = p.kinds.IntN(5) == 0
	_, err := p.createTable(ctx, name, t)
	return err
}

// createTable creates a table of a model, with what else it may have.
func (p *program) createTable(ctx context.Context, name string, t *chaosTable) (bool, error) {
	id, keys := "id INT", "id"
	switch {
	case t.by == byAutoRange:
		id, keys = "d DATETIME NOT NULL, id INT", "d, id"
	case t.by == byList || t.by == byAutoList:
		id = "id INT NOT NULL"
	}
	columns := []string{id, "v VARCHAR(40)", "n INT"}
	if t.model == aggregate {
		columns = []string{id, "v VARCHAR(40) REPLACE", "n INT SUM"}
	}
	properties := []string{`"replication_num" = "1"`}
	if t.twice {
		properties[0] = `"replication_num" = "2"`
	}
	switch t.model {
	case mergeOnWrite:
		properties = append(properties, `"enable_unique_key_merge_on_write" = "true"`)
	case mergeOnRead:
		properties = append(properties, `"enable_unique_key_merge_on_write" = "false"`)
	}
	switch {
	case t.sequence:
		properties = append(properties, `"function_column.sequence_col" = "n"`)
	case t.hidden:
		properties = append(properties, `"function_column.sequence_type" = "int"`)
	}
	if t.model != aggregate && p.once(10) {
		index := p.name("idx")
		t.indexes = append(t.indexes, index)
		columns = append(columns, "INDEX "+index+" (v) USING INVERTED")
	}
	comment := ""
	if p.once(4) {
		comment = fmt.Sprintf(` COMMENT "it's \"table\" %d"`, p.next())
	}
	statement := fmt.Sprintf("CREATE TABLE %s (%s) %s KEY(%s)%s %sDISTRIBUTED BY %s PROPERTIES (%s)", name, strings.Join(columns, ", "),
		strings.Fields(t.model)[0], keys, comment, p.partitioning(t), p.distribution(t), strings.Join(properties, ", "))
	ok, err := p.try(ctx, statement)
	if ok {
		p.tables[name] = t
	}
	return ok, err
}

// partitioning draws the partitions of a new table.
func (p *program) partitioning(t *chaosTable) string {
	switch t.by {
	case byRange, byList:
		var all []string
		for i := range 3 {
			part := span{p.name("p"), i * 100}
			t.partitions = append(t.partitions, part)
			all = append(all, fmt.Sprintf("PARTITION %s %s", part.name, t.values(part)))
		}
		return fmt.Sprintf("PARTITION BY %s(id) (%s) ", t.by, strings.Join(all, ", "))
	case byAutoList:
		return "AUTO PARTITION BY LIST (id) () "
	case byAutoRange:
		return "AUTO PARTITION BY RANGE (date_trunc(d, 'day')) () "
	}
	return ""
}

func (p *program) distribution(t *chaosTable) string {
	switch {
	case t.model == duplicate && p.once(6):
		return "RANDOM BUCKETS 2"
	case p.once(8):
		return "HASH(id) BUCKETS AUTO"
	}
	return fmt.Sprintf("HASH(id) BUCKETS %d", 1+p.IntN(3))
}

// createFrom is CREATE TABLE AS SELECT.
func (p *program) createFrom(ctx context.Context) error {
	name := p.free()
	_, from := p.pick(anyTable)
	source, _ := p.pickOf(func(_ string, t *chaosTable) bool { return t == from })
	if name == "" || from == nil {
		return nil
	}
	ok, err := p.try(ctx, fmt.Sprintf("CREATE TABLE %s %s AS SELECT id, %s AS v, %s AS n FROM %s", name, onePlace, from.v, from.n, source))
	if ok {
		p.tables[name] = &chaosTable{model: duplicate, v: "v", n: "n"}
	}
	return err
}

// movable tables may lose their name: not the one that a table job follows.
func (p *program) movable(name string, t *chaosTable) bool { return !t.busy && name != p.followed }

func (p *program) drop(ctx context.Context) error {
	if len(p.tables) < 4 {
		return p.create(ctx)
	}
	name, t := p.pickOf(p.movable)
	if t == nil {
		return nil
	}
	force := ""
	if p.once(2) || p.unrecorded { // what is recovered later has to record
		force = " FORCE"
	}
	ok, err := p.try(ctx, "DROP TABLE "+name+force)
	if ok {
		delete(p.tables, name)
		p.leaves(name)
		if force == "" {
			p.bin = append(p.bin, binned{name, t.clone()})
		}
	}
	return err
}

// recoverTable takes a table out of the recycle bin. Of several of one name
// Doris takes the one that was dropped last.
func (p *program) recoverTable(ctx context.Context) error {
	if len(p.bin) == 0 {
		return p.drop(ctx)
	}
	at := p.IntN(len(p.bin))
	for later := at + 1; later < len(p.bin); later++ {
		if p.bin[later].name == p.bin[at].name {
			at = later
		}
	}
	from, to, as := p.bin[at], p.bin[at].name, ""
	if p.tables[to] != nil || p.once(3) {
		if to = p.free(); to == "" {
			return nil
		}
		as = " AS " + to
	}
	ok, err := p.try(ctx, "RECOVER TABLE "+from.name+as)
	p.bin = append(p.bin[:at:at], p.bin[at+1:]...) // found or not: not again
	if ok {
		p.tables[to] = from.table
	}
	return err
}

// unfound tells whether the table is one that a table job has yet to find: it
// knows only a name until its first snapshot, and whoever has that name is it.
func (p *program) unfound(name string) bool { return name == p.followed && name != "" && !p.settled }

// rename gives the table that a table job follows names that no other has:
// whoever takes its old name would be followed in its place.
func (p *program) rename(ctx context.Context) error {
	to := p.free()
	name, t := p.pick(anyTable)
	if name == p.followed && name != "" {
		to = p.name("f")
	}
	if t == nil || to == "" || p.unfound(name) {
		return nil
	}
	ok, err := p.try(ctx, "ALTER TABLE "+name+" RENAME "+to)
	if ok {
		delete(p.tables, name)
		p.tables[to] = t
		if name == p.followed {
			p.followed = to
		}
	}
	return err
}

// two chooses two different tables, "" if there are none. The second one may
// lose its name.
func (p *program) two() (string, string) {
	b, second := p.pickOf(p.movable)
	a, _ := p.pick(func(t *chaosTable) bool { return t != second })
	if a == "" || b == "" || p.unfound(a) {
		return "", ""
	}
	return a, b
}

func (p *program) swap(ctx context.Context) error {
	a, b := p.two()
	if b == "" {
		return nil
	}
	ok, err := p.try(ctx, "ALTER TABLE "+a+" REPLACE WITH TABLE "+b+` PROPERTIES ("swap" = "true")`)
	if ok {
		p.tables[a], p.tables[b] = p.tables[b], p.tables[a]
		p.replaced(a)
	}
	return err
}

func (p *program) replace(ctx context.Context) error {
	a, b := p.two()
	if b == "" || len(p.tables) < 4 || p.unrecorded {
		return p.create(ctx)
	}
	ok, err := p.try(ctx, "ALTER TABLE "+a+" REPLACE WITH TABLE "+b+` PROPERTIES ("swap" = "false")`)
	if ok {
		p.bin = append(p.bin, binned{a, p.tables[a].clone()})
		p.tables[a] = p.tables[b]
		delete(p.tables, b)
		p.replaced(a)
	}
	return err
}

// replaced notes what allows a table job a full sync: another table has the
// name that it follows (doris-binlogs.md 2.20).
func (p *program) replaced(name string) {
	if name == p.followed {
		p.replacements++
	}
}

func (p *program) truncate(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	of := ""
	if t.partitioned() && p.once(2) {
		of = " PARTITION(" + one(p, t.partitions).name + ")"
	}
	_, err := p.try(ctx, "TRUNCATE TABLE "+name+of)
	return err
}

func (p *program) comment(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	what := "MODIFY COMMENT"
	if p.once(2) {
		what = "MODIFY COLUMN " + t.v + " COMMENT"
	}
	_, err := p.try(ctx, fmt.Sprintf(`ALTER TABLE %s %s "say \"%d\", it's"`, name, what, p.next()))
	return err
}

func (p *program) property(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	property := one(p, []string{
		`"disable_auto_compaction" = "true"`, `"disable_auto_compaction" = "false"`,
		fmt.Sprintf(`"binlog.ttl_seconds" = "%d"`, 86400+p.next()), fmt.Sprintf(`"group_commit_interval_ms" = "%d"`, 1000+p.next()),
	})
	_, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s SET (%s)", name, property))
	return err
}

func (p *program) buckets(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.partitioned() })
	if t == nil {
		return nil
	}
	_, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s MODIFY DISTRIBUTION DISTRIBUTED BY HASH(id) BUCKETS %d", name, 1+p.IntN(4)))
	return err
}
