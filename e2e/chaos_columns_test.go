package e2e

import (
	"context"
	"fmt"
	"slices"
)

// The statements of a chaos program about columns, indexes, rollups and views.

func (p *program) addLight(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	column, aggregation := p.name("c"), ""
	if t.model == aggregate {
		aggregation = " MAX"
	}
	definition := one(p, []string{
		fmt.Sprintf(`INT%s DEFAULT "%d"`, aggregation, p.IntN(10)),
		fmt.Sprintf(`VARCHAR(20)%s DEFAULT "it's"`, aggregation),
		fmt.Sprintf(`BIGINT%s`, aggregation),
		fmt.Sprintf(`INT%s NOT NULL DEFAULT "7" COMMENT "a 'comment'"`, aggregation),
	})
	if p.once(3) {
		definition += " AFTER " + t.v
	}
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", name, column, definition))
	if ok {
		t.light = append(t.light, column)
	}
	return err
}

func (p *program) dropLight(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return len(t.light) > 0 })
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

func (p *program) renameColumn(ctx context.Context) error {
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	columns := []*string{&t.v, &t.n}
	for i := range t.light {
		columns = append(columns, &t.light[i])
	}
	for i := range t.keys {
		columns = append(columns, &t.keys[i])
	}
	column, to := one(p, columns), p.name("r")
	ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s %s", name, *column, to))
	if ok {
		*column = to
	}
	return err
}

// heavy starts a job that rewrites a table. Other things go on meanwhile, then
// the job is waited for: the source refuses other changes of the table until it
// has ended.
func (p *program) heavy(ctx context.Context) error {
	if p.altering {
		return p.insert(ctx)
	}
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	statement, done := p.rewrite(name, t)
	return p.alter(ctx, t, statement, done)
}

// alter runs a statement that starts an ALTER job, and waits for its end.
func (p *program) alter(ctx context.Context, t *chaosTable, statement string, done func()) error {
	ok, err := p.try(ctx, statement)
	if !ok {
		return err
	}
	t.busy, p.altering = true, true
	defer func() { t.busy, p.altering = false, false }()
	for range p.IntN(5) {
		if err := p.statement(ctx); err != nil {
			return err
		}
	}
	if p.once(8) {
		if name, _ := p.pickOf(func(name string, other *chaosTable) bool { return other == t && name != p.followed }); name != "" {
			if ok, err := p.try(ctx, "DROP TABLE "+name+" FORCE"); ok || err != nil {
				delete(p.tables, name)
				p.leaves(name)
				return err
			}
		}
	}
	p.note("-- altered")
	done()
	return altered(ctx, p.scene)
}

// rewrite makes up a heavy schema change.
func (p *program) rewrite(name string, t *chaosTable) (statement string, done func()) {
	change := func(text string, done func()) (string, func()) { return "ALTER TABLE " + name + " " + text, done }
	nothing := func() {}
	switch p.IntN(8) {
	case 0:
		if t.model == duplicate {
			return change(fmt.Sprintf("MODIFY COLUMN %s VARCHAR(%d)", t.v, 100+p.next()), nothing)
		}
	case 1:
		if t.model != aggregate && !t.sequence {
			return change("MODIFY COLUMN "+t.n+" BIGINT", nothing)
		}
	case 2:
		if t.model == duplicate && len(t.keys) > 0 {
			key := drawn(p, &t.keys)
			return change("DROP COLUMN "+key, nothing)
		}
	case 3:
		return change(fmt.Sprintf(`SET ("bloom_filter_columns" = "%s")`, one(p, []string{"id", ""})), nothing)
	case 4:
		if t.model != aggregate && len(t.ngrams) == 0 {
			index := p.name("ngram")
			return change(fmt.Sprintf(`ADD INDEX %s (%s) USING NGRAM_BF PROPERTIES("gram_size" = "3", "bf_size" = "256")`, index, t.v),
				func() { t.ngrams = append(t.ngrams, index) })
		}
		if len(t.ngrams) > 0 {
			return change("DROP INDEX "+drawn(p, &t.ngrams), nothing)
		}
	}
	key := p.name("k")
	return change(fmt.Sprintf(`ADD COLUMN %s INT KEY DEFAULT "0" AFTER id`, key), func() { t.keys = append(t.keys, key) })
}

// index adds, builds or drops an inverted index.
func (p *program) index(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.model != aggregate })
	if t == nil {
		return nil
	}
	switch {
	case len(t.indexes) == 0:
		index := p.name("idx")
		ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s ADD INDEX %s (%s) USING INVERTED", name, index, t.v))
		if ok {
			t.indexes = append(t.indexes, index)
		}
		return err
	case p.once(2):
		if _, err := p.try(ctx, fmt.Sprintf("BUILD INDEX %s ON %s", t.indexes[0], name)); err != nil {
			return err
		}
		return altered(ctx, p.scene)
	}
	_, err := p.try(ctx, fmt.Sprintf("DROP INDEX %s ON %s", drawn(p, &t.indexes), name))
	if err != nil {
		return err
	}
	return altered(ctx, p.scene)
}

// rollup adds, renames or drops a rollup or a synchronous materialized view.
func (p *program) rollup(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.model == duplicate || t.model == aggregate })
	switch {
	case t == nil || p.altering:
		return p.insert(ctx)
	case len(t.rollups) > 0 && p.once(2):
		at, to := p.IntN(len(t.rollups)), p.name("rollup")
		ok, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s RENAME ROLLUP %s %s", name, t.rollups[at], to))
		if ok {
			t.rollups[at] = to
		}
		return err
	case len(t.rollups) > 0:
		_, err := p.try(ctx, fmt.Sprintf("ALTER TABLE %s DROP ROLLUP %s", name, drawn(p, &t.rollups)))
		return err
	case len(t.views) > 0:
		_, err := p.try(ctx, fmt.Sprintf("DROP MATERIALIZED VIEW %s ON %s", drawn(p, &t.views), name))
		return err
	case t.model == duplicate && p.once(2):
		view := p.name("mv")
		return p.alter(ctx, t, fmt.Sprintf("CREATE MATERIALIZED VIEW %s AS SELECT %s, id FROM %s", view, t.v, name), func() { t.views = append(t.views, view) })
	}
	rollup, columns := p.name("rollup"), t.v+", id"
	if t.model == aggregate {
		columns = "id, " + t.n
	}
	return p.alter(ctx, t, fmt.Sprintf("ALTER TABLE %s ADD ROLLUP %s (%s)", name, rollup, columns), func() { t.rollups = append(t.rollups, rollup) })
}

var chaosViews = []string{"w0", "w1"}

// view creates, alters or drops a view. One whose table goes away stays, broken.
func (p *program) view(ctx context.Context) error {
	view := one(p, chaosViews)
	name, t := p.pick(anyTable)
	if t == nil {
		return nil
	}
	body := fmt.Sprintf("SELECT id, %s FROM %s WHERE id < %d", one(p, []string{t.v, t.n}), name, p.IntN(300))
	switch {
	case !p.views[view]:
		ok, err := p.try(ctx, "CREATE VIEW "+view+" AS "+body)
		p.views[view] = ok
		return err
	case p.once(3):
		ok, err := p.try(ctx, "DROP VIEW "+view)
		p.views[view] = !ok
		if ok {
			p.leaves(view)
		}
		return err
	}
	_, err := p.try(ctx, "ALTER VIEW "+view+" AS "+body)
	return err
}
