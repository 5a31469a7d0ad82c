package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// dropsRead bounds how many binlogs of dropped indexes one look reads: each is a
// call, and the source may report those of thousands of tables.
const dropsRead = 64

// dropAhead drops rollups that the source has dropped since the load that is
// being applied. The source does not serve their rows any more, and the
// destination cannot commit without them: so their DROP_ROLLUP is carried out
// ahead of its turn (doris-binlogs.md 3.8) and finds nothing left to do when it
// comes. Rollups whose DROP_ROLLUP is lost, because it shared its commit seq
// with a sibling's, go the same way (doris-binlogs.md 2.24). It reports whether
// looking again is worthwhile.
//
// Only rollups that the source does not have any more are touched, and none
// while the source has one that the destination lacks: a rename is still to come
// then, and names prove nothing.
func (s *shift) dropAhead(ctx context.Context, table int64) (bool, error) {
	s.dropping.Lock()
	defer s.dropping.Unlock()
	from, to, gone, err := s.bothSides(ctx, table)
	if err != nil || from == nil || to == nil {
		return false, err
	}
	extra, ok := onlyHere(to, from)
	if !ok || len(extra) == 0 {
		return ok && s.droppedAhead[table], nil
	}
	named, siblings, err := s.job.rollupDrops(ctx, table, gone.indexes)
	if err != nil {
		return false, err
	}
	doomed, rest := partitionNames(extra, named)
	if len(rest) <= siblings {
		doomed = append(doomed, rest...)
	}
	if len(doomed) == 0 {
		return false, nil
	}
	if err := s.mayCommit(ctx); err != nil {
		return false, err
	}
	statement := fmt.Sprintf("ALTER TABLE %s DROP ROLLUP %s", sqlclient.Name(s.in.Spec.Destination.Database, to.Name), strings.Join(pair.QuoteNames(doomed), ", "))
	if err := s.job.Destination.SQL.Exec(ctx, statement); err != nil && !problem.Absent(err) {
		return false, fmt.Errorf("drop what the source has dropped since: %w", err)
	}
	s.droppedAhead[table] = true
	s.note("ahead of its turn, because the source has dropped it since: %s", statement)
	return true, nil
}

// bothSides are the source's and the destination's table of this moment; either
// may be nil.
func (s *shift) bothSides(ctx context.Context, table int64) (from, to *tableMeta, gone dropped, err error) {
	now := time.Now()
	sources, gone, err := s.source.get(ctx, []int64{table}, now)
	if err != nil {
		return nil, nil, gone, err
	}
	id := s.destinationOf(table)
	if from = sources[table]; from.Table == nil || id == 0 {
		return nil, nil, gone, nil
	}
	found, _, err := s.destination.get(ctx, []int64{id}, now)
	if err != nil {
		return nil, nil, gone, err
	}
	if to = found[id]; to.Table == nil {
		return from, nil, gone, nil
	}
	return from, to, gone, nil
}

// onlyHere lists the rollups of a table that another does not have; ok is false
// if the other one has some of its own.
func onlyHere(here, there *tableMeta) (names []string, ok bool) {
	mine, others := pair.RollupNames(here.Table), pair.RollupNames(there.Table)
	for name := range others {
		if !mine[name] {
			return nil, false
		}
	}
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		if !others[name] {
			names = append(names, name)
		}
	}
	return names, true
}

// rollupDrops reads which rollups of the table the source has dropped: their
// names, and how many more the same statements dropped, whose names are lost.
func (j *Job) rollupDrops(ctx context.Context, table int64, gone map[int64]int64) (names map[string]bool, siblings int, err error) {
	count := map[int64]int{}
	for _, seq := range gone {
		if seq > 0 { // servers before the map do not tell it
			count[seq]++
		}
	}
	seqs := slices.Sorted(maps.Keys(count))
	slices.Reverse(seqs)
	names = map[string]bool{}
	for _, seq := range seqs[:min(len(seqs), dropsRead)] {
		drop, err := j.rollupDrop(ctx, seq)
		if err != nil {
			return nil, 0, err
		}
		if drop != nil && drop.TableID == table {
			names[drop.IndexName] = true
			siblings += count[seq] - 1
		}
	}
	return names, siblings, nil
}

// rollupDrop reads the binlog again; nil if it is gone, or not a DROP_ROLLUP.
func (j *Job) rollupDrop(ctx context.Context, seq int64) (*binlog.DropRollup, error) {
	rec, err := j.readAhead(ctx, seq)
	if err != nil || rec.Type != binlog.TypeDropRollup {
		return nil, err
	}
	drop, err := binlog.DecodeDropRollup(rec.Data)
	if err != nil {
		return nil, nil
	}
	return &drop, nil
}

// readAhead reads a binlog ahead of its turn. One that is gone, or cannot be
// read, comes back as an empty record: it is not ours to judge before its turn.
func (j *Job) readAhead(ctx context.Context, seq int64) (binlog.Record, error) {
	got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(seq-1, 1))
	if err != nil {
		return binlog.Record{}, fmt.Errorf("read binlog %d ahead of its turn: %w", seq, err)
	}
	if len(got.Binlogs) == 0 || got.Binlogs[0].CommitSeq != seq {
		return binlog.Record{}, nil
	}
	rec, err := got.Binlogs[0].Unwrap()
	if err != nil {
		return binlog.Record{}, nil
	}
	return rec, nil
}

// partitionNames splits names into those of the set and the others.
func partitionNames(names []string, set map[string]bool) (in, out []string) {
	for _, name := range names {
		if set[name] {
			in = append(in, name)
		} else {
			out = append(out, name)
		}
	}
	return in, out
}

// fitAgain tries to make the destination fit an UPSERT without a snapshot, and
// plans again if something was done.
func (s *shift) fitAgain(ctx context.Context, records map[int64]binlog.TableRecord, wrong *problem.Mismatch) (*plan, error) {
	for range len(records) { // one table after the other
		worthwhile, err := s.dropAhead(ctx, wrong.Table)
		if err != nil {
			return nil, err
		}
		if !worthwhile {
			break
		}
		p, err := s.planOnce(ctx, records, time.Now())
		if !errors.As(err, &wrong) {
			return p, err
		}
	}
	return nil, s.wantPartial(ctx, wrong)
}
