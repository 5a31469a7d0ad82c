package ddl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/schema"
)

var (
	storageMedium = regexp.MustCompile(`"storage_medium"\s*=\s*"[^"]*"(\s*,\s*)?`)
	dynamicPolicy = regexp.MustCompile(`"dynamic_partition\.storage_policy"\s*=\s*"[^"]*"(\s*,\s*)?`)
	emptyTail     = regexp.MustCompile(`,\s*\)\s*;?\s*$`)
	replication   = regexp.MustCompile(`"(dynamic_partition\.)?replication_(?:allocation|num)"\s*=\s*"[^"]*"`)
)

// rewriteDatabase replaces qualifications with the source database, but not in
// string literals. The bare form `db`. is only touched where the text has no
// longer one: in a text that qualifies fully it would be a table of the database's
// name.
func rewriteDatabase(sql, source, database string) string {
	inside := strings.ReplaceAll(source, "`", "``")
	to := sqlclient.Quote(database) + "."
	full := "`internal`.`" + inside + "`."
	old := "`default_cluster:" + inside + "`."
	replace := strings.NewReplacer("`"+inside+"`.", to)
	if strings.Contains(sql, full) || strings.Contains(sql, old) {
		replace = strings.NewReplacer(full, "`internal`."+to, old, "`internal`."+to)
	}
	return outsideTexts(sql, replace.Replace)
}

// isExternal tells whether a CREATE text is that of an external table: a
// definition without rows, which no snapshot holds.
func isExternal(sql string) bool {
	head := schema.CreateHead.FindStringSubmatch(sql)
	return head != nil && len(head[1]) > len("TABLE")
}

// isInverted tells whether a CREATE TABLE text has an inverted index.
func isInverted(sql string) bool { return inverted.MatchString(sql) }

var inverted = regexp.MustCompile(`(?i)\bUSING\s+INVERTED\b`)

// isMaterializedView tells whether a CREATE text is that of an asynchronous
// materialized view.
func isMaterializedView(tableType, sql string) bool {
	return strings.EqualFold(tableType, materializedView) || strings.Contains(sql, "ENGINE=MATERIALIZED_VIEW")
}

const materializedView = "MATERIALIZED_VIEW"

// isView tells whether a CREATE text is that of a view.
func isView(tableType, sql string) bool {
	if strings.EqualFold(tableType, "VIEW") {
		return true
	}
	m := schema.CreateHead.FindStringSubmatch(sql)
	return m != nil && strings.EqualFold(m[1], "VIEW")
}

// createdName is the name in a CREATE text, for records without a tableName.
func createdName(sql string) string {
	m := schema.CreateHead.FindStringSubmatch(sql)
	if m == nil {
		return ""
	}
	return schema.Unquote(m[3])
}

var (
	alterHead       = regexp.MustCompile(`(?is)^\s*ALTER\s+TABLE\s+(?:` + schema.QuotedName + `\.){0,2}(` + schema.QuotedName + `)`)
	replaceNotNull  = regexp.MustCompile(`REPLACE_IF_NOT_NULL NULL DEFAULT "null"`)
	computedDefault = regexp.MustCompile("(?i)(`(?:[^`]|``)+`\\s+)([A-Za-z_]+)([^`\\n]*?DEFAULT )\"(CURRENT_TIMESTAMP(?:\\(\\d\\))?|BITMAP_EMPTY_DEFAULT_VALUE|BITMAP_EMPTY)\"")
)

// rewriteAlter addresses the rawSql of a light schema change to the
// destination's table and repairs what older FEs print wrong.
func rewriteAlter(sql, database, table string) (string, error) {
	head := alterHead.FindStringIndex(sql)
	if head == nil {
		return "", fmt.Errorf("the ALTER statement begins unexpectedly: %.80q", sql)
	}
	clauses := sql[head[1]:]
	clauses = replaceNotNull.ReplaceAllString(clauses, `REPLACE_IF_NOT_NULL NULL DEFAULT NULL`)
	clauses = computedDefault.ReplaceAllStringFunc(clauses, func(column string) string {
		m := computedDefault.FindStringSubmatch(column)
		switch strings.ToUpper(m[2]) {
		case "VARCHAR", "CHAR", "STRING", "TEXT":
			return column // there it is a string like any other
		}
		value := strings.TrimSuffix(strings.ToUpper(m[4]), "_DEFAULT_VALUE")
		return m[1] + m[2] + m[3] + value
	})
	return "ALTER TABLE " + sqlclient.Name(database, table) + clauses, nil
}

// distribution is how a new partition is to be distributed. The bucket count
// must be stated: tablets are paired by position (doris-binlogs.md 3.5).
type distribution struct {
	Random  bool
	Columns []string
	Buckets int
}

func (d distribution) clause() string {
	if d.Random {
		return fmt.Sprintf("DISTRIBUTED BY RANDOM BUCKETS %d", d.Buckets)
	}
	columns := make([]string, len(d.Columns))
	for i, c := range d.Columns {
		columns[i] = sqlclient.Quote(c)
	}
	return fmt.Sprintf("DISTRIBUTED BY HASH(%s) BUCKETS %d", strings.Join(columns, ","), d.Buckets)
}

var (
	addPartition   = regexp.MustCompile(`(?is)^\s*ADD\s+(TEMPORARY\s+)?PARTITION\s+(IF\s+NOT\s+EXISTS\s+)?`)
	emptyRange     = regexp.MustCompile(`VALUES \[\(\), \(\)\)\s*(\([^)]*\))?`)
	triples        = regexp.MustCompile(`(?s)VALUES IN \(\(\((.*)\)\)\)`)
	bucketsAuto    = regexp.MustCompile(`(?i)\s*BUCKETS\s+AUTO\b`)
	bucketsCount   = regexp.MustCompile(`(?i)\bBUCKETS\s+\d+`)
	distributedBy  = regexp.MustCompile(`(?i)\bDISTRIBUTED\s+BY\b`)
	bucketsMissing = " BUCKETS "
)

// rewriteAddPartition makes the fragment of an ADD_PARTITION record a statement
// that can be repeated.
func rewriteAddPartition(fragment, database, table string, d distribution) (string, error) {
	fragment = strings.TrimRight(fragment, " \t\r\n;")
	head := addPartition.FindStringIndex(fragment)
	if head == nil {
		return "", fmt.Errorf("the ADD PARTITION fragment begins unexpectedly: %.80q", fragment)
	}
	rest := fragment[head[1]:]
	rest = strings.TrimRight(emptyRange.ReplaceAllString(rest, ""), " ")
	rest = triples.ReplaceAllString(rest, "VALUES IN (($1))")
	rest = outsideTexts(rest, schema.LiteralRuns.Replace)
	if auto := bucketsAuto.FindStringIndex(rest); auto != nil {
		rest = rest[:auto[0]]
	}
	switch {
	case d.Buckets <= 0 && !bucketsCount.MatchString(rest):
		return "", fmt.Errorf("the ADD PARTITION record does not tell the bucket count: %.80q", fragment)
	case !distributedBy.MatchString(rest):
		rest += " " + d.clause()
	case !bucketsCount.MatchString(rest):
		rest += bucketsMissing + strconv.Itoa(d.Buckets)
	}
	if !wordsOf(bareName.ReplaceAllString(rest, ""), partitionWords) {
		return "", fmt.Errorf("the ADD PARTITION record: %w: %.200q", errDoubtful, fragment)
	}
	return "ALTER TABLE " + sqlclient.Name(database, table) + " ADD PARTITION IF NOT EXISTS " + rest, nil
}
