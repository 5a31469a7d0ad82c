package ddl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// TestCreatedOtherwise: what was created is compared with the text that it was
// created from.
func TestCreatedOtherwise(t *testing.T) {
	const viewSQL = "CREATE VIEW `n` COMMENT 'c' AS SELECT `internal`.`src`.`t`.`k` AS `k` FROM `internal`.`src`.`t`;"
	replaced := &job.PartialSync{TableID: 11, Table: "n", Replace: true}
	view := &job.PartialSync{TableID: 11, Table: "n", View: true}
	for name, c := range map[string]struct {
		sql     string
		becomes func(string) string
		want    *job.PartialSync
	}{
		"table":                   {sql: plainCreate},
		"view":                    {sql: viewSQL},
		"other table":             {plainCreate, func(s string) string { return strings.Replace(s, "int", "bigint", 1) }, replaced},
		"other buckets":           {plainCreate, func(s string) string { return strings.Replace(s, "BUCKETS 1", "BUCKETS 2", 1) }, replaced},
		"other view":              {viewSQL, func(string) string { return "CREATE VIEW `n` COMMENT 'c' AS SELECT 1;" }, view},
		"other comment":           {viewSQL, func(s string) string { return strings.Replace(s, `"c"`, `'d'`, 1) }, view},
		"comment that ends early": {"CREATE VIEW `n` COMMENT 'x' AS select 1 --' AS SELECT `k` FROM `src`.`t`;", nil, view},
		"comment with a quote":    {"CREATE VIEW `n` COMMENT 'it's' AS SELECT 1;", nil, view},
	} {
		t.Run(name, func(t *testing.T) {
			a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: c.sql}, 11)
			a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
			a.dst.onExec = func(string) {
				// A view's comment is printed between single quotes.
				a.dst.made["n"] = strings.Replace(a.dst.made["n"], "COMMENT \"c\"", "COMMENT 'c'", 1)
				if c.becomes != nil {
					a.dst.made["n"] = c.becomes(strings.Replace(a.dst.made["n"], "COMMENT 'c'", "COMMENT \"c\"", 1))
				}
			}
			got := a.run(t)
			if c.want == nil {
				require.True(t, got.Done, "%+v", got.Wanted)
				return
			}
			require.Equal(t, c.want, got.Wanted.Partial)
			require.Equal(t, c.becomes != nil, got.Conflict != "")
			require.Equal(t, c.becomes == nil, len(a.dst.Executed) == 0)
		})
	}

	a := applying(binlog.TypeModifyViewDef, `{"tableId":12,"inlineViewDef":"SELECT 1 FROM `+"`internal`.`src`.`t`"+`"}`, 12)
	a.in.Progress.Tables[12] = job.Table{Name: "v", View: true}
	require.True(t, a.run(t).Done)
	a.dst.onExec = func(string) { a.dst.made["v"] = "CREATE VIEW `v` AS SELECT 2 FROM `internal`.`dst`.`t`;" }
	got := a.run(t)
	require.Equal(t, &job.PartialSync{TableID: 12, Table: "v", View: true}, got.Wanted.Partial)
	require.Contains(t, got.Conflict, "SELECT 2")
}

// TestStatementsGetTheirVariables: a refusal that names a session variable is
// answered with it.
func TestStatementsGetTheirVariables(t *testing.T) {
	a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: plainCreate}, 11)
	a.dst.refuse = map[string]error{"CREATE TABLE": pairtest.SQLRefusal("DECIMAL256 is disabled by default. set enable_decimal256 = true to enable it.")}
	a.dst.needs = "enable_decimal256"
	require.True(t, a.run(t).Done)
	require.Len(t, a.dst.Executed, 1)
}

// TestPartitionsOfOtherRanges: a name alone does not make a partition the
// source's.
func TestPartitionsOfOtherRanges(t *testing.T) {
	add := `{"tableId":10,"partition":{"id":500,"nm":"p5","di":{"type":"RANDOM","bucketNum":7}},"sql":"ADD PARTITION ` + "`p5`" + ` VALUES [(\"1\"), (\"2\"));"}`
	rename := `{"tb":10,"p":500,"nP":"p5","oP":"p4"}`
	const key, otherKey = "[types: [INT]; keys: [1]; ..types: [INT]; keys: [2]; )", "[types: [INT]; keys: [1]; ..types: [INT]; keys: [9]; )"
	for name, c := range map[string]struct {
		typ        binlog.Type
		payload    string
		have, want string // "" for no such partition
		executed   int
		snapshot   bool
	}{
		"new":             {binlog.TypeAddPartition, add, "", key, 1, false},
		"the same":        {binlog.TypeAddPartition, add, key, key, 1, false},
		"another":         {binlog.TypeAddPartition, add, otherKey, key, 0, true},
		"gone since":      {binlog.TypeAddPartition, add, otherKey, "", 1, false},
		"renamed already": {binlog.TypeRenamePartition, rename, key, key, 0, false},
		"renamed another": {binlog.TypeRenamePartition, rename, otherKey, key, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			a := applying(c.typ, c.payload, 10)
			a.in.OutcomeUnknown = true
			if c.want != "" {
				a.src.TableMeta[10].Partitions = []*meta.Partition{pairtest.Partition(500, "p5", c.want)}
			}
			if c.have != "" {
				a.dst.TableMeta[20].Partitions = []*meta.Partition{pairtest.Partition(700, "p5", c.have)}
				a.dst.partitions = []string{"p5"}
			}
			got := a.run(t)
			require.Len(t, a.dst.Executed, c.executed)
			require.Equal(t, c.snapshot, got.Wanted != nil)
			require.Equal(t, c.snapshot, got.Conflict != "")
		})
	}
}

// TestRenamedColumnOfAnotherType: that the new name is there is not enough.
func TestRenamedColumnOfAnotherType(t *testing.T) {
	for _, typ := range []string{"int", "varchar(100)"} {
		a := applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"e"}`, 10)
		a.in.OutcomeUnknown = true
		a.src.columns, a.dst.columns = []string{"k int", "e int"}, []string{"k int", "e " + typ}
		got := a.run(t)
		require.Empty(t, a.dst.Executed)
		require.Equal(t, typ == "int", got.Done)
		require.Equal(t, typ != "int", got.Conflict != "")
	}
}

func TestRollupsOfOtherColumns(t *testing.T) {
	for _, same := range []bool{true, false} {
		a := applying(binlog.TypeRenameRollup, `{"tb":10,"nR":"s","oR":"r"}`, 10)
		a.in.OutcomeUnknown, a.dst.rollups = true, []string{"t", "s"}
		a.src.indexColumns = map[string][]string{"t": {"k", "v"}, "s": {"v"}}
		a.dst.indexColumns = map[string][]string{"t": {"k", "v"}, "s": {"v"}}
		if !same {
			a.dst.indexColumns["s"] = []string{"v", "k"}
		}
		got := a.run(t)
		require.Empty(t, a.dst.Executed)
		require.Equal(t, same, got.Done, fmt.Sprint(got.Wanted))
		require.Equal(t, !same, got.Conflict != "")
	}
}
