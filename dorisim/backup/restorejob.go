package backup

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// downloadsAtOnce bounds the parallel tablet downloads of a restore.
const downloadsAtOnce = 16

// runRestore goes through the states; when it fails it undoes what it prepared,
// unless the whole cluster stops.
func (m *Manager) runRestore(ctx context.Context, j *job) error {
	err := m.restoreStates(ctx, j)
	if err != nil && m.ctx.Err() == nil {
		m.undo(j)
	}
	return err
}

func (m *Manager) restoreStates(ctx context.Context, j *job) error {
	steps := []struct {
		state string
		work  func() error
	}{
		{statePending, func() error { return m.prepareAndSettle(ctx, j) }},
		{stateCreating, nil},
		{stateSnapshoting, nil},
		{stateDownload, nil},
		{stateDownloading, func() error { return m.download(ctx, j) }},
		{stateCommit, nil},
		{stateCommitting, func() error { return m.commit(j) }},
	}
	for _, step := range steps {
		if step.state != statePending {
			j.enter(step.state)
		}
		if err := m.tick(ctx, "restore", step.state, m.core.Profile().RestoreTick); err != nil {
			return err
		}
		if step.state != statePending && step.state != stateCreating {
			if err := m.core.HoldJob(ctx, core.PauseRestore, j.label); err != nil {
				return err
			}
		}
		if step.work == nil {
			continue
		}
		if err := step.work(); err != nil {
			// What the failure comes from tells more than the failure.
			if gone := m.checkAlive(j); gone != nil && step.state != statePending {
				return gone
			}
			return err
		}
	}
	return nil
}

// prepareAndSettle prepares the plan and waits until no older transaction is
// about to publish into a partition that will be overwritten; new ones are
// refused from now on.
func (m *Manager) prepareAndSettle(ctx context.Context, j *job) error {
	if err := m.prepare(j); err != nil {
		return err
	}
	var partitions []int64
	for _, p := range j.restore.plan.tables {
		for _, part := range p.parts {
			partitions = append(partitions, part.local.ID)
		}
	}
	return m.core.WaitPublished(ctx, partitions)
}

// download fetches every tablet onto every backend that has a replica.
func (m *Manager) download(ctx context.Context, j *job) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(downloadsAtOnce)
	for _, p := range j.restore.plan.tables {
		for _, part := range p.parts {
			for _, pair := range part.pairs {
				task, err := downloadTask(j, pair)
				if err != nil {
					return errors.Join(err, group.Wait())
				}
				group.Go(func() error { return m.downloadTablet(ctx, pair, task) })
			}
		}
	}
	return group.Wait()
}

// downloadTask addresses the source of a tablet by the job info (doris-rpc.md 5.4).
func downloadTask(j *job, pair tabletPair) (be.DownloadTask, error) {
	info := j.restore.info
	backend, ok := info.TabletBackends[pair.remote]
	if !ok {
		return be.DownloadTask{}, failf("failed to get remote be of tablet: %d", pair.remote)
	}
	address, ok := info.Extra.Backends[strconv.FormatInt(backend, 10)]
	if !ok {
		return be.DownloadTask{}, failf("failed to get remote be address of be: %d", backend)
	}
	root, ok := info.TabletPaths[pair.remote]
	if !ok {
		return be.DownloadTask{}, failf("failed to get remote snapshot path of tablet: %d", pair.remote)
	}
	return be.DownloadTask{
		JobID: j.id, TabletID: pair.local.ID, RemoteTabletID: pair.remote, RemoteHost: address.IP, RemotePort: address.Port,
		RemoteDir: path.Join(root, strconv.FormatInt(pair.remote, 10), strconv.FormatInt(int64(pair.hash), 10)), Token: info.Extra.Token,
	}, nil
}

// downloadTablet fills all replicas of a tablet; one on a dead backend is left
// to repair, as long as another one succeeds.
func (m *Manager) downloadTablet(ctx context.Context, pair tabletPair, task be.DownloadTask) error {
	done := 0
	var down error
	for _, r := range m.core.Replicas(pair.local) {
		tasks, ok := m.core.Backend(r.BackendID)
		if !ok {
			continue
		}
		switch err := tasks.Download(ctx, task); {
		case err == nil:
			done++
		case errors.Is(err, be.ErrDown):
			down = err
		default:
			return failf("download snapshot failed, %v", err)
		}
	}
	if done == 0 {
		return failf("download snapshot of tablet %d failed: no backend has it, %v", pair.local.ID, down)
	}
	return nil
}

// commit moves the data in and switches the metadata.
func (m *Manager) commit(j *job) error {
	if err := j.pointOfNoReturn(); err != nil {
		return err
	}
	if err := m.checkAlive(j); err != nil {
		return err
	}
	moved := map[*catalog.Replica]bool{}
	for _, p := range j.restore.plan.tables {
		for _, part := range p.parts {
			for _, pair := range part.pairs {
				if err := m.moveIn(j, pair, moved); err != nil {
					return err
				}
			}
		}
	}
	return m.switchMeta(j, moved)
}

func (m *Manager) moveIn(j *job, pair tabletPair, moved map[*catalog.Replica]bool) error {
	done := 0
	var last error
	for _, r := range m.core.Replicas(pair.local) {
		tasks, ok := m.core.Backend(r.BackendID)
		if !ok {
			continue
		}
		if last = tasks.MoveIn(j.id, pair.local.ID); last == nil {
			moved[r] = true
			done++
		}
	}
	if done == 0 {
		return fmt.Errorf("move in tablet %d: %w", pair.local.ID, last)
	}
	return nil
}

// checkAlive fails when a table or partition of the plan has been dropped.
func (m *Manager) checkAlive(j *job) error {
	m.core.RLock()
	defer m.core.RUnlock()
	db, ok := m.core.DatabaseByID(j.dbID)
	if !ok {
		return notFoundf("database %d does not exist", j.dbID)
	}
	for _, p := range j.restore.plan.tables {
		for _, t := range []*catalog.Table{p.table, p.old} {
			if t != nil && db.Tables[t.Name] != t {
				return notFoundf("table %d has been dropped", t.ID)
			}
		}
		for _, part := range p.parts {
			if !part.added && p.table.Partitions[part.local.Name] != part.local {
				return notFoundf("partition %d has been dropped", part.local.ID)
			}
		}
	}
	return nil
}
