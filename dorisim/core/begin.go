package core

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Begin opens a transaction (doris-rpc.md 3.7). Errors: *LabelUsedError, *Error.
// A repeated request id of a PREPARE transaction returns that one, marked
// Repeated. It takes the lock itself: do not hold it.
func (c *Core) Begin(ctx context.Context, r BeginRequest) (*Txn, error) {
	if err := faults.Sleep(ctx, c.Profile().Begin); err != nil {
		return nil, err
	}
	if err := c.checkBegin(r); err != nil {
		return nil, err
	}
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	d := c.lookUp(r.DB)
	if old, ok := d.labels[r.Label]; ok {
		if old.State == TxnPrepare && r.RequestID != nil && old.RequestID != nil && *old.RequestID == *r.RequestID {
			t := old.copy()
			t.Repeated = true
			return &t, nil
		}
		return nil, &LabelUsedError{Label: r.Label, TxnID: old.ID, State: old.State}
	}
	if limit := c.feConfigInt("max_running_txn_num_per_db", 1000); len(d.running) >= limit {
		return nil, Errorf("current running txns on db %d is %d, larger than limit %d", r.DB, len(d.running), limit)
	}
	t := c.newTxn(r)
	d.running[t.ID], d.byID[t.ID], d.labels[t.Label] = t, t, t
	out := t.copy()
	return &out, nil
}

// checkBegin checks what needs only the catalog.
func (c *Core) checkBegin(r BeginRequest) error {
	c.RLock()
	defer c.RUnlock()
	db, ok := c.DatabaseByID(r.DB)
	if !ok {
		return MetaErrorf("unknown database, database=%d", r.DB)
	}
	for _, id := range r.Tables {
		if home, _, ok := c.TableByID(id); !ok || home.ID != db.ID {
			return Errorf("can't find table id: %d in db: %s", id, db.Name)
		}
	}
	if err := c.CheckLabel(r.Label); err != nil {
		return err
	}
	return c.checkQuota(db)
}

// checkQuota refuses loads into a database that is full (fe/fe-core, class
// QuotaExceedException). Doris reads the sizes every few minutes, this one at once.
func (c *Core) checkQuota(db *catalog.Database) error {
	if db.DataQuota == 0 {
		return nil
	}
	var used int64
	for _, t := range db.Tables {
		used += c.TableStats(t).Bytes
	}
	if used < db.DataQuota {
		return nil
	}
	return Errorf("Database[%s] data size exceeds quota[%s]", db.Name, SizeText(db.DataQuota))
}

// SizeText prints bytes as Doris does: 1.401 KB, and "0.000 " for nothing.
func SizeText(bytes int64) string {
	units := []string{"B", "KB", "MB", "GB", "TB"}
	size, unit := float64(bytes), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if bytes == 0 {
		return "0.000 "
	}
	return fmt.Sprintf("%.3f %s", size, units[unit])
}

var labelCharacters = regexp.MustCompile(`^[-_A-Za-z0-9:]+$`)

// CheckLabel refuses what Doris does not take for the label of a load, backup or
// restore (doris-sql.md 1.5). Errors: *Error.
func (c *Core) CheckLabel(label string) error {
	longest := c.feConfigInt("label_regex_length", 128)
	if len(label) > longest || !labelCharacters.MatchString(label) {
		return Errorf("Label format error. regex: ^[-_A-Za-z0-9:]{1,%d}$, label: %s", longest, label)
	}
	return nil
}

func (c *Core) newTxn(r BeginRequest) *txn {
	t := &txn{done: make(chan struct{}), Txn: Txn{
		DB: r.DB, Label: r.Label, RequestID: r.RequestID, Tables: slices.Clone(r.Tables), State: TxnPrepare,
		Source: r.Source, Coordinator: r.Coordinator, Timeout: r.Timeout, PrepareTime: c.Now(),
	}}
	n := int64(max(r.SubTxns, 1))
	last := c.txnIDs.Add(n)
	t.ID = last - n + 1
	for i := range int64(r.SubTxns) {
		t.SubIDs = append(t.SubIDs, t.ID+i)
	}
	if t.Source == "" {
		t.Source = "INSERT_STREAMING"
	}
	if t.Timeout <= 0 {
		t.Timeout = time.Duration(c.feConfigInt("stream_load_default_timeout_second", 259200)) * time.Second
	}
	return t
}

// Abort rolls a transaction back (doris-rpc.md 3.9). Errors: *TxnNotFoundError,
// *Error. It takes the lock itself: do not hold it.
func (c *Core) Abort(ctx context.Context, db, txnID int64, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if reason == "" {
		reason = "system cancel"
	}
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	d := c.lookUp(db)
	t, ok := d.byID[txnID]
	if !ok {
		return &TxnNotFoundError{TxnID: txnID}
	}
	switch t.State {
	case TxnCommitted:
		return Errorf("transaction [%d] is already COMMITTED, could not abort.", txnID)
	case TxnVisible, TxnAborted:
		return Errorf("transaction not found")
	}
	c.abortLocked(d, t, reason)
	return nil
}

// abortLocked ends a PREPARE transaction and tells the backends. It needs
// c.txns.mu.
func (c *Core) abortLocked(d *dbTxns, t *txn, reason string) {
	t.State, t.Reason, t.FinishTime = TxnAborted, reason, c.Now()
	d.finish(t)
	c.NextJournal()
	c.abortOnBackends(t)
}

func (c *Core) abortOnBackends(t *txn) {
	for _, b := range c.Backends() {
		tasks, ok := c.Backend(b.ID)
		if !ok {
			continue
		}
		tasks.Abort(t.ID)
		for _, id := range t.SubIDs {
			if id != t.ID {
				tasks.Abort(id)
			}
		}
	}
}

// abortTimedOut aborts PREPARE transactions whose timeout has passed.
func (c *Core) abortTimedOut() {
	now := c.Now()
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	for _, d := range c.txns.dbs {
		for _, t := range d.running {
			if t.State == TxnPrepare && now.Sub(t.PrepareTime) > t.Timeout {
				c.abortLocked(d, t, fmt.Sprintf("transaction is timeout: %s s", strconv.Itoa(int(t.Timeout.Seconds()))))
			}
		}
	}
}

// losePrepared forgets the PREPARE transactions: a new master does not know
// them.
func (c *Core) losePrepared() {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	for _, d := range c.txns.dbs {
		for id, t := range d.running {
			if t.State == TxnPrepare {
				delete(d.running, id)
				delete(d.byID, id)
				delete(d.labels, t.Label)
				t.State = TxnUnknown
				close(t.done)
			}
		}
	}
}
