package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// ingestParallel bounds the ingests that one transaction has in flight; the
// limit per backend is the pool's.
const ingestParallel = 64

// commitSet collects which replicas have their share of a transaction.
type commitSet struct {
	mu    sync.Mutex
	infos map[commitKey][]fe.TabletCommit
}

// commitKey is a sub-transaction of a plan (-1: none) and a destination table.
type commitKey struct{ sub, table int64 }

func (c *commitSet) add(k commitKey, tc fe.TabletCommit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.infos[k] = append(c.infos[k], tc)
}

// all returns the replicas of a transaction without sub-transactions. A tablet
// that got several versions is named once.
func (c *commitSet) all() []fe.TabletCommit {
	seen := map[fe.TabletCommit]bool{}
	list := []fe.TabletCommit{}
	for _, infos := range c.infos {
		for _, tc := range infos {
			if !seen[tc] {
				seen[tc] = true
				list = append(list, tc)
			}
		}
	}
	return list
}

// keepCommon leaves out the replicas that lack a share of their tablet in one
// sub-transaction: the destination counts only those that have all (doris-rpc.md 3.8).
// A sub-transaction without any replica would be committed as an empty one: each share
// has to be somewhere, and then the destination decides.
func (c *commitSet) keepCommon(p *plan) error {
	shares, has, left := map[int64]int{}, map[fe.TabletCommit]int{}, map[int64]bool{}
	for _, table := range p.tables {
		for _, piece := range table.pieces {
			shares[piece.to.ID]++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, infos := range c.infos {
		for _, tc := range infos {
			has[tc]++
		}
	}
	for key, infos := range c.infos {
		c.infos[key] = slices.DeleteFunc(slices.Clone(infos), func(tc fe.TabletCommit) bool { return has[tc] < shares[tc.TabletID] })
		for _, tc := range c.infos[key] {
			left[tc.TabletID] = true
		}
	}
	for tablet := range shares {
		if !left[tablet] {
			return fmt.Errorf("no replica of tablet %d has all that the transaction brings: %w", tablet, problem.ErrBackendDown)
		}
	}
	return nil
}

// subTxns are the shares of a transaction's sub-transactions, in the order of what
// they bring. Those of a transactional insert are paired with the source's by
// position (doris-binlogs.md 3.9).
func (c *commitSet) subTxns(t *txn) []fe.SubTxn {
	var subs []fe.SubTxn
	for i, id := range t.begun.SubIDs {
		for _, table := range t.plan.tables {
			if infos, has := c.infos[commitKey{t.subOf(i), table.destination}]; has {
				subs = append(subs, fe.SubTxn{ID: id, TableID: table.destination, CommitInfos: infos})
				if t.plan.subs > 0 {
					break // one table each, which may come again
				}
			}
		}
	}
	return subs
}

// subOf is the sub-transaction of the plan that the i-th of the destination is for.
func (t *txn) subOf(i int) int64 {
	if t.plan.subs > 0 {
		return int64(i)
	}
	return t.last().upsert.SubTxnIDs[i]
}

// ingest makes every replica of every tablet of the plan download its share
// into the transaction, once. It is content with a quorum of replicas only where
// the others cannot take part. One that fails keeps no other from ending: a call
// that is given up may go on in its backend.
func (t *txn) ingest(ctx context.Context) (*commitSet, error) {
	in, err := t.newIngester(ctx)
	if err != nil {
		return nil, err
	}
	var group errgroup.Group
	group.SetLimit(ingestParallel)
	var failed atomic.Bool
	for i := range t.plan.tables {
		table := &t.plan.tables[i]
		for _, p := range table.pieces {
			txnID, err := t.txnOf(p.sub)
			if err != nil {
				return nil, errors.Join(err, group.Wait())
			}
			if failed.Load() {
				break // nothing more is worth the while
			}
			group.Go(func() error {
				err := in.replicas(ctx, table, p, txnID)
				if err != nil {
					failed.Store(true)
				}
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if t.subTxns() > 0 {
		if err := in.commits.keepCommon(t.plan); err != nil {
			return nil, err
		}
	}
	return in.commits, nil
}

// txnOf is the destination transaction that a piece belongs to.
func (t *txn) txnOf(sub int64) (int64, error) {
	for i, id := range t.begun.SubIDs {
		if t.subOf(i) == sub {
			return id, nil
		}
	}
	if t.subTxns() == 0 {
		return t.begun.ID, nil
	}
	return 0, problem.MetaErrorf("sub-transaction %d is not among those of the binlog", sub)
}

// ingester has what the ingests of one transaction share.
type ingester struct {
	t            *txn
	ingest       pair.IngestFunc
	sources      map[int64]meta.Backend
	destinations map[int64]meta.Backend
	commits      *commitSet
}

func (t *txn) newIngester(ctx context.Context) (*ingester, error) {
	sources, err := t.s.source.backendsOf(ctx, t.fresh)
	if err != nil {
		return nil, err
	}
	destinations, err := t.s.destination.backendsOf(ctx, t.fresh)
	if err != nil {
		return nil, err
	}
	return &ingester{
		t: t, ingest: t.s.job.Connector.Ingest, sources: sources, destinations: destinations,
		commits: &commitSet{infos: map[commitKey][]fe.TabletCommit{}},
	}, nil
}

// replicas ingests into all replicas of a tablet at once.
func (in *ingester) replicas(ctx context.Context, table *tablePlan, p piece, txnID int64) error {
	if len(p.to.Replicas) == 1 {
		return in.replica(ctx, table, p, 0, txnID)
	}
	errs := make([]error, len(p.to.Replicas))
	var all sync.WaitGroup
	for i := range p.to.Replicas {
		all.Go(func() { errs[i] = in.replica(ctx, table, p, i, txnID) })
	}
	all.Wait()
	if len(errs) == 0 {
		return problem.MetaErrorf("destination tablet %d has no replicas", p.to.ID)
	}
	return in.enough(table, p, errs)
}

// enough tells whether the replicas of a tablet that have taken their share are
// enough: some cannot take part, for their backend is down, or they are being
// cloned, or bad (doris-rpc.md 3.3). The destination repairs those. In the end
// it decides at the commit.
func (in *ingester) enough(table *tablePlan, p piece, errs []error) error {
	succeeded, able := 0, 0
	var unable error
	for i, err := range errs {
		switch {
		case err == nil:
			succeeded++
			able++
		case errors.Is(err, problem.ErrBackendDown):
			unable = err
			able++
		case errors.Is(err, be.ErrTabletMissing) && (p.to.Replicas[i].Version < 0 || !in.t.fresh.IsZero()):
			unable = err
		default:
			return err
		}
	}
	if succeeded == 0 || succeeded < quorum(able) {
		return unable
	}
	if unable != nil && !errors.Is(unable, problem.ErrBackendDown) {
		in.t.s.noteOnce(fmt.Sprintf("replicas of %d", table.destination), "table %s goes on with %d of the %d replicas of tablet %d, the destination has to repair the others: %v",
			in.t.s.nameOf(table.source), succeeded, len(errs), p.to.ID, unable)
	}
	return nil
}

// replica ingests into one replica, from the source replica that promises most.
// It does not try another one after a failure: the next transaction does.
func (in *ingester) replica(ctx context.Context, table *tablePlan, p piece, n int, txnID int64) error {
	to, known := in.destinations[p.to.Replicas[n].BackendID]
	if !known || !to.Alive {
		return fmt.Errorf("destination backend %d (%s): %w", p.to.Replicas[n].BackendID, to.Host, problem.ErrBackendDown)
	}
	candidates := in.candidates(p, n)
	if len(candidates) == 0 {
		return problem.MetaErrorf("no src replica version > %d of tablet %d on a living backend", p.version, p.from.ID)
	}
	from := candidates[0]
	err := in.ingest(ctx, be.Endpoint{Host: to.Host, Port: to.Port}, be.IngestRequest{
		TxnID: txnID, RemoteTabletID: p.from.ID, Version: p.version,
		RemoteHost: from.Host, RemotePort: from.HTTPPort,
		PartitionID: p.partition, LocalTabletID: p.to.ID,
	})
	if err == nil {
		in.commits.add(commitKey{p.sub, table.destination}, fe.TabletCommit{TabletID: p.to.ID, BackendID: to.ID})
		return nil
	}
	err = fmt.Errorf("ingest version %d of source tablet %d into tablet %d on backend %s: %w", p.version, p.from.ID, p.to.ID, to.Host, err)
	var lost *be.TransportError
	if ctx.Err() == nil && !errors.As(err, &lost) && !errors.Is(err, be.ErrTabletMissing) {
		in.t.served.fail(p.from.ID, from.ID)
		if in.t.served.hopeless(p.from.ID, candidates) && rowsGone(err) {
			return &problem.Mismatch{Table: table.source, Text: fmt.Sprintf("no replica on the source has the rows of version %d of tablet %d any more: %v", p.version, p.from.ID, err)}
		}
	}
	return err
}

// rowsGone tells whether a source backend said that it does not have what a binlog
// is about (doris-rpc.md 4.3): compaction has taken it, or the replica is a clone.
func rowsGone(err error) bool { return errors.Is(err, be.ErrHTTP) && notFound.MatchString(err.Error()) }

var notFound = regexp.MustCompile(`\b404\b`)

// servings remembers which source replicas have failed to serve a transaction.
type servings struct {
	mu       sync.Mutex
	tablets  map[serving]int // failures
	backends map[int64]int
}

type serving struct{ tablet, backend int64 }

func (s *servings) fail(tablet, backend int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tablets == nil {
		s.tablets, s.backends = map[serving]int{}, map[int64]int{}
	}
	s.tablets[serving{tablet, backend}]++
	s.backends[backend]++
}

// hopeless tells whether each of the backends has failed to serve the tablet, and
// not only once: metadata has been read again since.
func (s *servings) hopeless(tablet int64, backends []meta.Backend) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(backends, func(b meta.Backend) bool { return s.tablets[serving{tablet, b.ID}] < 2 })
}

// rank orders backends for a tablet: those that have failed least come first.
func (s *servings) rank(tablet int64, backends []meta.Backend) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(backends, func(a, b meta.Backend) int {
		return cmp.Or(
			cmp.Compare(s.tablets[serving{tablet, a.ID}], s.tablets[serving{tablet, b.ID}]),
			cmp.Compare(s.backends[a.ID], s.backends[b.ID]))
	})
}

// candidates are the source backends to download from: first those that are
// known to have the version (cached metadata may not know yet), starting
// at another one for each destination replica, dead ones last; those that have
// failed come after those that have not.
func (in *ingester) candidates(p piece, n int) []meta.Backend {
	var sure, maybe, dead []meta.Backend
	for i := range p.from.Replicas {
		r := p.from.Replicas[(i+n)%len(p.from.Replicas)]
		b, known := in.sources[r.BackendID]
		switch {
		case !known:
		case !b.Alive || r.Version < 0: // or it is being cloned
			dead = append(dead, b)
		case r.Version >= p.version:
			sure = append(sure, b)
		default:
			maybe = append(maybe, b)
		}
	}
	all := append(append(sure, maybe...), dead...)
	in.t.served.rank(p.from.ID, all)
	return all
}
