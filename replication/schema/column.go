package schema

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// Lengthens tells whether the column differs from another only in being a longer
// VARCHAR, which is the one light change of a type (doris-binlogs.md 2.8).
func (c ColumnDefinition) Lengthens(other ColumnDefinition) bool {
	var longer, shorter int
	if n, err := fmt.Sscanf(c.Type, "varchar(%d)", &longer); n != 1 || err != nil {
		return false
	}
	if n, err := fmt.Sscanf(other.Type, "varchar(%d)", &shorter); n != 1 || err != nil {
		return false
	}
	other.Type = c.Type
	return longer > shorter && c.Same(other)
}

// Clause prints the column as CREATE TABLE and ALTER TABLE take it. A key column
// says so where the table has no key clause for it, that is in ALTER TABLE.
func (c ColumnDefinition) Clause(key bool) string {
	parts := []string{sqlclient.Quote(c.Name), c.Type}
	if c.Aggregation != "" {
		parts = append(parts, c.Aggregation)
	}
	if key {
		parts = append(parts, "KEY")
	}
	if c.Generated != "" {
		parts = append(parts, "AS ("+c.Generated+")")
	}
	if c.Nullable {
		parts = append(parts, "NULL")
	} else {
		parts = append(parts, "NOT NULL")
	}
	if c.AutoIncrement != "" {
		parts = append(parts, "AUTO_INCREMENT("+c.AutoIncrement+")")
	}
	if value, ok := c.defaultValue(); ok {
		parts = append(parts, "DEFAULT "+sqlclient.QuoteString(value))
	} else if c.Default != "" {
		parts = append(parts, "DEFAULT "+c.Default)
	}
	if c.OnUpdate != "" {
		parts = append(parts, "ON UPDATE "+c.OnUpdate)
	}
	return strings.Join(append(parts, "COMMENT "+sqlclient.QuoteString(c.Comment)), " ")
}

// defaultValue is the value of a default that is no expression.
func (c ColumnDefinition) defaultValue() (string, bool) {
	if len(c.Default) < 2 || c.Default[0] != '"' {
		return "", false
	}
	return c.Default[1 : len(c.Default)-1], true
}

// anyExpression stands for the expression of a generated column that is not
// known: it is equal to any other.
const anyExpression = "?"

// DefinedColumn is a binlog's column as SHOW CREATE prints it in a table with or
// without aggregation. What cannot be said with certainty is an error; of the
// definition that comes with it, a type that is not known is "".
func DefinedColumn(c binlog.Column, aggregate bool) (ColumnDefinition, error) {
	d := ColumnDefinition{Name: c.Name, Nullable: c.AllowNull, Comment: c.Comment}
	var err error
	if d.Type, err = typeText(c.Type); err != nil {
		err = fmt.Errorf("column %s: %w", c.Name, err)
	}
	if aggregate && !c.AggregationImplicit && c.Aggregation != "NONE" {
		d.Aggregation = c.Aggregation
	}
	if c.AutoIncrement {
		d.AutoIncrement = strconv.FormatInt(c.AutoIncrementStart, 10)
	}
	if c.Generated != nil {
		d.Generated = anyExpression // it is printed in another way than it is kept
		err = fmt.Errorf("column %s is a generated one", c.Name)
	}
	d.Default = defaultText(c, d.Type)
	if c.OnUpdate {
		d.OnUpdate = timestampText(c.OnUpdateExpr)
		if c.OnUpdateExpr == nil {
			d.OnUpdate = d.Default // SHOW CREATE prints the default here
		}
	}
	return d, err
}

// defaultText is a default as SHOW CREATE prints it: the true one, not the text
// of rawSql (doris-binlogs.md 2.8). HLL and BITMAP have their empty value by
// themselves.
func defaultText(c binlog.Column, typ string) string {
	switch {
	case c.Default == nil || typ == "hll" || typ == "quantile_state":
		return ""
	case typ == "bitmap":
		return "BITMAP_EMPTY"
	case c.DefaultExpr != nil && strings.EqualFold(c.DefaultExpr.Name, "now"):
		return timestampText(c.DefaultExpr)
	case c.DefaultExpr != nil && strings.EqualFold(c.DefaultExpr.Name, "current_date"):
		return "CURRENT_DATE"
	case (strings.HasPrefix(typ, "date")) && strings.HasPrefix(*c.Default, "CURRENT_"):
		return *c.Default // a version that does not say that it is an expression
	}
	return `"` + *c.Default + `"`
}

func timestampText(e *binlog.DefaultExpr) string {
	if e == nil || e.Precision == 0 {
		return "CURRENT_TIMESTAMP"
	}
	return fmt.Sprintf("CURRENT_TIMESTAMP(%d)", e.Precision)
}

// columnType is the server's object of a type; which fields are set depends on
// the class.
type columnType struct {
	Class     string          `json:"clazz"`
	Type      string          `json:"type"`
	Len       int             `json:"len"`
	Precision int             `json:"precision"`
	Scale     int             `json:"scale"`
	Item      json.RawMessage `json:"itemType"`
	Key       json.RawMessage `json:"keyType"`
	Value     json.RawMessage `json:"valueType"`
	Fields    []structField   `json:"fields"`
}

type structField struct {
	Name    string          `json:"name"`
	Type    json.RawMessage `json:"type"`
	Comment string          `json:"comment"`
}

// plainTypes are those whose name says it all.
var plainTypes = map[string]string{
	"BOOLEAN": "boolean", "TINYINT": "tinyint", "SMALLINT": "smallint", "INT": "int", "BIGINT": "bigint", "LARGEINT": "largeint",
	"FLOAT": "float", "DOUBLE": "double", "DATEV2": "date", "STRING": "text", "JSONB": "json", "JSON": "json",
	"HLL": "hll", "BITMAP": "bitmap", "QUANTILE_STATE": "quantile_state", "IPV4": "ipv4", "IPV6": "ipv6",
}

// typeText is a type as SHOW CREATE prints it; types that say more than is known
// here (AGG_STATE, templates of VARIANT) are errors.
func typeText(raw json.RawMessage) (string, error) {
	var t columnType
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", fmt.Errorf("decode the type %.80s: %w", raw, err)
	}
	switch t.Class {
	case "ArrayType":
		return nested("array<%s>", t.Item)
	case "MapType":
		return nested("map<%s,%s>", t.Key, t.Value)
	case "StructType":
		return structText(t.Fields)
	case "ScalarType", "":
	case "VariantType":
		if variantTemplate(raw) {
			return "", fmt.Errorf("a VARIANT with a template: %.80s", raw)
		}
		return "variant", nil
	default:
		return "", fmt.Errorf("unknown type %.80s", raw)
	}
	switch {
	case plainTypes[t.Type] != "":
		return plainTypes[t.Type], nil
	case t.Type == "VARIANT":
		return "variant", nil
	case (t.Type == "CHAR" || t.Type == "VARCHAR") && t.Len > 0:
		return fmt.Sprintf("%s(%d)", strings.ToLower(t.Type), t.Len), nil
	case t.Type == "DATETIMEV2" && t.Scale == 0:
		return "datetime", nil
	case t.Type == "DATETIMEV2":
		return fmt.Sprintf("datetime(%d)", t.Scale), nil
	case strings.HasPrefix(t.Type, "DECIMAL") && t.Type != "DECIMALV2" && t.Precision > 0:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale), nil
	}
	return "", fmt.Errorf("unknown type %.80s", raw)
}

// nested prints a type made of others.
func nested(format string, parts ...json.RawMessage) (string, error) {
	texts := make([]any, len(parts))
	for i, part := range parts {
		text, err := typeText(part)
		if err != nil {
			return "", err
		}
		texts[i] = text
	}
	return fmt.Sprintf(format, texts...), nil
}

func structText(fields []structField) (string, error) {
	texts := make([]string, len(fields))
	for i, f := range fields {
		text, err := typeText(f.Type)
		if err != nil {
			return "", err
		}
		if f.Comment != "" || f.Name == "" {
			return "", fmt.Errorf("field %q of a STRUCT has a comment", f.Name)
		}
		texts[i] = f.Name + ":" + text
	}
	if len(texts) == 0 {
		return "", fmt.Errorf("a STRUCT without fields")
	}
	return "struct<" + strings.Join(texts, ",") + ">", nil
}

// variantTemplate tells whether the type has more than plain VARIANTs have.
func variantTemplate(raw json.RawMessage) bool {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return true
	}
	for key := range all {
		switch key {
		case "clazz", "type", "len", "precision", "scale":
		default:
			return true
		}
	}
	return false
}
