package ddl

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// partitionSet knows the names and items of a table's partitions, so that many
// can be added to it one after the other: what one costs does not depend on how
// many there are.
type partitionSet struct {
	table    *catalog.Table
	siblings map[string]*catalog.Partition // the formal or the temporary ones
	kinds    []types.Kind
	names    map[string]bool // in lower case, of formal and temporary ones
	// ranges are the siblings of a RANGE table in order; they do not overlap.
	ranges []*catalog.Partition
	// keys and byDefault are the siblings of a LIST table.
	keys      map[string]*catalog.Partition
	byDefault *catalog.Partition
}

func newPartitionSet(t *catalog.Table, siblings map[string]*catalog.Partition) *partitionSet {
	s := &partitionSet{table: t, siblings: siblings, kinds: rangetext.Kinds(t), names: map[string]bool{}, keys: map[string]*catalog.Partition{}}
	for _, partitions := range []map[string]*catalog.Partition{t.Partitions, t.Temporary} {
		for name := range partitions {
			s.names[strings.ToLower(name)] = true
		}
	}
	for _, p := range rangetext.Sorted(t, siblings) {
		s.noteItem(p)
	}
	return s
}

// put adds a partition to the siblings.
func (s *partitionSet) put(p *catalog.Partition) {
	s.siblings[p.Name] = p
	s.names[strings.ToLower(p.Name)] = true
	s.noteItem(p)
}

func (s *partitionSet) noteItem(p *catalog.Partition) {
	if s.table.Partitioning.Kind == catalog.RangePartition {
		s.ranges = slices.Insert(s.ranges, s.above(p.Item.Lower), p)
		return
	}
	if p.Item.Default {
		s.byDefault = p
	}
	for _, key := range p.Item.In {
		s.keys[s.key(key)] = p
	}
}

// taken tells whether the name is in use, regardless of case (doris-sql.md 1.5).
func (s *partitionSet) taken(name string) bool { return s.names[strings.ToLower(name)] }

// above returns the position of the first range that ends above the bound.
func (s *partitionSet) above(b catalog.Bound) int {
	return sort.Search(len(s.ranges), func(i int) bool { return rangetext.CompareBounds(s.kinds, s.ranges[i].Item.Upper, b) > 0 })
}

// endBelow returns the upper bound of the last range that ends below the bound.
func (s *partitionSet) endBelow(b catalog.Bound) (catalog.Bound, bool) {
	i := sort.Search(len(s.ranges), func(i int) bool { return rangetext.CompareBounds(s.kinds, s.ranges[i].Item.Upper, b) >= 0 })
	if i == 0 {
		return nil, false
	}
	return s.ranges[i-1].Item.Upper, true
}

// overlapping returns a sibling that shares a key with the item.
func (s *partitionSet) overlapping(item catalog.Item) (*catalog.Partition, bool) {
	if s.table.Partitioning.Kind == catalog.RangePartition {
		if i := s.above(item.Lower); i < len(s.ranges) && rangetext.Overlap(s.table, item, s.ranges[i].Item) {
			return s.ranges[i], true
		}
		return nil, false
	}
	if item.Default {
		return s.byDefault, s.byDefault != nil
	}
	var found *catalog.Partition
	for _, key := range item.In {
		p, ok := s.keys[s.key(key)]
		if ok && (found == nil || rangetext.Compare(s.table, p.Item, found.Item) < 0) {
			found = p
		}
	}
	return found, found != nil
}

// key is a key tuple as a map key.
func (s *partitionSet) key(b catalog.Bound) string {
	var text strings.Builder
	for i, v := range b {
		switch {
		case v.MaxValue:
			text.WriteString("max,")
		case v.Value == nil:
			text.WriteString("null,")
		default:
			fmt.Fprintf(&text, "%q,", rangetext.ValueText(s.kinds[i], v))
		}
	}
	return text.String()
}

// item makes the item of a new partition and checks it against its siblings.
func (s *partitionSet) item(def *parser.PartitionDef) (catalog.Item, error) {
	if s.table.Partitioning.Kind == catalog.RangePartition {
		return s.rangeItem(def)
	}
	if def.LessThan != nil || def.Lower != nil {
		return catalog.Item{}, core.Errorf("You can only use in values to create list partitions")
	}
	item := catalog.Item{Default: len(def.In) == 0}
	own := map[string]bool{}
	for _, values := range def.In {
		key, err := bound(s.table, values, true)
		if err != nil {
			return item, err
		}
		if text := s.key(key); own[text] {
			return item, core.Errorf("The partition key[(%s)] has already exist in partition %s", boundText(s.kinds, key), def.Name)
		} else {
			own[text] = true
		}
		item.In = append(item.In, key)
	}
	if other, ok := s.overlapping(item); ok {
		return item, core.Errorf("The partition item %s of partition %s is conflict with partition %s",
			rangetext.ItemText(s.table, item, false), def.Name, other.Name)
	}
	return item, nil
}

// rangeItem makes a RANGE item. LESS THAN begins where the partition before it
// ends, the first one at the type's minimum.
func (s *partitionSet) rangeItem(def *parser.PartitionDef) (catalog.Item, error) {
	item, err := s.bounds(def)
	if err != nil {
		return item, err
	}
	if other, ok := s.overlapping(item); ok {
		return item, core.Errorf("Range %s is intersected with range: %s", rangetext.ItemText(s.table, item, false), rangetext.RangeText(s.table, other, false))
	}
	if rangetext.CompareBounds(s.kinds, item.Lower, item.Upper) >= 0 {
		return item, core.Errorf("Invalid range value format: lower bound of partition %s is not below its upper bound: %s",
			def.Name, rangetext.ItemText(s.table, item, false))
	}
	return item, nil
}

func (s *partitionSet) bounds(def *parser.PartitionDef) (item catalog.Item, err error) {
	switch {
	case def.In != nil || def.LessThan == nil && def.Lower == nil:
		return item, core.Errorf("You can only use fixed or less than values to create range partitions")
	case def.LessThan == nil:
		if item.Lower, err = bound(s.table, def.Lower, false); err == nil {
			item.Upper, err = bound(s.table, def.Upper, false)
		}
		return item, err
	}
	if item.Upper, err = bound(s.table, def.LessThan, false); err != nil {
		return item, err
	}
	if end, ok := s.endBelow(item.Upper); ok {
		item.Lower = end
		return item, nil
	}
	for _, kind := range s.kinds {
		item.Lower = append(item.Lower, catalog.BoundValue{Value: rangetext.Lowest(kind)})
	}
	return item, nil
}
