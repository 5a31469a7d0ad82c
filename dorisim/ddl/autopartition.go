package ddl

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// AddAutoPartition creates the partition of an AUTO PARTITION table that holds
// the key tuple (a value for each partition column), unless there is one. Its
// errors are *core.Error.
func (e *Executor) AddAutoPartition(_ context.Context, database, table string, key []types.Value) error {
	e.core.Lock()
	defer e.core.Unlock()
	db, err := e.database("", database)
	if err != nil {
		return err
	}
	t, err := olapTable(db, table, "ALTER")
	if err != nil {
		return err
	}
	if !t.Partitioning.Auto || len(key) != len(t.Partitioning.Columns) {
		return core.Errorf("table %s has no automatic partitions for %d key columns", t.Name, len(key))
	}
	name, item, err := autoItem(t, key)
	if err != nil {
		return err
	}
	for _, p := range t.Partitions {
		if rangetext.Overlap(t, item, p.Item) {
			return nil
		}
	}
	if nameTaken(t, name) {
		return core.CodeErrorf(codeDuplicatePart, "Duplicate partition name %s", name)
	}
	p, err := e.core.NewPartition(t, name, item, t.Distribution, t.ReplicaNum)
	if err != nil {
		return err
	}
	t.Partitions[p.Name] = p
	e.recordAddPartition(db, t, p, false)
	return nil
}

// autoItem names and makes the partition of a key (doris-sql.md 4.12).
func autoItem(t *catalog.Table, key []types.Value) (string, catalog.Item, error) {
	if t.Partitioning.Kind == catalog.RangePartition {
		return autoRange(t, key[0])
	}
	kinds := rangetext.Kinds(t)
	b := make(catalog.Bound, len(key))
	for i, v := range key {
		b[i].Value = v
	}
	return autoListName(kinds, b), catalog.Item{In: []catalog.Bound{b}}, nil
}

// autoListName joins the text of each value and its length, NULL being X, and
// encodes what may not stand in a name as hexadecimal.
func autoListName(kinds []types.Kind, key catalog.Bound) string {
	var text strings.Builder
	for i, v := range key {
		if v.Value == nil {
			text.WriteByte('X')
			continue
		}
		value := rangetext.ValueText(kinds[i], v)
		text.WriteString(value + strconv.Itoa(len([]rune(value))))
	}
	name := "p"
	if strings.HasPrefix(text.String(), "-") {
		name += "_"
	}
	for _, r := range text.String() {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			name += string(r)
			continue
		}
		name += strconv.FormatInt(int64(r), 16)
	}
	return name
}

// truncUnit returns the unit of date_trunc(column, 'unit').
func truncUnit(t *catalog.Table) (string, error) {
	expr := t.Partitioning.AutoExpr
	function, rest, _ := strings.Cut(expr, "(")
	if function != "date_trunc" || len(t.Partitioning.Columns) != 1 {
		return "", core.Errorf("auto create partition only support date_trunc function of one column: %s", expr)
	}
	start := strings.LastIndex(strings.TrimSuffix(rest, "')"), "'")
	if start < 0 || !strings.HasSuffix(rest, "')") {
		return "", core.Errorf("partition expr date_trunc is illegal: %s", expr)
	}
	unit := strings.ToLower(rest[start+1 : len(rest)-2])
	if !slices.Contains([]string{"year", "quarter", "month", "week", "day", "hour", "minute", "second"}, unit) {
		return "", core.Errorf("date_trunc function time unit param only support argument is year|quarter|month|week|day|hour|minute|second")
	}
	return unit, nil
}

func autoRange(t *catalog.Table, key types.Value) (string, catalog.Item, error) {
	text, ok := key.(string)
	if !ok {
		return "", catalog.Item{}, core.Errorf("Can't create auto partition of table %s for NULL", t.Name)
	}
	unit, err := truncUnit(t)
	if err != nil {
		return "", catalog.Item{}, err
	}
	at, err := parseTime(text)
	if err != nil {
		return "", catalog.Item{}, err
	}
	lower := types.TruncateTime(at, unit)
	upper := advance(lower, unit, 1)
	kind := rangetext.Kinds(t)[0]
	item := catalog.Item{Lower: timeBound(kind, lower), Upper: timeBound(kind, upper)}
	return "p" + lower.Format("20060102150405"), item, nil
}

func parseTime(text string) (time.Time, error) {
	text, _, _ = strings.Cut(text, ".")
	for _, layout := range []string{time.DateTime, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, core.Errorf("Invalid date value: %s", text)
}

// timeBound is a bound of a DATE or DATETIME column.
func timeBound(kind types.Kind, at time.Time) catalog.Bound {
	layout := time.DateTime
	if kind == types.Date {
		layout = time.DateOnly
	}
	return catalog.Bound{{Value: at.Format(layout)}}
}

// advance moves a truncated time by n units.
func advance(at time.Time, unit string, n int) time.Time {
	switch unit {
	case "year":
		return at.AddDate(n, 0, 0)
	case "quarter":
		return at.AddDate(0, 3*n, 0)
	case "month":
		return at.AddDate(0, n, 0)
	case "week":
		return at.AddDate(0, 0, 7*n)
	case "day":
		return at.AddDate(0, 0, n)
	case "hour":
		return at.Add(time.Duration(n) * time.Hour)
	case "minute":
		return at.Add(time.Duration(n) * time.Minute)
	}
	return at.Add(time.Duration(n) * time.Second)
}

// weekName is yyyy_ww of a dynamic partition.
func weekName(at time.Time) string {
	year, week := at.ISOWeek()
	return fmt.Sprintf("%04d_%02d", year, week)
}
