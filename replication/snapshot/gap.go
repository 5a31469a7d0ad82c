package snapshot

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/compare"
	"github.com/doris-ccr/ccr/replication/pair"
)

const (
	// fewTables come by a snapshot each, however many there are in all.
	fewTables = 20
)

// closeGap finds out what a database job has to bring again after its source has
// not recorded for a while (doris-binlogs.md 1.1). Nothing is known of the tables
// but what they are now; so each comes again that cannot be shown to be the same
// on both sides.
//
// While the source still does not record, nothing is found: the gap goes on.
func (j *Job) closeGap(ctx context.Context, p *job.Progress) (job.TablesSelected, error) {
	f, err := j.LookAtSource(ctx)
	if err != nil || !f.Fine() {
		return job.TablesSelected{}, err
	}
	// What comes later than this is compared later, if it says that there was a gap.
	to, err := j.RecordedTo(ctx, p.Position.CommitSeq)
	if err != nil {
		return job.TablesSelected{}, err
	}
	out := job.TablesSelected{GapTo: to}
	ids := slices.Sorted(maps.Keys(p.Tables))
	compared := 0
	for chunk := range slices.Chunk(ids, pair.MetaChunk) {
		n, err := j.compareTables(ctx, p, chunk, &out)
		if err != nil {
			return job.TablesSelected{}, err
		}
		compared += n
	}
	if n := len(out.Missing); n > fewTables && n > compared/2 {
		return job.TablesSelected{Wanted: &job.SnapshotWanted{
			Reason: fmt.Sprintf("%d of %d tables may have changed while the source did not record: %s", n, compared, p.Gap.Reason),
		}}, nil
	}
	return out, nil
}

// compareTables adds to out what is to come again of some tables, and returns how
// many there are.
func (j *Job) compareTables(ctx context.Context, p *job.Progress, ids []int64, out *job.TablesSelected) (int, error) {
	var sources, destinations []int64
	for _, id := range ids {
		if t := p.Tables[id]; !t.View && !t.External && (!t.Gone || t.DestID != 0) {
			sources = append(sources, id)
			destinations = append(destinations, t.DestID)
		}
	}
	if len(sources) == 0 {
		return 0, nil
	}
	from, err := j.Source.MetaByID(ctx, sources)
	if err != nil {
		return 0, err
	}
	to, err := j.Destination.MetaByID(ctx, destinations)
	if err != nil {
		return 0, err
	}
	for i, id := range sources {
		table := from.Tables[id]
		dropped, recorded := from.DroppedTables[id]
		switch {
		case table == nil && recorded && (dropped == 0 || dropped > p.Durable()):
			if err := j.dropAfterGap(ctx, p, id, to.Tables[destinations[i]]); err != nil {
				return 0, err
			}
			out.Dropped = append(out.Dropped, id)
			continue
		case table == nil:
			out.Gone = append(out.Gone, id)
			continue
		case table.AsyncView() || j.Excludes(table.Name) || p.Tables[id].Gone:
			continue
		}
		if why := j.mayDiffer(ctx, p, id, table, to.Tables[destinations[i]]); why != "" {
			out.Missing = append(out.Missing, job.PartialSync{TableID: id, Table: table.Name, Replace: true, Again: true, Why: why + " while the source did not record"})
		}
	}
	return len(sources), nil
}

// dropAfterGap drops a table whose drop the source has recorded after the gap: the
// binlogs of what became of its name until then are about names that other tables
// have by now. One whose name is taken gives way to the snapshot of the other.
func (j *Job) dropAfterGap(ctx context.Context, p *job.Progress, id int64, table *meta.Table) error {
	if table == nil || pair.StillMapped(p.Tables, id, table.ID) {
		return nil
	}
	taken, err := j.Source.TableByName(ctx, table.Name)
	if err != nil || taken != nil {
		return err
	}
	if err := j.Destination.SQL.DropTable(ctx, j.Spec.Destination.Database, table.Name); err != nil {
		return fmt.Errorf("drop table %s, whose drop is recorded after the gap: %w", table.Name, err)
	}
	return nil
}

// compareViews adds to out what is to come again of the views that the job has:
// their definitions may have changed.
func (j *Job) compareViews(ctx context.Context, p *job.Progress, views []string, out *job.TablesSelected) {
	for _, id := range slices.Sorted(maps.Keys(p.Tables)) {
		t := p.Tables[id]
		switch {
		case !t.View:
		case slices.Contains(views, t.Name):
			if c, err := compare.New(j.Job).CompareView(ctx, t); err == nil && len(c.Differences) == 0 {
				continue
			}
			out.Missing = append(out.Missing, job.PartialSync{TableID: id, Table: t.Name, View: true, Again: true,
				Why: fmt.Sprintf("view %s may have changed while the source did not record", t.Name)})
		default:
			out.Gone = append(out.Gone, id)
		}
	}
}

// firstVersion is that of a partition which nobody has written yet.
const firstVersion = 1

// mayDiffer says why a table may not be the same on both sides, "" if it is. A
// restore gives a partition the source's version and each load that is replayed
// raises it by one on both sides: the same version is the same content, if nobody
// else writes there, and if it is the same partition. TRUNCATE and INSERT OVERWRITE
// make new ones, which have the same versions as the old ones soon; the source
// gives out ids in ascending order. A definition can change without any.
func (j *Job) mayDiffer(ctx context.Context, p *job.Progress, id int64, source, destination *meta.Table) string {
	known, newest := p.Tables[id], p.Position.Partition
	switch {
	case destination == nil:
		return fmt.Sprintf("table %s is not on the destination", source.Name)
	case known.Name != source.Name:
		return fmt.Sprintf("table %s was renamed to %s", known.Name, source.Name)
	}
	// A job of an older version does not know the newest: its rows are counted.
	c, err := compare.New(j.Job).CompareTable(ctx, id, known, compare.What{Rows: newest == 0})
	switch {
	case err != nil:
		return fmt.Sprintf("table %s cannot be compared (%v)", source.Name, err)
	case len(c.Differences) > 0:
		return fmt.Sprintf("table %s was changed (%s)", source.Name, c.Differences[0].Text)
	}
	for partition, v := range c.Versions {
		switch {
		case v.Source != v.Destination:
			return fmt.Sprintf("table %s was written", source.Name)
		case newest > 0 && partition > newest && v.Source > firstVersion:
			return fmt.Sprintf("a partition of table %s is another one than before", source.Name)
		}
	}
	return ""
}
