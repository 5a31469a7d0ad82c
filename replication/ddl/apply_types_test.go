package ddl

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// whole is the snapshot that replaces table 10.
var whole = &job.PartialSync{TableID: 10, Table: "t", Replace: true}

// TestApplyTypes has what each handler does on the destination: statements, or
// a snapshot of some of its own.
func TestApplyTypes(t *testing.T) {
	const (
		rename   = `{"db":1,"tb":10,"ind":-1,"p":-1,"nT":"%s","oT":"%s","nR":"%s","oR":"%s","nP":"%s","oP":"%s"}`
		drop     = `{"tableId":10,"alterInvertedIndexes":[{"i":1,"in":"a"},{"indexId":2,"indexName":"b"}],"isDropInvertedIndex":true}`
		build    = `{"jobState":"%s","tableId":10,"tableName":"t","partitionName":"p1","isDropOp":%t,"alterInvertedIndexes":[{"i":1,"in":"a"}]}`
		view     = `{"tableId":12,"inlineViewDef":"SELECT 1 FROM ` + "`internal`.`src`.`t`" + `"}`
		rollup   = `{"tableId":10,"tableName":"t","indexId":31,"indexName":"r"}`
		buckets  = `{"tableId":10,"type":"%s","autoBucket":%t,"bucketNum":20,"columnsName":"id,v"}`
		altTable = "ALTER TABLE `dst`.`t` "
	)
	for name, c := range map[string]struct {
		typ     binlog.Type
		payload string
		change  func(a *applied)
		want    []string
		partial *job.PartialSync
	}{
		"rename table":               {binlog.TypeRenameTable, fmt.Sprintf(rename, "u", "t", "", "", "", ""), nil, []string{altTable + "RENAME `u`"}, nil},
		"rename table, no old name":  {binlog.TypeRenameTable, `{"tb":10,"nT":"u"}`, nil, []string{altTable + "RENAME `u`"}, nil},
		"rename table, done already": {binlog.TypeRenameTable, `{"tb":10,"nT":"u"}`, func(a *applied) { a.dst.TableMeta[20].Name = "u" }, nil, nil},
		"rename table, name taken": {binlog.TypeRenameTable, `{"tb":10,"nT":"u"}`, func(a *applied) {
			a.dst.refuse = map[string]error{"RENAME": pairtest.SQLRefusal("Table name[u] is already used")}
		}, nil, whole},
		"rename rollup":                  {binlog.TypeRenameRollup, fmt.Sprintf(rename, "", "", "s", "r", "", ""), nil, []string{altTable + "RENAME ROLLUP `r` `s`"}, nil},
		"rename rollup, early type":      {binlog.TypeRenameTable, fmt.Sprintf(rename, "", "", "s", "r", "", ""), nil, []string{altTable + "RENAME ROLLUP `r` `s`"}, nil},
		"rename rollup, no old name":     {binlog.TypeRenameRollup, `{"tb":10,"nR":"s"}`, nil, nil, whole},
		"rename partition":               {binlog.TypeRenamePartition, fmt.Sprintf(rename, "", "", "", "", "q", "p"), nil, []string{altTable + "RENAME PARTITION `p` `q`"}, nil},
		"rename partition, done already": {binlog.TypeRenamePartition, fmt.Sprintf(rename, "", "", "", "", "q", "p"), func(a *applied) { a.in.OutcomeUnknown, a.dst.partitions = true, []string{"q"} }, nil, nil},
		"rename partition, not done":     {binlog.TypeRenamePartition, fmt.Sprintf(rename, "", "", "", "", "q", "p"), func(a *applied) { a.in.OutcomeUnknown, a.dst.partitions = true, []string{"p"} }, []string{altTable + "RENAME PARTITION `p` `q`"}, nil},
		"rename partition, it is not there": {binlog.TypeRenamePartition, fmt.Sprintf(rename, "", "", "", "", "q", "p"), func(a *applied) {
			a.dst.refuse = map[string]error{"RENAME": pairtest.SQLRefusal("Partition[p] does not exists")}
		}, nil, whole},
		"rename column":               {binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, nil, []string{altTable + "RENAME COLUMN `a` `b`"}, nil},
		"rename column, done already": {binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, func(a *applied) { a.in.OutcomeUnknown, a.dst.columns = true, []string{"b"} }, nil, nil},
		"comments of columns":         {binlog.TypeModifyComment, `{"type":"COLUMN","tblId":10,"colToComment":{"b":"it's \"b\"","a":"x\\y"}}`, nil, []string{altTable + "MODIFY COLUMN `a` COMMENT \"x\\\\y\", MODIFY COLUMN `b` COMMENT \"it\\'s \\\"b\\\"\""}, nil},
		"comment of the table":        {binlog.TypeModifyComment, `{"type":"TABLE","tblId":10,"tblComment":""}`, nil, []string{altTable + `MODIFY COMMENT ""`}, nil},
		"view":                        {binlog.TypeModifyViewDef, view, nil, []string{"ALTER VIEW `dst`.`v` AS SELECT 1 FROM `internal`.`dst`.`t`"}, nil},
		"view's comment":              {binlog.TypeModifyViewDef, `{"tableId":12,"inlineViewDef":"","comment":"c"}`, nil, []string{"ALTER VIEW `dst`.`v` MODIFY COMMENT \"c\""}, nil},
		"view over a changed table": {binlog.TypeModifyViewDef, view, func(a *applied) {
			a.dst.refuse = map[string]error{"ALTER VIEW": pairtest.SQLRefusal("Unknown column 'x' in 't'")}
		}, nil, &job.PartialSync{TableID: 12, Table: "v", View: true}},
		"view over a table that has moved on": {binlog.TypeModifyViewDef, view, func(a *applied) {
			a.dst.refuse = map[string]error{"ALTER VIEW": pairtest.SQLRefusal("Table [t] does not exist in database [dst].")}
		}, nil, &job.PartialSync{TableID: 12, Table: "v", View: true}},
		"view of another sql_mode": {binlog.TypeModifyViewDef, `{"tableId":12,"inlineViewDef":"SELECT 'a' || 'b'","sqlMode":34}`, nil, nil, &job.PartialSync{TableID: 12, Table: "v", View: true}},
		"view of the default mode": {binlog.TypeModifyViewDef, `{"tableId":12,"inlineViewDef":"SELECT 1","sqlMode":32}`, nil, []string{"ALTER VIEW `dst`.`v` AS SELECT 1"}, nil},
		"view with an unknown function": {binlog.TypeModifyViewDef, view, func(a *applied) {
			a.dst.refuse = map[string]error{"ALTER VIEW": pairtest.SQLRefusal("Can not found function 'f'")}
		}, nil, nil},
		"view that is not replicated": {binlog.TypeModifyViewDef, `{"tableId":13,"inlineViewDef":"SELECT 1"}`, nil, nil, nil},
		"add index":                   {binlog.TypeModifyInvertedIndices, `{"tableId":10,"alterInvertedIndexes":[{"i":1,"in":"a"}],"isDropInvertedIndex":false}`, nil, nil, whole},
		"drop index":                  {binlog.TypeModifyInvertedIndices, drop, func(a *applied) { a.dst.indexes = []string{"b", "a"} }, []string{altTable + "DROP INDEX `a`, DROP INDEX `b`"}, nil},
		"drop index, half there":      {binlog.TypeModifyInvertedIndices, drop, func(a *applied) { a.dst.indexes = []string{"b"} }, []string{altTable + "DROP INDEX `b`"}, nil},
		"drop index, done already":    {binlog.TypeModifyInvertedIndices, drop, nil, nil, nil},
		"build index":                 {binlog.TypeIndexChangeJob, fmt.Sprintf(build, "FINISHED", false), nil, []string{"BUILD INDEX `a` ON `dst`.`t` PARTITION (`p1`)"}, nil},
		"build index, no partitions": {binlog.TypeIndexChangeJob, fmt.Sprintf(build, "FINISHED", false), func(a *applied) {
			a.dst.refuse = map[string]error{"PARTITION": pairtest.SQLRefusal("table t is not partitioned, cannot build index with partitions")}
		}, []string{"BUILD INDEX `a` ON `dst`.`t`"}, nil},
		"build index, still runs":   {binlog.TypeIndexChangeJob, fmt.Sprintf(build, "RUNNING", false), nil, nil, nil},
		"build index, a drop":       {binlog.TypeIndexChangeJob, fmt.Sprintf(build, "FINISHED", true), nil, nil, nil},
		"drop rollup":               {binlog.TypeDropRollup, rollup, func(a *applied) { a.dst.rollups = []string{"t", "r", "s"} }, []string{altTable + "DROP ROLLUP `r`"}, nil},
		"drop rollup, done already": {binlog.TypeDropRollup, rollup, func(a *applied) { a.dst.rollups = []string{"t"} }, nil, nil},
		"drop rollup, lost sibling": {binlog.TypeDropRollup, rollup, func(a *applied) {
			a.dst.rollups, a.src.dropped = []string{"t", "r", "s", "k"}, map[int64]int64{31: 500, 32: 500, 33: 400}
			a.src.TableMeta[10].Partitions = []*meta.Partition{pairtest.Partition(100, "t", "", pairtest.Index(30, "t", 1), pairtest.Index(34, "k", 2))}
		}, []string{altTable + "DROP ROLLUP `r`, `s`"}, nil},
		"drop rollup, another is renamed later": {binlog.TypeDropRollup, rollup, func(a *applied) {
			a.dst.rollups, a.src.dropped = []string{"t", "r", "s"}, map[int64]int64{31: 500, 32: 500}
			a.src.TableMeta[10].Partitions = []*meta.Partition{pairtest.Partition(100, "t", "", pairtest.Index(30, "t", 1), pairtest.Index(34, "k", 2))}
		}, []string{altTable + "DROP ROLLUP `r`"}, nil},
		"buckets":         {binlog.TypeModifyDistributionBucketNum, fmt.Sprintf(buckets, "HASH", false), nil, []string{altTable + "MODIFY DISTRIBUTION DISTRIBUTED BY HASH(`id`,`v`) BUCKETS 20"}, nil},
		"buckets, random": {binlog.TypeModifyDistributionBucketNum, fmt.Sprintf(buckets, "RANDOM", false), nil, []string{altTable + "MODIFY DISTRIBUTION DISTRIBUTED BY RANDOM BUCKETS 20"}, nil},
		"buckets, auto":   {binlog.TypeModifyDistributionBucketNum, fmt.Sprintf(buckets, "HASH", true), nil, []string{altTable + "MODIFY DISTRIBUTION DISTRIBUTED BY HASH(`id`,`v`) BUCKETS AUTO"}, nil},
		"random":          {binlog.TypeModifyDistributionType, `{"tb":10}`, nil, []string{altTable + `SET ("distribution_type" = "random")`}, nil},
		"random, done already": {binlog.TypeModifyDistributionType, `{"tb":10}`, func(a *applied) {
			a.in.OutcomeUnknown, a.dst.create = true, "...\nDISTRIBUTED BY RANDOM BUCKETS 2\n"
		}, nil, nil},
		"recover table": {binlog.TypeRecoverInfo, `{"tableId":10,"tableName":"t","partitionId":-1}`, nil, nil, whole},
		"recover a table that was found gone": {binlog.TypeRecoverInfo, `{"tableId":10,"tableName":"t","partitionId":-1}`, func(a *applied) {
			a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, Gone: true}
		}, nil, whole},
		"wrapped": {binlog.TypeBarrier, `{"binlogType":15,"binlog":"{\"tableId\":10,\"colName\":\"a\",\"newColName\":\"b\"}"}`, nil, []string{altTable + "RENAME COLUMN `a` `b`"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			start := func() *applied {
				a := applying(c.typ, c.payload, 10)
				a.in.Progress.Tables[12] = job.Table{Name: "v", View: true}
				if c.change != nil {
					c.change(a)
				}
				return a
			}
			a := start()
			got := a.run(t)
			require.Nil(t, got.Problem)
			require.Equal(t, c.want, a.dst.Executed)
			if c.partial == nil {
				require.Nil(t, got.Wanted)
			} else {
				require.Equal(t, c.partial, got.Wanted.Partial)
			}

			a = start()
			for id, table := range a.in.Progress.Tables {
				table.CommitSeq, table.Gone = 500, false
				a.in.Progress.Tables[id] = table
			}
			require.True(t, a.run(t).Done, "contained")
			require.Empty(t, a.dst.Executed, "contained")

			if got.Wanted != nil {
				return
			}
			a = start() // a table job with an alias
			a.dst.TableMeta[20].Name = "alias"
			a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "t", 10
			a.in.Spec.Destination.Table, a.in.Spec.Destination.TableID = "alias", 20
			a.in.Progress.Tables = nil
			require.Nil(t, a.run(t).Problem)
			for _, statement := range a.dst.Executed {
				require.Contains(t, statement, "`dst`.`alias`")
			}
		})
	}
}

func TestEveryTypeIsHandled(t *testing.T) {
	for typ := binlog.TypeUpsert; typ.Known(); typ++ {
		if typ == binlog.TypeUpsert || typ == binlog.TypeDummy {
			continue // the stream's own
		}
		require.Contains(t, handlers, typ, typ.String())
	}
}

func TestApplyCreateTableAgain(t *testing.T) {
	a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: plainCreate}, 11)
	a.in.OutcomeUnknown = true
	a.dst.TableMeta[99], a.dst.Names = &meta.Table{ID: 99, Name: "n"}, []string{"t", "n"}
	got := a.run(t) // created by an earlier attempt, dropped on the source since
	require.True(t, got.Done)
	require.Equal(t, map[int64]job.Table{11: {Name: "n", DestID: 99}}, got.Tables.Set)

	a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
	got = a.run(t)
	require.True(t, got.Wanted.Partial.Replace)
	require.Len(t, got.Tables.Set, 1)

	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 99} // somebody else's
	require.Empty(t, a.run(t).Tables.Set)
}

func TestApplyOnVanishedTable(t *testing.T) {
	gone := map[int64]job.Table{10: {Name: "t", DestID: 20, Gone: true}}
	a := applying(binlog.TypeAlterJob, `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"FINISHED"}`, 10)
	delete(a.src.TableMeta, 10)
	require.Equal(t, gone, a.run(t).Tables.Set)

	a = applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, 10)
	a.dst.refuse = map[string]error{"RENAME": pairtest.SQLRefusal("Column[a] does not exists")}
	require.Equal(t, whole, a.run(t).Wanted.Partial)
	delete(a.src.TableMeta, 10)
	require.Equal(t, gone, a.run(t).Tables.Set)
}

// A frontend that lost the master's answer does not know whether it was done.
func TestApplyPassedOnWithoutAnAnswer(t *testing.T) {
	for message, kind := range map[string]job.Kind{
		"errCode = 2, detailMessage = java.net.SocketTimeoutException: Read timed out":             job.KindRPC,
		"errCode = 2, detailMessage = Table[t]'s state(SCHEMA_CHANGE) is not NORMAL. Do not allow": job.KindDB,
		"errCode = 2, detailMessage = Access denied; you need (at least one of) the (ALTER)":       job.KindDB,
		"errCode = 2, detailMessage = Unknown database 'dst'":                                      job.KindDB,
		"errCode = 2, detailMessage = Failed to find enough backend, please check the replication": job.KindDB,
		"errCode = 2, detailMessage = There are still some transactions waiting to be completed.":  job.KindDB,
	} {
		a := applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, 10)
		a.dst.refuse = map[string]error{"RENAME": pairtest.SQLRefusal(message)}
		require.Equal(t, kind, a.run(t).Problem.Kind)
	}
}

// A column that the destination has under neither name was not renamed.
func TestApplyRenameColumnOfNoColumn(t *testing.T) {
	a := applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, 10)
	a.in.OutcomeUnknown, a.dst.columns = true, []string{"c"}
	a.run(t)
	require.Len(t, a.dst.Executed, 1)
}

func TestApplyRenameTable(t *testing.T) {
	rename := func() *applied { return applying(binlog.TypeRenameTable, `{"tb":10,"nT":"u","oT":"t"}`, 10) }
	require.Equal(t, map[int64]job.Table{10: {Name: "u", DestID: 20}}, rename().run(t).Tables.Set)

	a := rename() // a table job follows its table, whatever it is called
	a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "t", 10
	a.in.Spec.Destination.Table = "t"
	got := a.run(t)
	require.Equal(t, "u", got.SourceTable)
	require.Empty(t, a.dst.Executed)
}

func TestApplyReplaceTable(t *testing.T) {
	// Source: a (10) REPLACE WITH b (11); destination: a (20), b (21).
	replace := func(swap bool) *applied {
		a := applying(binlog.TypeReplaceTable, fmt.Sprintf(`{"origTblId":10,"origTblName":"a","newTblName":11,"actualNewTblName":"b","swapTable":%t}`, swap), 10)
		a.src.TableMeta = map[int64]*meta.Table{11: {ID: 11, Name: "a"}}
		if swap {
			a.src.TableMeta[10] = &meta.Table{ID: 10, Name: "b"}
		}
		a.dst.TableMeta = map[int64]*meta.Table{20: {ID: 20, Name: "a"}, 21: {ID: 21, Name: "b"}}
		a.dst.Names = []string{"a", "b"}
		a.in.Progress.Tables = map[int64]job.Table{10: {Name: "a", DestID: 20}, 11: {Name: "b", DestID: 21}}
		return a
	}
	covered := func(a *applied, ids ...int64) *applied {
		for _, id := range ids {
			table := a.in.Progress.Tables[id]
			table.CommitSeq = 600
			a.in.Progress.Tables[id] = table
		}
		return a
	}
	statement := func(swap bool) []string {
		return []string{fmt.Sprintf("ALTER TABLE `dst`.`a` REPLACE WITH TABLE `b` PROPERTIES(\"swap\"=\"%t\")", swap)}
	}
	swapped := job.TableChanges{Set: map[int64]job.Table{10: {Name: "b", DestID: 20}, 11: {Name: "a", DestID: 21}}}
	replaced := job.TableChanges{Set: map[int64]job.Table{11: {Name: "a", DestID: 21}}, Drop: []int64{10}}

	t.Run("neither is in a snapshot", func(t *testing.T) {
		a := replace(true)
		require.Equal(t, swapped, a.run(t).Tables)
		require.Equal(t, statement(true), a.dst.Executed)
		a = replace(false)
		require.Equal(t, replaced, a.run(t).Tables)
		require.Equal(t, statement(false), a.dst.Executed)
		a = replace(false) // found gone by a partial sync: the next table takes its place
		gone := a.in.Progress.Tables[10]
		gone.CommitSeq, gone.Gone = 0, true
		a.in.Progress.Tables[10] = gone
		require.Equal(t, replaced, a.run(t).Tables)
		require.Equal(t, statement(false), a.dst.Executed)
	})
	t.Run("the old one has another name there", func(t *testing.T) {
		a := replace(false) // its RENAME was passed over, for it was found gone
		a.in.Progress.Tables[10] = job.Table{Name: "was", DestID: 20, Gone: true}
		a.dst.TableMeta[20].Name = "was"
		got := a.run(t)
		require.Equal(t, int64(11), got.Wanted.Partial.TableID)
		require.Equal(t, []int64{10}, got.Tables.Drop)
		require.Equal(t, []string{"DROP was"}, a.dst.Executed, "the snapshot does not take its place")
	})
	t.Run("the new one has another name by now", func(t *testing.T) {
		a := replace(false)
		delete(a.in.Progress.Tables, 11)
		a.src.TableMeta[11].Name = "later"
		got := a.run(t)
		require.Equal(t, "later", got.Wanted.Partial.Table)
		require.Equal(t, []int64{10}, got.Tables.Drop)
		require.Equal(t, []string{"DROP a"}, a.dst.Executed)
	})
	t.Run("done already", func(t *testing.T) {
		a := replace(true)
		a.dst.TableMeta[20].Name, a.dst.TableMeta[21].Name = "b", "a"
		require.Equal(t, swapped, a.run(t).Tables)
		require.Empty(t, a.dst.Executed)
		a = replace(false)
		a.dst.TableMeta = map[int64]*meta.Table{21: {ID: 21, Name: "a"}}
		require.Equal(t, replaced, a.run(t).Tables)
		require.Empty(t, a.dst.Executed)
	})
	t.Run("both are in snapshots", func(t *testing.T) {
		for _, swap := range []bool{true, false} {
			a := covered(replace(swap), 10, 11)
			require.True(t, a.run(t).Done)
			require.Empty(t, a.dst.Executed)
		}
	})
	t.Run("one of them is", func(t *testing.T) {
		a := covered(replace(true), 10)
		require.Equal(t, &job.PartialSync{TableID: 11, Table: "a", Replace: true}, a.run(t).Wanted.Partial)
		a = covered(replace(true), 11)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "b", Replace: true}, a.run(t).Wanted.Partial)
		a = covered(replace(false), 11)
		a.dst.TableMeta = map[int64]*meta.Table{21: {ID: 21, Name: "a"}} // swapped in
		require.Equal(t, []int64{10}, a.run(t).Tables.Drop)
		require.Empty(t, a.dst.Executed)
		a = covered(replace(false), 11)
		a.run(t)
		require.Equal(t, []string{"DROP a"}, a.dst.Executed)
	})
	t.Run("one is not on the destination", func(t *testing.T) {
		a := replace(false)
		delete(a.in.Progress.Tables, 11)
		got := a.run(t)
		require.Equal(t, &job.PartialSync{TableID: 11, Table: "a", Replace: true}, got.Wanted.Partial)
		require.Equal(t, []int64{10}, got.Tables.Drop)
		a = replace(false)
		delete(a.in.Progress.Tables, 11)
		delete(a.src.TableMeta, 11) // nor on the source
		require.Equal(t, []int64{10}, a.run(t).Tables.Drop)
		require.Equal(t, []string{"DROP a"}, a.dst.Executed)
		a = replace(false)
		delete(a.dst.TableMeta, 20)
		a.dst.Names = []string{"b"}
		require.Equal(t, replaced, a.run(t).Tables)
		require.Equal(t, []string{"ALTER TABLE `dst`.`b` RENAME `a`"}, a.dst.Executed)
	})
	t.Run("table job", func(t *testing.T) {
		a := replace(false)
		a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "a", 10
		a.in.Spec.Destination.Table = "a"
		got := a.run(t)
		require.Equal(t, int64(11), got.SourceTableID)
		require.NotNil(t, got.Wanted)
		require.Nil(t, got.Wanted.Partial)
	})
}

func TestApplyWhilePartitionsAreAhead(t *testing.T) {
	a := applying(binlog.TypeDropPartition, `{"tableId":10,"partitionName":"p1"}`, 10)
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, Partly: 600}
	require.Equal(t, whole, a.run(t).Wanted.Partial)
	require.Empty(t, a.dst.Executed)
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, Partly: 499}
	require.True(t, a.run(t).Done)
	a = applying(binlog.TypeModifyComment, `{"type":"TABLE","tblId":10,"tblComment":"c"}`, 10)
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, Partly: 600}
	require.True(t, a.run(t).Done, "means nothing to the rows")
}

// What the destination refuses without harm is told, and the job goes on.
func TestApplyRefusals(t *testing.T) {
	unknown := pairtest.SQLRefusal("errCode = 2, detailMessage = Unknown table property: [group_commit_mode]")
	a := applying(binlog.TypeModifyTableProperty, `{"tableId":10,"properties":{"group_commit_mode":"off","group_commit_data_bytes":"7"}}`, 10)
	a.dst.refuse = map[string]error{"group_commit_mode": unknown}
	got := a.run(t)
	require.True(t, got.Done)
	require.Contains(t, got.Refused, "Unknown table property: [group_commit_mode]")
	require.Equal(t, []string{"ALTER TABLE `dst`.`t` SET (\"group_commit_data_bytes\" = \"7\")"}, a.dst.Executed, "the others are set")
	a.dst.refuse = map[string]error{"group_commit_mode": pairtest.SQLRefusal("Table[t]'s state(ROLLUP) is not NORMAL")}
	require.NotNil(t, a.run(t).Problem, "it may be set later")

	create := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: "CREATE VIEW `n` AS SELECT f(1)"}, 11)
	create.dst.refuse = map[string]error{"CREATE VIEW": pairtest.SQLRefusal("Can not found function 'f'")}
	got = create.run(t)
	require.True(t, got.Done)
	require.Contains(t, got.Refused, "Can not found function 'f'")
	require.Equal(t, map[int64]job.Table{11: {Name: "n", View: true}}, got.Tables.Set, "another definition may do")
}

// A view that was never created comes with its next definition.
func TestApplyViewThatIsNotThere(t *testing.T) {
	const def = "SELECT `internal`.`src`.`t`.`id` AS `id` FROM `internal`.`src`.`t`"
	altered := func(views map[string]string) *applied {
		a := applying(binlog.TypeModifyViewDef, binlog.ViewDef{TableID: 30, InlineViewDef: def}, 30)
		a.in.Progress.Tables[31] = job.Table{Name: "known", View: true}
		a.src.views = views
		return a
	}
	a := altered(map[string]string{"known": "CREATE VIEW `known` AS " + def + ";", "other": "CREATE VIEW `other` AS SELECT 1;", "v": "CREATE VIEW `v` AS " + def + ";"})
	require.Equal(t, &job.PartialSync{TableID: 30, Table: "v", View: true}, a.run(t).Wanted.Partial)
	require.Empty(t, a.dst.Executed)

	require.True(t, altered(nil).run(t).Done, "gone from the source as well")

	a = altered(nil) // its CREATE was refused
	a.in.Progress.Tables[30] = job.Table{Name: "v", View: true}
	a.dst.refuse = map[string]error{"ALTER VIEW": &sqlclient.Error{Code: 1109, Message: "Unknown table 'v'"}}
	require.Equal(t, &job.PartialSync{TableID: 30, Table: "v", View: true}, a.run(t).Wanted.Partial)
}
