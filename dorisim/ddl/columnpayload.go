package ddl

import (
	"strings"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// columnPayload is a column in the FE's JSON (doris-binlogs.md 2.8).
type columnPayload struct {
	Name          string          `json:"name"`
	Type          *typePayload    `json:"type,omitempty"`
	Agg           string          `json:"aggregationType,omitempty"`
	AggImplicit   bool            `json:"isAggregationTypeImplicit"`
	Key           bool            `json:"isKey"`
	Nullable      bool            `json:"isAllowNull"`
	AutoInc       bool            `json:"isAutoInc"`
	AutoIncInit   int64           `json:"autoIncInitValue"`
	Default       *string         `json:"defaultValue,omitempty"`
	Comment       string          `json:"comment"`
	Stats         statsPayload    `json:"stats"`
	Children      []columnPayload `json:"children"`
	RealDefault   *string         `json:"realDefaultValue,omitempty"`
	Visible       bool            `json:"visible"`
	DefaultExpr   *defaultExpr    `json:"defaultValueExprDef,omitempty"`
	UniqueID      int32           `json:"uniqueId"`
	ClusterKeyID  int             `json:"clusterKeyId"`
	OnUpdateValue bool            `json:"hasOnUpdateDefaultValue"`
	OnUpdateExpr  *defaultExpr    `json:"onUpdateDefaultValueExprDef,omitempty"`
	Generated     []string        `json:"gctt"`
}

type statsPayload struct {
	AverageSize jsonFloat `json:"avgSerializedSize"`
	MaxSize     int64     `json:"maxSize"`
	Distinct    int64     `json:"numDistinctValues"`
	Nulls       int64     `json:"numNulls"`
}

var noStats = statsPayload{AverageSize: "-1.0", MaxSize: -1, Distinct: -1, Nulls: -1}

// jsonFloat prints a number as written: Go has no decimal point in whole ones.
type jsonFloat string

// MarshalJSON implements json.Marshaler.
func (f jsonFloat) MarshalJSON() ([]byte, error) { return []byte(f), nil }

type defaultExpr struct {
	Name      string `json:"exprName"`
	Precision int    `json:"precision,omitempty"`
}

type typePayload struct {
	Clazz     string `json:"clazz"`
	Type      string `json:"type"`
	Len       int    `json:"len"`
	Precision int    `json:"precision"`
	Scale     int    `json:"scale"`
}

// columnRecord prints a column of t.
func columnRecord(t *catalog.Table, c *types.Column) columnPayload {
	r := columnPayload{
		Name: c.Name, Agg: string(shownAgg(t, c)), AggImplicit: c.AggImplicit, Key: c.Key, Nullable: c.Nullable, AutoInc: c.AutoInc,
		AutoIncInit: c.AutoIncInit, Default: c.Default, RealDefault: c.Default, Comment: c.Comment, Stats: noStats, Children: []columnPayload{},
		Visible: !c.Hidden, UniqueID: c.UniqueID, ClusterKeyID: -1, OnUpdateValue: c.OnUpdate, Generated: []string{}, Type: typeRecord(c.Type),
	}
	if c.RealDefault != "" {
		r.RealDefault = &c.RealDefault
	}
	if c.Default != nil && c.DefaultExpr {
		r.DefaultExpr = defaultExprOf(*c.Default, c.Type)
	}
	if c.OnUpdate {
		r.OnUpdateExpr = &defaultExpr{Name: "now", Precision: c.Type.Scale}
	}
	return r
}

// shownAgg is the aggregation that Doris has for the column: none in a
// merge-on-write table.
func shownAgg(t *catalog.Table, c *types.Column) types.Agg {
	if c.Agg != "" && isMergeOnWrite(t) {
		return "NONE"
	}
	return c.Agg
}

func defaultExprOf(text string, t types.Type) *defaultExpr {
	name, _, _ := strings.Cut(strings.ToLower(text), "(")
	switch name {
	case "current_timestamp":
		return &defaultExpr{Name: "now", Precision: t.Scale}
	case "current_date":
		return &defaultExpr{Name: "current_date"}
	case "bitmap_empty":
		return &defaultExpr{Name: "bitmap_empty"}
	}
	return nil
}

// stringLength is what the FE has as the length of STRING.
const stringLength = 2147483643

func typeRecord(t types.Type) *typePayload {
	r := &typePayload{Clazz: "ScalarType", Type: string(t.Kind), Len: -1}
	switch t.Kind {
	case types.Char, types.Varchar:
		r.Len = t.Len
	case types.String:
		r.Len = stringLength
	case types.Decimal:
		r.Type, r.Precision, r.Scale = decimalName(t.Precision), t.Precision, t.Scale
	case types.DateTime:
		r.Precision, r.Scale = 18, t.Scale
	case types.Array, types.Map, types.Struct:
		r.Clazz = string(t.Kind[:1]) + strings.ToLower(string(t.Kind[1:])) + "Type"
	}
	return r
}

func decimalName(precision int) string {
	switch {
	case precision <= 9:
		return "DECIMAL32"
	case precision <= 18:
		return "DECIMAL64"
	case precision <= 38:
		return "DECIMAL128"
	}
	return "DECIMAL256"
}
