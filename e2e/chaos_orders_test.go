package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// chaosOrder is what an operator, or the machine, does in the middle of a
// program: after its n-th statement and some time later. Its program does not
// wait for it before the next quiet point.
type chaosOrder struct {
	statement int
	delay     time.Duration
	do        func(ctx context.Context, p *program, pick int) error
	pick      int // among tables and the like
}

// chaosOrders draws the orders of a program, from a source of their own as kills
// are. Half of them come when the process has just been killed and started again:
// then nobody knows yet how far the job has come.
func chaosOrders(seed uint64, statements int, kills []chaosKill) (orders []chaosOrder) {
	r := rand.New(rand.NewPCG(seed, 2))
	for range r.IntN(4) {
		o := chaosOrder{statement: r.IntN(statements), delay: time.Duration(r.IntN(1000)) * time.Millisecond, pick: r.IntN(1 << 20)}
		if len(kills) > 0 && r.IntN(2) == 0 {
			o.statement, o.delay = kills[0].statement, kills[0].delay+time.Duration(r.IntN(700))*time.Millisecond
		}
		switch kind := r.IntN(16); {
		case kind < 8:
			o.do = orderPartialSync
		case kind < 11:
			o.do = orderFullSync
		case kind < 13:
			o.do = orderHostMapping
		case kind < 15:
			o.do = orderTables
		default:
			o.do = standStill
		}
		orders = append(orders, o)
	}
	return orders
}

// give carries out the orders that are due.
func (p *program) give(ctx context.Context) {
	for _, o := range p.orders {
		if o.statement != p.played {
			continue
		}
		p.ordering.Go(func() {
			if !pauseFor(ctx, o.delay) {
				return
			}
			if err := o.do(ctx, p, o.pick); err != nil {
				// Refused, because the job is busy with something else, or cut off: a
				// quiet point tells whether that does any harm.
				p.note("-- an order came to nothing: " + err.Error())
			}
		})
	}
}

// order sends a command of an operator to the database job.
func (p *program) order(ctx context.Context, operator string, more map[string]any) error {
	return p.process.running(func() error {
		p.note(fmt.Sprintf("-- ordered %s %v", operator, more))
		return p.scene.command(ctx, operator, more)
	})
}

// orderPartialSync orders the snapshot of a table under the name that the job
// knows, which may be of yesterday.
func orderPartialSync(ctx context.Context, p *program, pick int) error {
	var ids []string
	names := map[string]string{}
	err := p.process.running(func() error {
		progress, err := p.ccr.Call(ctx, "job_progress", map[string]any{"name": p.job})
		if err != nil {
			return err
		}
		mapping, _ := find(progress, "table_name_mapping").(map[string]any)
		for id, name := range mapping {
			ids, names[id] = append(ids, id), fmt.Sprint(name)
		}
		return nil
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	slices.Sort(ids)
	id := ids[pick%len(ids)]
	return p.order(ctx, "job_skip_binlog", map[string]any{
		"skip_by": "partialsync", "skip_table": names[id], "skip_table_id": json.Number(id),
	})
}

// orderFullSync is the only one that a quiet point has to know of.
func orderFullSync(ctx context.Context, p *program, _ int) error {
	p.fullSyncs.Add(1)
	return p.order(ctx, "force_fullsync", nil)
}

func orderHostMapping(ctx context.Context, p *program, pick int) error {
	address := fmt.Sprintf("10.99.0.%d", pick%250)
	return p.order(ctx, "update_host_mapping", map[string]any{
		"src_host_mapping": map[string]any{address: "127.0.0.1"}, "dest_host_mapping": map[string]any{address: "127.0.0.1"},
	})
}

// orderTables changes the job's filter to one that selects the same tables.
func orderTables(ctx context.Context, p *program, pick int) error {
	return p.order(ctx, "update_tables", map[string]any{"exclude_tables": []any{fmt.Sprintf("never_%d_*", pick)}})
}

// standStill freezes the process for longer than Temporal waits for a sign of
// life of its steps.
func standStill(ctx context.Context, p *program, pick int) error {
	c := p.process
	if !c.one.TryLock() {
		return nil
	}
	defer c.one.Unlock()
	c.up.Lock()
	defer c.up.Unlock()
	pid := c.ccr.Process().PID()
	c.note(fmt.Sprintf("-- standing still, by order of %d", p.seed))
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return err
	}
	pauseFor(ctx, 10500*time.Millisecond+time.Duration(pick%2000)*time.Millisecond)
	err := syscall.Kill(pid, syscall.SIGCONT)
	c.note("-- going on")
	return err
}
