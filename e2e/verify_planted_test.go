package e2e

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/e2e/harness"
	"github.com/doris-ccr/ccr/job"
)

// planted is a difference that is planted on the destination, and how a verification
// has to tell it.
type planted struct {
	name string // and the table's, unless it is in another one's
	// in is the one whose table it shares: each differing table takes a verification
	// seconds, however many partitions of it differ.
	in string
	// create is what follows the name in CREATE TABLE, default twoPartitions; rows
	// are the VALUES that it has, default sixteenRows. "" in setup and by: {t} is the
	// table, {db} its database.
	create string
	rows   string
	setup  []string // more statements on the source

	damage []dorisim.Damage // of the table on the destination
	by     []string         // statements on the destination

	// needs is the method from which on it is found; to those before it is equal.
	needs job.VerifyMethod
	want  []finding
	// notCompared are columns that no text stands for.
	notCompared []string
}

// table is the one that it is in.
func (p *planted) table() string { return cmp.Or(p.in, p.name) }

// seenBy tells whether a method finds it.
func (p *planted) seenBy(method job.VerifyMethod) bool {
	return len(p.want) > 0 && (p.needs == "" || atLeast(method, p.needs))
}

// finding is a difference that a table has.
type finding struct {
	kind      string // of job.VerifyDifference, or several with | between; "rows" or "content" if it is of rows
	partition string
	columns   []string // that VerifyColumns names; nil: any
	keys      []string // parts of keys that VerifyRows lists, one each
	text      string   // a part of the text
	rows      [2]int64 // on the source and the destination; zero: any
	anywhere  bool     // rows are in any bucket
}

const (
	twoPartitions = `(id INT, v VARCHAR(40), n INT) DUPLICATE KEY(id)
		PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("100"), PARTITION p2 VALUES LESS THAN ("200"))
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES ("replication_num" = "1")`
	uniqueRows = `(id INT, v VARCHAR(40), n INT) UNIQUE KEY(id)
		PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("100"), PARTITION p2 VALUES LESS THAN ("200"))
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES ("replication_num" = "1", "enable_unique_key_merge_on_write" = "%t")`
	sums = `(id INT, total BIGINT SUM, top INT MAX, last VARCHAR(40) REPLACE) AGGREGATE KEY(id)
		PARTITION BY RANGE(id) (PARTITION p1 VALUES LESS THAN ("100"), PARTITION p2 VALUES LESS THAN ("200"))
		DISTRIBUTED BY HASH(id) BUCKETS 3 PROPERTIES ("replication_num" = "1")`
)

// withPartitions is a table of two partitions with n of them: p1 below 100, p2 below
// 200 and so on.
func withPartitions(create string, n int) string {
	const second = `PARTITION p2 VALUES LESS THAN ("200")`
	all := second
	for i := 3; i <= n; i++ {
		all += fmt.Sprintf(`, PARTITION p%d VALUES LESS THAN ("%d00")`, i, i)
	}
	return strings.Replace(create, second, all, 1)
}

// eightRows are 8 rows in each of some partitions: 1 to 8 in p1, 101 to 108 in p2
// and so on.
func eightRows(partitions ...int) string {
	var rows []string
	for _, p := range partitions {
		for id := 100*p - 99; id <= 100*p-92; id++ {
			rows = append(rows, fmt.Sprintf("(%d, 'v%d', %d)", id, id, id))
		}
	}
	return strings.Join(rows, ", ")
}

func sixteenRows() string { return eightRows(1, 2) }

// verifying is a job whose differences are looked for: of a database, with the
// planted tables and one called busy.
type verifying struct {
	*env
	job          string
	srcDB, dstDB string
	struck       map[string][]int // the buckets that were damaged, by "table partition"
}

// newVerifying makes the tables on the source and a job that has brought them.
func newVerifying(e *env, name string, tables []planted) *verifying {
	v := &verifying{env: e, job: "verify_" + name, srcDB: "s" + name, dstDB: "d" + name, struck: map[string][]int{}}
	v.make(tables)
	_, err := v.ccr.Call(v.ctx, "create_ccr", map[string]any{"name": v.job,
		"src": v.pair.Source.Spec(v.srcDB, ""), "dest": v.pair.Destination.Spec(v.dstDB, "")})
	require.NoError(v, err)
	v.endWithTest(v.job)
	v.awaitEqual(v.job, v.srcDB, v.dstDB)
	return v
}

// verifiedJobs is how many jobs share the planted differences: each differing table
// needs seconds, as what differs is looked at twice.
const verifiedJobs = 11

// Every kind of difference is found and located, whatever else is loaded; and
// nothing is found where there is nothing.
func TestVerifyFindsEveryDifference(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{BEs: 2})
	shares := make([][]planted, verifiedJobs)
	of := map[string]int{}
	for _, p := range slices.Concat(plantedRows(), plantedValues(), plantedDefinitions()) {
		if p.in == "" {
			of[p.name] = len(of) % verifiedJobs
		}
		i := of[p.table()]
		shares[i] = append(shares[i], p)
	}
	var players errgroup.Group
	for i, rows := range shares {
		players.Go(func() error {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				one := *e
				one.T = t
				newVerifying(&one, fmt.Sprintf("all%d", i), rows).findsAll(i, rows)
			})
			return nil
		})
	}
	require.NoError(t, players.Wait())
}

// loadedShare is loaded without a pause. It has less to find than others.
const loadedShare = 8

// paceOf is the pause between two loads beside a share. Whoever asks whether a job has
// caught up waits until its newest load counts as settled: loads without a pause make
// each verification twice as long.
func paceOf(share int) time.Duration {
	if share == loadedShare {
		return 100 * time.Millisecond
	}
	return 8 * time.Second
}

// findsAll plants the differences and looks for them with each method.
func (v *verifying) findsAll(share int, rows []planted) {
	v.Helper()
	stop := v.load(paceOf(share), "busy")
	report := v.verify(job.VerifyRequest{Method: job.VerifyRows})
	require.Zero(v, report.Different, "a false alarm: %s", inText(report))
	for _, p := range rows {
		if !p.extra() {
			require.Equal(v, job.VerifyEqual, tableOf(report, p.table()).Outcome, "%s before anything is different: %s", p.name, inText(report))
		}
	}
	for _, p := range rows {
		v.plant(&p)
	}
	report = v.verify(job.VerifyRequest{Method: job.VerifyRows, MaxRows: mostKeys})
	v.findsIn(report, rows)
	require.Equal(v, "different", report.Result())
	require.Equal(v, "different", v.lastVerified(report.ID))
	// What a count cannot see it does not tell.
	unseen := map[string]bool{}
	for _, p := range rows {
		if p.needs != "" {
			unseen[p.table()] = true
		}
	}
	if len(unseen) > 0 {
		v.findsBy(job.VerifyCount, rows, unseen)
	}
	// The more is asked for, the more is told.
	between := []job.VerifyMethod{job.VerifyChecksum, job.VerifyColumns}[share%2]
	v.findsBy(between, rows, map[string]bool{rows[0].table(): true})
	require.NoError(v, stop())
	v.requireFullSyncs(v.job, 1)
}

// findsBy looks with a method for what was planted in some tables.
func (v *verifying) findsBy(method job.VerifyMethod, rows []planted, tables map[string]bool) {
	v.Helper()
	in := slices.DeleteFunc(slices.Clone(rows), func(p planted) bool { return !tables[p.table()] })
	v.findsIn(v.verify(job.VerifyRequest{Method: method, Tables: slices.Sorted(maps.Keys(tables))}), in)
}

// findsIn checks what a report says of each planted difference, and of what is
// loaded.
func (v *verifying) findsIn(report job.VerifyReport, rows []planted) {
	v.Helper()
	method := report.Request.Method
	byTable := map[string][]planted{}
	for _, p := range rows {
		byTable[p.table()] = append(byTable[p.table()], p)
		if !p.seenBy(method) {
			continue
		}
		if err := v.told(report, &p); err != nil {
			v.Errorf("%s, method %s: %v\n%+v", p.name, method, err, tableOf(report, p.table()))
		}
	}
	for name, in := range byTable {
		if err := nothingElse(tableOf(report, name), method, in); err != nil {
			v.Errorf("table %s, method %s: %v\n%+v", name, method, err, tableOf(report, name))
		}
	}
	require.NotEqual(v, job.VerifyDifferent, tableOf(report, "busy").Outcome, inText(report))
}

// lastVerified is what job_status says of the last verification.
func (v *verifying) lastVerified(id string) string {
	v.Helper()
	var result string
	require.NoError(v, harness.Await(v.ctx, catchUp, func(ctx context.Context) error {
		reply, err := v.ccr.Call(ctx, "job_status", map[string]any{"name": v.job})
		if err != nil {
			return err
		}
		verified, _ := find(reply, "verified").(map[string]any)
		if verified["report"] != id {
			return fmt.Errorf("the last verification is %v, not %s", verified, id)
		}
		result = fmt.Sprint(verified["result"])
		return nil
	}))
	return result
}

// mostKeys is how many keys VerifyRows is to list for a table.
const mostKeys = 40

// extra tells whether the source does not have the table or view.
func (p *planted) extra() bool { return p.create == nothing && len(p.setup) == 0 }

// nothing, as what to create, leaves it to the other statements.
const nothing = "-"

// make makes the tables on the source.
func (v *verifying) make(rows []planted) {
	v.Helper()
	v.exec("CREATE DATABASE "+v.srcDB, `ALTER DATABASE `+v.srcDB+` SET PROPERTIES ("binlog.enable" = "true")`)
	for _, p := range rows {
		var statements []string
		create, values := p.create, p.rows
		if create == "" {
			create = twoPartitions
		}
		if values == "" {
			values = sixteenRows()
		}
		if create != nothing && p.in == "" {
			statements = append(statements, "CREATE TABLE {t} "+create)
			if values != nothing {
				statements = append(statements, "INSERT INTO {t} VALUES "+values)
			}
		}
		for _, s := range slices.Concat(statements, p.setup) {
			v.exec(of(s, v.srcDB, p.table()))
		}
		require.NoError(v, v.altered(v.pair.Source, v.srcDB), p.name)
	}
	v.exec("CREATE TABLE " + v.srcDB + ".busy " + twoPartitions)
}

func of(statement, database, table string) string {
	return strings.NewReplacer("{t}", database+"."+table, "{db}", database).Replace(statement)
}

// altered waits until no ALTER job of the database is left.
func (v *verifying) altered(c *harness.Cluster, database string) error {
	db, err := c.Open(database)
	if err != nil {
		return err
	}
	defer db.Close()
	return harness.Await(v.ctx, catchUp, func(ctx context.Context) error {
		for _, kind := range []string{"COLUMN", "ROLLUP"} {
			states, err := column(ctx, db, "SHOW ALTER TABLE "+kind+" FROM "+database, "State")
			if err != nil {
				return err
			}
			if at := slices.IndexFunc(states, func(s string) bool { return s != "FINISHED" }); at >= 0 {
				return fmt.Errorf("an ALTER job is %s", states[at])
			}
		}
		return nil
	})
}

// load writes into tables, at an even pace, until it is told to stop.
func (v *verifying) load(every time.Duration, tables ...string) (stop func() error) {
	ctx, cancel := context.WithCancel(v.ctx)
	var loads errgroup.Group
	for i, table := range tables {
		loads.Go(func() error {
			for n := i; ; n++ {
				_, err := v.src.ExecContext(v.ctx, fmt.Sprintf("INSERT INTO %s.%s VALUES (%d, 'loaded', %d)", v.srcDB, table, n%200, n))
				if err != nil {
					return err
				}
				if !pauseFor(ctx, every) {
					return nil
				}
			}
		})
	}
	return func() error {
		cancel()
		return loads.Wait()
	}
}

// plant makes the destination different.
func (v *verifying) plant(p *planted) {
	v.Helper()
	for _, s := range p.by {
		_, err := v.dst.ExecContext(v.ctx, of(s, v.dstDB, p.table()))
		require.NoError(v, err, "%s: %s", p.name, s)
		require.NoError(v, v.altered(v.pair.Destination, v.dstDB), "%s: %s", p.name, s)
	}
	for _, d := range p.damage {
		d.Database, d.Table = v.dstDB, p.table()
		done, err := v.pair.Destination.Damage(d)
		require.NoError(v, err, p.name)
		for _, tablet := range done.Tablets {
			key := p.table() + " " + tablet.Partition
			bucket := v.bucket(p.table(), tablet)
			if !slices.Contains(v.struck[key], bucket) {
				v.struck[key] = append(v.struck[key], bucket)
			}
		}
	}
}

// bucket is the number of a damaged tablet in its partition.
func (v *verifying) bucket(table string, damaged dorisim.DamagedTablet) int {
	v.Helper()
	c := v.pair.Destination.Core()
	db, _ := c.Database(v.dstDB)
	c.RLock()
	defer c.RUnlock()
	t := db.Tables[table]
	for _, p := range core.Partitions(t) {
		for i, tablet := range p.Tablets[t.BaseIndexID] {
			if tablet.ID == damaged.Tablet {
				return i
			}
		}
	}
	v.Fatalf("%s has no tablet %d", table, damaged.Tablet)
	return -1
}

// verify verifies the job and returns the report.
func (v *verifying) verify(request job.VerifyRequest) job.VerifyReport {
	v.Helper()
	report, err := v.verification(v.job, request)
	require.NoError(v, err)
	return report
}

func (e *env) verification(name string, request job.VerifyRequest) (job.VerifyReport, error) {
	id, err := e.ccr.Verify(e.ctx, name, request)
	if err != nil {
		return job.VerifyReport{}, err
	}
	report, err := e.ccr.AwaitVerified(e.ctx, name, id, catchUp)
	if err == nil && report.State != job.VerifyDone {
		err = fmt.Errorf("the verification is %s: %s", report.State, report.Error)
	}
	return report, err
}

// methods in their order: each sees what those before see.
var methodOrder = []job.VerifyMethod{job.VerifyCount, job.VerifyChecksum, job.VerifyColumns, job.VerifyRows}

func atLeast(method, needed job.VerifyMethod) bool {
	return slices.Index(methodOrder, method) >= slices.Index(methodOrder, needed)
}

// told is an error unless the report tells the difference as it has to.
func (v *verifying) told(report job.VerifyReport, p *planted) error {
	table := tableOf(report, p.table())
	if table.Outcome != job.VerifyDifferent {
		return fmt.Errorf("it is %q, not different: %s", table.Outcome, table.Why)
	}
	for _, w := range p.want {
		var why []string
		if !slices.ContainsFunc(table.Differences, func(d job.VerifyDifference) bool {
			err := w.is(d, report.Request.Method, v.struck[p.table()+" "+w.partition])
			if err != nil {
				why = append(why, err.Error())
			}
			return err == nil
		}) {
			return fmt.Errorf("it does not tell %+v: %s", w, strings.Join(why, "; "))
		}
	}
	return nil
}

// nothingElse is an error if a table is told to differ in what the method does not
// see or nobody has planted.
func nothingElse(table job.VerifiedTable, method job.VerifyMethod, in []planted) error {
	seen := slices.DeleteFunc(slices.Clone(in), func(p planted) bool { return !p.seenBy(method) })
	if want := map[bool]job.VerifyOutcome{true: job.VerifyEqual, false: job.VerifyDifferent}[len(seen) == 0]; table.Outcome != want {
		return fmt.Errorf("it is %q, not %s: %s", table.Outcome, want, table.Why)
	}
	if method != job.VerifyCount && len(seen) > 0 && !slices.Equal(table.NotCompared, in[0].notCompared) {
		return fmt.Errorf("%v are not compared", table.NotCompared)
	}
	for _, d := range table.Differences {
		if !slices.ContainsFunc(seen, func(p planted) bool {
			return slices.ContainsFunc(p.want, func(w finding) bool { return w.partition == "" || w.partition == d.Partition })
		}) {
			return fmt.Errorf("partition %s is not different", d.Partition)
		}
	}
	return nil
}

// ofRows are the kinds of differences that are of rows.
var ofRows = []string{"rows", "content"}

// is is an error unless the difference is the one that is to be found.
func (w *finding) is(d job.VerifyDifference, method job.VerifyMethod, buckets []int) error {
	rows := slices.Contains(ofRows, w.kind)
	switch {
	case rows && !slices.Contains(ofRows, d.Kind) || !rows && !slices.Contains(strings.Split(w.kind, "|"), d.Kind):
		return fmt.Errorf("it is of %s", d.Kind)
	case w.partition != "" && d.Partition != w.partition:
		return fmt.Errorf("it is in partition %q", d.Partition)
	case !strings.Contains(d.Text, w.text):
		return fmt.Errorf("it says %q", d.Text)
	case w.rows != [2]int64{} && (d.SourceRows != w.rows[0] || d.DestinationRows != w.rows[1]):
		return fmt.Errorf("it tells of %d and %d rows", d.SourceRows, d.DestinationRows)
	}
	if !rows {
		return nil
	}
	if atLeast(method, job.VerifyChecksum) && buckets != nil && !w.anywhere && !slices.Equal(slices.Sorted(slices.Values(buckets)), d.Buckets) {
		return fmt.Errorf("it is in buckets %v, not in %v", d.Buckets, buckets)
	}
	if atLeast(method, job.VerifyColumns) && w.columns != nil && !slices.Equal(w.columns, d.Columns) {
		return fmt.Errorf("it is in columns %v, not in %v", d.Columns, w.columns)
	}
	if method != job.VerifyRows {
		return nil
	}
	if len(d.Keys) > mostKeys {
		return fmt.Errorf("%d keys are too many", len(d.Keys))
	}
	for _, key := range w.keys {
		if !slices.ContainsFunc(d.Keys, func(k string) bool { return strings.Contains(k, key) }) {
			return fmt.Errorf("the keys %v have no %s", d.Keys, key)
		}
	}
	return nil
}

// tableOf is what a report says of a table.
func tableOf(report job.VerifyReport, name string) job.VerifiedTable {
	for _, t := range report.Tables {
		if t.Table == name {
			return t
		}
	}
	return job.VerifiedTable{}
}

// inText is what a report says of tables that are not equal.
func inText(report job.VerifyReport) string {
	var b strings.Builder
	for _, t := range report.Tables {
		if t.Outcome != job.VerifyEqual {
			fmt.Fprintf(&b, "%s: %s %s %+v %+v\n", t.Table, t.Outcome, t.Why, t.Differences, t.Busy)
		}
	}
	return b.String()
}

// Whoever reads one of two replicas may not see what the other one has: a
// verification that reads all of them does.
func TestVerifyMeetsTheReplicaThatDiffers(t *testing.T) {
	t.Parallel()
	row := planted{name: "t", create: strings.ReplaceAll(twoPartitions, `"replication_num" = "1"`, `"replication_num" = "2"`)}
	v := newVerifying(newEnv(t, harness.PairOptions{BEs: 2}), "replicas", []planted{row})
	request := job.VerifyRequest{Tables: []string{"t"}, Replicas: true}
	report := v.verify(request)
	require.Equal(t, job.VerifyEqual, tableOf(report, "t").Outcome, inText(report))
	row.damage = damages(changed("103", "v", "w"))
	row.damage[0].Backend = v.pair.Destination.Core().Backends()[1].ID
	v.plant(&row)
	report = v.verify(request)
	table := tableOf(report, "t")
	require.Equal(t, job.VerifyDifferent, table.Outcome, inText(report))
	at := slices.IndexFunc(table.Differences, func(d job.VerifyDifference) bool { return d.Kind == "replicas" })
	require.GreaterOrEqual(t, at, 0, inText(report))
	require.Equal(t, "destination", table.Differences[at].Side)
	require.Equal(t, "p2", table.Differences[at].Partition)
	require.Equal(t, v.struck["t p2"], table.Differences[at].Buckets)
}
