package alter

import (
	"context"
	"errors"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// FaultPrefix and a state make the fault point at the end of that state, e.g.
// alter.WAITING_TXN. Fail holds the job in it.
const FaultPrefix = "alter."

// poll is the pause between two looks at running transactions, and between two
// tries of a step that a fault holds back.
const poll = 2 * time.Millisecond

// errEnded says that a job was cancelled, or its table dropped.
var errEnded = errors.New("the job has ended")

// run takes a job through its states (doris-binlogs.md 2.7).
func (m *Manager) run(ctx context.Context, j *Job) {
	steps := []struct {
		leave State
		do    func(context.Context, *Job) error
	}{
		{Pending, m.start},
		{WaitingTxn, m.awaitLoads},
		{Running, m.finish},
	}
	for _, step := range steps {
		if !m.stay(ctx, step.leave) {
			return
		}
		switch err := step.do(ctx, j); {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, errEnded):
			return
		default:
			m.fail(j, err)
			return
		}
	}
}

// stay waits as long as a state lasts; false means the cluster is closed.
func (m *Manager) stay(ctx context.Context, in State) bool {
	if faults.Sleep(ctx, m.core.Profile().AlterTick) != nil {
		return false
	}
	for m.core.Faults().Before(ctx, FaultPrefix+string(in)) != nil {
		if faults.Sleep(ctx, poll) != nil {
			return false
		}
	}
	return ctx.Err() == nil
}

// begin takes core's lock and finds the job's table, if the job is alive;
// the caller unlocks then.
func (m *Manager) begin(j *Job) (*catalog.Table, error) {
	m.core.Lock()
	if j.State.final() {
		m.core.Unlock()
		return nil, errEnded
	}
	t, ok := m.table(j)
	if !ok {
		m.cancel(j, "table does not exist")
		m.core.Unlock()
		return nil, errEnded
	}
	return t, nil
}

func (m *Manager) fail(j *Job, err error) {
	m.core.Lock()
	defer m.core.Unlock()
	if !j.State.final() {
		m.cancel(j, err.Error())
	}
}

// start adds the new indexes: transactions that begin from now on load them.
func (m *Manager) start(_ context.Context, j *Job) error {
	t, err := m.begin(j)
	if err != nil {
		return err
	}
	defer m.core.Unlock()
	j.Watershed = m.core.NextTxnID()
	for _, n := range j.Indexes {
		n.Index.Watershed = j.Watershed
		t.Indexes[n.Index.ID] = n.Index
		if err := m.core.NewIndexTablets(t, n.Index); err != nil {
			return err
		}
	}
	j.State = WaitingTxn
	m.record(j)
	return nil
}

// awaitLoads waits for the transactions that do not know the new indexes.
// RUNNING is not journaled, as in Doris: a new master starts it again.
func (m *Manager) awaitLoads(ctx context.Context, j *Job) error {
	for m.core.RunningBefore(j.DB, j.Table, j.Watershed) {
		if err := faults.Sleep(ctx, poll); err != nil {
			return err
		}
		if _, err := m.begin(j); err != nil {
			return err
		}
		m.core.Unlock()
	}
	if _, err := m.begin(j); err != nil {
		return err
	}
	defer m.core.Unlock()
	j.State = Running
	return nil
}

// finish converts the data and puts the new indexes in their places.
func (m *Manager) finish(ctx context.Context, j *Job) error {
	t, err := m.begin(j)
	if err != nil {
		return err
	}
	m.core.Unlock()
	for _, n := range j.Indexes {
		if err := m.core.FillIndex(ctx, t, n.OriginID, n.Index.ID, n.Convert); err != nil {
			return m.ended(j, err)
		}
	}
	if t, err = m.begin(j); err != nil {
		return err
	}
	defer m.core.Unlock()
	for _, n := range j.Indexes {
		m.install(t, j.Kind, n)
	}
	if j.apply != nil {
		j.apply(t)
	}
	m.core.SyncTabletSettings(t)
	j.State, j.Finished = Finished, m.core.Now()
	m.release(t)
	m.record(j)
	return nil
}

// ended tells a failure from the consequence of a cancel or a drop.
func (m *Manager) ended(j *Job, err error) error {
	if _, gone := m.begin(j); gone != nil {
		return gone
	}
	m.core.Unlock()
	return err
}

// install makes a new index visible; a shadow takes its origin's place under a
// new id. It needs core's lock.
func (m *Manager) install(t *catalog.Table, kind Kind, n NewIndex) {
	visible := *n.Index // readers may hold the old one
	visible.State, visible.Watershed = catalog.IndexNormal, 0
	t.Indexes[visible.ID] = &visible
	if kind == Rollup {
		return
	}
	visible.Name = t.Indexes[n.OriginID].Name
	m.core.DropIndexTablets(t, n.OriginID)
	delete(t.Indexes, n.OriginID)
	if t.BaseIndexID == n.OriginID {
		t.BaseIndexID = visible.ID
	}
}
