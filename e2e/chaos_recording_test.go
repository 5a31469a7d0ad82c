package e2e

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// unrecorded switches the binlogs of the source's database off, and of some of its
// tables, and on again, with statements in between (doris-binlogs.md 1.1). Every
// table that was written meanwhile comes by a snapshot; what was dropped stays on
// the destination.
func unrecorded(ctx context.Context, p *program) error {
	if !p.settled {
		return p.burst(ctx) // a job is not created while its source does not record
	}
	if ok, err := p.try(ctx, p.recordDatabase("false")); !ok {
		return err
	}
	p.unrecorded = true
	if err := p.leavesDropped(ctx); err != nil {
		return err
	}
	for _, s := range p.jobs() {
		s.switched = true
	}
	defer func() { p.unrecorded = false }()
	p.excuse(p.scene).differences = true // tables that were written are told to differ until they come
	for _, name := range p.names() {
		if p.once(2) {
			continue
		}
		if _, err := p.try(ctx, recordTable(name, "false")); err != nil {
			return err
		}
		if name == p.followed {
			p.excuse(p.follower).differences = true
		}
	}
	if err := p.insert(ctx); err != nil {
		return err
	}
	if err := p.meanwhile(ctx, 8); err != nil {
		return err
	}
	if p.once(4) && !pauseFor(ctx, stallSeen) {
		return ctx.Err()
	}
	for _, name := range p.names() {
		if _, err := p.try(ctx, recordTable(name, "true")); err != nil {
			return err
		}
	}
	ok, err := p.try(ctx, p.recordDatabase("true"))
	if err == nil && !ok {
		err = fmt.Errorf("the source refuses to record again")
	}
	return err
}

func (p *program) recordDatabase(value string) string {
	return fmt.Sprintf(`ALTER DATABASE %s SET PROPERTIES ("binlog.enable" = "%s")`, p.srcDB, value)
}

func recordTable(name, value string) string {
	return fmt.Sprintf(`ALTER TABLE %s SET ("binlog.enable" = "%s")`, name, value)
}

// leaves notes a table or view that was dropped while nothing was recorded: the
// destination may keep it.
func (p *program) leaves(name string) {
	if p.unrecorded {
		p.left[name] = true
	}
}

// leavesDropped notes what was dropped shortly before nothing is recorded any more, if
// the job has not followed yet: the source may collect the binlog of the drop.
func (p *program) leavesDropped(ctx context.Context) error {
	have, err := harness.Tables(ctx, p.dst, p.dstDB)
	if err != nil {
		return nil // the destination was dropped
	}
	want, err := harness.Tables(ctx, p.src, p.srcDB)
	if err != nil {
		return err
	}
	for _, name := range have {
		if !contains(want, name) {
			p.left[name] = true
		}
	}
	return nil
}

// anotherTable drops the table that the table job follows, and creates one of that
// name, with a schema of its own, a while later; or it recovers it. While the table
// is not there the job may say so. In a program without a table job it is any table.
func anotherTable(ctx context.Context, p *program) error {
	name, follow := p.followed, p.follower != nil && p.settled
	if !follow {
		if name, _ = p.pickOf(p.movable); name == "" {
			return p.create(ctx)
		}
	}
	t, as := p.tables[name], name
	if follow {
		as = p.follower.table // the job is for that name, whatever its table is called now
	}
	if t == nil || t.busy {
		return nil
	}
	if as != name && p.once(2) { // the one that was renamed stays
		return p.createUnder(ctx, as, follow)
	}
	force := p.once(2)
	statement := "DROP TABLE " + name
	if force {
		statement += " FORCE"
	}
	if ok, err := p.try(ctx, statement); !ok {
		return err
	}
	delete(p.tables, name)
	if follow {
		p.followed = ""
		p.excuse(p.follower).differences = true // while no table has the name that is what the job finds
	}
	if err := p.meanwhile(ctx, 5); err != nil {
		return err
	}
	if p.once(4) && !pauseFor(ctx, stallSeen) {
		return ctx.Err()
	}
	if !force && p.tables[name] == nil && p.once(2) {
		ok, err := p.try(ctx, "RECOVER TABLE "+name)
		if ok {
			p.tables[name] = t
			if follow {
				p.followed = name
			}
		}
		if ok || err != nil {
			return err
		}
	}
	return p.createUnder(ctx, as, follow)
}

// createUnder creates a table of the name, unless another has taken it meanwhile.
func (p *program) createUnder(ctx context.Context, name string, follow bool) error {
	for tries := 0; p.tables[name] == nil; tries++ {
		if tries == 10 {
			return fmt.Errorf("no table %s could be created", name)
		}
		if err := p.createAs(ctx, name); err != nil {
			return err
		}
	}
	if follow {
		p.followed, p.settled = name, false // until the next quiet point the job has yet to find it
	}
	return p.burst(ctx)
}
