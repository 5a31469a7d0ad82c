package ddl

import (
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// The partition object of ADD_PARTITION, field by field as a frontend printed it
// (doris-binlogs.md 2.4).

type addPartitionPayload struct {
	CommitSeq int64             `json:"commitSeq"`
	DBID      int64             `json:"dbId"`
	TableID   int64             `json:"tableId"`
	Partition partitionPayload  `json:"partition"`
	Range     []rangeEndPayload `json:"range,omitempty"`
	ListItem  listItemPayload   `json:"listPartitionItem"`
	Data      dataPropPayload   `json:"dataProperty"`
	Replicas  replicaAllocation `json:"replicaAlloc"`
	InMemory  bool              `json:"isInMemory"`
	Temporary bool              `json:"isTempPartition"`
	Mutable   bool              `json:"isMutable"`
	SQL       string            `json:"sql"`
}

// metaPayload is what every object of the catalog has.
type metaPayload struct {
	Signature int64 `json:"signature"`
	LastCheck int64 `json:"lastCheckTime"`
}

var unchecked = metaPayload{Signature: -1, LastCheck: -1}

type partitionPayload struct {
	Clazz          string              `json:"clazz"`
	ID             int64               `json:"id"`
	Name           string              `json:"nm"`
	State          string              `json:"st"`
	BaseIndex      indexPayload        `json:"bi"`
	Rollups        map[string]any      `json:"ivr"`
	Shadows        map[string]any      `json:"isi"`
	CommittedHash  int64               `json:"cvh"`
	VisibleVersion int64               `json:"vv"`
	VisibleTime    int64               `json:"vvt"` // ms
	VisibleHash    int64               `json:"vvh"`
	NextVersion    int64               `json:"nv"`
	NextHash       int64               `json:"nvh"`
	Distribution   distributionPayload `json:"di"`
	metaPayload
}

// indexPayload has long names where the partition around it has short ones.
type indexPayload struct {
	ID             int64           `json:"id"`
	State          string          `json:"state"`
	Rows           int64           `json:"rowCount"`
	Tablets        []tabletPayload `json:"tablets"`
	RollupIndex    int64           `json:"rollupIndexId"`
	RollupFinished int64           `json:"rollupFinishedVersion"`
	metaPayload
}

type tabletPayload struct {
	Clazz              string           `json:"clazz"`
	ID                 int64            `json:"id"`
	Replicas           []replicaPayload `json:"rs"`
	CheckedVersion     int64            `json:"cv"`
	CheckedHash        int64            `json:"cvs"`
	Consistent         bool             `json:"ic"`
	CooldownReplica    int64            `json:"cri"`
	CooldownReplicaTrm int64            `json:"ctm"`
	metaPayload
}

type replicaPayload struct {
	Clazz           string `json:"clazz"`
	ID              int64  `json:"id"`
	Backend         int64  `json:"bid"`
	Version         int64  `json:"v"`
	VersionHash     int64  `json:"vh"`
	DataSize        int64  `json:"ds"`
	RemoteDataSize  int64  `json:"rds"`
	Rows            int64  `json:"rc"`
	State           string `json:"st"`
	LastFailed      int64  `json:"lfv"`
	LastFailedHash  int64  `json:"lfvh"`
	LastSuccess     int64  `json:"lsv"`
	LastSuccessHash int64  `json:"lsvh"`
}

type distributionPayload struct {
	Clazz      string          `json:"clazz"`
	Type       string          `json:"type"`
	Buckets    int             `json:"bucketNum"`
	AutoBucket bool            `json:"autoBucket"`
	Columns    []columnPayload `json:"distributionColumns,omitempty"`
}

// rangeEndPayload is one end of a RANGE item.
type rangeEndPayload struct {
	Type  string `json:"type"` // CLOSED or OPEN
	Value []any  `json:"value"`
}

type listItemPayload struct {
	Clazz   string  `json:"clazz"`
	Keys    [][]any `json:"partitionKeys"`
	Default bool    `json:"idp"`
}

type dataPropPayload struct {
	StorageMedium string `json:"storageMedium"`
	CooldownTime  int64  `json:"cooldownTimeMs"`
	StoragePolicy string `json:"storagePolicy"`
	Mutable       bool   `json:"isMutable"`
}

// replicaAllocation is how many replicas lie where. A map whose keys are objects
// is printed as an array of pairs; an empty one as {}.
type replicaAllocation struct {
	Map any `json:"allocMap"`
}

type tagPayload struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

func allocation(replicas int) replicaAllocation {
	if replicas == 0 {
		return replicaAllocation{Map: struct{}{}}
	}
	return replicaAllocation{Map: []any{[]any{tagPayload{"location", "default"}, replicas}}}
}

func partitionRecord(t *catalog.Table, p *catalog.Partition) partitionPayload {
	r := partitionPayload{
		Clazz: "Partition", ID: p.ID, Name: p.Name, State: string(p.State), VisibleVersion: p.VisibleVersion,
		VisibleTime: p.VisibleTime.UnixMilli(), NextVersion: p.NextVersion, Rollups: map[string]any{}, Shadows: map[string]any{},
		BaseIndex: indexPayload{
			ID: t.BaseIndexID, State: string(catalog.IndexNormal), Rows: -1, RollupIndex: -1, RollupFinished: -1, metaPayload: unchecked,
		},
		Distribution: distributionPayload{
			Clazz: "RandomDistributionInfo", Type: string(p.Distribution.Kind), Buckets: p.Distribution.Buckets, AutoBucket: t.AutoBucket,
		},
		metaPayload: unchecked,
	}
	for _, tablet := range p.Tablets[t.BaseIndexID] {
		r.BaseIndex.Tablets = append(r.BaseIndex.Tablets, tabletRecord(tablet))
	}
	for id, tablets := range p.Tablets {
		index := t.Indexes[id]
		if id == t.BaseIndexID || index == nil {
			continue
		}
		other := r.BaseIndex
		other.ID, other.State, other.Tablets = id, string(index.State), nil
		for _, tablet := range tablets {
			other.Tablets = append(other.Tablets, tabletRecord(tablet))
		}
		into := r.Rollups
		if index.State == catalog.IndexShadow {
			into = r.Shadows
		}
		into[strconv.FormatInt(id, 10)] = other
	}
	if p.Distribution.Kind == catalog.HashDistribution {
		r.Distribution.Clazz = "HashDistributionInfo"
		schema := baseSchema(t)
		for _, name := range p.Distribution.Columns {
			column := columnRecord(t, &schema.Columns[schema.ColumnIndex(name)])
			column.AutoIncInit = 0
			r.Distribution.Columns = append(r.Distribution.Columns, column)
		}
	}
	return r
}

func tabletRecord(tablet *catalog.Tablet) tabletPayload {
	r := tabletPayload{Clazz: "Tablet", ID: tablet.ID, CheckedVersion: -1, Consistent: true, CooldownReplica: -1, CooldownReplicaTrm: -1, metaPayload: unchecked}
	for _, replica := range tablet.Replicas {
		r.Replicas = append(r.Replicas, replicaPayload{
			Clazz: "Replica", ID: replica.ID, Backend: replica.BackendID, Version: replica.Version, State: "NORMAL", LastFailed: -1, LastSuccess: replica.Version,
		})
	}
	return r
}

// itemRecord fills in the two fields of the partition's item: the one that does
// not apply has nothing in it.
func (r *addPartitionPayload) itemRecord(t *catalog.Table, item catalog.Item) {
	r.ListItem = listItemPayload{Clazz: "ListPartitionItem", Default: item.Default, Keys: [][]any{}}
	switch t.Partitioning.Kind {
	case catalog.RangePartition:
		r.Range = []rangeEndPayload{{Type: "CLOSED", Value: boundRecord(t, item.Lower)}, {Type: "OPEN", Value: boundRecord(t, item.Upper)}}
	case catalog.ListPartition:
		r.Range = []rangeEndPayload{{Type: "CLOSED", Value: boundRecord(t, nil)}, {Type: "CLOSED", Value: boundRecord(t, nil)}}
		for _, key := range item.In {
			r.ListItem.Keys = append(r.ListItem.Keys, boundRecord(t, key))
		}
	}
}

// boundRecord is a key as the FE's JSON has it: [[type, literal]..., "unused"].
func boundRecord(t *catalog.Table, b catalog.Bound) []any {
	var values []any
	schema := baseSchema(t)
	for i, v := range b {
		c := &schema.Columns[schema.ColumnIndex(t.Partitioning.Columns[i])]
		values = append(values, []any{string(c.Type.Kind), literalRecord(v, c.Type)})
	}
	return append(values, "unused")
}

// literalPayload is a literal of the FE, without its value.
type literalPayload struct {
	Clazz    string       `json:"clazz"`
	Type     *typePayload `json:"type"`
	Opcode   string       `json:"opcode"`
	Children []any        `json:"children"`
}

type valueLiteral struct {
	literalPayload
	Value any `json:"v"`
}

type dateLiteral struct {
	literalPayload
	Year        int64 `json:"y"`
	Month       int64 `json:"m"`
	Day         int64 `json:"d"`
	Hour        int64 `json:"h"`
	Minute      int64 `json:"M"`
	Second      int64 `json:"s"`
	Microsecond int64 `json:"ms"`
}

// literalRecord is one value of a key.
func literalRecord(v catalog.BoundValue, typ types.Type) any {
	r := literalPayload{Clazz: "StringLiteral", Type: typeRecord(typ), Opcode: "INVALID_OPCODE", Children: []any{}}
	if v.MaxValue {
		r.Clazz = "MaxLiteral"
		return r
	}
	if v.Value == nil {
		r.Clazz = "NullLiteral"
		return r
	}
	switch typ.Kind {
	case types.Date, types.DateTime:
		r.Clazz = "DateLiteral"
		return newDateLiteral(r, rangetext.ValueText(typ.Kind, v))
	case types.Boolean:
		r.Clazz = "BoolLiteral"
		return valueLiteral{r, v.Value == int64(1)}
	case types.LargeInt:
		r.Clazz = "LargeIntLiteral"
	case types.TinyInt, types.SmallInt, types.Int, types.BigInt:
		r.Clazz = "IntLiteral"
	}
	return valueLiteral{r, v.Value}
}

// newDateLiteral takes "2024-02-01" or "2024-02-01 10:00:00.5" apart.
func newDateLiteral(r literalPayload, text string) dateLiteral {
	d := dateLiteral{literalPayload: r}
	fields := []*int64{&d.Year, &d.Month, &d.Day, &d.Hour, &d.Minute, &d.Second}
	clock, fraction, _ := strings.Cut(text, ".")
	for i, digits := range strings.FieldsFunc(clock, func(c rune) bool { return c < '0' || c > '9' }) {
		*fields[i], _ = strconv.ParseInt(digits, 10, 64) // only digits, few of them
	}
	d.Microsecond, _ = strconv.ParseInt((fraction + "000000")[:6], 10, 64)
	return d
}
