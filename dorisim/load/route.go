package load

import (
	"context"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/types"
)

// tabletWrite is the rowset of one tablet and where it goes.
type tabletWrite struct {
	partition, tablet, index int64
	backends                 []int64
	data                     be.RowsetData
}

// autoTries bounds how often partitions are created for one batch: another
// statement may drop them again.
const autoTries = 3

// shadowPrefix begins the names of columns and indexes under construction.
const shadowPrefix = "__doris_shadow_"

// Route finds the tablets of a batch, creating AUTO partitions that are missing.
// Every tablet of a touched partition takes part, with an empty rowset if it
// must be, as the quorum rule asks (doris-rpc.md 3.8). Errors are *core.Error.
func (l *Loader) Route(ctx context.Context, b *Batch) ([]tabletWrite, error) {
	for try := 0; ; try++ {
		plan, err := l.routeOnce(b)
		if err != nil {
			return nil, err
		}
		if len(plan.missing) == 0 {
			return plan.writes, nil
		}
		if try == autoTries {
			return nil, core.Errorf("no partition for this tuple after %d tries to create one. tuple=%s", autoTries, tupleText(plan.missing[0]))
		}
		for _, key := range plan.missing {
			if err := l.auto.AddAutoPartition(ctx, plan.database, plan.table, key); err != nil {
				return nil, err
			}
		}
	}
}

// TouchedPartitions are the partitions that the batch's rows belong to, by id.
// Automatic ones that are missing are created, unless ExistingOnly. Errors are *core.Error.
func (l *Loader) TouchedPartitions(ctx context.Context, b *Batch) ([]int64, error) {
	writes, err := l.Route(ctx, b)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, w := range writes {
		if !slices.Contains(ids, w.partition) {
			ids = append(ids, w.partition)
		}
	}
	return ids, nil
}

type routePlan struct {
	database, table string
	writes          []tabletWrite
	missing         [][]types.Value
}

func (l *Loader) routeOnce(b *Batch) (routePlan, error) {
	l.core.RLock()
	defer l.core.RUnlock()
	db, t, ok := l.core.TableByID(b.Table)
	if !ok || db.ID != b.DB {
		return routePlan{}, core.MetaErrorf("unknown table, tableId=%d", b.Table)
	}
	plan := routePlan{database: db.Name, table: t.Name}
	r, err := newRouter(t, b)
	if err != nil {
		return plan, err
	}
	if err := r.assign(l); err != nil {
		return plan, err
	}
	plan.missing = r.missing
	if len(plan.missing) > 0 {
		return plan, nil
	}
	for _, p := range r.order {
		if err := core.CheckLoad(t, p); err != nil {
			return plan, err
		}
		plan.writes = append(plan.writes, r.writes(p)...)
	}
	return plan, nil
}

// router assigns the rows of a batch to partitions and buckets.
type router struct {
	table      *catalog.Table
	batch      *Batch
	partitions []*catalog.Partition
	finder     *finder
	keyColumns []int // positions of the partition columns in the batch
	order      []*catalog.Partition
	rows       map[*catalog.Partition][][]int // rows by bucket
	missing    [][]types.Value
}

// CheckTable refuses tables that cannot be loaded: views, and those a restore is
// creating (doris-sql.md 4.7). It needs core's lock.
func CheckTable(t *catalog.Table) error {
	if t.Kind != catalog.OLAP {
		return core.Errorf("the target table of insert command should be an OLAP table, %s is a %s", t.Name, t.Kind)
	}
	return core.CheckLoad(t, nil) // partitions decide one by one
}

func newRouter(t *catalog.Table, b *Batch) (*router, error) {
	if err := CheckTable(t); err != nil {
		return nil, err
	}
	r := &router{table: t, batch: b, rows: map[*catalog.Partition][][]int{}}
	var err error
	if r.partitions, err = target(t, b); err != nil {
		return nil, err
	}
	if len(r.partitions) == 0 && !t.Partitioning.Auto {
		return nil, core.Errorf("data cannot be inserted into table with empty partition. Use `SHOW PARTITIONS FROM %s` to see the currently partitions of this table. ", t.Name)
	}
	r.finder = newFinder(t, r.partitions)
	for _, name := range t.Partitioning.Columns {
		r.keyColumns = append(r.keyColumns, columnPosition(b.Columns, name))
	}
	return r, nil
}

// target returns the partitions that the batch may touch, by id.
func target(t *catalog.Table, b *Batch) ([]*catalog.Partition, error) {
	from := t.Partitions
	if b.Temporary {
		from = t.Temporary
	}
	var list []*catalog.Partition
	if b.Partitions == nil {
		for _, p := range from {
			list = append(list, p)
		}
	}
	named, missing := catalog.FindPartitions(from, b.Partitions)
	if missing != "" {
		return nil, core.Errorf("partition [%s] does not exist, table=%s", missing, t.Name)
	}
	list = append(list, named...)
	slices.SortFunc(list, func(a, b *catalog.Partition) int { return int(a.ID - b.ID) })
	return list, nil
}

func columnPosition(columns []string, name string) int {
	return slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) })
}

// assign gives every row its partition and bucket.
func (r *router) assign(l *Loader) error {
	if r.batch.Predicate != nil {
		for _, p := range r.partitions {
			r.touch(p)
		}
		return nil
	}
	var buckets bucketer
	for i, row := range r.batch.Rows {
		p, key := r.partitionOf(row)
		if p == nil {
			if r.table.Partitioning.Auto && r.batch.Partitions == nil && !r.batch.ExistingOnly {
				r.miss(key)
				continue
			}
			return FilteredError("no partition for this tuple. tuple=" + tupleText(row))
		}
		r.touch(p)
		if buckets.partition != p {
			buckets = newBucketer(l, r.batch, p)
		}
		n := buckets.bucket(row)
		r.rows[p][n] = append(r.rows[p][n], i)
	}
	return nil
}

func (r *router) partitionOf(row types.Row) (*catalog.Partition, []types.Value) {
	if r.table.Partitioning.Kind == catalog.Unpartitioned {
		return r.partitions[0], nil
	}
	key := make([]types.Value, len(r.keyColumns))
	for i, c := range r.keyColumns {
		if c >= 0 {
			key[i] = row[c]
		}
	}
	return r.finder.find(key), key
}

func (r *router) touch(p *catalog.Partition) {
	if _, ok := r.rows[p]; !ok {
		r.rows[p] = make([][]int, max(p.Distribution.Buckets, 1))
		r.order = append(r.order, p)
	}
}

func (r *router) miss(key []types.Value) {
	for _, have := range r.missing {
		if slices.Equal(have, key) {
			return
		}
	}
	r.missing = append(r.missing, key)
}

// writes makes the rowsets of all tablets of a partition.
func (r *router) writes(p *catalog.Partition) []tabletWrite {
	var list []tabletWrite
	for _, idx := range core.SortedIndexes(r.table) {
		project := newProjection(idx, r.batch, r.table.Indexes[r.table.BaseIndexID])
		for bucket, tablet := range p.Tablets[idx.ID] {
			w := tabletWrite{partition: p.ID, tablet: tablet.ID, index: idx.ID}
			for _, replica := range tablet.Replicas {
				if !replica.CanLoad() {
					continue
				}
				w.backends = append(w.backends, replica.BackendID)
			}
			var rows []int
			if bucket < len(r.rows[p]) {
				rows = r.rows[p][bucket]
			}
			w.data = project.rowset(r.batch, rows)
			list = append(list, w)
		}
	}
	return list
}

// bucketer picks the bucket of a row in one partition.
type bucketer struct {
	partition *catalog.Partition
	columns   []int
	buckets   uint32
	turn      uint64 // of RANDOM distribution
	random    bool
}

func newBucketer(l *Loader, b *Batch, p *catalog.Partition) bucketer {
	out := bucketer{partition: p, buckets: uint32(max(p.Distribution.Buckets, 1))}
	if p.Distribution.Kind == catalog.RandomDistribution {
		out.random, out.turn = true, l.turn.Add(1)
		return out
	}
	for _, name := range p.Distribution.Columns {
		out.columns = append(out.columns, columnPosition(b.Columns, name))
	}
	return out
}

// bucket of a RANDOM partition is the same for all rows of a batch, as a real
// load writes one tablet at a time.
func (b bucketer) bucket(row types.Row) int {
	if b.random {
		return int(b.turn % uint64(b.buckets))
	}
	sum := uint32(0)
	for _, c := range b.columns {
		text := ""
		if c >= 0 && row[c] != nil {
			text = types.Format(row[c], types.Type{})
		}
		sum = crc32.Update(sum, crc32.IEEETable, []byte(text))
		sum = crc32.Update(sum, crc32.IEEETable, []byte{0})
	}
	return int(sum % b.buckets)
}

// projection turns rows of a batch into rows of an index.
type projection struct {
	columns []string
	from    []int // position in the batch, -1 = fill
	fill    []types.Value
	same    bool
	convert []conversion // by column; nil without any
}

// conversion of the values of a column whose type a schema change modifies.
type conversion struct{ from, to types.Type }

func newProjection(idx *catalog.Index, b *Batch, base *catalog.Index) projection {
	p := projection{same: len(idx.Schema.Columns) == len(b.Columns)}
	for i := range idx.Schema.Columns {
		c := &idx.Schema.Columns[i]
		from := columnPosition(b.Columns, strings.TrimPrefix(c.Name, shadowPrefix))
		if from < 0 && (b.Partial || b.Predicate != nil) {
			p.same = false
			continue
		}
		p.same = p.same && from == i && b.Columns[i] == c.Name
		p.columns = append(p.columns, c.Name)
		p.from = append(p.from, from)
		var fill types.Value
		if from < 0 && c.Default != nil && !c.DefaultExpr {
			fill, _ = types.Parse(*c.Default, c.Type)
		}
		p.fill = append(p.fill, fill)
		p.addConversion(c, base)
	}
	return p
}

// addConversion notes that the index under construction has another type than
// the base index for its newest column c.
func (p *projection) addConversion(c *types.Column, base *catalog.Index) {
	i := base.Schema.ColumnIndex(strings.TrimPrefix(c.Name, shadowPrefix))
	if i < 0 || base.Schema.Columns[i].Type == c.Type {
		return
	}
	p.same = false
	p.convert = slices.Grow(p.convert, len(p.columns))[:len(p.columns)]
	p.convert[len(p.columns)-1] = conversion{from: base.Schema.Columns[i].Type, to: c.Type}
}

// value of a column of the index; what cannot be converted becomes NULL.
func (p *projection) value(column int, v types.Value) types.Value {
	if column >= len(p.convert) || p.convert[column].to.Kind == "" {
		return v
	}
	converted, err := types.Convert(v, p.convert[column].from, p.convert[column].to)
	if err != nil {
		return nil
	}
	return converted
}

func (p projection) rowset(b *Batch, rows []int) be.RowsetData {
	data := be.RowsetData{Columns: p.columns, Predicate: b.Predicate}
	if len(rows) == 0 {
		return data
	}
	data.Rows = make([]types.Row, len(rows))
	if b.Delete || len(b.DeleteRows) > 0 {
		data.Delete = make(map[int]bool, len(rows))
	}
	for i, n := range rows {
		if b.Delete || b.DeleteRows[n] {
			data.Delete[i] = true
		}
		if p.same {
			data.Rows[i] = b.Rows[n]
			continue
		}
		row := make(types.Row, len(p.from))
		for c, from := range p.from {
			if from >= 0 {
				row[c] = p.value(c, b.Rows[n][from])
			} else {
				row[c] = p.fill[c]
			}
		}
		data.Rows[i] = row
	}
	return data
}

// FilteredError is the refusal of a load in strict mode because of a row.
func FilteredError(reason string) *core.Error {
	return core.Errorf("[DATA_QUALITY_ERROR]Insert has filtered data in strict mode. first_error_msg: %s", reason)
}

func tupleText(row []types.Value) string {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = types.Format(v, types.Type{})
	}
	return "(" + strings.Join(cells, ", ") + ")"
}
