package sql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/alter"
	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/rangetext"
)

func parseID(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }

// showProc is SHOW PROC '/dbs/...' (doris-sql.md 2.3) and the few other
// directories that clients read.
func (s *session) showProc(c *cursor) (*sqltypes.Result, error) {
	path, err := c.text()
	if err != nil {
		return nil, err
	}
	if err := s.needGlobal(operator, "ADMIN"); err != nil {
		return nil, err
	}
	if err := c.finish(); err != nil {
		return nil, err
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(segments) == 0 {
		l := newListing("name")
		for _, directory := range []string{"backends", "dbs", "frontends", "jobs", "transactions"} {
			l.add(directory)
		}
		return l.result(), nil
	}
	switch segments[0] {
	case "frontends":
		return s.showFrontends().result(), nil
	case "backends":
		return s.showBackends().result(), nil
	case "dbs":
		s.server.core.RLock()
		defer s.server.core.RUnlock()
		l, err := s.procDBs(path, segments[1:])
		if err != nil {
			return nil, err
		}
		return l.result(), nil
	}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	if len(segments) == 2 {
		if db, ok := s.procDatabase(segments[1]); ok && segments[0] == "jobs" {
			return s.procJobs(db).result(), nil
		} else if ok && segments[0] == "transactions" {
			running, all := s.runningTxns(db, 0), len(s.server.core.Txns(db))
			l := newListing("State", "Number")
			l.add("running", running)
			l.add("finished", all-running)
			return l.result(), nil
		}
	}
	return nil, errNoProc(path)
}

// procDatabase finds the database whose id a path names.
func (s *session) procDatabase(segment string) (int64, bool) {
	id, err := parseID(segment)
	if err != nil {
		return 0, false
	}
	_, ok := s.server.core.DatabaseByID(id)
	return id, ok
}

// procJobs counts the jobs of a database by kind and state.
func (s *session) procJobs(db int64) *listing {
	l := newListing("JobType", "Pending", "Running", "Finished", "Cancelled", "Total")
	add := func(name string, jobs []*alter.Job) {
		var pending, running, finished, cancelled int
		for _, j := range jobs {
			switch j.State {
			case alter.Pending:
				pending++
			case alter.Finished:
				finished++
			case alter.Cancelled:
				cancelled++
			default:
				running++
			}
		}
		l.add(name, pending, running, finished, cancelled, len(jobs))
	}
	alters := s.server.cfg.DDL.Alters()
	add("load", nil)
	add("delete", nil)
	add("rollup", alters.Jobs(db, alter.Rollup))
	add("schema_change", alters.Jobs(db, alter.SchemaChange))
	add("export", nil)
	return l
}

func errNoProc(path string) error {
	return core.CodeErrorf(codeUnknownProcPath, "Proc path '%s' doesn't exist", path)
}

// procDBs needs core's read lock.
func (s *session) procDBs(path string, segments []string) (*listing, error) {
	if len(segments) == 0 {
		return s.procDatabases(), nil
	}
	dbID, err := parseID(segments[0])
	if err != nil {
		return nil, core.Errorf("Invalid db id format: %s", segments[0])
	}
	db, ok := s.server.core.DatabaseByID(dbID)
	if !ok {
		return nil, core.Errorf("Database %d does not exist", dbID)
	}
	if len(segments) == 1 {
		return s.procTables(db), nil
	}
	tableID, err := parseID(segments[1])
	if err != nil {
		return nil, core.Errorf("Invalid table id format: %s", segments[1])
	}
	home, t, ok := s.server.core.TableByID(tableID)
	if !ok || home != db {
		return nil, errUnknownTable(segments[1])
	}
	return s.procTable(path, t, segments[2:])
}

func (s *session) procTable(path string, t *catalog.Table, segments []string) (*listing, error) {
	if len(segments) == 0 {
		l := newListing("Nodes")
		for _, node := range []string{"partitions", "temp_partitions", "index_schema", "indexes"} {
			l.add(node)
		}
		return l, nil
	}
	switch segments[0] {
	case "indexes":
		return procIndexes(t), nil
	case "index_schema":
		return procIndexSchema(t), nil
	case "partitions", "temp_partitions":
		if t.Kind != catalog.OLAP && segments[0] == "temp_partitions" {
			return nil, core.Errorf("Table[%s] does not have temp partitions", t.Name)
		}
		if t.Kind != catalog.OLAP {
			return nil, core.Errorf("Table[%s] is not a OLAP or ELASTICSEARCH table", t.Name)
		}
		return s.procPartitions(path, t, segments[0] == "temp_partitions", segments[1:])
	}
	return nil, errNoProc(path)
}

// procIndexes lists the secondary indexes, with their ids (doris-sql.md 2.3).
func procIndexes(t *catalog.Table) *listing {
	l := newListing("Table", "IndexId", "NonUnique", "KeyName", "SeqInIndex", "ColumnName", "Collation", "Cardinality", "SubPart",
		"Packed", "Null", "IndexType", "Comment", "Properties")
	for _, i := range t.Secondary {
		l.add(t.Name, i.ID, "", i.Name, "", strings.Join(i.Columns, ","), "", "", "", "", "", i.Kind, i.Comment, indexProperties(&i))
	}
	return l
}

// procIndexSchema lists the materialized indexes; a view stands for itself.
func procIndexSchema(t *catalog.Table) *listing {
	l := newListing("IndexId", "IndexName", "SchemaVersion", "SchemaHash", "ShortKeyColumnCount", "StorageType", "Keys")
	if t.Kind != catalog.OLAP && t.Kind != catalog.MaterializedView {
		l.add(t.ID, t.Name, "", "", "", "", "")
		return l
	}
	for _, idx := range core.SortedIndexes(t) {
		var keys []string
		for _, c := range idx.Schema.Columns {
			if c.Key {
				keys = append(keys, c.Name)
			}
		}
		l.add(idx.ID, indexName(t, idx.ID), int(idx.Schema.Version), int(idx.Schema.Hash), idx.ShortKey, "COLUMN",
			keysType(t.Keys)+"("+strings.Join(keys, ", ")+")")
	}
	return l
}

func (s *session) procPartitions(path string, t *catalog.Table, temporary bool, segments []string) (*listing, error) {
	if len(segments) == 0 {
		return s.partitionListing(t, temporary), nil
	}
	from := t.Partitions
	if temporary {
		from = t.Temporary
	}
	var partition *catalog.Partition
	for _, p := range from {
		if strconv.FormatInt(p.ID, 10) == segments[0] {
			partition = p
		}
	}
	if partition == nil {
		return nil, core.Errorf("Partition[%s] does not exist", segments[0])
	}
	if len(segments) == 1 {
		l := newListing("IndexId", "IndexName", "State", "LastConsistencyCheckTime")
		indexes := core.SortedIndexes(t)
		slices.SortFunc(indexes, func(a, b *catalog.Index) int { return cmp.Compare(a.ID, b.ID) })
		for _, idx := range indexes {
			l.add(idx.ID, indexName(t, idx.ID), string(cmp.Or(idx.State, catalog.IndexNormal)), null)
		}
		return l, nil
	}
	for _, idx := range t.Indexes {
		if strconv.FormatInt(idx.ID, 10) == segments[1] && len(segments) == 2 {
			l := newListing(replicaTitles...)
			s.addReplicas(l, partition, idx)
			return l, nil
		}
	}
	if len(segments) > 2 {
		return nil, errNoProc(path)
	}
	return nil, core.Errorf("Index[%s] does not exist.", segments[1])
}

// procDatabases is level 1.
func (s *session) procDatabases() *listing {
	l := newListing("DbId", "DbName", "TableNum", "Size", "Quota", "LastConsistencyCheckTime", "ReplicaCount", "ReplicaQuota",
		"RunningTransactionNum", "TransactionQuota", "LastUpdateTime")
	row := func(id int64, name string, tables, replicas, running int, size int64) {
		l.add(id, name, tables, core.SizeText(size), "1024.000 TB", null, replicas, 1073741824, running, 1000, null)
	}
	row(0, informationSchema, 38, 0, 0, 0)
	for i, name := range []string{"mysql", "__internal_schema"} {
		if _, ok := s.server.core.Database(name); !ok {
			row([]int64{1, 10002}[i], name, i+2, i*22, 0, 0)
		}
	}
	for _, db := range s.databases() {
		replicas := 0
		for _, t := range db.Tables {
			replicas += replicaCount(t)
		}
		row(db.ID, db.Name, len(db.Tables), replicas, s.runningTxns(db.ID, 0), s.databaseStats(db).Bytes)
	}
	return l
}

// runningTxns counts unfinished transactions of a database, or of one table.
func (s *session) runningTxns(db, table int64) int {
	n := 0
	for _, txn := range s.server.core.Txns(db) {
		if txn.State != core.TxnVisible && txn.State != core.TxnAborted && (table == 0 || slices.Contains(txn.Tables, table)) {
			n++
		}
	}
	return n
}

func replicaCount(t *catalog.Table) int {
	n := 0
	for _, p := range core.Partitions(t) {
		for _, tablets := range p.Tablets {
			for _, tablet := range tablets {
				n += len(tablet.Replicas)
			}
		}
	}
	return n
}

// procTables is level 2.
func (s *session) procTables(db *catalog.Database) *listing {
	l := newListing("TableId", "TableName", "IndexNum", "PartitionColumnName", "PartitionNum", "State", "Type", "LastConsistencyCheckTime",
		"ReplicaCount", "VisibleVersion", "VisibleVersionTime", "RunningTransactionNum", "LastUpdateTime")
	tables := sortedTables(db)
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return cmp.Compare(a.ID, b.ID) })
	running := map[int64]int{}
	for _, txn := range s.server.core.Txns(db.ID) {
		if txn.State != core.TxnVisible && txn.State != core.TxnAborted {
			for _, id := range txn.Tables {
				running[id]++
			}
		}
	}
	for _, t := range tables {
		if t.Kind != catalog.OLAP {
			l.add(t.ID, t.Name, null, null, 1, null, string(t.Kind), null, 0, null, null, 0, null)
			continue
		}
		columns, partitions := null, 1
		if t.Partitioning.Kind == catalog.RangePartition {
			columns, partitions = strings.Join(t.Partitioning.Columns, ", "), len(t.Partitions)
		}
		version, at := max(t.Version, 1), cmp.Or(t.VersionTime, t.Created).UnixMilli()
		l.add(t.ID, t.Name, len(t.Indexes), columns, partitions, string(t.State), string(t.Kind), null, replicaCount(t), version, at, running[t.ID], newest(t))
	}
	return l
}

// newest is when the newest of a table's partitions changed, the zero time if it
// has none.
func newest(t *catalog.Table) (at time.Time) {
	for _, p := range t.Partitions {
		if p.VisibleTime.After(at) {
			at = p.VisibleTime
		}
	}
	return at
}

var partitionTitles = []string{"PartitionId", "PartitionName", "VisibleVersion", "VisibleVersionTime", "State", "PartitionKey", "Range",
	"DistributionKey", "Buckets", "ReplicationNum", "StorageMedium", "CooldownTime", "RemoteStoragePolicy", "LastConsistencyCheckTime",
	"DataSize", "IsInMemory", "ReplicaAllocation", "IsMutable", "SyncWithBaseTables", "UnsyncTables", "CommittedVersion", "RowCount"}

// neverCools is when data cools down that never does, in the time zone of the
// session: it is that of this process.
func neverCools() string { return time.Unix(253402271999, 0).Local().Format(time.DateTime) }

// partitionListing is level 3 and SHOW [TEMPORARY] PARTITIONS. It needs core's
// read lock.
func (s *session) partitionListing(t *catalog.Table, temporary bool) *listing {
	l := newListing(partitionTitles...)
	from := t.Partitions
	if temporary {
		from = t.Temporary
	}
	for _, p := range rangetext.Sorted(t, from) {
		distribution := strings.Join(p.Distribution.Columns, ", ")
		if p.Distribution.Kind == catalog.RandomDistribution {
			distribution = "RANDOM"
		}
		stats := s.server.core.PartitionStats(t, p)
		l.add(p.ID, p.Name, p.VisibleVersion, p.VisibleTime, string(p.State), strings.Join(t.Partitioning.Columns, ", "), rangetext.RangeText(t, p, s.server.core.Version() != core.VersionNew),
			distribution, p.Distribution.Buckets, p.ReplicaNum, strings.ToUpper(cmp.Or(p.Properties["storage_medium"], "HDD")), neverCools(), "", null,
			core.SizeText(stats.Bytes), false, fmt.Sprintf("tag.location.default: %d", p.ReplicaNum), true, true, null, p.NextVersion-1, stats.Rows)
	}
	return l
}

// showPartitions is SHOW [TEMPORARY] PARTITIONS FROM t.
func (s *session) showPartitions(ctx context.Context, c *cursor, temporary bool) (*sqltypes.Result, error) {
	return s.showOfTable(ctx, c, "SHOW PARTITIONS", "PartitionName", true, func(_ *catalog.Database, t *catalog.Table) (*listing, error) {
		if t.Kind != catalog.OLAP {
			return nil, core.MetaErrorf("Type of %s doesn't match, expected data tables=[OLAP, HMS_EXTERNAL_TABLE, MAX_COMPUTE_EXTERNAL_TABLE]", t.Name)
		}
		return s.partitionListing(t, temporary), nil
	})
}

var replicaTitles = []string{"TabletId", "ReplicaId", "BackendId", "SchemaHash", "Version", "LstSuccessVersion", "LstFailedVersion",
	"LstFailedTime", "LocalDataSize", "RemoteDataSize", "RowCount", "State", "LstConsistencyCheckTime", "CheckVersion",
	"VisibleVersionCount", "VersionCount", "QueryHits", "PathHash", "Path", "MetaUrl", "CompactionStatus", "CooldownReplicaId", "CooldownMetaId"}

// addReplicas is level 5: a row for each replica, tablets in bucket order.
func (s *session) addReplicas(l *listing, p *catalog.Partition, idx *catalog.Index) {
	urls := map[int64]string{}
	for _, b := range s.server.core.Backends() {
		urls[b.ID] = fmt.Sprintf("http://%s:%d", b.Host, b.HTTPPort)
	}
	for _, tablet := range p.Tablets[idx.ID] {
		for _, r := range tablet.Replicas {
			stats := s.server.core.ReplicaStats(tablet.ID, r)
			failed := int64(-1)
			if r.LastFailed > 0 {
				failed = r.LastFailed
			}
			l.add(tablet.ID, r.ID, r.BackendID, int(idx.Schema.Hash), r.Version, r.Version, failed,
				null, stats.Bytes, 0, stats.Rows, r.State.Name(), null, -1,
				stats.Versions, stats.Versions, 0, -6333148228203168624, "/data1/storage",
				fmt.Sprintf("%s/api/meta/header/%d", urls[r.BackendID], tablet.ID),
				fmt.Sprintf("%s/api/compaction/show?tablet_id=%d", urls[r.BackendID], tablet.ID), -1, "")
		}
	}
}
