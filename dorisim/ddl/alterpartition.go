package ddl

import (
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// checkDynamic refuses manual changes of a table whose partitions the dynamic
// scheduler manages; it leaves a table alone that is being synchronised.
func checkDynamic(t *catalog.Table) error {
	if t.Properties[dynamicEnable] == "true" && t.Properties[isBeingSynced] != "true" {
		return core.Errorf("Cannot add/drop partition on a Dynamic Partition Table, "+
			"Use command `ALTER TABLE %s SET (\"dynamic_partition.enable\" = \"false\")` firstly.", t.Name)
	}
	return nil
}

func (e *Executor) addPartition(db *catalog.Database, t *catalog.Table, c *parser.AddPartition) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return core.Errorf("Only support adding partition to range and list partitioned table")
	}
	if err := checkDynamic(t); err != nil && !c.Temporary {
		return err
	}
	if c.Partition.Bulk != nil {
		return e.addBulk(db, t, c)
	}
	if c.Partition.IfNotExists && nameTaken(t, c.Partition.Name) {
		return nil
	}
	d, err := newDistribution(t, c.Distribution)
	if err != nil {
		return err
	}
	siblings := t.Partitions
	if c.Temporary {
		siblings = t.Temporary
	}
	p, err := e.addPartitionTo(t, newPartitionSet(t, siblings), &c.Partition, d, c.Properties)
	if err != nil {
		return err
	}
	e.recordAddPartition(db, t, p, c.Temporary)
	return nil
}

// addBulk is ADD PARTITIONS FROM .. TO: each partition has its own record.
func (e *Executor) addBulk(db *catalog.Database, t *catalog.Table, c *parser.AddPartition) error {
	list, err := expandBulk(t, &c.Partition)
	if err != nil {
		return err
	}
	for _, def := range list {
		one := *c
		one.Partition = def
		if err := e.addPartition(db, t, &one); err != nil {
			return err
		}
	}
	return nil
}

func (e *Executor) dropPartition(db *catalog.Database, t *catalog.Table, c *parser.DropPartition) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return core.Errorf("Alter table [%s] failed. Not a partitioned table", t.Name)
	}
	if err := checkDynamic(t); err != nil && !c.Temporary {
		return err
	}
	from := t.Partitions
	if c.Temporary {
		from = t.Temporary
	}
	p, ok := catalog.FindPartition(from, c.Name)
	if !ok {
		if c.IfExists {
			return nil
		}
		return core.CodeErrorf(codePartitionList, "Error in list of partitions to %s", c.Name)
	}
	return e.removePartition(db, t, p, c)
}

// removePartition drops a partition that exists.
func (e *Executor) removePartition(db *catalog.Database, t *catalog.Table, p *catalog.Partition, c *parser.DropPartition) error {
	from := t.Partitions
	if c.Temporary {
		from = t.Temporary
	}
	if !c.Force && pendingVersions(p) {
		return core.Errorf("There are still some transactions in the COMMITTED state waiting to be completed. The partition [%s] cannot be dropped."+
			` If you want to forcibly drop(cannot be recovered), please use "DROP partition FORCE".`, p.Name)
	}
	delete(from, p.Name)
	if c.Force || c.Temporary { // temporary partitions are never recycled
		e.core.DropPartition(p)
	} else {
		e.core.RecyclePartition(t, p)
	}
	e.recordDropPartition(db, t, p, c)
	return nil
}

// recordDropPartition writes the binlog of a drop. Doris drops temporary
// partitions by force, and counts it as a change if the partition had data.
func (e *Executor) recordDropPartition(db *catalog.Database, t *catalog.Table, p *catalog.Partition, c *parser.DropPartition) {
	sql := "DROP PARTITION " + parser.QuoteIdent(p.Name)
	if c.Temporary {
		sql = "DROP TEMPORARY PARTITION " + parser.QuoteIdent(p.Name)
	}
	force, recycled := c.Force || c.Temporary, int64(-1)
	if force {
		sql += " FORCE"
	} else {
		recycled = e.core.Now().UnixMilli()
	}
	if p.VisibleVersion > 1 {
		t.NextVersion(e.core.Now())
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeDropPartition,
		Payload: func(int64) any {
			return dropPartitionPayload{
				DBID: db.ID, TableID: t.ID, PartitionID: p.ID, Name: p.Name, Temporary: c.Temporary, Force: force, SQL: sql,
				RecycleTime: recycled, Version: t.Version, VersionTime: millis(t.VersionTime),
			}
		},
	})
}

// millis is a moment as the FE's JSON has it; 0 = none.
func millis(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// endOfTime is the cooldown time of data that never cools down, in ms.
const endOfTime = 253402271999000

// recordAddPartition writes the ADD_PARTITION binlog (doris-binlogs.md 2.4).
func (e *Executor) recordAddPartition(db *catalog.Database, t *catalog.Table, p *catalog.Partition, temporary bool) {
	sql := "ADD PARTITION "
	if temporary {
		sql = "ADD TEMPORARY PARTITION "
	}
	sql += parser.QuoteIdent(p.Name)
	if t.Partitioning.Kind != catalog.Unpartitioned {
		sql += valuesText(t, p.Item, true) + ` ("version_info" = "1");`
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeAddPartition,
		Payload: func(seq int64) any {
			payload := addPartitionPayload{
				CommitSeq: seq, DBID: db.ID, TableID: t.ID, Partition: partitionRecord(t, p),
				Data:      dataProperty(p),
				Replicas:  allocation(p.ReplicaNum),
				Temporary: temporary, Mutable: true, SQL: sql,
			}
			payload.itemRecord(t, p.Item)
			return payload
		},
	})
}
