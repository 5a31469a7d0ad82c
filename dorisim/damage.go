package dorisim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// Damage makes the rows of a table differ from what was loaded, without a trace
// in versions, binlogs or metadata: what a fault of a replication tool, a disk
// or an operator does. It is for tests of whatever should find that out.
type Damage struct {
	Database string    `json:"database"`
	Table    string    `json:"table"`
	Kind     be.Damage `json:"kind"` // drop, double or change
	// Partition restricts it, "" is all; Tablet names one, 0 is the first that has
	// rows.
	Partition string `json:"partition,omitempty"`
	Tablet    int64  `json:"tablet,omitempty"`
	// Backend is the one whose replica it happens to, by id; 0: all that run.
	Backend int64 `json:"backend,omitempty"`
	// Rows is to how many rows it happens; default 1.
	Rows int `json:"rows,omitempty"`
}

// Damaged tells what was damaged.
type Damaged struct {
	Tablet   int64   `json:"tablet"`
	Backends []int64 `json:"backends"`
	Rows     int     `json:"rows"` // of each replica
}

// Damage does damage. It fails if there is no row to do it to.
func (c *Cluster) Damage(d Damage) (Damaged, error) {
	done, err := c.damage(d)
	if err != nil {
		return Damaged{}, fmt.Errorf("damage %s.%s: %w", d.Database, d.Table, err)
	}
	return done, nil
}

func (c *Cluster) damage(d Damage) (Damaged, error) {
	c.core.RLock()
	defer c.core.RUnlock()
	db, ok := c.core.Database(d.Database)
	if !ok {
		return Damaged{}, errors.New("unknown database")
	}
	t, ok := db.Tables[d.Table]
	if !ok || t.Kind != catalog.OLAP {
		return Damaged{}, errors.New("unknown table")
	}
	for _, p := range core.Partitions(t) {
		if d.Partition != "" && p.Name != d.Partition {
			continue
		}
		for _, tablet := range p.Tablets[t.BaseIndexID] {
			if d.Tablet != 0 && tablet.ID != d.Tablet {
				continue
			}
			done, err := c.damageTablet(tablet, d)
			if err != nil || done.Rows > 0 {
				return done, err
			}
		}
	}
	return Damaged{}, errors.New("no tablet of that description has rows")
}

func (c *Cluster) damageTablet(tablet *catalog.Tablet, d Damage) (Damaged, error) {
	done := Damaged{Tablet: tablet.ID}
	for _, r := range tablet.Replicas {
		tasks, _ := c.core.Backend(r.BackendID)
		backend, ok := tasks.(*be.Backend)
		if !ok || d.Backend != 0 && d.Backend != r.BackendID {
			continue
		}
		n, err := backend.Damage(tablet.ID, d.Kind, max(d.Rows, 1))
		if errors.Is(err, be.ErrDown) && d.Backend == 0 {
			continue
		}
		if err != nil {
			return done, err
		}
		if n > 0 {
			done.Rows, done.Backends = n, append(done.Backends, r.BackendID)
		}
	}
	return done, nil
}

// DamageJSON is Damage for the admin port.
func (c *Cluster) DamageJSON(request []byte) (any, error) {
	var d Damage
	decoder := json.NewDecoder(bytes.NewReader(request))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return c.Damage(d)
}
