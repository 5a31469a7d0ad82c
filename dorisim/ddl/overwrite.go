package ddl

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// Overwrite is a running INSERT OVERWRITE: temporary partitions that mirror the
// formal ones wait for the new rows (doris-sql.md 4.12, doris-binlogs.md 2.14).
// End it with Replace or Abandon.
type Overwrite struct {
	e           *Executor
	dbID        int64
	tableID     int64
	formal      []string
	partitions  []*catalog.Partition
	partitionID []int64
}

// maxPartitionName is the longest name that commonNameRegex allows.
const maxPartitionName = 64

// BeginOverwrite makes a temporary partition for each of the named partitions,
// or for all of them, and records them. Errors: *core.Error.
func (e *Executor) BeginOverwrite(currentDB string, table parser.Name, names []string) (o *Overwrite, err error) {
	err = altering(e, currentDB, table, names, func(db *catalog.Database, t *catalog.Table, names []string) (err error) {
		o, err = e.beginOverwrite(db, t, names)
		return err
	})
	return o, err
}

func (e *Executor) beginOverwrite(db *catalog.Database, t *catalog.Table, names []string) (_ *Overwrite, err error) {
	formal := rangetext.Sorted(t, t.Partitions)
	if names != nil {
		if formal, err = namedPartitions(t.Partitions, names, "Partition[%s] does not exist"); err != nil {
			return nil, err
		}
	}
	o := &Overwrite{e: e, dbID: db.ID, tableID: t.ID}
	for _, p := range formal {
		name := fmt.Sprintf("iot_temp_%d_%s", e.core.NextID(), p.Name)
		fresh, err := e.core.NewPartition(t, name[:min(len(name), maxPartitionName)], p.Item, p.Distribution, p.ReplicaNum)
		if err != nil {
			o.drop(db, t)
			return nil, err
		}
		fresh.Properties = p.Properties
		t.Temporary[fresh.Name] = fresh
		o.formal = append(o.formal, p.Name)
		o.partitions = append(o.partitions, fresh)
		o.partitionID = append(o.partitionID, fresh.ID)
		e.recordAddPartition(db, t, fresh, true)
	}
	return o, nil
}

// Temporary names the partitions that the rows belong into.
func (o *Overwrite) Temporary() []string {
	names := make([]string, len(o.partitions))
	for i, p := range o.partitions {
		names[i] = p.Name
	}
	return names
}

// Replace waits until what was loaded is visible, and puts the temporary
// partitions in the place of the formal ones. Errors: *core.Error, or that of
// the context.
func (o *Overwrite) Replace(ctx context.Context) error {
	if err := o.e.core.WaitPublished(ctx, o.partitionID); err != nil {
		return err
	}
	o.e.core.Lock()
	defer o.e.core.Unlock()
	db, t, ok := o.e.core.TableByID(o.tableID)
	if !ok || db.ID != o.dbID {
		return core.MetaErrorf("unknown table, tableId=%d", o.tableID)
	}
	if err := core.CheckAlter(t); err != nil {
		return err
	}
	if len(o.formal) == 0 {
		return nil
	}
	formal := o.formal
	if t.Partitioning.Kind == catalog.Unpartitioned {
		formal = []string{t.Name} // the table may have been renamed meanwhile
	}
	return o.e.exchange(db, t, replacement{formal: formal, temporary: o.Temporary(), strict: true})
}

// Abandon drops the temporary partitions of a failed statement.
func (o *Overwrite) Abandon() {
	o.e.core.Lock()
	defer o.e.core.Unlock()
	if db, t, ok := o.e.core.TableByID(o.tableID); ok {
		o.drop(db, t)
	}
}

func (o *Overwrite) drop(db *catalog.Database, t *catalog.Table) {
	for _, p := range o.partitions {
		if t.Temporary[p.Name] != p {
			continue
		}
		delete(t.Temporary, p.Name)
		o.e.core.DropPartition(p)
		o.e.recordDropPartition(db, t, p, &parser.DropPartition{Temporary: true, Force: true})
	}
}
