package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"golang.org/x/sync/errgroup"
)

// ingestParallel bounds the ingests that one transaction has in flight; the
// limit per backend is the pool's.
const ingestParallel = 64

// commitSet collects which replicas have their share of a transaction.
type commitSet struct {
	mu    sync.Mutex
	infos map[commitKey][]fe.TabletCommit
}

// commitKey is a source sub-transaction (-1: none) and a destination table.
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

// subTxns pairs the sub-transactions of both sides by position
// (doris-binlogs.md 3.9).
func (c *commitSet) subTxns(t *txn) []fe.SubTxn {
	var subs []fe.SubTxn
	for i, source := range t.upsert.SubTxnIDs {
		for _, table := range t.plan.tables {
			infos := c.infos[commitKey{source, table.destination}]
			if len(infos) > 0 {
				subs = append(subs, fe.SubTxn{ID: t.begun.SubIDs[i], TableID: table.destination, CommitInfos: infos})
			}
		}
	}
	return subs
}

// ingest makes every replica of every tablet of the plan download its share
// into the transaction. It is content with a quorum of replicas only where the
// destination itself says that the others are down.
func (t *txn) ingest(ctx context.Context) (*commitSet, error) {
	in, err := t.newIngester(ctx)
	if err != nil {
		return nil, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(ingestParallel)
	for i := range t.plan.tables {
		table := &t.plan.tables[i]
		for _, p := range table.pieces {
			txnID, err := t.txnOf(p.sub)
			if err != nil {
				return nil, err
			}
			group.Go(func() error { return in.replicas(ctx, table, p, txnID) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return in.commits, nil
}

// txnOf is the destination transaction that a piece belongs to.
func (t *txn) txnOf(sub int64) (int64, error) {
	if len(t.upsert.SubTxnIDs) == 0 {
		return t.begun.ID, nil
	}
	for i, id := range t.upsert.SubTxnIDs {
		if id == sub {
			return t.begun.SubIDs[i], nil
		}
	}
	return 0, metaErrorf("sub-transaction %d is not among those of the binlog", sub)
}

// ingester has what the ingests of one transaction share.
type ingester struct {
	ingest       ingestFunc
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
		ingest: t.s.job.c.ingest, sources: sources, destinations: destinations,
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
	succeeded := 0
	var failed error
	for _, err := range errs {
		switch {
		case err == nil:
			succeeded++
		case !errors.Is(err, errBackendDown):
			return err
		default:
			failed = err
		}
	}
	if len(errs) == 0 {
		return metaErrorf("destination tablet %d has no replicas", p.to.ID)
	}
	if succeeded < quorum(len(errs)) {
		return failed
	}
	return nil
}

// errBackendDown: the destination's frontend knows that the backend is dead.
var errBackendDown = errors.New("the backend is down")

// replica ingests into one replica, from whichever source replica can serve.
func (in *ingester) replica(ctx context.Context, table *tablePlan, p piece, n int, txnID int64) error {
	to, known := in.destinations[p.to.Replicas[n].BackendID]
	if !known || !to.Alive {
		return fmt.Errorf("destination backend %d (%s): %w", p.to.Replicas[n].BackendID, to.Host, errBackendDown)
	}
	var err error
	tried := 0
	for _, from := range in.candidates(p, n) {
		tried++
		err = in.ingest(ctx, be.Endpoint{Host: to.Host, Port: to.Port}, be.IngestRequest{
			TxnID: txnID, RemoteTabletID: p.from.ID, Version: p.version,
			RemoteHost: from.Host, RemotePort: from.HTTPPort,
			PartitionID: p.partition, LocalTabletID: p.to.ID,
		})
		if err == nil {
			in.commits.add(commitKey{p.sub, table.destination}, fe.TabletCommit{TabletID: p.to.ID, BackendID: to.ID})
			return nil
		}
		var lost *be.TransportError
		if ctx.Err() != nil || errors.As(err, &lost) || errors.Is(err, be.ErrTabletMissing) {
			break // another source would not help
		}
	}
	if tried == 0 {
		return metaErrorf("no src replica version > %d of tablet %d on a living backend", p.version, p.from.ID)
	}
	return fmt.Errorf("ingest version %d of source tablet %d into tablet %d on backend %s: %w", p.version, p.from.ID, p.to.ID, to.Host, err)
}

// candidates are the source backends to download from: first those that are
// known to have the version (cached metadata may not know yet), starting
// at another one for each destination replica, dead ones last.
func (in *ingester) candidates(p piece, n int) []meta.Backend {
	var sure, maybe, dead []meta.Backend
	for i := range p.from.Replicas {
		r := p.from.Replicas[(i+n)%len(p.from.Replicas)]
		b, known := in.sources[r.BackendID]
		switch {
		case !known:
		case !b.Alive:
			dead = append(dead, b)
		case r.Version >= p.version:
			sure = append(sure, b)
		default:
			maybe = append(maybe, b)
		}
	}
	return append(append(sure, maybe...), dead...)
}
