// Package types defines what a value, a column and a row are in the simulator.
//
// A value is one of: nil (NULL), int64 (BOOLEAN as 0/1, TINYINT..BIGINT),
// float64 (FLOAT, DOUBLE) or string (everything else: LARGEINT and DECIMAL as
// canonical decimal text, DATE "2006-01-02", DATETIME "2006-01-02 15:04:05[.f]",
// CHAR, VARCHAR, STRING, IPV4, IPV6, JSON, VARIANT, ARRAY, MAP, STRUCT as their text, HLL,
// BITMAP, AGG_STATE as in object.go, QUANTILE_STATE as opaque text).
package types

import "strings"

// Kind is a Doris primitive type, spelled as the FE spells it in partition
// range texts (doris-sql.md 2.3), e.g. "INT", "DATEV2", "VARCHAR".
type Kind string

const (
	Boolean       Kind = "BOOLEAN"
	TinyInt       Kind = "TINYINT"
	SmallInt      Kind = "SMALLINT"
	Int           Kind = "INT"
	BigInt        Kind = "BIGINT"
	LargeInt      Kind = "LARGEINT"
	Float         Kind = "FLOAT"
	Double        Kind = "DOUBLE"
	Decimal       Kind = "DECIMALV3"
	Date          Kind = "DATEV2"
	DateTime      Kind = "DATETIMEV2"
	Char          Kind = "CHAR"
	Varchar       Kind = "VARCHAR"
	IPv4          Kind = "IPV4"
	IPv6          Kind = "IPV6"
	String        Kind = "STRING"
	JSON          Kind = "JSON"
	Variant       Kind = "VARIANT"
	Array         Kind = "ARRAY"
	Map           Kind = "MAP"
	Struct        Kind = "STRUCT"
	HLL           Kind = "HLL"
	Bitmap        Kind = "BITMAP"
	QuantileState Kind = "QUANTILE_STATE"
	AggState      Kind = "AGG_STATE"
)

// Type is a column type. Len is the length of CHAR/VARCHAR, Precision and Scale
// those of DECIMAL; Scale is also the fraction digits of DATETIME. Text is the
// inner text of complex types, e.g. "<int>" of array<int>.
type Type struct {
	Kind      Kind
	Len       int
	Precision int
	Scale     int
	Text      string
}

// Value is one cell; see the package comment for its dynamic types.
type Value = any

// Row is one row: a value for each column of the schema, in order.
type Row []Value

// Agg is the aggregation of a value column: "" (none), SUM, MAX, MIN, REPLACE,
// REPLACE_IF_NOT_NULL, HLL_UNION, BITMAP_UNION, QUANTILE_UNION, GENERIC.
type Agg string

// Column is one column of an index' schema.
type Column struct {
	Name     string
	Type     Type
	Key      bool
	Nullable bool
	Agg      Agg
	// AggImplicit: the aggregation follows from the table model (REPLACE of
	// UNIQUE tables, NONE of DUPLICATE tables) and is not printed.
	AggImplicit bool
	// Default is nil when there is none; DefaultExpr tells that it is printed
	// bare (CURRENT_TIMESTAMP, BITMAP_EMPTY).
	Default     *string
	DefaultExpr bool
	// RealDefault is what rows have that were there when the column was added,
	// where it differs from Default: the time of the ALTER.
	RealDefault string
	OnUpdate    bool // ON UPDATE CURRENT_TIMESTAMP
	AutoInc     bool
	AutoIncInit int64
	Generated   string // expression text of a generated column, "" if none
	Define      string // expression text of a materialized view's column, "" if it is a column of the table
	Comment     string
	Hidden      bool // __DORIS_DELETE_SIGN__ and friends
	UniqueID    int32
}

// KeysType is a table model.
type KeysType string

const (
	DupKeys    KeysType = "DUPLICATE"
	UniqueKeys KeysType = "UNIQUE"
	AggKeys    KeysType = "AGGREGATE"
)

// Schema is what a tablet needs to know to merge its rows on read.
type Schema struct {
	// Version counts light schema changes; Hash is the schema_hash of backups.
	Version  int32
	Hash     int32
	Keys     KeysType
	Columns  []Column
	Sequence string // name of the sequence column, "" if none
}

// ColumnIndex returns the position of the column with that name, regardless of
// case (doris-sql.md 1.5), or -1.
func (s *Schema) ColumnIndex(name string) int {
	for i := range s.Columns {
		if strings.EqualFold(s.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}
