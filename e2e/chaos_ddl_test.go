package e2e

import (
	"context"
	"fmt"
	"slices"
)

// The statements of a chaos program that change tables.

func (p *program) drop(ctx context.Context) error {
	if len(p.tables) < 3 {
		return p.create(ctx)
	}
	name, _ := p.pick(anyTable)
	ok, err := p.try(ctx, "DROP TABLE "+name+" FORCE")
	if ok {
		delete(p.tables, name)
	}
	return err
}

func (p *program) rename(ctx context.Context) error {
	to := p.free()
	name, t := p.pick(anyTable)
	if t == nil || to == "" {
		return nil
	}
	ok, err := p.try(ctx, "ALTER TABLE "+name+" RENAME "+to)
	if ok {
		delete(p.tables, name)
		p.tables[to] = t
	}
	return err
}

// two chooses two different tables, "" if there are none.
func (p *program) two() (string, string) {
	a, first := p.pick(anyTable)
	b, _ := p.pick(func(t *chaosTable) bool { return t != first })
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
	}
	return err
}

func (p *program) replace(ctx context.Context) error {
	a, b := p.two()
	if b == "" || len(p.tables) < 3 {
		return p.create(ctx)
	}
	ok, err := p.try(ctx, "ALTER TABLE "+a+" REPLACE WITH TABLE "+b+` PROPERTIES ("swap" = "false")`)
	if ok {
		p.tables[a] = p.tables[b]
		delete(p.tables, b)
	}
	return err
}

func (p *program) truncate(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	of := ""
	if partitioned(t) && p.IntN(2) == 0 {
		of = " PARTITION(" + t.partitions[p.IntN(len(t.partitions))].name + ")"
	}
	_, err := p.try(ctx, "TRUNCATE TABLE "+name+of)
	return err
}

func (p *program) addLight(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	column, aggregation := fmt.Sprintf("c%d", p.next()), ""
	if t.model == "AGGREGATE" {
		aggregation = " MAX"
	}
	ok, err := p.try(ctx, fmt.Sprintf(`ALTER TABLE %s ADD COLUMN %s INT%s DEFAULT "%d"`, name, column, aggregation, p.IntN(10)))
	if ok {
		t.light = append(t.light, column)
	}
	return err
}

func hasLight(t *chaosTable) bool { return len(t.light) > 0 }

func (p *program) dropLight(ctx context.Context) error {
	name, t := p.pick(hasLight)
	if t == nil {
		return p.addLight(ctx)
	}
	at := p.IntN(len(t.light))
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", name, t.light[at]))
	if ok {
		t.light = slices.Delete(t.light, at, at+1)
	}
	return err
}

func (p *program) renameLight(ctx context.Context) error {
	name, t := p.pick(hasLight)
	if t == nil {
		return p.addLight(ctx)
	}
	at, to := p.IntN(len(t.light)), fmt.Sprintf("c%d", p.next())
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s %s", name, t.light[at], to))
	if ok {
		t.light[at] = to
	}
	return err
}

// heavy rewrites a table. The source is given time to end it: it refuses other
// changes of the table meanwhile.
func (p *program) heavy(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	statement := fmt.Sprintf(`ALTER TABLE %s ADD COLUMN k%d INT KEY DEFAULT "0" AFTER id`, name, p.next())
	if t.model == "DUPLICATE" && p.IntN(2) == 0 {
		statement = fmt.Sprintf(`ALTER TABLE %s MODIFY COLUMN v VARCHAR(%d)`, name, 100+p.next())
	}
	if ok, err := p.try(ctx, statement); !ok {
		return err
	}
	return altered(ctx, p.scene)
}

func (p *program) addPartition(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	part := span{fmt.Sprintf("p%d", p.next()), 0}
	for _, other := range t.partitions {
		part.from = max(part.from, other.from+100)
	}
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s ADD PARTITION %s %s", name, part.name, part.values()))
	if ok {
		t.partitions = append(t.partitions, part)
	}
	return err
}

func (p *program) dropPartition(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return len(t.partitions) > 1 })
	if t == nil {
		return nil
	}
	at := p.IntN(len(t.partitions))
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s DROP PARTITION %s FORCE", name, t.partitions[at].name))
	if ok {
		t.partitions = slices.Delete(t.partitions, at, at+1)
	}
	return err
}

func (p *program) replacePartition(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	part, temporary := t.partitions[p.IntN(len(t.partitions))], fmt.Sprintf("temporary%d", p.next())
	_, err := p.try(ctx,
		fmt.Sprintf("ALTER TABLE %s ADD TEMPORARY PARTITION %s %s", name, temporary, part.values()),
		fmt.Sprintf("INSERT INTO %s TEMPORARY PARTITION(%s) (id, v, n) VALUES %s", name, temporary, p.rowIn(t, &part)),
		fmt.Sprintf("ALTER TABLE %s REPLACE PARTITION (%s) WITH TEMPORARY PARTITION (%s)", name, part.name, temporary))
	return err
}

func (p *program) renamePartition(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	at, to := p.IntN(len(t.partitions)), fmt.Sprintf("p%d", p.next())
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s RENAME PARTITION %s %s", name, t.partitions[at].name, to))
	if ok {
		t.partitions[at].name = to
	}
	return err
}
