package verify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
)

const buckets = 3

// world is a table of one partition under load. Something may happen before every
// answer of either side.
type world struct {
	mu sync.Mutex
	r  *rand.Rand

	loads   [][buckets]int // content of each bucket at each version of the source, from 1
	applied int            // up to here the job has committed on the destination
	visible int            // up to here the destination shows it
	offset  int            // of the destination's versions
	planted bool           // a bucket of the destination is not what was loaded

	// loading, applying and publishing are how often of a hundred answers it happens.
	loading, applying, publishing int
	quietAfter                    int // answers; 0: never
	// stale: the frontends that answer SQL have replayed so many loads less.
	stale, staleThere int
	// tells: SHOW PARTITIONS has CommittedVersion; else transactions can be listed.
	tells bool
	// unlisted: the job has no open transaction, although not all that was committed is
	// visible: it is somebody else's.
	unlisted bool
	// stand says why the job stands still; nil: it does not.
	stand func(*job.Progress)
	// gone: the destination does not have the table.
	gone bool
	// stored is the DataSize of the partition's two replicas; "": it is not told.
	stored string

	answers    int
	definition int // is part of the source's definition, and of all rows; ddl changes it
	ddlAt      int // at this version
	there      int // that of the destination, which follows after so many answers:
	ddlBehind  int
	ddl        int // at this answer; 0: never
	refuse     func(statement string) error

	// obeys is how often of a hundred orders the stream obeys one to hold the partition
	// back; held is the newest, which ends after so many answers.
	obeys   int
	held    job.Hold
	heldFor int
	holds   int // that have begun
	asked   []string
}

// happen needs the lock.
func (w *world) happen() {
	w.answers++
	if w.answers == w.ddl {
		w.definition++
		w.ddlAt = len(w.loads)
	}
	if w.there < w.definition && w.applied < w.ddlAt {
		w.ddlBehind++ // all before it first
	}
	if w.there < w.definition && w.answers >= w.ddl+w.ddlBehind {
		w.there = w.definition
	}
	quiet := w.quietAfter > 0 && w.answers > w.quietAfter
	if !quiet && w.r.IntN(100) < w.loading {
		next := w.loads[len(w.loads)-1]
		next[w.r.IntN(buckets)]++
		w.loads = append(w.loads, next)
	}
	if w.applied < len(w.loads) && !w.isHeld() && (w.there == w.definition || w.applied < w.ddlAt) && (quiet || w.r.IntN(100) < w.applying) {
		w.applied++
	}
	if w.visible < w.applied && w.r.IntN(100) < w.publishing {
		w.visible++
	}
}

// isHeld tells whether the stream holds the next load back. It needs the lock.
func (w *world) isHeld() bool {
	if w.heldFor == 0 || int64(w.applied+1) <= w.held.Version {
		return false
	}
	w.heldFor--
	return true
}

// hold is an order to the stream.
func (w *world) hold(_ context.Context, o job.Hold) (job.Held, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.happen()
	if w.r.IntN(100) >= w.obeys {
		return job.Held{}, nil
	}
	switch {
	case o.Over:
		w.heldFor = 0
	case o.Step == 1:
		w.holds++
		w.heldFor = 1 + w.r.IntN(60)
	}
	w.held = o
	return job.Held{Here: true, Waited: time.Microsecond}, nil
}

// half is one side of the world. What it does not answer panics.
type half struct {
	pair.Database
	pair.Frontend
	w      *world
	source bool
}

func (h *half) Close() error { return nil }

// version is what the side is at: of the master, or what its SQL shows.
func (h *half) version(sql bool) (version, committed int) {
	if h.source {
		n := len(h.w.loads)
		if sql {
			n = max(1, n-h.w.stale)
		}
		return n, n
	}
	n := h.w.visible
	if sql {
		n = max(1, n-h.w.staleThere)
	}
	return n + h.w.offset, max(n, h.w.applied-h.w.staleThere) + h.w.offset
}

// content is that of a bucket at the version that SQL shows.
func (h *half) content(bucket int) (rows int, sum string) {
	at, _ := h.version(true)
	if !h.source {
		at -= h.w.offset
	}
	n := h.w.loads[at-1][bucket]
	value := n*1000 + h.w.definition*1_000_000
	if !h.source {
		value = n*1000 + h.w.there*1_000_000
	}
	if h.w.planted && !h.source && bucket == 1 {
		value += 7
	}
	return n, strconv.Itoa(value)
}

func (h *half) name() string {
	if h.source {
		return "t"
	}
	return "copy"
}

func (h *half) id(n int64) int64 {
	if h.source {
		return n
	}
	return n + 10000
}

func (h *half) Meta(_ context.Context, req fe.MetaRequest) (*meta.Database, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.happen()
	db := &meta.Database{ID: 1, Tables: map[int64]*meta.Table{}}
	if !slices.Contains(req.TableIDs, h.id(10)) || h.w.gone && !h.source {
		return db, nil
	}
	index := pairtest.Index(h.id(1000), h.name())
	for i := range int64(buckets) {
		index.Tablets = append(index.Tablets, &meta.Tablet{ID: h.id(500 + i)})
	}
	p := pairtest.Partition(h.id(100), h.name(), "", index)
	version, _ := h.version(false)
	p.VisibleVersion = int64(version)
	db.Tables[h.id(10)] = &meta.Table{ID: h.id(10), Name: h.name(), Partitions: []*meta.Partition{p}}
	return db, nil
}

func (h *half) Session(ctx context.Context, _ sqlclient.Setting, _ time.Duration, work func(context.Context, sqlclient.QueryFunc) error) error {
	return work(ctx, h.Query)
}

var (
	counts = regexp.MustCompile(`SELECT (\d+) AS i, count\(\*\) AS n`)
	tablet = regexp.MustCompile(`TABLET \((\d+)\)`)
)

func (h *half) Query(_ context.Context, statement string) ([]sqlclient.Row, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.happen()
	h.w.asked = append(h.w.asked, statement)
	if h.w.refuse != nil {
		if err := h.w.refuse(statement); err != nil {
			return nil, err
		}
	}
	if strings.HasPrefix(statement, "SHOW PARTITIONS") {
		version, committed := h.version(true)
		row := sqlclient.Row{"PartitionId": fmt.Sprint(h.id(100)), "PartitionName": h.name(), "VisibleVersion": fmt.Sprint(version)}
		if h.w.tells {
			row["CommittedVersion"] = fmt.Sprint(committed)
		}
		if h.w.stored != "" {
			row["DataSize"], row["ReplicationNum"] = h.w.stored, "2"
		}
		return []sqlclient.Row{row}, nil
	}
	var rows []sqlclient.Row
	for _, one := range strings.Split(statement, " UNION ALL ") {
		m := counts.FindStringSubmatch(one)
		if m == nil {
			return []sqlclient.Row{{"h": "1"}}, nil // does it have the function?
		}
		n, of := 0, 0
		for b := range buckets {
			if t := tablet.FindStringSubmatch(one); t == nil || t[1] == fmt.Sprint(h.id(500+int64(b))) {
				count, sum := h.content(b)
				value, _ := strconv.Atoi(sum)
				n, of = n+count, of+value*(b+1)
			}
		}
		rows = append(rows, sqlclient.Row{"i": m[1], "n": fmt.Sprint(n), "a": fmt.Sprint(of), "b": fmt.Sprint(-of), "s0": fmt.Sprint(of), "s1": "0"})
	}
	return rows, nil
}

func (h *half) CreateTableText(_ context.Context, _, name string) (string, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.happen()
	definition := h.w.there
	if h.source {
		definition = h.w.definition
	}
	return fmt.Sprintf("CREATE TABLE `%s` (\n  `id` int NOT NULL,\n  `v%d` int NULL\n) ENGINE=OLAP\nDUPLICATE KEY(`id`)\nDISTRIBUTED BY HASH(`id`) BUCKETS 3\nPROPERTIES (\n\"binlog.enable\" = \"true\"\n)", name, definition), nil
}

func (h *half) Columns(context.Context, string, string) ([]sqlclient.Column, error) {
	return []sqlclient.Column{{Name: "id", Key: true}, {Name: "v0"}}, nil
}

func (h *half) HiddenColumns(context.Context, string, string) ([]string, error) { return nil, nil }

func (h *half) IndexColumns(context.Context, string, string) (map[string][]string, error) {
	return map[string][]string{h.name(): {"id", "v0"}}, nil
}

func (h *half) CommittedTransactions(context.Context, string, string) ([]sqlclient.Transaction, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.happen()
	if h.w.unlisted {
		return nil, nil
	}
	if h.w.tells {
		return nil, &sqlclient.Error{Code: 1227, Message: "Access denied; you need ADMIN"}
	}
	if h.w.visible < h.w.applied {
		return []sqlclient.Transaction{{ID: 1, Status: sqlclient.TxnCommitted}}, nil
	}
	return nil, nil
}

func (h *half) Unpublished(context.Context, string, string) (string, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.happen()
	if h.w.visible < h.w.applied {
		return "p", nil
	}
	return "", nil
}

// quickly are limits for tests.
var quickly = limits{tries: 12, atBucket: 6, standing: 4, restarts: 3, pause: time.Microsecond, longest: time.Millisecond, follow: 2 * time.Millisecond, followLong: 10 * time.Millisecond, slack: time.Microsecond, visible: 20 * time.Millisecond, budget: time.Second}

// verifyWorld compares the table.
func verifyWorld(t *testing.T, w *world, change ...func(*job.VerifyTableInput, *Hooks)) job.VerifiedTable {
	t.Helper()
	c := pair.NewConnector(pair.Options{SettleTime: time.Microsecond})
	t.Cleanup(func() { _ = c.Close() })
	spec := pairtest.TableSpec()
	spec.Source.Port, spec.Destination.Port = 1, 2
	source, destination := &half{w: w, source: true}, &half{w: w}
	j := &pair.Job{
		Connector: c, Options: &c.Options, Spec: *spec, Log: c.Options.Logger,
		Source:      &pair.Cluster{Side: "source", Spec: spec.Source, FE: source, SQL: source},
		Destination: &pair.Cluster{Side: "destination", Spec: spec.Destination, FE: destination, SQL: destination},
	}
	shared := NewShared()
	shared.limits = quickly
	in := job.StepInput{Spec: *spec, Progress: job.Progress{Tables: map[int64]job.Table{10: {Name: "t", DestID: 10010}}}}
	if w.stand != nil {
		w.stand(&in.Progress)
	}
	what := job.VerifyTableInput{Target: job.VerifyTarget{ID: 10, Name: "t"}}
	hooks := Hooks{CaughtUp: func(context.Context) (int64, bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		recorded, definition := len(w.loads), w.definition
		w.happen()
		w.happen()
		return int64(w.applied), w.applied >= recorded && w.there >= definition, nil
	}}
	if w.obeys > 0 {
		hooks.Hold = w.hold
	}
	for _, f := range change {
		f(&what, &hooks)
	}
	got, err := New(j, shared).Table(context.Background(), in, what, hooks)
	require.NoError(t, err)
	return got
}

// worlds are the ways in which a table may be written.
func worlds(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 1))
	w := &world{
		r: r, loads: [][buckets]int{{5, 5, 5}}, applied: 1, visible: 1,
		loading: r.IntN(40), applying: 5 + r.IntN(95), publishing: 3 + r.IntN(98), tells: r.IntN(2) == 0,
	}
	if r.IntN(3) == 0 {
		w.stale, w.staleThere = r.IntN(3), r.IntN(3)
	}
	if r.IntN(3) == 0 {
		w.quietAfter = r.IntN(400)
	}
	if r.IntN(3) == 0 {
		w.ddl, w.ddlBehind = 1+r.IntN(100), r.IntN(60)
	}
	w.obeys = []int{0, 70, 100}[r.IntN(3)]
	return w
}

const seeds = 60

// TestNoFalseAlarm: whatever happens between two answers, a destination that only is
// behind never differs; nor does one whose versions are not the source's.
func TestNoFalseAlarm(t *testing.T) {
	t.Parallel()
	outcomes := map[job.VerifyOutcome]int{}
	for seed := range uint64(seeds) {
		w := worlds(seed)
		w.offset = []int{0, 0, 1, -1, 3}[seed%5]
		got := verifyWorld(t, w)
		require.NotEqual(t, job.VerifyDifferent, got.Outcome, "seed %d, %+v", seed, got)
		outcomes[got.Outcome]++
	}
	require.Greater(t, outcomes[job.VerifyEqual], seeds/2, "%v", outcomes)
	t.Log(outcomes)
}

// TestNothingIsOverlooked: what is planted is never equal, and mostly found.
func TestNothingIsOverlooked(t *testing.T) {
	t.Parallel()
	outcomes := map[job.VerifyOutcome]int{}
	for seed := range uint64(seeds) {
		w := worlds(seed)
		w.planted = true
		got := verifyWorld(t, w)
		require.NotEqual(t, job.VerifyEqual, got.Outcome, "seed %d, %+v", seed, got)
		outcomes[got.Outcome]++
		if got.Outcome == job.VerifyDifferent && w.loading == 0 {
			require.Equal(t, []int{1}, got.Differences[0].Buckets)
		}
	}
	t.Log(outcomes)
	require.Greater(t, outcomes[job.VerifyDifferent], seeds/2, "%v", outcomes)
}
