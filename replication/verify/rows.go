package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

const (
	// keyGroups is how many groups the keys of a unit are cut into to find the few that
	// differ, before any row is fetched.
	keyGroups = 4096
	// rowsAtOnce is how many rows one statement fetches.
	rowsAtOnce = 2000
)

// rowQuestions make the statements that find rows.
type rowQuestions struct {
	function string
	columns  []column
}

// keyed are the columns that tell a row: its keys, or all of them if the table has
// no keys.
func (q rowQuestions) keyed() []column {
	keys := slices.DeleteFunc(slices.Clone(q.columns), func(c column) bool { return !c.key })
	if len(keys) == 0 {
		return q.columns
	}
	return keys
}

// group is the expression of a row's group.
func (q rowQuestions) group() string {
	return fmt.Sprintf("bitand(%s, %d)", hashOf(q.function, q.keyed()), keyGroups-1)
}

// groups asks for a checksum of each group.
func (q rowQuestions) groups(r reading) string {
	return fmt.Sprintf("SELECT g, count(*) AS n, sum(cast(h AS LARGEINT)) AS a FROM (SELECT %s AS g, %s AS h FROM %s) AS r GROUP BY g",
		q.group(), hashOf(q.function, q.columns), r.from())
}

// page asks for the rows of groups after one, in the order of their keys: the text
// of the key, the hash of the row, and how many there are. Doris and Go order texts
// by their bytes.
func (q rowQuestions) page(r reading, groups []string, after *rowGroup) string {
	var texts []string
	for _, c := range q.keyed() {
		texts = append(texts, c.text)
	}
	where := ""
	if after != nil {
		where = fmt.Sprintf(" WHERE k > %s OR (k = %s AND h > %d)", sqlclient.QuoteString(after.key), sqlclient.QuoteString(after.key), after.hash)
	}
	return fmt.Sprintf("SELECT k, h, count(*) AS n FROM (SELECT concat_ws('|', %s) AS k, %s AS h FROM %s WHERE %s IN (%s)) AS r%s GROUP BY k, h ORDER BY k, h LIMIT %d",
		strings.Join(texts, ", "), hashOf(q.function, q.columns), r.from(), q.group(), strings.Join(groups, ", "), where, rowsAtOnce)
}

// rowGroup are equal rows.
type rowGroup struct {
	key   string
	hash  int64
	count int64
}

// mergeKeys says what is wrong with the keys of two lists in ascending order, of at
// most limit keys.
func mergeKeys(source, destination []rowGroup, limit int) []string {
	var wrong []string
	for len(source) > 0 || len(destination) > 0 {
		if len(wrong) >= limit {
			return wrong
		}
		key := ""
		switch {
		case len(source) == 0:
			key = destination[0].key
		case len(destination) == 0:
			key = source[0].key
		default:
			key = min(source[0].key, destination[0].key)
		}
		var ours, theirs []rowGroup
		ours, source = cutKey(source, key)
		theirs, destination = cutKey(destination, key)
		if text := compareKey(ours, theirs); text != "" {
			wrong = append(wrong, shown(key)+": "+text)
		}
	}
	return wrong
}

func cutKey(list []rowGroup, key string) (of, rest []rowGroup) {
	n := 0
	for n < len(list) && list[n].key == key {
		n++
	}
	return list[:n], list[n:]
}

// compareKey says what is wrong with the rows of one key, "" if nothing is.
func compareKey(ours, theirs []rowGroup) string {
	if slices.Equal(ours, theirs) {
		return ""
	}
	n, m := total(ours), total(theirs)
	switch {
	case m == 0:
		return "missing on the destination" + times(n)
	case n == 0:
		return "extra on the destination" + times(m)
	case m > n && sameHashes(ours, theirs):
		return fmt.Sprintf("doubled: %d on the source, %d on the destination", n, m)
	case n != m:
		return fmt.Sprintf("%d on the source, %d on the destination", n, m)
	}
	return "changed"
}

func times(n int64) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d rows)", n)
}

func total(list []rowGroup) (n int64) {
	for _, g := range list {
		n += g.count
	}
	return n
}

func sameHashes(a, b []rowGroup) bool {
	return slices.EqualFunc(a, b, func(x, y rowGroup) bool { return x.hash == y.hash })
}

// shown is a key for people, not too long.
func shown(key string) string {
	const longest = 200
	if len(key) > longest {
		key = strings.ToValidUTF8(key[:longest], "") + "..."
	}
	return key
}

// details say more of the partitions that differ, as far as it was asked for. What
// cannot be read for lack of quiet is left out.
func (v *verification) details(ctx context.Context, all []*verdict) error {
	method := v.in.Request.Method
	if method != job.VerifyColumns && method != job.VerifyRows {
		return nil
	}
	all = slices.DeleteFunc(slices.Clone(all), func(f *verdict) bool { return f.worst != different })
	if err := v.differingColumns(ctx, all); err != nil || method != job.VerifyRows {
		return err
	}
	for _, f := range all {
		v.report("looks which rows of partition %s differ", f.Partition)
		for _, u := range differing(f.units, f.located) {
			if left := v.in.Request.MaxRows - v.listed; left > 0 {
				keys, err := v.differingKeys(ctx, u, left)
				if err != nil && !isRefusal(err) && !errors.Is(err, errUnquiet) {
					return err
				}
				if err != nil {
					f.Text += fmt.Sprintf("; its rows could not be listed: %v", err)
				}
				f.Keys = append(f.Keys, keys...)
				v.listed += len(keys)
			}
		}
	}
	return nil
}

// differingColumns names the columns that differ in partitions with the same number
// of rows; in others every column does.
func (v *verification) differingColumns(ctx context.Context, all []*verdict) error {
	var asked []*unit
	for _, f := range all {
		if f.SourceRows != f.DestinationRows {
			continue
		}
		for _, u := range differing(f.units, f.located) {
			f.asked = append(f.asked, &unit{part: u.part, bucket: u.bucket})
		}
		asked = append(asked, f.asked...)
	}
	if len(asked) == 0 {
		return nil
	}
	v.report("looks which columns of %d parts differ", len(asked))
	if err := v.run(ctx, byColumn{v.hash, v.columnsOf}, asked, v.limits.atBucket, nil); err != nil {
		return err
	}
	for _, f := range all {
		for i, c := range v.columnsOf {
			for _, u := range f.asked {
				ours, theirs := u.last()
				if u.outcome == different && ours.of[i] != theirs.of[i] {
					f.Columns = append(f.Columns, c.name)
					break
				}
			}
		}
	}
	return nil
}

// errUnquiet: a side was written while its rows were listed.
var errUnquiet = errors.New("it was written meanwhile")

// differingKeys lists keys of a unit that differ. Each side is read at one version,
// of which it is known that they must be equal.
func (v *verification) differingKeys(ctx context.Context, u *unit, limit int) ([]string, error) {
	q := rowQuestions{v.hash, v.columnsOf}
	pause := v.limits.pause
	for range v.limits.atBucket {
		keys, err := v.keysOnce(ctx, q, u, limit)
		if !errors.Is(err, errUnquiet) {
			return keys, err
		}
		if !pair.Sleep(ctx, pause) {
			return nil, ctx.Err()
		}
		pause = min(pause+pause/2, v.limits.longest)
	}
	return nil, errUnquiet
}

// comparable tells whether the two sides must be equal at these versions: those at
// which the unit was seen to differ, or as far apart as they always are.
func (u *unit) comparable(source, destination int64) bool {
	s, d := u.last()
	o := u.offset
	return source == s.version && destination == d.version ||
		o.hasLeast && o.hasMost && o.least == o.most && destination-source == o.least
}

func (v *verification) keysOnce(ctx context.Context, q rowQuestions, u *unit, limit int) ([]string, error) {
	at, err := v.from.versions(ctx, v.from.SQL.Query, []*unit{u})
	if err != nil {
		return nil, err
	}
	there, err := v.to.versions(ctx, v.to.SQL.Query, []*unit{u})
	if err != nil {
		return nil, err
	}
	wantSource, wantDestination := at[u.pair.Source.ID].version, there[u.pair.Destination.ID].version
	if !u.comparable(wantSource, wantDestination) {
		return nil, errUnquiet
	}
	ours, err := v.groups(ctx, v.from, q, u, wantSource)
	if err != nil {
		return nil, err
	}
	theirs, err := v.groups(ctx, v.to, q, u, wantDestination)
	if err != nil {
		return nil, err
	}
	var differing []string
	for g := range keyGroups {
		if name := strconv.Itoa(g); ours[name] != theirs[name] {
			differing = append(differing, name)
		}
	}
	// One group has at least one key that differs.
	differing = differing[:min(len(differing), limit)]
	if len(differing) == 0 {
		return nil, nil
	}
	source, err := v.rowsOf(ctx, v.from, q, u, differing, wantSource)
	if err != nil {
		return nil, err
	}
	destination, err := v.rowsOf(ctx, v.to, q, u, differing, wantDestination)
	if err != nil {
		return nil, err
	}
	return mergeKeys(source, destination, limit), nil
}

// atVersion runs queries that belong to one version of the unit's partition.
func (v *verification) atVersion(ctx context.Context, s *side, u *unit, version int64, work func(context.Context, sqlclient.QueryFunc) error) error {
	done, err := v.job.shared.turn(ctx, s.Spec)
	if err != nil {
		return err
	}
	defer done()
	started, bytes := time.Now(), int64(0)
	err = v.session(ctx, v.settings, s, func(ctx context.Context, query sqlclient.QueryFunc) error {
		reads := int64(0)
		err := work(ctx, func(ctx context.Context, statement string) ([]sqlclient.Row, error) {
			reads++
			return query(ctx, statement)
		})
		if err != nil {
			return err
		}
		at, err := s.versions(ctx, query, []*unit{u})
		if err == nil && at[s.partition(u).ID].version != version {
			err = errUnquiet
		}
		bytes = reads * s.share(u, at[s.partition(u).ID])
		return err
	})
	done() // others need not wait for the pace of this one
	v.count(0, bytes)
	if err != nil {
		return err
	}
	return v.pace(ctx, started, 0, bytes)
}

// groupOf is the number of the group that a row is about. It becomes a part of statements to the other
// cluster: whoever answers for one must not say what the other executes.
func groupOf(row sqlclient.Row) (string, error) {
	g := row.Get("g")
	if n, err := strconv.ParseUint(g, 10, 32); g != "" && (err != nil || n >= keyGroups) {
		return "", fmt.Errorf("%.80q is no group of keys: %w", g, sqlclient.ErrIncomplete)
	}
	return g, nil
}

// groups are the checksums of the groups of a unit's keys.
func (v *verification) groups(ctx context.Context, s *side, q rowQuestions, u *unit, version int64) (map[string]string, error) {
	found := map[string]string{}
	err := v.atVersion(ctx, s, u, version, func(ctx context.Context, query sqlclient.QueryFunc) error {
		clear(found)
		rows, err := query(ctx, q.groups(s.reading(u, v.hasRollups)))
		for _, row := range rows {
			g, err := groupOf(row)
			if err != nil {
				return fmt.Errorf("%s: table %s: %w", s.Side, s.table.Name, err)
			}
			found[g] = row.Get("n") + " " + row.Get("a")
			v.count(row.Int("n"), 0)
		}
		return err
	})
	return found, err
}

// rowsOf fetches the rows of some groups, page by page.
func (v *verification) rowsOf(ctx context.Context, s *side, q rowQuestions, u *unit, groups []string, version int64) ([]rowGroup, error) {
	var list []rowGroup
	err := v.atVersion(ctx, s, u, version, func(ctx context.Context, query sqlclient.QueryFunc) error {
		list = nil
		var after *rowGroup
		for {
			rows, err := query(ctx, q.page(s.reading(u, v.hasRollups), groups, after))
			if err != nil {
				return err
			}
			for _, row := range rows {
				list = append(list, rowGroup{key: row.Get("k"), hash: row.Int("h"), count: row.Int("n")})
			}
			if len(rows) < rowsAtOnce {
				return nil
			}
			after = &list[len(list)-1]
		}
	})
	return list, err
}
