package ddl

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// maxBulkPartitions is the default of the FE config max_multi_partition_num.
const maxBulkPartitions = 4096

// bulkPrefix begins the names of bulk partitions.
const bulkPrefix = "p_"

// expandBulk turns FROM .. TO .. INTERVAL into the partitions it stands for.
func expandBulk(t *catalog.Table, def *parser.PartitionDef) ([]parser.PartitionDef, error) {
	if t.Partitioning.Kind != catalog.RangePartition || len(t.Partitioning.Columns) != 1 {
		return nil, core.Errorf("multi partition only support single-column range partition")
	}
	b := def.Bulk
	if b.Interval <= 0 {
		return nil, core.Errorf("The interval of the multi partition must be greater than zero.")
	}
	var (
		defs []parser.PartitionDef
		err  error
	)
	if kind := rangetext.Kinds(t)[0]; kind == types.Date || kind == types.DateTime {
		defs, err = bulkTimes(t, kind, b)
	} else {
		defs, err = bulkNumbers(b)
	}
	for i := range defs {
		defs[i].Properties = def.Properties
	}
	return defs, err
}

func bulkNumbers(b *parser.BulkPartitions) ([]parser.PartitionDef, error) {
	if b.Unit != "" {
		return nil, core.Errorf("multi partition with a time unit needs a date column")
	}
	from, errFrom := strconv.ParseInt(b.From.Text, 10, 64)
	to, errTo := strconv.ParseInt(b.To.Text, 10, 64)
	if errFrom != nil || errTo != nil {
		return nil, core.Errorf("Batch build partition INTERVAL is number type but range is not number: %s, %s", b.From.Text, b.To.Text)
	}
	if from >= to {
		return nil, core.Errorf("Batch build partition From value should less then To value")
	}
	var defs []parser.PartitionDef
	for at := from; at < to; at += b.Interval {
		if len(defs) == maxBulkPartitions {
			return nil, errTooManyBulk()
		}
		name := bulkPrefix + strings.ReplaceAll(strconv.FormatInt(at, 10), "-", "_")
		defs = append(defs, bulkPartition(name, strconv.FormatInt(at, 10), strconv.FormatInt(min(at+b.Interval, to), 10)))
	}
	return defs, nil
}

func errTooManyBulk() error {
	return core.Errorf("The number of Multi partitions too much, should not exceed:%d", maxBulkPartitions)
}

func bulkPartition(name, from, to string) parser.PartitionDef {
	return parser.PartitionDef{Name: name, Lower: []parser.PartitionValue{{Text: from}}, Upper: []parser.PartitionValue{{Text: to}}}
}

// bulkTimes steps through dates. With an interval of one, the steps of weeks,
// months and years end where a calendar unit does.
func bulkTimes(t *catalog.Table, kind types.Kind, b *parser.BulkPartitions) ([]parser.PartitionDef, error) {
	if b.Unit == "" {
		return nil, core.Errorf("Unsupported time unit type. time unit must be one of HOUR, DAY, WEEK, MONTH, YEAR")
	}
	if kind == types.Date && b.Unit == "HOUR" {
		return nil, core.Errorf("Unsupported Hour with Date type.")
	}
	layout := time.DateOnly
	if kind == types.DateTime {
		layout = time.DateTime
	}
	from, err := bulkTime(t, b.From)
	if err != nil {
		return nil, err
	}
	to, err := bulkTime(t, b.To)
	if err != nil {
		return nil, err
	}
	if !from.Before(to) {
		return nil, core.Errorf("Batch build partition From value should less then To value")
	}
	unit := strings.ToLower(b.Unit)
	var defs []parser.PartitionDef
	for at := from; at.Before(to); {
		if len(defs) == maxBulkPartitions {
			return nil, errTooManyBulk()
		}
		next := advance(at, unit, int(b.Interval))
		if b.Interval == 1 && (unit == "week" || unit == "month" || unit == "year") {
			next = advance(types.TruncateTime(at, unit), unit, 1)
		}
		if next.After(to) {
			next = to
		}
		defs = append(defs, bulkPartition(bulkPrefix+dynamicName(at, unit), at.Format(layout), next.Format(layout)))
		at = next
	}
	return defs, nil
}

func bulkTime(t *catalog.Table, v parser.PartitionValue) (time.Time, error) {
	bad := core.Errorf("Multi build partition EVERY date type error: %s", v.Text)
	schema := baseSchema(t)
	value, err := types.Parse(v.Text, schema.Columns[schema.ColumnIndex(t.Partitioning.Columns[0])].Type)
	if err != nil {
		return time.Time{}, bad
	}
	text := fmt.Sprint(value)
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04:05.999999", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, bad
}
