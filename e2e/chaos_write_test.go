package e2e

import (
	"context"
	"fmt"
	"strings"
)

// The statements of a chaos program about rows. Tables that are being altered
// take rows as well.

// columns are those that a row of rowIn has values for.
func (t *chaosTable) columns() string {
	names := fmt.Sprintf("id, %s, %s", t.v, t.n)
	if t.by == byAutoRange {
		names = "d, " + names
	}
	if t.hidden {
		names += ", __DORIS_SEQUENCE_COL__"
	}
	return "(" + names + ")"
}

// rowIn is a new row of the table, or of one of its partitions.
func (p *program) rowIn(t *chaosTable, part *span) string {
	return "(" + p.valuesIn(t, part) + ")"
}

func (p *program) valuesIn(t *chaosTable, part *span) string {
	if part == nil && t.partitioned() {
		chosen := one(p, t.partitions)
		part = &chosen
	}
	id, day := p.IntN(100), ""
	switch t.by {
	case byList, byAutoList:
		id = p.IntN(5)
	case byAutoRange:
		day = fmt.Sprintf("'2026-01-0%d 10:00:00', ", 1+p.IntN(4))
	}
	if part != nil {
		id += part.from
	}
	return day + p.valuesOf(t, id)
}

// valuesOf are those of a row with an id, without a day.
func (p *program) valuesOf(t *chaosTable, id int) string {
	values := fmt.Sprintf("%d, 'value %d', %d", id, p.next(), p.IntN(1000))
	if t.hidden {
		values += fmt.Sprintf(", %d", p.IntN(1000))
	}
	return values
}

func (p *program) written() (string, *chaosTable) {
	return p.pickOf(func(_ string, t *chaosTable) bool { return t.writable() })
}

func (p *program) insert(ctx context.Context) error {
	name, t := p.written()
	if t == nil {
		return p.create(ctx)
	}
	rows := []string{p.rowIn(t, nil)}
	for range p.IntN(4) {
		rows = append(rows, p.rowIn(t, nil))
	}
	_, err := p.try(ctx, fmt.Sprintf("INSERT INTO %s %s VALUES %s", name, t.columns(), strings.Join(rows, ", ")))
	return err
}

// burst is many small transactions in a row.
func (p *program) burst(ctx context.Context) error {
	for range 10 + p.IntN(20) {
		if err := p.insert(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) deleteRows(ctx context.Context) error {
	name, t := p.written()
	if t == nil {
		return nil
	}
	_, err := p.try(ctx, p.deletion(name, t))
	return err
}

func (p *program) deletion(name string, t *chaosTable) string {
	of, at := "", p.IntN(100)
	if t.partitioned() && p.once(2) {
		part := one(p, t.partitions)
		of, at = " PARTITION "+part.name, at+part.from
	}
	return fmt.Sprintf("DELETE FROM %s%s WHERE id %s %d", name, of, one(p, []string{"<", ">=", "="}), at)
}

func (p *program) update(ctx context.Context) error {
	name, t := p.pickOf(func(_ string, t *chaosTable) bool { return t.updatable() })
	if t == nil {
		return p.insert(ctx)
	}
	_, err := p.try(ctx, p.updating(name, t))
	return err
}

// updatable tables take an UPDATE, which names no hidden column.
func (t *chaosTable) updatable() bool { return t.unique() && t.writable() && !t.hidden }

func (p *program) updating(name string, t *chaosTable) string {
	return fmt.Sprintf("UPDATE %s SET %s = 'update %d' WHERE id > %d", name, t.v, p.next(), p.IntN(200))
}

// partialUpdate writes some columns of rows only.
func (p *program) partialUpdate(ctx context.Context) error {
	name, t := p.pickOf(func(_ string, t *chaosTable) bool {
		return t.model == mergeOnWrite && t.writable() && t.by != byAutoRange && len(t.keys) == 0 && !t.sequence && !t.hidden
	})
	if t == nil {
		return p.update(ctx)
	}
	id := p.IntN(5)
	if t.partitioned() {
		id += one(p, t.partitions).from
	}
	_, err := p.session(ctx, "SET enable_unique_key_partial_update = true", "SET enable_insert_strict = false",
		fmt.Sprintf("INSERT INTO %s (id, %s) VALUES (%d, %d), (%d, %d)", name, t.n, id, p.next(), id, p.next()))
	return err
}

// overwrite is INSERT OVERWRITE of a table or of a partition.
func (p *program) overwrite(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.writable() })
	if t == nil {
		return nil
	}
	of, part := "", (*span)(nil)
	if t.partitioned() && p.once(2) {
		chosen := one(p, t.partitions)
		of, part = " PARTITION("+chosen.name+")", &chosen
	}
	_, err := p.try(ctx, fmt.Sprintf("INSERT OVERWRITE TABLE %s%s %s VALUES %s", name, of, t.columns(), p.rowIn(t, part)))
	return err
}

// transaction changes several tables at once.
func (p *program) transaction(ctx context.Context) error {
	statements := []string{"BEGIN"}
	for range 2 + p.IntN(3) {
		name, t := p.written()
		if t == nil {
			return nil
		}
		switch {
		case t.updatable() && p.once(3):
			statements = append(statements, p.updating(name, t))
		case p.once(4):
			statements = append(statements, p.deletion(name, t))
		default:
			statements = append(statements, fmt.Sprintf("INSERT INTO %s %s SELECT %s", name, t.columns(), p.valuesIn(t, nil)))
		}
	}
	end := "COMMIT"
	if p.once(6) {
		end = "ROLLBACK"
	}
	_, err := p.session(ctx, append(statements, end)...)
	return err
}

// copyRows is INSERT INTO ... SELECT into a table that takes every id.
func (p *program) copyRows(ctx context.Context) error {
	to, t := p.pickOf(func(_ string, t *chaosTable) bool { return t.by == "" && !t.hidden })
	from, f := p.pickOf(func(_ string, f *chaosTable) bool { return f != t })
	if t == nil || f == nil {
		return p.insert(ctx)
	}
	_, err := p.try(ctx, fmt.Sprintf("INSERT INTO %s %s SELECT id, %s, %s FROM %s WHERE id < %d", to, t.columns(), f.v, f.n, from, p.IntN(300)))
	return err
}
