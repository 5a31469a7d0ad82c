package ddl

import (
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

// replacePartitionsPayload is the record of REPLACE_PARTITIONS
// (doris-binlogs.md 2.14).
type replacePartitionsPayload struct {
	DBID        int64    `json:"dbId"`
	DBName      string   `json:"dbName"`
	TableID     int64    `json:"tblId"`
	TableName   string   `json:"tblName"`
	Partitions  []string `json:"partitions"`
	Temporary   []string `json:"tempPartitions"`
	ReplacedIDs []int64  `json:"replacedPartitionIds,omitempty"` // new only
	StrictRange bool     `json:"strictRange"`
	UseTempName bool     `json:"useTempPartitionName"`
	Version     int64    `json:"version"`
	VersionTime int64    `json:"versionTime"`
	Force       bool     `json:"force"`
}

// replacement is one exchange of formal partitions for temporary ones.
type replacement struct {
	formal, temporary []string
	strict, useTemp   bool
	force             bool
}

// replacePartitions is REPLACE PARTITION (..) WITH TEMPORARY PARTITION (..).
func (e *Executor) replacePartitions(db *catalog.Database, t *catalog.Table, c *parser.ReplacePartition) error {
	r := replacement{formal: c.Partitions, temporary: c.Temporary, strict: true, force: c.Force}
	unknown := parser.Properties{}
	for key, value := range c.Properties {
		target := map[string]*bool{"strict_range": &r.strict, "use_temp_partition_name": &r.useTemp}[key]
		if target == nil {
			unknown[key] = value
			continue
		}
		text, err := boolean(key, value)
		if err != nil {
			return err
		}
		*target = text == "true"
	}
	if len(unknown) > 0 {
		return core.Errorf("Unknown properties: %s", javaMap(unknown))
	}
	return e.exchange(db, t, r)
}

// exchange lets the temporary partitions take the place of the formal ones. They
// keep their ids and contents; the formal ones are gone (doris-sql.md 4.12).
func (e *Executor) exchange(db *catalog.Database, t *catalog.Table, r replacement) error {
	formal, err := namedPartitions(t.Partitions, r.formal, "Partition[%s] does not exist")
	if err != nil {
		return err
	}
	fresh, err := namedPartitions(t.Temporary, r.temporary, "Temp partition[%s] does not exist")
	if err != nil {
		return err
	}
	if err := checkExchange(t, formal, fresh, r.strict); err != nil {
		return err
	}
	// Several for one, or one for several, cannot keep the formal names.
	keepNames := !r.useTemp && len(formal) == len(fresh)
	if err := checkExchangedNames(t, formal, fresh, keepNames); err != nil {
		return err
	}
	record := replacePartitionsPayload{
		DBID: db.ID, DBName: db.Name, TableID: t.ID, TableName: t.Name, StrictRange: r.strict, UseTempName: r.useTemp, Force: r.force,
	}
	for _, p := range fresh {
		delete(t.Temporary, p.Name)
		record.Temporary = append(record.Temporary, p.Name)
	}
	for _, p := range formal {
		delete(t.Partitions, p.Name)
		record.Partitions = append(record.Partitions, p.Name)
		if e.core.Version() == core.VersionNew {
			record.ReplacedIDs = append(record.ReplacedIDs, p.ID)
		}
		e.core.DropPartition(p)
	}
	for i, p := range fresh {
		if keepNames {
			p.Name = formal[i].Name
		}
		t.Partitions[p.Name] = p
	}
	t.NextVersion(e.core.Now())
	record.Version, record.VersionTime = t.Version, t.VersionTime.UnixMilli()
	e.core.Record(core.Event{
		DB: db.ID, Tables: []int64{t.ID}, Type: binlog.TypeReplacePartitions, Payload: func(int64) any { return record },
	})
	return nil
}

func namedPartitions(from map[string]*catalog.Partition, names []string, missing string) ([]*catalog.Partition, error) {
	list, unknown := catalog.FindPartitions(from, names)
	if unknown != "" {
		return nil, core.Errorf(missing, unknown)
	}
	seen := map[string]bool{}
	for _, p := range list {
		if seen[p.Name] {
			return nil, core.Errorf("Duplicated partition name: %s", p.Name)
		}
		seen[p.Name] = true
	}
	return list, nil
}

// checkExchange demands that both sides cover the same keys (strict), or that
// the new ones leave the other partitions alone.
func checkExchange(t *catalog.Table, formal, fresh []*catalog.Partition, strict bool) error {
	if t.Partitioning.Kind == catalog.Unpartitioned {
		return nil
	}
	if strict {
		have, want := coverage(t, formal), coverage(t, fresh)
		if have != want {
			return core.Errorf("2 range lists are not stricly matched. %s vs. %s", have, want)
		}
		return nil
	}
	replaced := map[*catalog.Partition]bool{}
	for _, p := range formal {
		replaced[p] = true
	}
	for _, other := range rangetext.Sorted(t, t.Partitions) {
		for _, p := range fresh {
			if !replaced[other] && rangetext.Overlap(t, p.Item, other.Item) {
				return core.Errorf("Range %s conflicts with range: %s", rangetext.RangeText(t, p, false), rangetext.RangeText(t, other, false))
			}
		}
	}
	return nil
}

// coverage prints the keys that the partitions hold together: adjoining ranges
// are one, LIST keys are in order.
func coverage(t *catalog.Table, partitions []*catalog.Partition) string {
	byName := map[string]*catalog.Partition{}
	for _, p := range partitions {
		byName[p.Name] = p
	}
	kinds := rangetext.Kinds(t)
	var merged []catalog.Item
	for _, p := range rangetext.Sorted(t, byName) {
		last := len(merged) - 1
		switch {
		case t.Partitioning.Kind != catalog.RangePartition:
			for _, key := range p.Item.In {
				merged = append(merged, catalog.Item{In: []catalog.Bound{key}})
			}
			if p.Item.Default {
				merged = append(merged, p.Item)
			}
		case last >= 0 && rangetext.CompareBounds(kinds, merged[last].Upper, p.Item.Lower) == 0:
			merged[last].Upper = p.Item.Upper
		default:
			merged = append(merged, p.Item)
		}
	}
	texts := make([]string, 0, len(merged))
	for _, item := range sortedItems(t, merged) {
		texts = append(texts, rangetext.ItemText(t, item, false))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func checkExchangedNames(t *catalog.Table, formal, fresh []*catalog.Partition, keepNames bool) error {
	if keepNames {
		return nil
	}
	leaving := map[*catalog.Partition]bool{}
	for _, p := range formal {
		leaving[p] = true
	}
	for _, p := range fresh {
		if other, taken := catalog.FindPartition(t.Partitions, p.Name); taken && !leaving[other] {
			return core.CodeErrorf(codeDuplicatePart, "Duplicate partition name %s", p.Name)
		}
	}
	return nil
}

func sortedItems(t *catalog.Table, items []catalog.Item) []catalog.Item {
	return slices.SortedFunc(slices.Values(items), func(a, b catalog.Item) int { return rangetext.Compare(t, a, b) })
}
