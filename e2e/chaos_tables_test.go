package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// chaosTable is what the program knows of a table. All have id, v and n.
type chaosTable struct {
	model      string   // DUPLICATE, UNIQUE or AGGREGATE
	partitions []span   // nil: not partitioned
	light      []string // columns that were added lightly
}

// span is the partition of the ids from, included, to from+100.
type span struct {
	name string
	from int
}

// chaosNames are few, so that a name comes back for another table.
var chaosNames = []string{"t0", "t1", "t2", "t3", "t4", "t5"}

// pick chooses one of the tables that fit.
func (p *program) pick(fits func(*chaosTable) bool) (string, *chaosTable) {
	var names []string
	for _, name := range chaosNames { // in an order that a replay repeats
		if t := p.tables[name]; t != nil && fits(t) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	name := names[p.IntN(len(names))]
	return name, p.tables[name]
}

func anyTable(*chaosTable) bool      { return true }
func partitioned(t *chaosTable) bool { return len(t.partitions) > 0 }

// free is a name that no table has, "" if there is none.
func (p *program) free() string {
	at := p.IntN(len(chaosNames))
	for i := range chaosNames {
		if name := chaosNames[(at+i)%len(chaosNames)]; p.tables[name] == nil {
			return name
		}
	}
	return ""
}

func (p *program) next() int {
	p.serial++
	return p.serial
}

var errNoTables = errors.New("the program has lost all its tables")

func (p *program) create(ctx context.Context) error {
	name := p.free()
	if name == "" {
		return nil
	}
	t := &chaosTable{model: []string{"DUPLICATE", "UNIQUE", "AGGREGATE"}[p.IntN(3)]}
	columns := "id INT, v VARCHAR(40), n INT"
	if t.model == "AGGREGATE" {
		columns = "id INT, v VARCHAR(40) REPLACE, n INT SUM"
	}
	by := ""
	if p.IntN(2) == 0 {
		var all []string
		for i := range 3 {
			part := span{fmt.Sprintf("p%d", p.next()), i * 100}
			t.partitions = append(t.partitions, part)
			all = append(all, fmt.Sprintf("PARTITION %s %s", part.name, part.values()))
		}
		by = "PARTITION BY RANGE(id) (" + strings.Join(all, ", ") + ") "
	}
	ok, err := p.try(ctx, fmt.Sprintf("CREATE TABLE %s (%s) %s KEY(id) %sDISTRIBUTED BY HASH(id) BUCKETS %d %s", name, columns, t.model, by, 1+p.IntN(2), onePlace))
	if ok {
		p.tables[name] = t
	}
	return err
}

func (r span) values() string { return fmt.Sprintf(`VALUES [("%d"), ("%d"))`, r.from, r.from+100) }

// rowIn is a new row of the table, or of one of its partitions.
func (p *program) rowIn(t *chaosTable, part *span) string {
	id := p.IntN(100)
	switch {
	case part != nil:
		id += part.from
	case t.partitions != nil:
		id += t.partitions[p.IntN(len(t.partitions))].from
	}
	return fmt.Sprintf("(%d, 'value %d', %d)", id, p.next(), p.IntN(1000))
}

func (p *program) write(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.partitions == nil || partitioned(t) })
	if t == nil {
		if len(p.tables) == 0 {
			return p.create(ctx)
		}
		return errNoTables
	}
	var err error
	switch p.IntN(6) {
	case 0:
		of := ""
		at := p.IntN(100)
		if partitioned(t) {
			part := t.partitions[p.IntN(len(t.partitions))]
			of, at = " PARTITION "+part.name, at+part.from
		}
		_, err = p.try(ctx, fmt.Sprintf("DELETE FROM %s%s WHERE id < %d", name, of, at))
	case 1:
		if t.model == "UNIQUE" {
			_, err = p.try(ctx, fmt.Sprintf("UPDATE %s SET v = 'update %d' WHERE id > %d", name, p.next(), p.IntN(200)))
			break
		}
		fallthrough
	default:
		rows := []string{p.rowIn(t, nil)}
		for range p.IntN(4) {
			rows = append(rows, p.rowIn(t, nil))
		}
		_, err = p.try(ctx, fmt.Sprintf("INSERT INTO %s (id, v, n) VALUES %s", name, strings.Join(rows, ", ")))
	}
	return err
}

func (p *program) overwrite(ctx context.Context) error {
	name, t := p.pick(func(t *chaosTable) bool { return t.partitions == nil || partitioned(t) })
	if t == nil {
		return nil
	}
	if partitioned(t) && p.IntN(2) == 0 {
		part := t.partitions[p.IntN(len(t.partitions))]
		_, err := p.try(ctx, fmt.Sprintf("INSERT OVERWRITE TABLE %s PARTITION(%s) (id, v, n) VALUES %s", name, part.name, p.rowIn(t, &part)))
		return err
	}
	_, err := p.try(ctx, fmt.Sprintf("INSERT OVERWRITE TABLE %s (id, v, n) VALUES %s", name, p.rowIn(t, nil)))
	return err
}
