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
	Database string        `json:"database"`
	Table    string        `json:"table"`
	Kind     be.DamageKind `json:"kind"` // drop, double, change, delete or undelete
	// Index names a rollup; "" is the table's own index.
	Index string `json:"index,omitempty"`
	// Partition restricts it, "" is all; Tablet names one, 0 is any.
	Partition string `json:"partition,omitempty"`
	Tablet    int64  `json:"tablet,omitempty"`
	// Backend is the one whose replicas it happens to, by id; 0: all that run.
	Backend int64 `json:"backend,omitempty"`
	// Rows is to how many rows it happens, in the first tablets that have so many;
	// default 1.
	Rows int `json:"rows,omitempty"`
	// Key restricts it to rows whose first column is that text.
	Key *string `json:"key,omitempty"`
	// Column is the one that change alters; default: the last one that can be. It
	// gets Value, as a text, or NULL if Null says so; default: another value.
	Column string  `json:"column,omitempty"`
	Value  *string `json:"value,omitempty"`
	Null   bool    `json:"null,omitempty"`
}

// Damaged tells what was damaged.
type Damaged struct {
	Rows    int             `json:"rows"` // of the table, each once
	Tablets []DamagedTablet `json:"tablets"`
}

// DamagedTablet tells what was damaged of one tablet.
type DamagedTablet struct {
	Partition string  `json:"partition"`
	Tablet    int64   `json:"tablet"`
	Backends  []int64 `json:"backends"`
	Rows      int     `json:"rows"` // of each replica
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
	index, ok := damagedIndex(t, d.Index)
	if !ok {
		return Damaged{}, errors.New("unknown index")
	}
	var done Damaged
	for _, p := range core.Partitions(t) {
		if d.Partition != "" && p.Name != d.Partition {
			continue
		}
		for _, tablet := range p.Tablets[index] {
			left := max(d.Rows, 1) - done.Rows
			if left == 0 || d.Tablet != 0 && tablet.ID != d.Tablet {
				continue
			}
			struck, err := c.damageTablet(tablet, d, left)
			if err != nil {
				return done, err
			}
			if struck.Rows > 0 {
				struck.Partition = p.Name
				done.Rows, done.Tablets = done.Rows+struck.Rows, append(done.Tablets, struck)
			}
		}
	}
	if done.Rows == 0 {
		return Damaged{}, errors.New("no tablet of that description has such rows")
	}
	return done, nil
}

func damagedIndex(t *catalog.Table, name string) (int64, bool) {
	for id, idx := range t.Indexes {
		if name != "" && idx.Name == name {
			return id, true
		}
	}
	return t.BaseIndexID, name == "" || name == t.Name
}

func (c *Cluster) damageTablet(tablet *catalog.Tablet, d Damage, rows int) (DamagedTablet, error) {
	done := DamagedTablet{Tablet: tablet.ID}
	for _, r := range tablet.Replicas {
		tasks, _ := c.core.Backend(r.BackendID)
		backend, ok := tasks.(*be.Backend)
		if !ok || d.Backend != 0 && d.Backend != r.BackendID {
			continue
		}
		n, err := backend.Damage(tablet.ID, be.Damage{Kind: d.Kind, Rows: rows, Key: d.Key, Column: d.Column, Value: d.Value, Null: d.Null})
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
