package verify

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Doris does not say with a result how many bytes a query has scanned. What a frontend
// knows is how many the partitions have on the disks of the backends (doris-sql.md 2.3);
// it asks the backends once a minute. So what is told and paced is the size of what was
// read, and an estimate from above: a query seldom needs all pages of all columns, and
// the size has rollups in it.

// storedOf is about how many bytes one replica of a partition has, of a row of SHOW
// PARTITIONS: the row has those of all replicas together. 0: the row does not tell.
func storedOf(row sqlclient.Row) int64 {
	number, unit, _ := strings.Cut(row.Get("DataSize"), " ")
	size, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	for _, u := range []string{"KB", "MB", "GB", "TB"} {
		if unit == "" || unit == "B" {
			break
		}
		if size *= 1024; unit == u {
			break
		}
	}
	return int64(size) / max(1, row.Int("ReplicationNum"))
}

// share is what a unit has of the bytes of its partition: of a bucket it is not known,
// and they are taken as equal.
func (s *side) share(u *unit, of listed) int64 {
	if u.bucket == whole {
		return of.stored
	}
	return of.stored / int64(max(1, len(tablets(s.table, s.partition(u)))))
}

// amount is what was read.
type amount struct{ rows, bytes int64 }

func (a amount) plus(b amount) amount { return amount{a.rows + b.rows, a.bytes + b.bytes} }

// measure finds out how much the source has of what differs: what a repair would bring.
// What was not compared for lack of a counterpart is counted. That it differs is known,
// whatever becomes of this.
func (v *verification) measure(ctx context.Context, s *structure) error {
	if v.result.Outcome != job.VerifyDifferent || s.from == nil || len(s.from.Partitions) == 0 {
		return nil
	}
	v.report("looks how much the source has of it")
	from := &side{v.job.Source, s.from, true}
	at, err := from.list(ctx, from.SQL.Query, "")
	if err == nil {
		v.weigh(from, at)
		err = v.countMissing(ctx, from, s, at)
	}
	if errors.Is(err, errMoved) || isAbsence(err) || isRefusal(err) {
		return nil
	}
	return err
}

// weigh adds the bytes of what differs.
func (v *verification) weigh(from *side, at map[int64]listed) {
	stored := map[string]int64{}
	for _, p := range from.table.Partitions {
		if v.wanted(p.Name) {
			stored[p.Name] = at[p.ID].stored
			v.result.SourceBytes += at[p.ID].stored
		}
	}
	for i := range v.result.Differences {
		if d := &v.result.Differences[i]; d.Partition != "" {
			d.SourceBytes = stored[d.Partition]
		}
	}
}

// countMissing counts the rows of partitions that only the source has. Temporary ones
// are none (doris-binlogs.md 1.8).
func (v *verification) countMissing(ctx context.Context, from *side, s *structure, at map[int64]listed) error {
	var units []*unit
	for _, p := range s.missing {
		if _, formal := at[p.ID]; formal {
			units = append(units, &unit{part: &part{pair: compare.PartitionPair{Source: p}}, bucket: whole})
		}
	}
	rows := map[string]int64{}
	for chunk := range slices.Chunk(units, atOnce) {
		got, err := v.ask(ctx, from, counting{}, chunk, nil)
		if err != nil {
			return err
		}
		for i, u := range chunk {
			rows[u.pair.Source.Name] = got.sums[i].rows
			v.result.SourceRows += got.sums[i].rows
		}
	}
	for i := range v.result.Differences {
		if d := &v.result.Differences[i]; d.Kind == kindPartitions {
			d.SourceRows = rows[d.Partition]
		} else if d.Kind == kindObjects && s.to == nil {
			d.SourceRows = v.result.SourceRows
		}
	}
	return nil
}

// count notes what was read.
func (v *verification) count(rows, bytes int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.RowsRead += rows
	v.result.BytesRead += bytes
}

// pace holds the verification to its rates: whoever has read so much waits until that
// much may have been.
func (v *verification) pace(ctx context.Context, started time.Time, rows, bytes int64) error {
	wait := max(due(rows, v.in.Request.Rate), due(bytes, v.in.Request.ByteRate))
	if wait > 0 && !pair.Sleep(ctx, wait-time.Since(started)) {
		return ctx.Err()
	}
	return nil
}

// due is how long n take at a rate a second; 0 is no bound.
func due(n, rate int64) time.Duration {
	if rate <= 0 {
		return 0
	}
	return time.Duration(float64(n) / float64(rate) * float64(time.Second))
}
