package e2e

import (
	"context"
	"fmt"
)

// The statements of a chaos program about partitions.

func partitioned(t *chaosTable) bool { return t.partitioned() }

func (p *program) addPartition(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.by == byRange || t.by == byList })
	if t == nil {
		return nil
	}
	part := span{p.name("p"), 0}
	for _, others := range [][]span{t.partitions, t.dropped} {
		for _, other := range others {
			part.from = max(part.from, other.from+100)
		}
	}
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s ADD PARTITION %s %s", name, part.name, t.values(part)))
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
	force := p.once(2)
	part := drawn(p, &t.partitions)
	statement := fmt.Sprintf("ALTER TABLE %s DROP PARTITION %s", name, part.name)
	if force {
		statement += " FORCE"
	} else {
		t.dropped = append(t.dropped, part)
	}
	_, err := p.try(ctx, statement)
	return err
}

func (p *program) recoverPartition(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return len(t.dropped) > 0 })
	if t == nil {
		return p.dropPartition(ctx)
	}
	part, as := drawn(p, &t.dropped), ""
	from := part.name
	if p.once(2) {
		part.name = p.name("p")
		as = " AS " + part.name
	}
	ok, err := p.try(ctx, fmt.Sprintf("RECOVER PARTITION %s%s FROM %s", from, as, name))
	if ok {
		t.partitions = append(t.partitions, part)
	}
	return err
}

func (p *program) replacePartition(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	at, temporary := p.IntN(len(t.partitions)), p.name("temporary")
	part, properties, rename := t.partitions[at], "", p.once(4)
	if rename {
		properties = ` PROPERTIES ("use_temp_partition_name" = "true")`
	}
	steps := []string{fmt.Sprintf("ALTER TABLE %s ADD TEMPORARY PARTITION %s %s", name, temporary, t.values(part))}
	if p.once(2) {
		steps = append(steps, fmt.Sprintf("INSERT INTO %s TEMPORARY PARTITION(%s) %s VALUES %s", name, temporary, t.columns(), p.rowIn(t, &part)))
	}
	steps = append(steps, fmt.Sprintf("ALTER TABLE %s REPLACE PARTITION (%s) WITH TEMPORARY PARTITION (%s)%s", name, part.name, temporary, properties))
	ok, err := p.try(ctx, steps...)
	switch {
	case ok && rename:
		t.partitions[at].name = temporary
	case !ok && err == nil: // Doris makes no backup of a table with a temporary partition
		_, err = p.try(ctx, fmt.Sprintf("ALTER TABLE %s DROP TEMPORARY PARTITION IF EXISTS %s", name, temporary))
	}
	return err
}

// spoil leaves a temporary partition behind that comes to nothing.
func (p *program) spoil(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	part, temporary := one(p, t.partitions), p.name("temporary")
	_, err := p.try(ctx,
		fmt.Sprintf("ALTER TABLE %s ADD TEMPORARY PARTITION %s %s", name, temporary, t.values(part)),
		fmt.Sprintf("INSERT INTO %s TEMPORARY PARTITION(%s) %s VALUES %s", name, temporary, t.columns(), p.rowIn(t, &part)))
	if err != nil {
		return err
	}
	_, err = p.try(ctx, fmt.Sprintf("ALTER TABLE %s DROP TEMPORARY PARTITION IF EXISTS %s", name, temporary))
	return err
}

func (p *program) renamePartition(ctx context.Context) error {
	name, t := p.pick(partitioned)
	if t == nil {
		return nil
	}
	at, to := p.IntN(len(t.partitions)), p.name("p")
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s RENAME PARTITION %s %s", name, t.partitions[at].name, to))
	if ok {
		t.partitions[at].name = to
	}
	return err
}
