package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/schema"
)

// quiet is a world that nobody writes.
func quiet() *world {
	return &world{r: rand.New(rand.NewPCG(1, 1)), loads: [][buckets]int{{5, 5, 5}}, applied: 1, visible: 1, publishing: 100}
}

func TestQuietTable(t *testing.T) {
	w := quiet()
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyEqual, got.Outcome)
	require.Equal(t, int64(15), got.SourceRows)
	require.Equal(t, int64(15), got.DestinationRows)
	require.Equal(t, 1, got.Partitions)

	w = quiet()
	w.planted = true
	got = verifyWorld(t, w)
	require.Equal(t, job.VerifyDifferent, got.Outcome)
	require.Len(t, got.Differences, 1)
	require.Equal(t, kindContent, got.Differences[0].Kind)
	require.Equal(t, []int{1}, got.Differences[0].Buckets)
}

// A job that stands is behind; what it has not applied is no difference.
func TestStandingJob(t *testing.T) {
	w := quiet()
	w.loads = append(w.loads, [buckets]int{6, 5, 5})
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyBusy, got.Outcome)
	require.Len(t, got.Busy, 1)
	require.Contains(t, got.Busy[0].Text, "the job had not applied all of it")
	require.Equal(t, []int{0}, got.Busy[0].Buckets)

	// Of one that is stalled or paused this is found out sooner: others wait for the slot.
	for name, stand := range map[string]func(*job.Progress){
		"stalled": func(p *job.Progress) { p.Problem = &job.Problem{Text: "the destination's database is gone"} },
		"paused":  func(p *job.Progress) { p.Paused = true },
	} {
		standing := quiet()
		standing.loads = append(standing.loads, [buckets]int{6, 5, 5})
		standing.stand = stand
		got := verifyWorld(t, standing)
		require.Equal(t, job.VerifyBusy, got.Outcome, name)
		require.Less(t, 2*reads(standing), reads(w), name)
	}
}

// reads counts the checksums that were asked for.
func reads(w *world) (n int) {
	for _, statement := range w.asked {
		if strings.Contains(statement, "sum(") {
			n++
		}
	}
	return n
}

// TestResume: a partition that an earlier attempt found equal is not read again,
// unless it was written since.
func TestResume(t *testing.T) {
	var done job.Verifying
	verifyWorld(t, quiet(), func(_ *job.VerifyTableInput, h *Hooks) {
		h.Report = func(_ string, p job.Verifying) { done = p }
	})
	require.Len(t, done.Done, 1)
	same := quiet()
	got := verifyWorld(t, same, func(_ *job.VerifyTableInput, h *Hooks) { h.Before = done })
	require.Equal(t, job.VerifyEqual, got.Outcome)
	require.Equal(t, int64(15), got.SourceRows)
	require.Zero(t, reads(same))

	written := quiet()
	written.loads = append(written.loads, [buckets]int{6, 5, 5})
	written.applied, written.visible = 2, 2
	got = verifyWorld(t, written, func(_ *job.VerifyTableInput, h *Hooks) { h.Before = done })
	require.Equal(t, int64(16), got.SourceRows)
	require.NotZero(t, reads(written))

	for name, w := range map[string]*world{"source": quiet(), "destination": quiet()} {
		if name == "source" {
			w.loads = append(w.loads, [buckets]int{6, 5, 5})
		} else {
			w.offset = 1
		}
		got = verifyWorld(t, w, func(_ *job.VerifyTableInput, h *Hooks) { h.Before = done })
		require.NotZero(t, reads(w), name)
	}
}

// TestChangeMeanwhile: a table whose definition changes starts over.
func TestChangeMeanwhile(t *testing.T) {
	before := quiet()
	verifyWorld(t, before)
	require.Equal(t, 2, reads(before))
	after := quiet()
	after.ddl = before.answers - 3 // the last look asks for the metadata and the definitions of both sides
	require.Equal(t, job.VerifyEqual, verifyWorld(t, after).Outcome)
	require.Equal(t, 4, reads(after))
	for at := range 25 {
		w := quiet()
		w.ddl = at + 1
		require.Equal(t, job.VerifyEqual, verifyWorld(t, w).Outcome, at)
	}
	for at := range 12 { // the destination follows
		w := quiet()
		w.ddl, w.ddlBehind = at+1, 30
		require.Equal(t, job.VerifyEqual, verifyWorld(t, w).Outcome, at)
	}
	never := quiet()
	never.ddl, never.ddlBehind = 1, 1_000_000
	got := verifyWorld(t, never)
	require.Equal(t, job.VerifyBusy, got.Outcome)
	require.Equal(t, kindDefinition, got.Busy[0].Kind)
	require.Contains(t, got.Why, "the job had not applied all")

	always := quiet()
	always.refuse = func(statement string) error {
		if strings.Contains(statement, "sum(") {
			return &sqlclient.Error{Code: 1054, Message: "Unknown column 'v0'"}
		}
		return nil
	}
	got = verifyWorld(t, always)
	require.Equal(t, job.VerifyBusy, got.Outcome)
	require.Contains(t, got.Why, "it was changed 4 times meanwhile")
}

// TestRefusals: what an account may not read, or a cluster does not answer, is said.
func TestRefusals(t *testing.T) {
	refusing := func(part, text string, code uint16) *world {
		w := quiet()
		w.refuse = func(statement string) error {
			if strings.Contains(statement, part) {
				return &sqlclient.Error{Code: code, Message: text}
			}
			return nil
		}
		return w
	}
	got := verifyWorld(t, refusing("sum(", "SELECT command denied to user", 1142))
	require.Equal(t, job.VerifyNotComparable, got.Outcome)
	require.Contains(t, got.Why, "grant the privilege")

	got = verifyWorld(t, refusing("sum(", "Allocator sys memory check failed", 1105))
	require.Equal(t, job.VerifyBusy, got.Outcome)
	require.Contains(t, got.Busy[0].Text, "Allocator sys memory check failed")

	// Too much for one query, but not by buckets.
	w := quiet()
	w.refuse = func(statement string) error {
		if strings.Contains(statement, "sum(") && !strings.Contains(statement, "TABLET") {
			return &sqlclient.Error{Code: 1105, Message: "query timeout"}
		}
		return nil
	}
	require.Equal(t, job.VerifyEqual, verifyWorld(t, w).Outcome)
}

// TestHashFunction: both sides use the one that both have, and are asked once.
func TestHashFunction(t *testing.T) {
	w := quiet()
	w.refuse = func(statement string) error {
		if strings.Contains(statement, fastHash) {
			return &sqlclient.Error{Code: 1105, Message: "errCode = 2, detailMessage = Can not found function 'xxhash_64'"}
		}
		return nil
	}
	require.Equal(t, job.VerifyEqual, verifyWorld(t, w).Outcome)
	require.Contains(t, strings.Join(w.asked, "\n"), anyHash)
}

// TestLostConnections: a session that breaks is begun again.
func TestLostConnections(t *testing.T) {
	w := quiet()
	n := 0
	w.refuse = func(string) error {
		if n++; n%7 == 2 {
			return &sqlclient.NetworkError{Err: errors.New("broken pipe")}
		}
		return nil
	}
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyEqual, got.Outcome)
}

func TestStatements(t *testing.T) {
	from := schema.Definition{Columns: []schema.ColumnDefinition{
		{Name: "k", Type: "int"}, {Name: "s`x", Type: "varchar(20)", Nullable: true}, {Name: "f", Type: "float", Nullable: true},
		{Name: "b", Type: "bitmap"}, {Name: "h", Type: "hll"}, {Name: "q", Type: "quantile_state"}, {Name: "a", Type: "agg_state<max(int)>"},
		{Name: "only", Type: "int"}, {Name: "other", Type: "int"}, {Name: "m", Type: "map<text,int>"},
	}}
	to := schema.Definition{Columns: append([]schema.ColumnDefinition{{Name: "other", Type: "bigint"}, {Name: "m", Type: "map<text,int>", Nullable: true}}, from.Columns[:7]...)}
	columns, left := compared(from, to, []string{"k"})
	require.Equal(t, []string{"h", "q", "a"}, left)
	require.Equal(t, []column{
		{name: "k", text: "cast(`k` AS STRING)", key: true},
		{name: "s`x", text: "ifnull(concat('=', `s``x`), '')"},
		{name: "f", text: "ifnull(concat('=', cast(cast(`f` AS DOUBLE) AS STRING)), '')"},
		{name: "b", text: "bitmap_to_string(`b`)"},
		{name: "m", text: "ifnull(concat('=', cast(`m` AS STRING)), '')"},
	}, columns)

	about := []reading{{database: "d", table: "t"}, {database: "d", table: "t", base: true, partition: "p1", tablet: 7}}
	few := columns[:2]
	require.Equal(t, "SELECT 0 AS i, count(*) AS n FROM `d`.`t` UNION ALL SELECT 1 AS i, count(*) AS n FROM `d`.`t` INDEX `t` PARTITION (`p1`) TABLET (7)",
		statement(counting{}, about))
	require.Equal(t, "SELECT 0 AS i, count(*) AS n, sum(cast(h AS LARGEINT)) AS a, sum(cast(xxhash_64(cast(h AS STRING), 'ccr') AS LARGEINT)) AS b "+
		"FROM (SELECT xxhash_64(cast(`k` AS STRING), ifnull(concat('=', `s``x`), '')) AS h FROM `d`.`t`) AS r",
		statement(checksum{fastHash, few}, about[:1]))
	require.Equal(t, "SELECT 0 AS i, count(*) AS n, sum(cast(h0 AS LARGEINT)) AS s0, sum(cast(h1 AS LARGEINT)) AS s1 "+
		"FROM (SELECT xxhash_64(cast(`k` AS STRING)) AS h0, xxhash_64(cast(`k` AS STRING), ifnull(concat('=', `s``x`), '')) AS h1 FROM `d`.`t`) AS r",
		statement(byColumn{fastHash, few}, about[:1]))
	q := rowQuestions{fastHash, few}
	require.Equal(t, "SELECT g, count(*) AS n, sum(cast(h AS LARGEINT)) AS a FROM (SELECT bitand(xxhash_64(cast(`k` AS STRING)), 4095) AS g, "+
		"xxhash_64(cast(`k` AS STRING), ifnull(concat('=', `s``x`), '')) AS h FROM `d`.`t`) AS r GROUP BY g", q.groups(about[0]))
	require.Equal(t, "SELECT k, h, count(*) AS n FROM (SELECT concat_ws('|', cast(`k` AS STRING)) AS k, "+
		"xxhash_64(cast(`k` AS STRING), ifnull(concat('=', `s``x`), '')) AS h FROM `d`.`t` WHERE bitand(xxhash_64(cast(`k` AS STRING)), 4095) IN (3, 4)) AS r "+
		`WHERE k > "a\"b" OR (k = "a\"b" AND h > -5) GROUP BY k, h ORDER BY k, h LIMIT 2000`, q.page(about[0], []string{"3", "4"}, &rowGroup{key: `a"b`, hash: -5}))
}

func TestMergeKeys(t *testing.T) {
	source := []rowGroup{{"a", 1, 1}, {"b", 1, 1}, {"b", 2, 1}, {"c", 3, 2}, {"d", 4, 1}, {"f", 6, 1}}
	destination := []rowGroup{{"a", 1, 1}, {"b", 1, 1}, {"b", 2, 2}, {"c", 9, 2}, {"e", 5, 3}, {"f", 6, 1}}
	require.Equal(t, []string{
		"b: doubled: 2 on the source, 3 on the destination", "c: changed", "d: missing on the destination", "e: extra on the destination (3 rows)",
	}, mergeKeys(source, destination, 10))
	require.Len(t, mergeKeys(source, destination, 2), 2)
	require.Empty(t, mergeKeys(source, source, 2))
	require.Equal(t, []string{"a: 1 on the source, 2 on the destination"}, mergeKeys([]rowGroup{{"a", 1, 1}}, []rowGroup{{"a", 2, 2}}, 9))
}

// A destination that has committed more than it shows is never different, even if no
// transaction of the job is open.
func TestCommittedButNotVisible(t *testing.T) {
	w := quiet()
	w.loads = append(w.loads, [buckets]int{6, 5, 5})
	w.applied, w.publishing, w.tells, w.unlisted = 2, 0, true, true
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyBusy, got.Outcome, "%+v", got.Differences)
	w = quiet()
	w.loads = append(w.loads, [buckets]int{6, 5, 5})
	w.applied, w.publishing, w.tells, w.unlisted, w.planted = 2, 100, true, true, true
	require.Equal(t, job.VerifyDifferent, verifyWorld(t, w).Outcome)
}

func TestBytesRead(t *testing.T) {
	for text, size := range map[string]int64{"": 0, "0.000 ": 0, "923.000 B": 461, "1.500 KB": 768, "3.000 MB": 3 << 19, "2.000 GB": 1 << 30, "1.000 TB": 1 << 39, "?": 0} {
		require.Equal(t, size, storedOf(sqlclient.Row{"DataSize": text, "ReplicationNum": "2"}), text)
	}
	require.EqualValues(t, 923, storedOf(sqlclient.Row{"DataSize": "923.000 B"}))

	w := quiet()
	require.Zero(t, verifyWorld(t, w).BytesRead, "it is not told")
	w = quiet()
	w.stored = "6.000 KB"
	got := verifyWorld(t, w)
	require.EqualValues(t, 45, got.RowsRead)
	require.EqualValues(t, 3*3072, got.BytesRead, "the partition is read three times, of one replica each")

	w = quiet()
	w.stored, w.planted = "6.000 KB", true
	whole := verifyWorld(t, w).BytesRead
	w = quiet()
	w.stored, w.planted = "6.000 KB", true
	byRow := verifyWorld(t, w, func(in *job.VerifyTableInput, _ *Hooks) { in.Request.Method = job.VerifyRows }).BytesRead
	require.Greater(t, byRow, whole+2048, "the rows of a bucket were read, too")
	require.Zero(t, whole%1024, "buckets are thirds")
}

// What was read is paced by whichever rate takes longer.
func TestPace(t *testing.T) {
	require.Zero(t, due(1000, 0))
	require.Equal(t, 2*time.Second, due(1000, 500))
	v := &verification{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, v.pace(ctx, time.Now(), 1<<40, 1<<40), "there is no bound")
	for _, r := range []job.VerifyRequest{{Rate: 1}, {ByteRate: 1}, {Rate: 1, ByteRate: 1 << 50}, {Rate: 1 << 50, ByteRate: 1}} {
		v.in.Request = r
		require.ErrorIs(t, v.pace(ctx, time.Now(), 1<<30, 1<<30), context.Canceled, "%+v", r)
	}
	require.NoError(t, v.pace(context.Background(), time.Now().Add(-time.Hour), 1, 1), "so long it has taken already")
}

// What a repair would bring is told of a table that the destination does not have, too.
func TestWhatTheSourceHas(t *testing.T) {
	w := quiet()
	w.stored, w.gone = "6.000 KB", true
	got := verifyWorld(t, w)
	require.Equal(t, job.VerifyDifferent, got.Outcome)
	require.Equal(t, kindObjects, got.Differences[0].Kind)
	require.EqualValues(t, 15, got.SourceRows)
	require.EqualValues(t, 15, got.Differences[0].SourceRows)
	require.EqualValues(t, 3072, got.SourceBytes)

	w.refuse = func(statement string) error {
		if strings.Contains(statement, "count(") {
			return &sqlclient.Error{Code: 1105, Message: "memory"}
		}
		return nil
	}
	got = verifyWorld(t, w)
	require.Equal(t, job.VerifyDifferent, got.Outcome, "that is known")
	require.EqualValues(t, 3072, got.SourceBytes)

	w = quiet()
	w.stored, w.planted = "6.000 KB", true
	got = verifyWorld(t, w)
	require.EqualValues(t, 15, got.SourceRows)
	require.EqualValues(t, 3072, got.SourceBytes)
	require.EqualValues(t, 3072, got.Differences[0].SourceBytes)
}

// What one cluster answers does not become a statement of the other.
func TestGroupsAreNumbers(t *testing.T) {
	for _, g := range []string{"0", "17", "4095"} {
		got, err := groupOf(sqlclient.Row{"g": g})
		require.NoError(t, err)
		require.Equal(t, g, got)
	}
	for _, g := range []string{"4096", "-1", "1)) AS r; DROP TABLE victim.keep; -- ", "1 UNION SELECT * FROM secret.t", "0x1", " 1"} {
		_, err := groupOf(sqlclient.Row{"g": g})
		require.ErrorIs(t, err, sqlclient.ErrIncomplete, g)
	}
}
