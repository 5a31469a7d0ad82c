package binlog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// maxSummary bounds a summary, in characters: it stands in one line of a list.
const maxSummary = 160

// Summary says in one line for people what the binlog does, e.g. "ADD_PARTITION
// p5 of table 10118". Tables whose name the payload lacks appear by their id;
// see SummaryWith.
func (r Record) Summary() string { return r.SummaryWith(nil) }

// SummaryWith is Summary with the names of tables filled in: name returns the
// name of a source table id, or "".
func (r Record) SummaryWith(name func(tableID int64) string) string {
	inner, err := r.Unwrap()
	text := ""
	if err == nil {
		text = inner.describe(tableNames(name))
	}
	if text == "" && len(inner.TableIDs) > 0 {
		text = "of " + tableNames(name).list(inner.TableIDs)
	}
	line := strings.TrimSpace(inner.Type.String() + " " + strings.Join(strings.Fields(text), " "))
	if runes := []rune(line); len(runes) > maxSummary {
		line = string(runes[:maxSummary-1]) + "…"
	}
	return line
}

// tableNames finds names for table ids; nil knows none.
type tableNames func(int64) string

// of prefers the name in the payload, which is that of the time of the event.
func (n tableNames) of(id int64, inPayload string) string {
	if inPayload != "" {
		return inPayload
	}
	if n != nil {
		if name := n(id); name != "" {
			return name
		}
	}
	return fmt.Sprintf("table %d", id)
}

func (n tableNames) list(ids []int64) string {
	const most = 3
	names := make([]string, 0, most)
	for i, id := range ids {
		if i == most {
			return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), len(ids)-most)
		}
		names = append(names, n.of(id, ""))
	}
	return strings.Join(names, ", ")
}

// describe returns what follows the type's name, "" if the payload cannot be
// decoded.
func (r Record) describe(n tableNames) string {
	describer, ok := describers[r.Type]
	if !ok {
		return ""
	}
	text, err := describer(r.Data, n)
	if err != nil {
		return ""
	}
	return text
}

// with makes a describer from a decoder and a text.
func with[T any](decode func(string) (T, error), text func(T, tableNames) string) func(string, tableNames) (string, error) {
	return func(data string, n tableNames) (string, error) {
		payload, err := decode(data)
		if err != nil {
			return "", err
		}
		return text(payload, n), nil
	}
}

var describers = map[Type]func(string, tableNames) (string, error){
	TypeUpsert: with(DecodeUpsert, func(p Upsert, n tableNames) string {
		return "into " + n.list(slices.Sorted(maps.Keys(p.TableRecords)))
	}),
	TypeAddPartition: with(DecodeAddPartition, func(p AddPartition, n tableNames) string {
		return temporary(p.Temporary) + p.Partition.Name + " of " + n.of(p.TableID, "")
	}),
	TypeCreateTable: with(DecodeCreateTable, func(p CreateTable, n tableNames) string {
		if p.TableType != "" && p.TableType != "OLAP" {
			return strings.ToLower(p.TableType) + " " + n.of(p.TableID, p.TableName)
		}
		return n.of(p.TableID, p.TableName)
	}),
	TypeDropPartition: with(DecodeDropPartition, func(p DropPartition, n tableNames) string {
		return temporary(p.Temporary) + p.PartitionName + " of " + n.of(p.TableID, "")
	}),
	TypeDropTable: with(DecodeDropTable, func(p DropTable, n tableNames) string {
		if p.View {
			return "view " + n.of(p.TableID, p.TableName)
		}
		return n.of(p.TableID, p.TableName)
	}),
	TypeAlterJob: with(DecodeAlterJob, func(p AlterJob, n tableNames) string {
		return p.Type + " " + p.State + " of " + n.of(p.TableID, p.TableName) + note(p.RawSQL)
	}),
	TypeModifyTableAddOrDropColumns: with(DecodeModifyColumns, func(p ModifyColumns, n tableNames) string {
		return "of " + n.of(p.TableID, "") + note(p.RawSQL)
	}),
	TypeAlterDatabaseProperty: with(DecodeDatabaseProperty, func(p DatabaseProperty, _ tableNames) string {
		return properties(p.Properties) + " of database " + p.DBName
	}),
	TypeModifyTableProperty: with(DecodeTableProperty, func(p TableProperty, n tableNames) string {
		return properties(p.Properties) + " of " + n.of(p.TableID, p.TableName)
	}),
	TypeBarrier: with(DecodeBarrier, func(p Barrier, n tableNames) string {
		return "of " + n.of(p.TableID, p.TableName)
	}),
	TypeModifyPartitions: with(DecodeModifyPartitions, func(p ModifyPartitions, n tableNames) string {
		if len(p.Infos) == 0 {
			return ""
		}
		return fmt.Sprintf("%d of %s", len(p.Infos), n.of(p.Infos[0].TableID, ""))
	}),
	TypeReplacePartitions: with(DecodeReplacePartitions, func(p ReplacePartitions, n tableNames) string {
		return strings.Join(p.Partitions, ", ") + " of " + n.of(p.TableID, p.TableName)
	}),
	TypeTruncateTable: with(DecodeTruncate, func(p Truncate, n tableNames) string {
		return n.of(p.TableID, p.TableName) + " " + p.RawSQL
	}),
	TypeRenameTable:            with(DecodeTableInfo, renamed),
	TypeRenameRollup:           with(DecodeTableInfo, renamed),
	TypeRenamePartition:        with(DecodeTableInfo, renamed),
	TypeModifyDistributionType: with(DecodeTableInfo, renamed),
	TypeRenameColumn: with(DecodeRenameColumn, func(p RenameColumn, n tableNames) string {
		return p.OldName + " to " + p.NewName + " of " + n.of(p.TableID, "")
	}),
	TypeModifyComment: with(DecodeComment, func(p Comment, n tableNames) string {
		if len(p.ColumnComments) > 0 {
			return strings.Join(slices.Sorted(maps.Keys(p.ColumnComments)), ", ") + " of " + n.of(p.TableID, "")
		}
		return "of " + n.of(p.TableID, "")
	}),
	TypeModifyViewDef: with(DecodeViewDef, func(p ViewDef, n tableNames) string {
		return "of " + n.of(p.TableID, "") + note(p.InlineViewDef)
	}),
	TypeReplaceTable: with(DecodeReplaceTable, func(p ReplaceTable, n tableNames) string {
		verb := " with "
		if p.Swap {
			verb = " swapped with "
		}
		return n.of(p.OriginTableID, p.OriginTableName) + verb + n.of(p.NewTableID, p.NewTableName)
	}),
	TypeModifyInvertedIndices: with(DecodeInvertedIndices, func(p InvertedIndices, n tableNames) string {
		verb := "add "
		if p.Drop {
			verb = "drop "
		}
		return verb + indexNames(p.Changed) + " of " + n.of(p.TableID, "")
	}),
	TypeIndexChangeJob: with(DecodeIndexChangeJob, func(p IndexChangeJob, n tableNames) string {
		return p.State + " " + indexNames(p.Changed) + " in " + p.PartitionName + " of " + n.of(p.TableID, p.TableName)
	}),
	TypeDropRollup: with(DecodeDropRollup, func(p DropRollup, n tableNames) string {
		return p.IndexName + " of " + n.of(p.TableID, p.TableName)
	}),
	TypeRecoverInfo: with(DecodeRecover, func(p Recover, n tableNames) string {
		table := n.of(p.TableID, either(p.NewTableName, p.TableName))
		if p.PartitionID > 0 {
			return either(p.NewPartitionName, p.PartitionName) + " of " + table
		}
		return table
	}),
	TypeModifyDistributionBucketNum: with(DecodeDistributionBuckets, func(p DistributionBuckets, n tableNames) string {
		if p.AutoBucket {
			return "AUTO of " + n.of(p.TableID, "")
		}
		return fmt.Sprintf("%d of %s", p.BucketNum, n.of(p.TableID, ""))
	}),
}

func renamed(p TableInfo, n tableNames) string {
	switch {
	case p.NewTable != "":
		return n.of(p.TableID, p.OldTable) + " to " + p.NewTable
	case p.NewRollup != "":
		return p.OldRollup + " to " + p.NewRollup + " of " + n.of(p.TableID, "")
	case p.NewPartition != "":
		return p.OldPartition + " to " + p.NewPartition + " of " + n.of(p.TableID, "")
	}
	return "of " + n.of(p.TableID, "")
}

func temporary(is bool) string {
	if is {
		return "temporary "
	}
	return ""
}

func properties(p map[string]string) string {
	pairs := make([]string, 0, len(p))
	for _, k := range slices.Sorted(maps.Keys(p)) {
		pairs = append(pairs, k+"="+p[k])
	}
	return strings.Join(pairs, ", ")
}

var alterTable = regexp.MustCompile("(?is)^\\s*ALTER\\s+TABLE\\s+`[^`]*`(\\.`[^`]*`)?\\s*")

// note is a statement as a remark, without the ALTER TABLE that the summary has
// said already.
func note(sql string) string {
	if sql = strings.TrimSpace(alterTable.ReplaceAllString(sql, "")); sql == "" {
		return ""
	}
	return ": " + sql
}
