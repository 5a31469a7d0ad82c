package ddl

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// modifyPartitionsPayload is the record of MODIFY_PARTITIONS
// (doris-binlogs.md 2.13).
type modifyPartitionsPayload struct {
	Infos []modifiedPartition `json:"infos"`
}

type modifiedPartition struct {
	DBID        int64             `json:"dbId"`
	TableID     int64             `json:"tableId"`
	PartitionID int64             `json:"partitionId"`
	Name        string            `json:"partitionName,omitempty"` // new
	Data        modifiedData      `json:"dataProperty"`
	InMemory    bool              `json:"isInMemory"`
	Replicas    replicaAllocation `json:"replicaAlloc"`
	Policy      string            `json:"storagePolicy"`
	Properties  map[string]string `json:"tableProperties"`
	Temporary   bool              `json:"isTempPartition"` // new
}

type modifiedData struct {
	dataPropPayload
	MediumSpecified bool `json:"storageMediumSpecified"`
}

// modifyPartitions is MODIFY PARTITION p|(p1, p2)|(*) SET (..).
func (e *Executor) modifyPartitions(db *catalog.Database, t *catalog.Table, c *parser.ModifyPartition) error {
	partitions := rangetext.Sorted(t, t.Partitions)
	if len(c.Partitions) > 0 {
		missing := ""
		if partitions, missing = catalog.FindPartitions(t.Partitions, c.Partitions); missing != "" {
			return core.Errorf("Partition[%s] does not exist in table[%s]", missing, t.Name)
		}
	}
	// Checked before anything changes.
	props, replicas, err := partitionProperties(c.Properties)
	if err != nil {
		return err
	}
	if medium := props["storage_medium"]; medium != "" && !slices.Contains([]string{"HDD", "SSD"}, strings.ToUpper(medium)) {
		return core.Errorf("Invalid storage medium: %s", medium)
	}
	var record modifyPartitionsPayload
	for _, p := range partitions {
		if replicas > 0 {
			p.ReplicaNum = replicas
		}
		p.Properties = maps.Clone(p.Properties)
		if p.Properties == nil {
			p.Properties = map[string]string{}
		}
		maps.Copy(p.Properties, props)
		record.Infos = append(record.Infos, modifiedPartition{
			DBID: db.ID, TableID: t.ID, PartitionID: p.ID, Name: p.Name,
			Data:     modifiedData{dataProperty(p), props["storage_medium"] != ""},
			Replicas: allocation(replicas),
			Policy:   p.Properties[storagePolicy], Properties: map[string]string{},
		})
	}
	if len(record.Infos) == 0 {
		return nil
	}
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeModifyPartitions, Payload: func(int64) any { return record },
	})
	return nil
}

// dataProperty tells where the partition's data lies and until when.
func dataProperty(p *catalog.Partition) dataPropPayload {
	d := dataPropPayload{StorageMedium: "HDD", CooldownTime: endOfTime, StoragePolicy: p.Properties[storagePolicy], Mutable: true}
	if medium := p.Properties["storage_medium"]; medium != "" {
		d.StorageMedium = strings.ToUpper(medium)
	}
	if at, err := time.ParseInLocation(time.DateTime, p.Properties["storage_cooldown_time"], time.Local); err == nil {
		d.CooldownTime = at.UnixMilli()
	}
	return d
}
