package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/pair"
)

// errMoved: what the table is has changed meanwhile. It starts over.
var errMoved = errors.New("the table was changed meanwhile")

// side is the table on one of the clusters.
type side struct {
	*pair.Cluster
	table  *meta.Table
	source bool
}

func (s *side) partition(u *unit) *meta.Partition {
	if s.source {
		return u.pair.Source
	}
	return u.pair.Destination
}

// reading is where the rows of a unit are.
func (s *side) reading(u *unit, base bool) reading {
	p := s.partition(u)
	r := reading{database: s.Spec.Database, table: s.table.Name, base: base}
	if p.Key != "" {
		r.partition = p.Name
	}
	if u.bucket != whole {
		r.tablet = tablets(s.table, p)[u.bucket].ID
	}
	return r
}

// tablets are those of the base index, in the order of the buckets.
func tablets(t *meta.Table, p *meta.Partition) []*meta.Tablet {
	if base := p.IndexByName(t.Name); base != nil {
		return base.Tablets
	}
	return nil
}

// listed is a partition as SHOW PARTITIONS tells of it.
type listed struct {
	version int64
	// pending: more was committed than can be read.
	pending bool
	// stored is about how many bytes a replica of it has (stored.go).
	stored int64
}

// versions lists the partitions of a table by id, or only one of them.
func (s *side) versions(ctx context.Context, query sqlclient.QueryFunc, units []*unit) (map[int64]listed, error) {
	one := true
	for _, u := range units {
		one = one && u.part == units[0].part
	}
	where := ""
	if one {
		where = " WHERE PartitionName = " + sqlclient.QuoteString(s.partition(units[0]).Name)
	}
	found, err := s.list(ctx, query, where)
	if err != nil {
		return nil, err
	}
	for _, u := range units {
		if _, ok := found[s.partition(u).ID]; !ok {
			return nil, fmt.Errorf("%s partition %s: %w", s.Side, s.partition(u).Name, errMoved)
		}
	}
	return found, nil
}

// list lists the formal partitions of a table by id.
func (s *side) list(ctx context.Context, query sqlclient.QueryFunc, where string) (map[int64]listed, error) {
	text := "SHOW PARTITIONS FROM " + sqlclient.Name(s.Spec.Database, s.table.Name) + where
	rows, err := query(ctx, text)
	if err != nil {
		return nil, err
	}
	found := map[int64]listed{}
	for _, row := range rows {
		version, err := strconv.ParseInt(row.Get("VisibleVersion"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: version %q: %w", text, row.Get("VisibleVersion"), sqlclient.ErrIncomplete)
		}
		found[row.Int("PartitionId")] = listed{version: version, pending: row.Int("CommittedVersion") > version, stored: storedOf(row)}
	}
	return found, nil
}

// reply is what a side answered about some units.
type reply struct {
	sums    []sums
	version []int64 // 0: it was written meanwhile
	settled []bool  // nothing was committed that could not be read
	began   time.Time
	took    time.Duration
	read    amount
}

// ask asks one side, in one session of one frontend: its view of versions and rows
// is one. began is told the versions before the query.
func (v *verification) ask(ctx context.Context, s *side, q question, units []*unit, began func(map[int64]listed)) (reply, error) {
	return v.askWith(ctx, v.settings, s, q, units, began)
}

// askWith is ask with other session variables.
func (v *verification) askWith(ctx context.Context, set sqlclient.Setting, s *side, q question, units []*unit, began func(map[int64]listed)) (reply, error) {
	out, err := v.askNow(ctx, set, s, q, units, began)
	if err != nil {
		return reply{}, err
	}
	return out, v.pace(ctx, out.began, out.read.rows, out.read.bytes)
}

// askNow is askWith without the pace of the request.
func (v *verification) askNow(ctx context.Context, set sqlclient.Setting, s *side, q question, units []*unit, began func(map[int64]listed)) (reply, error) {
	about := make([]reading, len(units))
	for i, u := range units {
		about[i] = s.reading(u, v.hasRollups)
	}
	done, err := v.job.shared.turn(ctx, s.Spec)
	if err != nil {
		return reply{}, err
	}
	defer done()
	var out reply
	started, bytes := time.Now(), int64(0)
	err = v.session(ctx, set, s, func(ctx context.Context, query sqlclient.QueryFunc) error {
		out, bytes = reply{}, 0
		before, err := s.versions(ctx, query, units)
		if err != nil {
			return err
		}
		if began != nil {
			began(maps.Clone(before))
		}
		rows, err := query(ctx, statement(q, about))
		if err != nil {
			return err
		}
		if out.sums, err = answers(q, rows, len(units)); err != nil {
			return err
		}
		after, err := s.versions(ctx, query, units)
		if err != nil {
			return err
		}
		for _, u := range units {
			id, version := s.partition(u).ID, int64(0)
			bytes += s.share(u, after[id])
			if before[id].version == after[id].version {
				version = after[id].version
			}
			out.version = append(out.version, version)
			out.settled = append(out.settled, !before[id].pending && !after[id].pending)
		}
		return nil
	})
	if err != nil {
		return reply{}, fmt.Errorf("read the %s's table %s: %w", s.Side, s.table.Name, err)
	}
	out.began, out.took, out.read = started, time.Since(started), amount{bytes: bytes}
	for _, got := range out.sums {
		out.read.rows += got.rows
	}
	v.count(out.read.rows, out.read.bytes)
	return out, nil
}

// session runs queries with the settings of the request, again if the connection
// breaks.
func (v *verification) session(ctx context.Context, set sqlclient.Setting, s *side, work func(context.Context, sqlclient.QueryFunc) error) error {
	again := pair.Backoff{Budget: v.limits.budget}
	for {
		err := s.SQL.Session(ctx, set, v.timeout, work)
		var network *sqlclient.NetworkError
		if err == nil || !errors.As(err, &network) && !errors.Is(err, sqlclient.ErrIncomplete) || !again.Failed(ctx) {
			return err
		}
	}
}

// sample asks both sides about units, at the same time: a load that comes every
// second lets both have the same version in between. follow has the destination
// wait until it has the source's version.
func (v *verification) sample(ctx context.Context, q question, units []*unit, follow bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		reply
		err error
	}
	versions := make(chan map[int64]listed, 1)
	theirs := make(chan result, 1)
	go func() {
		if follow {
			select {
			case at := <-versions:
				v.awaitVersions(ctx, units, at, v.limits.follow)
			case <-ctx.Done():
			}
		}
		got, err := v.ask(ctx, v.to, q, units, nil)
		theirs <- result{got, err}
	}()
	told := false
	ours, err := v.ask(ctx, v.from, q, units, func(at map[int64]listed) {
		if !told { // a session that broke begins again
			versions <- at
		}
		told = true
	})
	if err != nil {
		cancel()
	}
	got := <-theirs
	if err != nil {
		return err
	}
	if got.err != nil {
		return got.err
	}
	for i, u := range units {
		u.tries++
		if ours.version[i] == 0 || got.version[i] == 0 {
			u.written()
		}
		u.hear(ours, i, true)
		u.hear(got.reply, i, false)
	}
	return nil
}

// awaitVersions waits a little until the destination has the versions of the
// source. That it does not get there is no error: another try may find both equal.
func (v *verification) awaitVersions(ctx context.Context, units []*unit, at map[int64]listed, follow time.Duration) (reached bool) {
	ctx, cancel := context.WithTimeout(ctx, follow)
	defer cancel()
	for {
		there, err := v.to.versions(ctx, v.to.SQL.Query, units)
		if err != nil {
			return false
		}
		reached := true
		for _, u := range units {
			reached = reached && there[u.pair.Destination.ID].version >= at[u.pair.Source.ID].version+u.offset.known()
		}
		if reached || !pair.Sleep(ctx, pair.FirstDelay) {
			return reached
		}
	}
}
