package sql

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// showReplica is ADMIN SHOW REPLICA STATUS|DISTRIBUTION FROM t.
func (s *session) showReplica(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	status := c.keyword("STATUS")
	if !status && !c.keyword("DISTRIBUTION") {
		return nil, c.mismatch()
	}
	database, table, err := s.fromTable(c)
	if err != nil {
		return nil, err
	}
	if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
		return nil, err
	}
	var l *listing
	err = s.withTable("SHOW", database, table, func(_ *catalog.Database, t *catalog.Table) error {
		if t.Kind != catalog.OLAP {
			return core.Errorf("Table[%s] is not a OLAP table", t.Name)
		}
		if status {
			l = s.replicaStatus(t)
		} else {
			l = s.replicaDistribution(t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "", true)
}

// eachReplica calls f for the replicas of all formal partitions.
func eachReplica(t *catalog.Table, f func(*catalog.Partition, *catalog.Index, *catalog.Tablet, *catalog.Replica)) {
	for _, p := range formalPartitions(t) {
		for _, idx := range core.SortedIndexes(t) {
			for _, tablet := range p.Tablets[idx.ID] {
				for _, r := range tablet.Replicas {
					f(p, idx, tablet, r)
				}
			}
		}
	}
}

// replicaStatus needs core's read lock.
func (s *session) replicaStatus(t *catalog.Table) *listing {
	l := newListing("TabletId", "ReplicaId", "BackendId", "Version", "LastFailedVersion", "LastSuccessVersion", "CommittedVersion",
		"SchemaHash", "VersionNum", "IsBad", "IsUserDrop", "State", "Status")
	alive := map[int64]bool{}
	for _, b := range s.server.core.Backends() {
		alive[b.ID] = b.Alive
	}
	eachReplica(t, func(p *catalog.Partition, idx *catalog.Index, tablet *catalog.Tablet, r *catalog.Replica) {
		failed, status := int64(-1), "OK"
		if r.LastFailed > 0 {
			failed = r.LastFailed
		}
		switch {
		case !alive[r.BackendID]:
			status = "DEAD"
		case r.Bad:
			status = "BAD"
		case r.LastFailed > 0 || r.Version < p.VisibleVersion:
			status = "VERSION_ERROR"
		}
		l.add(tablet.ID, r.ID, r.BackendID, r.Version, failed, r.Version, p.NextVersion-1,
			int(idx.Schema.Hash), s.server.core.ReplicaStats(tablet.ID, r).Versions, r.Bad, false, r.State.Name(), status)
	})
	return l
}

// replicaDistribution needs core's read lock.
func (s *session) replicaDistribution(t *catalog.Table) *listing {
	l := newListing("BackendId", "ReplicaNum", "ReplicaSize", "NumPercent", "SizePercent")
	count, bytes := map[int64]int{}, map[int64]int64{}
	all, size := 0, int64(0)
	eachReplica(t, func(_ *catalog.Partition, _ *catalog.Index, tablet *catalog.Tablet, r *catalog.Replica) {
		one := s.server.core.ReplicaStats(tablet.ID, r).Bytes
		count[r.BackendID]++
		bytes[r.BackendID] += one
		all++
		size += one
	})
	percent := func(part, whole int64) string {
		return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(max(whole, 1)))
	}
	for _, b := range s.server.core.Backends() {
		l.add(b.ID, count[b.ID], bytes[b.ID], percent(int64(count[b.ID]), int64(all)), percent(bytes[b.ID], size))
	}
	return l
}

// showPartitionID is SHOW PARTITION <id>: an unknown id gives no row.
func (s *session) showPartitionID(c *cursor) (*sqltypes.Result, error) {
	if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
		return nil, err
	}
	t := c.next()
	id, err := parseID(t.Text)
	if err != nil || t.Kind != parser.Number {
		return nil, errSyntax(t.Text)
	}
	l := newListing("DbName", "TableName", "PartitionName", "DbId", "TableId")
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	for _, db := range s.databases() {
		for _, table := range sortedTables(db) {
			for _, p := range core.Partitions(table) {
				if p.ID == id {
					l.add(db.Name, table.Name, p.Name, db.ID, table.ID)
				}
			}
		}
	}
	return l.result(), c.finish()
}

// showTablets is SHOW TABLETS FROM t [PARTITION(p)] [WHERE ...]: a row for each
// replica of every index, by ids (doris-sql.md 5.9).
func (s *session) showTablets(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	if err := s.needGlobal(core.AdminPriv, "SHOW TABLET"); err != nil {
		return nil, err
	}
	database, table, err := s.fromTable(c)
	if err != nil {
		return nil, err
	}
	names, temporary, err := c.partitions()
	if err != nil {
		return nil, err
	}
	conditions, err := tabletConditions(c)
	if err != nil {
		return nil, err
	}
	l := newListing(replicaTitles...)
	err = s.withTable("SHOW", database, table, func(db *catalog.Database, t *catalog.Table) error {
		return s.addTablets(l, db, t, names, temporary, conditions["indexname"])
	})
	if err != nil {
		return nil, err
	}
	delete(conditions, "indexname")
	l.keep(conditions)
	slices.SortStableFunc(l.rows, func(a, b []string) int {
		return cmp.Or(compareIDs(a[0], b[0]), compareIDs(a[1], b[1]))
	})
	return s.filter(ctx, c, l, l.titles[0], false)
}

// addTablets needs core's read lock.
func (s *session) addTablets(l *listing, db *catalog.Database, t *catalog.Table, names []string, temporary bool, index string) error {
	partitions := formalPartitions(t)
	if names != nil {
		from, missing := t.Partitions, ""
		if temporary {
			from = t.Temporary
		}
		if partitions, missing = catalog.FindPartitions(from, names); missing != "" {
			return core.Errorf("Unknown partition: %s", missing)
		}
	}
	known := index == ""
	for _, idx := range core.SortedIndexes(t) {
		if index != "" && indexName(t, idx.ID) != index {
			continue
		}
		known = true
		for _, p := range partitions {
			s.addReplicas(l, p, idx)
		}
	}
	if !known {
		return core.CodeErrorf(codeNoTableOf, "Unknown table '%s' in %s", index, db.Name)
	}
	return nil
}

// tabletConditions consumes WHERE with what SHOW TABLETS can compare: the version,
// the backend, the state and the index' name, each with =.
func tabletConditions(c *cursor) (map[string]string, error) {
	conditions := map[string]string{}
	if !c.keyword("WHERE") {
		return conditions, nil
	}
	for {
		name := strings.ToLower(c.next().Text)
		known := name == "version" || name == "backendid" || name == "state" || name == "indexname"
		if _, twice := conditions[name]; !known || twice || !c.symbol("=") || c.end() {
			return nil, core.Errorf("Where clause should looks like: Version = \"version\", or state = \"NORMAL|ROLLUP|CLONE|DECOMMISSION\", " +
				"or BackendId = 10000, indexname=\"rollup_name\" or compound predicate with operator AND")
		}
		conditions[name] = c.next().Text
		if !c.keyword("AND") {
			return conditions, nil
		}
	}
}

// keep drops the rows in which a column, named in lower case, has another value.
func (l *listing) keep(values map[string]string) {
	l.rows = slices.DeleteFunc(l.rows, func(row []string) bool {
		for i, title := range l.titles {
			if want, ok := values[strings.ToLower(title)]; ok && !strings.EqualFold(row[i], want) {
				return true
			}
		}
		return false
	})
}

// compareIDs orders numbers as texts without leading zeros.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
