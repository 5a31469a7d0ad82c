package ddl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

// ddl is a destination that executes statements; refuse answers by a part of
// the statement.
type ddl struct {
	pairtest.Script
	refuse     map[string]error
	unfinished int      // looks at transactions that still find one committed
	denied     bool     // transactions may not be listed
	looked     []string // tables that were looked at instead
	columns    []string
	log        fe.BinlogBatch

	rollups, indexes, partitions []string
	create                       string            // SHOW CREATE TABLE
	views                        map[string]string // SHOW CREATE VIEW by name
	dropped                      map[int64]int64
	hidden                       []string
	indexColumns                 map[string][]string
	onExec                       func(statement string)
	made                         map[string]string // SHOW CREATE of what was created, by name
	needs                        string            // the session variable with which nothing is refused
	onDrop                       func(name string) error
}

func (d *ddl) DropTable(ctx context.Context, db, name string) error {
	if d.onDrop != nil {
		return d.onDrop(name)
	}
	return d.Script.DropTable(ctx, db, name)
}

func (d *ddl) HiddenColumns(context.Context, string, string) ([]string, error) { return d.hidden, nil }
func (d *ddl) IndexColumns(context.Context, string, string) (map[string][]string, error) {
	return d.indexColumns, nil
}

func (d *ddl) Rollups(context.Context, string, string) ([]string, error) { return d.rollups, nil }
func (d *ddl) SecondaryIndexes(context.Context, string, string) ([]string, error) {
	return d.indexes, nil
}
func (d *ddl) Partitions(context.Context, string, string) ([]string, error) { return d.partitions, nil }

func (d *ddl) CreateTableText(_ context.Context, _, name string) (string, error) {
	if text, isMade := d.made[name]; isMade {
		return text, nil
	}
	if text, isView := d.views[name]; isView {
		return text, nil
	}
	return d.create, nil
}

func (d *ddl) Views(context.Context, string) ([]string, error) {
	return slices.Sorted(maps.Keys(d.views)), nil
}

func (d *ddl) Meta(ctx context.Context, req fe.MetaRequest) (*meta.Database, error) {
	db, err := d.Script.Meta(ctx, req)
	db.DroppedIndexes = d.dropped
	return db, err
}

func (d *ddl) Exec(ctx context.Context, statement string) error {
	if err := sqlclient.CheckSingle(statement); err != nil {
		return err // as the client does
	}
	for part, err := range d.refuse {
		if strings.Contains(statement, part) {
			return err
		}
	}
	d.Executed = append(d.Executed, statement)
	d.make(statement)
	if d.onExec != nil {
		d.onExec(statement)
	}
	if name, ok := strings.CutPrefix(statement, "CREATE TABLE IF NOT EXISTS `dst`.`"); ok {
		name, _, _ = strings.Cut(name, "`")
		d.Names = append(d.Names, name)
		d.TableMeta[99] = &meta.Table{ID: 99, Name: name}
	}
	return nil
}

func (d *ddl) ExecWith(ctx context.Context, set sqlclient.Setting, statement string) error {
	if d.needs != "" && set[d.needs] != "" {
		d.refuse = nil
	}
	return d.Exec(ctx, statement)
}

// make keeps what is created or altered as it was written.
func (d *ddl) make(statement string) {
	for prefix, head := range map[string]string{
		"CREATE TABLE IF NOT EXISTS `dst`.`": "CREATE TABLE `", "CREATE VIEW `dst`.`": "CREATE VIEW `", "ALTER VIEW `dst`.`": "CREATE VIEW `",
	} {
		if rest, ok := strings.CutPrefix(statement, prefix); ok {
			if d.made == nil {
				d.made = map[string]string{}
			}
			name, _, _ := strings.Cut(rest, "`")
			d.made[name] = head + rest
		}
	}
}

func (d *ddl) CommittedTransactions(context.Context, string, string) ([]sqlclient.Transaction, error) {
	if d.denied {
		return nil, fmt.Errorf("SHOW TRANSACTION: %w", errors.Join(sqlclient.ErrAccessDenied, pairtest.SQLRefusal("Access denied")))
	}
	if d.unfinished > 0 {
		d.unfinished--
		return []sqlclient.Transaction{{ID: 5, Status: sqlclient.TxnCommitted}}, nil
	}
	return nil, nil
}

func (d *ddl) Unpublished(_ context.Context, _, table string) (string, error) {
	d.looked = append(d.looked, table)
	return "", nil
}

func (d *ddl) Columns(context.Context, string, string) (list []sqlclient.Column, err error) {
	for _, c := range d.columns {
		name, typ, _ := strings.Cut(c, " ")
		list = append(list, sqlclient.Column{Name: name, Type: typ})
	}
	return list, nil
}

func (d *ddl) Binlogs(context.Context, fe.BinlogRequest) (fe.BinlogBatch, error) { return d.log, nil }

// apply runs Apply for one binlog: source table 10 is t, mapped to 20.
type applied struct {
	src, dst *ddl
	in       job.ApplyInput
}

func applying(t binlog.Type, payload any, tables ...int64) *applied {
	data, ok := payload.(string)
	if !ok {
		raw, _ := json.Marshal(payload)
		data = string(raw)
	}
	a := &applied{
		src: &ddl{Script: pairtest.Script{TableMeta: map[int64]*meta.Table{10: {ID: 10, Name: "t"}}}},
		dst: &ddl{Script: pairtest.Script{TableMeta: map[int64]*meta.Table{20: {ID: 20, Name: "t"}}, Names: []string{"t"}}},
	}
	a.in.Spec = *pairtest.DatabaseSpec()
	a.in.Progress = job.Progress{
		Tables:  map[int64]job.Table{10: {Name: "t", DestID: 20}},
		Pending: &job.Binlog{CommitSeq: 500, Type: t, TableIDs: tables, Data: data},
	}
	return a
}

func (a *applied) job() *Job {
	j := New(pairtest.Scripted(&a.in.Spec, &pairtest.Script{}, &pairtest.Script{}))
	j.Source.FE, j.Source.SQL, j.Destination.FE, j.Destination.SQL = a.src, a.src, a.dst, a.dst
	return j
}

func (a *applied) run(t *testing.T) job.ApplyResult {
	t.Helper()
	got, err := a.job().Apply(context.Background(), a.in)
	require.NoError(t, err)
	n := 0
	for _, set := range []bool{got.Done, got.Wanted != nil, got.Problem != nil} {
		if set {
			n++
		}
	}
	require.Equal(t, 1, n, "exactly one of Done, Wanted and Problem")
	return got
}

const plainCreate = "CREATE TABLE `n` (\n  `id` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY(`id`)\nDISTRIBUTED BY HASH(`id`) BUCKETS 1\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n)"

func TestApplyCreateTable(t *testing.T) {
	create := func(sql string) *applied {
		return applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", SQL: sql}, 11)
	}
	a := create(plainCreate)
	a.dst.unfinished = 2
	got := a.run(t)
	require.True(t, got.Done)
	require.Equal(t, map[int64]job.Table{11: {Name: "n", DestID: 99}}, got.Tables.Set)
	require.Zero(t, a.dst.unfinished, "earlier transactions are visible first")

	for name, c := range map[string]struct {
		change  func(a *applied)
		sql     string
		partial *job.PartialSync
	}{
		"name taken":     {func(a *applied) { a.dst.Names = append(a.dst.Names, "n") }, plainCreate, &job.PartialSync{TableID: 11, Table: "n", Replace: true}},
		"inverted index": {nil, strings.Replace(plainCreate, "\n)", ",\n  INDEX i (`id`) USING INVERTED\n)", 1), &job.PartialSync{TableID: 11, Table: "n", Replace: true}},
		"session variable": {func(a *applied) {
			a.dst.refuse = map[string]error{"CREATE TABLE": pairtest.SQLRefusal("disabled by default. set enable_decimal256 = true to enable it.")}
		}, plainCreate, &job.PartialSync{TableID: 11, Table: "n"}},
		"renamed since": {func(a *applied) {
			a.dst.Names = append(a.dst.Names, "n")
			a.src.TableMeta[11].Name = "m"
		}, plainCreate, &job.PartialSync{TableID: 11, Table: "m", Replace: true}},
		"view over a changed table": {func(a *applied) {
			a.dst.refuse = map[string]error{"CREATE VIEW": pairtest.SQLRefusal("Unknown column 'x' in 't'")}
		}, "CREATE VIEW `n` AS SELECT 1", &job.PartialSync{TableID: 11, Table: "n", View: true}},
		"view over a table that has moved on": {func(a *applied) {
			a.dst.refuse = map[string]error{"CREATE VIEW": pairtest.SQLRefusal("Table [t] does not exist in database [dst].")}
		}, "CREATE VIEW `n` AS SELECT 1", &job.PartialSync{TableID: 11, Table: "n", View: true}},
	} {
		a := create(c.sql)
		a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
		if c.change != nil {
			c.change(a)
		}
		got := a.run(t)
		require.NotNil(t, got.Wanted, name)
		require.Equal(t, c.partial, got.Wanted.Partial, name)
	}

	got = create("CREATE MATERIALIZED VIEW `n` ENGINE=MATERIALIZED_VIEW").run(t)
	require.True(t, got.Done)
	require.Empty(t, got.Tables.Set)

	a = create("CREATE VIEW `n` AS SELECT f(`internal`.`src`.`t`.`a`) FROM `internal`.`src`.`t`")
	got = a.run(t)
	require.Equal(t, map[int64]job.Table{11: {Name: "n", View: true}}, got.Tables.Set)
	require.Equal(t, []string{"DROP n", "CREATE VIEW `dst`.`n` AS SELECT f(`internal`.`dst`.`t`.`a`) FROM `internal`.`dst`.`t`"}, a.dst.Executed)

	// The next view of that name came by a snapshot: this one was dropped by then.
	b := create("CREATE VIEW `n` AS SELECT 1")
	b.in.Progress.Tables[19] = job.Table{Name: "n", View: true, CommitSeq: 600}
	got = b.run(t)
	require.True(t, got.Done)
	require.Contains(t, got.Summary, "another one")
	require.Empty(t, b.dst.Executed)

	a.dst.refuse = map[string]error{"CREATE VIEW": pairtest.SQLRefusal("Can not found function 'f'")}
	require.True(t, a.run(t).Done)

	a = create(plainCreate)
	a.dst.refuse = map[string]error{"CREATE TABLE": pairtest.SQLRefusal("Failed to find enough backend")}
	got = a.run(t)
	require.Equal(t, job.KindDB, got.Problem.Kind)
	require.Equal(t, int64(500), got.Problem.CommitSeq)
}

func TestApplyDropTable(t *testing.T) {
	drop := func(id int64, view bool) *applied {
		return applying(binlog.TypeDropTable, binlog.DropTable{TableID: id, TableName: "t", View: view}, id)
	}
	a := drop(10, false)
	got := a.run(t)
	require.Equal(t, []int64{10}, got.Tables.Drop)
	require.Equal(t, []string{"DROP t"}, a.dst.Executed)

	a = drop(11, false) // never replicated: the name may be another table's
	require.True(t, a.run(t).Done)
	require.Empty(t, a.dst.Executed)

	a = drop(10, false) // replaced since: what has the name now is not it
	a.dst.TableMeta = map[int64]*meta.Table{21: {ID: 21, Name: "t"}}
	got = a.run(t)
	require.Equal(t, []int64{10}, got.Tables.Drop)
	require.Empty(t, a.dst.Executed)

	a = drop(10, false) // found gone by a partial sync
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, Gone: true}
	got = a.run(t)
	require.Equal(t, []int64{10}, got.Tables.Drop)
	require.Equal(t, []string{"DROP t"}, a.dst.Executed)

	a = drop(10, false)
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, CommitSeq: 600}
	require.True(t, a.run(t).Done)
	require.Empty(t, a.dst.Executed)

	for name, c := range map[string]struct {
		known    map[int64]job.Table
		executed []string
	}{
		"view":                        {executed: []string{"DROP w"}},
		"known view":                  {known: map[int64]job.Table{12: {Name: "w", View: true}}, executed: []string{"DROP w"}},
		"its successor is there":      {known: map[int64]job.Table{12: {Name: "w", View: true}, 13: {Name: "w", View: true}}},
		"only the successor":          {known: map[int64]job.Table{13: {Name: "w", View: true, CommitSeq: 600}}},
		"a table took its name":       {known: map[int64]job.Table{13: {Name: "w", DestID: 23}}},
		"another that is gone too":    {known: map[int64]job.Table{13: {Name: "w", View: true, Gone: true}}, executed: []string{"DROP w"}},
		"external":                    {known: map[int64]job.Table{12: {Name: "w", External: true}}, executed: []string{"DROP w"}},
		"external, and its successor": {known: map[int64]job.Table{12: {Name: "w", External: true}, 13: {Name: "w", DestID: 23}}},
	} {
		a = applying(binlog.TypeDropTable, binlog.DropTable{TableID: 12, TableName: "w", View: !c.known[12].External}, 12)
		a.in.Progress.Tables = c.known
		require.True(t, a.run(t).Done, name)
		require.Equal(t, c.executed, a.dst.Executed, name)
	}
}

// The table that a table job follows is gone from the source, and its destination
// has missed what could not be brought any more: what builds upon that is passed
// over. While the table is there a snapshot is taken instead.
func TestRefusalsOfATableThatIsGone(t *testing.T) {
	for name, gone := range map[string]bool{"gone": true, "there": false} {
		t.Run(name, func(t *testing.T) {
			a := applying(binlog.TypeRenameColumn, `{"tableId":10,"colName":"a","newColName":"b"}`, 10)
			a.in.Spec.Source.Table, a.in.Spec.Source.TableID = "t", 10
			a.in.Spec.Destination.Table, a.in.Spec.Destination.TableID = "t", 20
			a.dst.refuse = map[string]error{"RENAME COLUMN": pairtest.SQLRefusal("Column[a] does not exists")}
			if gone {
				a.src.TableMeta = map[int64]*meta.Table{}
			}
			got := a.run(t)
			require.Equal(t, gone, got.Done)
			require.Equal(t, !gone, got.Wanted != nil)
		})
	}
}

func TestApplyPartitions(t *testing.T) {
	add := `{"tableId":10,"partition":{"nm":"p5","di":{"type":"HASH","bucketNum":7,"distributionColumns":[{"name":"id"}]}},"sql":"ADD PARTITION ` + "`p5`" + ` VALUES [(\"1\"), (\"2\"));"}`
	a := applying(binlog.TypeAddPartition, add, 10)
	a.dst.TableMeta[20].Name = "renamed" // the destination's name goes by id
	a.run(t)
	require.Equal(t, []string{"ALTER TABLE `dst`.`renamed` ADD PARTITION IF NOT EXISTS `p5` VALUES [(\"1\"), (\"2\")) DISTRIBUTED BY HASH(`id`) BUCKETS 7"}, a.dst.Executed)

	a = applying(binlog.TypeAddPartition, add, 10)
	a.dst.refuse = map[string]error{"ADD PARTITION": pairtest.SQLRefusal("Range [1, 2) is intersected with range: [0, 9)")}
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, a.run(t).Wanted.Partial)

	a = applying(binlog.TypeDropPartition, `{"tableId":10,"partitionName":"p1","forceDrop":true}`, 10)
	a.run(t)
	require.Equal(t, []string{"ALTER TABLE `dst`.`t` DROP PARTITION IF EXISTS `p1` FORCE"}, a.dst.Executed)

	a = applying(binlog.TypeTruncateTable, `{"tblId":10,"isEntireTable":false,"rawSql":"PARTITIONS (p5)","op":{"100":"p5"}}`, 10)
	a.run(t)
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`t` PARTITIONS (p5)"}, a.dst.Executed)
	a.in.Progress.Partitions = map[int64]int64{100: 700}
	require.True(t, a.run(t).Wanted.Partial.Replace, "the partition's rows are newer than the TRUNCATE")

	a = applying(binlog.TypeTruncateTable, `{"tblId":10,"isEntireTable":true,"rawSql":""}`, 10)
	a.run(t)
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`t`"}, a.dst.Executed)

	replace := `{"tblId":10,"tblName":"t","partitions":["p2"],"tempPartitions":["tp"],"strictRange":%t,"useTempPartitionName":%t}`
	a = applying(binlog.TypeReplacePartitions, fmt.Sprintf(replace, true, false), 10)
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, a.run(t).Wanted.Partial, "p2 is gone since")
	a.src.TableMeta[10].Partitions = []*meta.Partition{{ID: 7, Name: "p2"}}
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Partitions: []string{"p2"}}, a.run(t).Wanted.Partial)
	for _, flags := range [][2]bool{{false, false}, {true, true}} {
		a = applying(binlog.TypeReplacePartitions, fmt.Sprintf(replace, flags[0], flags[1]), 10)
		require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, a.run(t).Wanted.Partial)
	}
}

func TestApplyAlterJob(t *testing.T) {
	alter := `{"type":"SCHEMA_CHANGE","tableId":10,"tableName":"t","jobState":"%s","iim":{"31":30}}`
	a := applying(binlog.TypeAlterJob, fmt.Sprintf(alter, "PENDING"), 10)
	a.in.Progress.ShadowIndexes = map[int64]int64{9: 8}
	got := a.run(t)
	require.True(t, got.Done)
	require.Equal(t, map[int64]int64{9: 8, 31: 30}, got.ShadowIndexes)

	a = applying(binlog.TypeAlterJob, fmt.Sprintf(alter, "FINISHED"), 10)
	a.in.Progress.ShadowIndexes = got.ShadowIndexes
	got = a.run(t)
	require.Equal(t, &job.PartialSync{TableID: 10, Table: "t", Replace: true}, got.Wanted.Partial)
	require.Equal(t, map[int64]int64{9: 8}, got.ShadowIndexes)

	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, CommitSeq: 600}
	got = a.run(t)
	require.True(t, got.Done, "contained, but the books are kept")
	require.True(t, got.SetShadowIndexes)
}

// Sources before 3.0 do not name the index of a rollup: the job is noted for the table
// until it is over, and the snapshot at its end brings the rollup.
func TestApplyAlterJobOfAnUnnamedRollup(t *testing.T) {
	alter := `{"type":"ROLLUP","tableId":10,"tableName":"t","jobId":310,"jobState":"%s"}`
	for _, over := range []string{"FINISHED", "CANCELLED"} {
		a := applying(binlog.TypeAlterJob, fmt.Sprintf(alter, "PENDING"), 10)
		got := a.run(t)
		require.True(t, pair.BuildsRollup(got.ShadowIndexes, 10))
		require.False(t, pair.BuildsRollup(got.ShadowIndexes, 11))
		a = applying(binlog.TypeAlterJob, fmt.Sprintf(alter, over), 10)
		a.in.Progress.ShadowIndexes = got.ShadowIndexes
		got = a.run(t)
		require.True(t, got.SetShadowIndexes)
		require.Empty(t, got.ShadowIndexes)
		require.Equal(t, over == "FINISHED", got.Wanted != nil)
	}
	a := applying(binlog.TypeAlterJob, `{"type":"ROLLUP","tableId":10,"tableName":"t","jobId":310,"jobState":"PENDING","rollupIndexId":31,"baseIndexid":30}`, 10)
	require.False(t, pair.BuildsRollup(a.run(t).ShadowIndexes, 10), "named: no other index is meant")
}

func TestApplyTableProperty(t *testing.T) {
	a := applying(binlog.TypeModifyTableProperty, `{"tableId":10,"properties":{"dynamic_partition.start":"-3","dynamic_partition.enable":"true","storage_policy":"x"}}`, 10)
	a.run(t)
	require.Equal(t, []string{"ALTER TABLE `dst`.`t` SET (\"dynamic_partition.start\" = \"-3\")"}, a.dst.Executed)
}

func TestApplyModifyColumns(t *testing.T) {
	payload := `{"tableId":10,"rawSql":"ALTER TABLE ` + "`src`.`t`" + ` ADD COLUMN ` + "`c`" + ` int NULL","indexSchemaMap":{"30":[{"name":"id"},{"name":"C"},{"name":"__DORIS_DELETE_SIGN__","visible":false}],"31":[{"name":"id"}]}}`
	a := applying(binlog.TypeModifyTableAddOrDropColumns, payload, 10)
	a.run(t)
	require.Equal(t, []string{"ALTER TABLE `dst`.`t` ADD COLUMN `c` int NULL"}, a.dst.Executed)

	a = applying(binlog.TypeModifyTableAddOrDropColumns, payload, 10)
	a.in.OutcomeUnknown = true
	a.dst.columns = []string{"id", "c"}
	require.True(t, a.run(t).Done)
	require.Empty(t, a.dst.Executed, "an earlier attempt had done it")
	a.dst.columns = []string{"id"}
	a.run(t)
	require.Len(t, a.dst.Executed, 1)
}

func TestApplyOnTablesThatAreNotThere(t *testing.T) {
	truncate := func() *applied { return applying(binlog.TypeTruncateTable, `{"tblId":11,"isEntireTable":true}`, 11) }
	require.True(t, truncate().run(t).Done, "gone from the source: ignored")

	a := truncate()
	a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n"}
	require.Equal(t, &job.PartialSync{TableID: 11, Table: "n", Replace: true}, a.run(t).Wanted.Partial, "not known yet")

	a = truncate()
	a.src.TableMeta[11] = &meta.Table{ID: 11, Name: "n", Type: materializedView}
	require.True(t, a.run(t).Done)

	a = applying(binlog.TypeTruncateTable, `{"tblId":10,"isEntireTable":true}`, 10)
	delete(a.dst.TableMeta, 20)
	require.NotNil(t, a.run(t).Wanted, "dropped on the destination")

	a = applying(binlog.TypeTruncateTable, `{"tblId":10,"isEntireTable":true}`, 10)
	a.in.Progress.Tables[10] = job.Table{Name: "t", DestID: 20, CommitSeq: 500}
	require.True(t, a.run(t).Done)
	require.Empty(t, a.dst.Executed)
}

func TestApplyUnhandled(t *testing.T) {
	got := applying(99, `{}`, 10).run(t)
	require.Contains(t, got.Problem.Text, "unknown binlog type: 99")
	require.Contains(t, got.Problem.Remedy, "skip_binlog")
	require.Equal(t, binlog.Type(99), got.Problem.BinlogType)
}

func TestApplyUnwrapsAndReadsAgain(t *testing.T) {
	a := applying(binlog.TypeBarrier, `{"binlogType":13,"binlog":"{\"tblId\":10,\"isEntireTable\":true}"}`, 10)
	a.run(t)
	require.Equal(t, []string{"TRUNCATE TABLE `dst`.`t`"}, a.dst.Executed)

	a = applying(binlog.TypeTruncateTable, "", 10)
	a.in.Progress.Pending.Truncated = true
	a.src.log.Binlogs = []binlog.Record{{CommitSeq: 500, Type: binlog.TypeTruncateTable, TableIDs: []int64{10}, Data: `{"tblId":10,"isEntireTable":true}`}}
	a.run(t)
	require.Len(t, a.dst.Executed, 1)

	a.src.log = fe.BinlogBatch{Status: status.BinlogTooOldCommitSeq, Binlogs: []binlog.Record{{CommitSeq: 900, Type: binlog.TypeDummy}}}
	got := a.run(t)
	require.Nil(t, got.Wanted.Partial, "it is lost")
}

func TestApplySkipped(t *testing.T) {
	a := applying(binlog.TypeRenameColumn, `{}`, 10)
	a.in.Progress.Skip = &job.SkipBinlog{SkipBy: job.SkipSilence, SkipCommitSeq: 500}
	require.True(t, a.run(t).Done)
}

// A view that is refused for want of a table is given up only if the job leaves that
// table out; one whose table has yet to come, by a RENAME that was filed late, comes by
// a snapshot.
func TestViewsThatStandOnWhatIsExcluded(t *testing.T) {
	missing := func(name string) error {
		return pairtest.SQLRefusal("errCode = 2, detailMessage = Table [" + name + "] does not exist in database [dst].")
	}
	for name, c := range map[string]struct {
		missing string
		wanted  bool
	}{
		"left out":                     {missing: "secret"},
		"a view on what is left out":   {missing: "v1"},
		"a view on such a view":        {missing: "v2"},
		"a table that has yet to come": {missing: "later", wanted: true},
		"a view that has yet to come":  {missing: "v3", wanted: true},
	} {
		a := applying(binlog.TypeCreateTable, binlog.CreateTable{TableID: 11, TableName: "n", TableType: "VIEW", SQL: "CREATE VIEW `n` AS SELECT 1"}, 11)
		a.in.Spec.Exclude = []string{"secret"}
		a.src.Names = []string{"t", "later", "secret", "v1", "v2", "v3"}
		a.src.views = map[string]string{
			"v1": "CREATE VIEW `v1` AS SELECT `k` FROM `secret`", "v2": "CREATE VIEW `v2` AS SELECT `k` FROM `v1`", "v3": "CREATE VIEW `v3` AS SELECT `k` FROM `t`",
		}
		a.dst.refuse = map[string]error{"CREATE VIEW": missing(c.missing)}
		got := a.run(t)
		require.Equal(t, c.wanted, got.Wanted != nil, "%s: %+v", name, got)
		require.Equal(t, !c.wanted, got.Done, name)
	}
}
