package be

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/doris-ccr/ccr/dorisim/types"
)

var _ Tasks = (*Backend)(nil)

// Backend is a simulated Doris BE. Its methods are safe for concurrent use.
type Backend struct {
	cfg Config
	log *slog.Logger
	uid string // second half of rowset ids
	ids atomic.Int64
	id  atomic.Int64

	// The disk: it survives Kill.
	mu      sync.RWMutex
	tablets map[int64]*tablet
	txns    *localTxns
	files   *fileStore

	downloads downloads

	propertyMu sync.RWMutex
	properties map[string]property

	// The process: made by Start and Restart, ended by Kill.
	processMu sync.Mutex
	process   atomic.Pointer[process]
	ports     ports
}

// New returns a backend that is not started.
func New(cfg Config) *Backend {
	cfg = cfg.withDefaults()
	var uid [16]byte
	_, _ = rand.Read(uid[:]) // never fails: it crashes the program instead
	b := &Backend{
		cfg: cfg, log: cfg.Logger.With("backend", cfg.ID), uid: hex.EncodeToString(uid[:]),
		tablets: map[int64]*tablet{}, txns: newLocalTxns(), files: newFileStore(cfg.StorageRoot, cfg.Now),
		properties: map[string]property{}, ports: ports{thrift: cfg.ThriftPort, http: cfg.HTTPPort},
	}
	b.id.Store(cfg.ID)
	b.downloads.jobs = map[int64]map[int64]*downloaded{}
	for _, p := range defaultProperties {
		b.properties[p.name] = p
	}
	for name, value := range cfg.Properties {
		b.SetProperty(name, value)
	}
	return b
}

// ID returns the backend id.
func (b *Backend) ID() int64 { return b.id.Load() }

// Register gives the backend the id under which a cluster has added it, and an
// empty disk: a frontend that meets tablets of an earlier membership has them
// removed.
func (b *Backend) Register(id int64) {
	b.id.Store(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	for tablet := range b.tablets {
		b.txns.forgetTablet(tablet)
	}
	b.tablets = map[int64]*tablet{}
}

// Host returns the address it listens on, AdvertisedHost the one the FE tells.
func (b *Backend) Host() string           { return b.cfg.Host }
func (b *Backend) AdvertisedHost() string { return b.cfg.AdvertisedHost }

// Property returns a be.conf value, "" if there is none.
func (b *Backend) Property(name string) string {
	b.propertyMu.RLock()
	defer b.propertyMu.RUnlock()
	return b.properties[name].value
}

// SetProperty changes a be.conf value.
func (b *Backend) SetProperty(name, value string) {
	b.propertyMu.Lock()
	defer b.propertyMu.Unlock()
	p, ok := b.properties[name]
	if !ok {
		p = property{name: name, kind: "std::string", mutable: "false"}
	}
	p.value = value
	b.properties[name] = p
}

func (b *Backend) enabled(name string) bool {
	v := b.Property(name)
	return v == "1" || strings.EqualFold(v, "true")
}

// nextRowsetID has 48 hex digits as Doris' ids do.
func (b *Backend) nextRowsetID() string {
	return fmt.Sprintf("02%014x%s", b.ids.Add(1), b.uid)
}

// up tells whether the process runs.
func (b *Backend) up() error {
	if b.process.Load() == nil {
		return fmt.Errorf("backend %d: %w", b.ID(), ErrDown)
	}
	return nil
}

// tablet returns a tablet of a running backend.
func (b *Backend) tablet(id int64) (*tablet, error) {
	if err := b.up(); err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	t, ok := b.tablets[id]
	if !ok {
		return nil, fmt.Errorf("tablet %d on backend %d: %w", id, b.ID(), ErrTabletMissing)
	}
	return t, nil
}

// CreateTablet implements Tasks. Creating a tablet again keeps the old one.
func (b *Backend) CreateTablet(spec TabletSpec) error {
	if err := b.up(); err != nil {
		return err
	}
	t, err := newTablet(spec, b.nextRowsetID, b.cfg.SegmentRows)
	if err != nil {
		return fmt.Errorf("create tablet %d: %w", spec.TabletID, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.tablets[spec.TabletID]; !ok {
		b.tablets[spec.TabletID] = t
	}
	return nil
}

// DropTablet implements Tasks. A dead backend forgets the tablet too: the FE
// would repeat the task when it comes back.
func (b *Backend) DropTablet(id int64) {
	b.mu.Lock()
	_, ok := b.tablets[id]
	delete(b.tablets, id)
	b.mu.Unlock()
	if ok {
		b.txns.forgetTablet(id)
	}
}

// UpdateSchema implements Tasks.
func (b *Backend) UpdateSchema(id int64, s types.Schema) error {
	t, err := b.tablet(id)
	if err != nil {
		return err
	}
	return t.updateSchema(s)
}

// Rebase implements Tasks.
func (b *Backend) Rebase(id, version int64, rows RowsetData) error {
	t, err := b.tablet(id)
	if err != nil {
		return err
	}
	return t.rebase(version, rows)
}

// SetInvertedIndexes implements Tasks.
func (b *Backend) SetInvertedIndexes(id int64, indexes []int64) error {
	t, err := b.tablet(id)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spec.InvertedIndexes = slices.Clone(indexes)
	return nil
}

// SetBinlog implements Tasks.
func (b *Backend) SetBinlog(id int64, enabled bool) error {
	t, err := b.tablet(id)
	if err != nil {
		return err
	}
	t.setBinlog(enabled)
	return nil
}

// Write implements Tasks.
func (b *Backend) Write(txnID, partitionID, tabletID int64, data RowsetData) error {
	t, err := b.tablet(tabletID)
	if err != nil {
		return err
	}
	if err := b.cfg.Faults(FaultWrite); err != nil {
		return fmt.Errorf("write into tablet %d: %w", tabletID, err)
	}
	rs, err := t.encode(txnID, partitionID, data)
	if err != nil {
		return fmt.Errorf("write into tablet %d: %w", tabletID, err)
	}
	b.txns.commit(txnID, tabletID, rs)
	return nil
}

// CanPublish implements Tasks.
func (b *Backend) CanPublish(txnID, tabletID int64) bool {
	return b.up() == nil && b.txns.committed(txnID, tabletID)
}

// Publish implements Tasks.
func (b *Backend) Publish(txnID, partitionID, tabletID, version int64) error {
	t, err := b.tablet(tabletID)
	if err != nil {
		return err
	}
	if err := b.cfg.Faults(FaultPublish); err != nil {
		return fmt.Errorf("publish version %d of tablet %d: %w", version, tabletID, err)
	}
	state, rs := b.txns.state(txnID, partitionID, tabletID)
	switch state {
	case localCommitted:
	case localUnknown: // nothing was written into this tablet
		if rs, err = t.encode(txnID, partitionID, RowsetData{}); err != nil {
			return err
		}
	default:
		return fmt.Errorf("publish version %d of tablet %d: transaction %d is not committed here", version, tabletID, txnID)
	}
	if err := t.publish(version, rs); err != nil {
		return err
	}
	b.txns.forget(txnID, tabletID)
	return nil
}

// Abort implements Tasks.
func (b *Backend) Abort(txnID int64) { b.txns.abort(txnID) }

// Version implements Tasks.
func (b *Backend) Version(tabletID int64) (int64, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return 0, err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.version(), nil
}

// Scan implements Tasks. The rows are shared: callers must not change them.
func (b *Backend) Scan(ctx context.Context, tabletID, version int64) ([]types.Row, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return t.scan(version)
}

// ScanMarked implements Tasks. The rows are shared: callers must not change
// them.
func (b *Backend) ScanMarked(ctx context.Context, tabletID, version int64) ([]MarkedRow, error) {
	t, err := b.tablet(tabletID)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return t.scanMarked(version)
}

// Clone implements Tasks. A tablet that is missing here is created.
func (b *Backend) Clone(ctx context.Context, tabletID int64, from *Backend) error {
	source, err := from.tablet(tabletID)
	if err != nil {
		return fmt.Errorf("clone from backend %d: %w", from.ID(), err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, spec, binlogs := source.copyContent()
	target, err := b.tablet(tabletID)
	missing := errors.Is(err, ErrTabletMissing)
	if missing {
		target, err = newTablet(spec, b.nextRowsetID, b.cfg.SegmentRows)
	}
	if err != nil {
		return err
	}
	if err := target.adopt(c, binlogs); err != nil {
		return fmt.Errorf("clone from backend %d: %w", from.ID(), err)
	}
	if missing { // nobody finds it before its data is there
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tablets[tabletID] = target
	}
	return nil
}

// ReleaseBinlogs implements Tasks.
func (b *Backend) ReleaseBinlogs(tabletID, version int64) {
	if t, err := b.tablet(tabletID); err == nil {
		t.releaseBinlogs(version)
	}
}
