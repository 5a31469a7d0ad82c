package ddl

import (
	"slices"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// addPartitionTo creates a partition among the formal or the temporary ones. It
// needs the lock.
func (e *Executor) addPartitionTo(t *catalog.Table, siblings *partitionSet, def *parser.PartitionDef,
	d catalog.Distribution, extra parser.Properties,
) (*catalog.Partition, error) {
	if siblings.taken(def.Name) {
		return nil, core.CodeErrorf(codeDuplicatePart, "Duplicate partition name %s", def.Name)
	}
	props, replicas, err := partitionProperties(def.Properties, extra)
	if err != nil {
		return nil, err
	}
	if replicas == 0 {
		replicas = t.ReplicaNum
	}
	item, err := siblings.item(def)
	if err != nil {
		return nil, err
	}
	p, err := e.core.NewPartition(t, def.Name, item, d, replicas)
	if err != nil {
		return nil, err
	}
	p.Properties = props
	siblings.put(p)
	return p, nil
}

func nameTaken(t *catalog.Table, name string) bool {
	_, formal := catalog.FindPartition(t.Partitions, name)
	_, temporary := catalog.FindPartition(t.Temporary, name)
	return formal || temporary
}

// partitionProperties merges and checks the properties of a partition.
func partitionProperties(lists ...parser.Properties) (props map[string]string, replicas int, err error) {
	props = map[string]string{}
	for _, list := range lists {
		for key, value := range list {
			switch key {
			case "version_info", "in_memory", "mutable", "data_base_time_ms":
			case replicationNum, replicationAllocation, "storage_medium", "storage_cooldown_time", storagePolicy:
				props[key] = value
			default:
				return nil, 0, core.Errorf("Unknown properties: %s", javaMap(map[string]string{key: value}))
			}
		}
	}
	replicas, err = takeReplicas(props, "")
	return props, replicas, err
}

// bound makes a key tuple. Values that a RANGE bound lacks are minima.
func bound(t *catalog.Table, values []parser.PartitionValue, exact bool) (catalog.Bound, error) {
	columns := t.Partitioning.Columns
	if len(values) > len(columns) || exact && len(values) != len(columns) {
		return nil, core.Errorf("partition key desc list size[%d] is not equal to partition column size[%d]", len(values), len(columns))
	}
	schema := baseSchema(t)
	result := make(catalog.Bound, len(columns))
	for i, name := range columns {
		c := &schema.Columns[schema.ColumnIndex(name)]
		if i >= len(values) {
			result[i].Value = rangetext.Lowest(c.Type.Kind)
			continue
		}
		v, err := boundValue(c, values[i])
		if err != nil {
			return nil, err
		}
		result[i] = v
	}
	return result, nil
}

func boundValue(c *types.Column, v parser.PartitionValue) (catalog.BoundValue, error) {
	switch {
	case v.MaxValue:
		return catalog.BoundValue{MaxValue: true}, nil
	case v.Null && !c.Nullable:
		return catalog.BoundValue{}, core.Errorf("Can't have null partition is for NOT NULL partition column in partition expr's index %s", c.Name)
	case v.Null:
		return catalog.BoundValue{}, nil
	}
	value, err := types.Parse(v.Text, c.Type)
	if err != nil {
		return catalog.BoundValue{}, core.Errorf("Invalid partition value '%s' for column %s of type %s", v.Text, c.Name, c.Type.Kind)
	}
	return catalog.BoundValue{Value: value}, nil
}

// newDistribution is that of a new partition: the table's unless stated, which
// may only change the number of buckets.
func newDistribution(t *catalog.Table, d *parser.Distribution) (catalog.Distribution, error) {
	result := t.Distribution
	if d == nil {
		return result, nil
	}
	stated, _, err := distribution(t, d)
	if err != nil {
		return result, err
	}
	if stated.Kind != result.Kind {
		return result, core.Errorf("Cannot assign different distribution type. default is: %s", result.Kind)
	}
	if !slices.Equal(stated.Columns, result.Columns) {
		return result, core.Errorf("Cannot assign hash distribution with different distribution cols. new is: %s default is: %s",
			columnsText(stated.Columns), columnsText(result.Columns))
	}
	return stated, nil
}

func columnsText(names []string) string { return "[" + quoteIdents(names) + "]" }
