package preflight

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// setupTable is a table of the source as the checks see it.
type setupTable struct {
	name     string
	text     string // SHOW CREATE TABLE
	replicas int    // 0 unknown
}

const (
	// shortTTL is the time to live of binlogs below which a job that is stalled
	// over a weekend's night loses them, in seconds.
	shortTTL = 6 * 3600
)

// property reads a property as SHOW CREATE prints it, "" if it is not there.
func property(text, key string) string {
	m := regexp.MustCompile(`"` + regexp.QuoteMeta(key) + `"\s*=\s*"([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// replicaNumber reads how many replicas a table has.
func replicaNumber(text string) int {
	value := property(text, "replication_allocation")
	if value == "" {
		value = property(text, "replication_num")
	}
	total := 0
	for _, part := range strings.Split(value, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part[strings.LastIndex(part, ":")+1:]))
		if err != nil {
			return 0
		}
		total += n
	}
	return total
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// checkSourceTables looks at each table that the job would replicate.
func (s *setup) checkSourceTables(ctx context.Context) []setupTable {
	const check = "source: tables"
	tables, others, err := s.readTables(ctx)
	if err != nil {
		s.failed(check, Refused(s.j.Source, "look at the tables", err), "")
		return nil
	}
	s.warnOf("source: asynchronous materialized views", others.async, "create them on the destination yourself",
		"these are not replicated: %s")
	s.warnOf("source: ODBC tables", others.odbc, "create their resources on the destination before the job",
		"of these only the definition is replicated: %s")
	s.checkForeign(ctx, others.foreign)
	if len(tables) == 0 {
		if s.spec.Type() == job.DatabaseSync {
			s.add(check, job.CheckWarn, "", "no table is selected yet (%s)", s.spec.Describe())
		}
		return nil
	}
	var off, heavy, cold, grouped, short []string
	for _, t := range tables {
		if property(t.text, "binlog.enable") != "true" {
			off = append(off, t.name)
			continue
		}
		if property(t.text, "light_schema_change") != "true" {
			heavy = append(heavy, t.name)
		}
		if property(t.text, "storage_policy") != "" {
			cold = append(cold, t.name)
		}
		if property(t.text, "colocate_with") != "" {
			grouped = append(grouped, t.name)
		}
		if ttl, err := strconv.ParseInt(property(t.text, "binlog.ttl_seconds"), 10, 64); err == nil && ttl < shortTTL {
			short = append(short, fmt.Sprintf("%s (%d s)", t.name, ttl))
		}
		for _, key := range []string{"binlog.max_bytes", "binlog.max_history_nums"} {
			if n, err := strconv.ParseInt(property(t.text, key), 10, 64); err == nil && n < 1<<40 {
				short = append(short, fmt.Sprintf("%s (%s=%d)", t.name, key, n))
			}
		}
	}
	if len(off) > 0 {
		slices.Sort(off)
		s.add(check, job.CheckFail, fmt.Sprintf(`for each: ALTER TABLE %s SET ("binlog.enable" = "true"); or exclude_tables`, sqlclient.Name(s.spec.Source.Database, off[0])),
			"%d of %d tables record no binlogs, so nothing of them would follow: %s", len(off), len(tables), pair.SomeOf(off))
	} else {
		s.add(check, job.CheckPass, "", "%s, all record binlogs", counted(len(tables), "table"))
	}
	s.warnOf("source: light schema change", heavy, "recreate them with light_schema_change = true",
		"every schema change of these tables costs a snapshot: %s")
	s.warnOf("source: storage policy", cold, "leave them out with exclude_tables, or keep their data from cooling down",
		"once their data has cooled down Doris refuses to back these tables up, and a snapshot of them stalls the job: %s")
	s.warnOf("source: colocation", grouped, "", "colocate_with is not taken over to the destination: %s")
	s.checkRetention(ctx, short)
	return tables
}

func (s *setup) warnOf(check string, names []string, remedy, format string) {
	if len(names) > 0 {
		s.add(check, job.CheckWarn, remedy, format, pair.SomeOf(names))
	}
}

// checkRetention looks how long the source keeps binlogs: a job that stands
// still for longer needs a full sync.
func (s *setup) checkRetention(ctx context.Context, short []string) {
	const check = "source: binlog retention"
	database := sqlclient.Quote(s.spec.Source.Database)
	remedy := fmt.Sprintf(`raise it, e.g. ALTER DATABASE %s SET PROPERTIES ("binlog.ttl_seconds" = "86400"), and for each table ALTER TABLE %s.t SET ("binlog.ttl_seconds" = "86400")`, database, database)
	if s.spec.Type() == job.DatabaseSync {
		if text, err := s.j.Source.SQL.CreateDatabaseText(ctx, s.spec.Source.Database); err == nil {
			if ttl, err := strconv.ParseInt(property(text, "binlog.ttl_seconds"), 10, 64); err == nil && ttl < shortTTL {
				short = append(short, fmt.Sprintf("database %s (%d s)", s.spec.Source.Database, ttl))
			}
		}
	}
	if len(short) > 0 {
		s.add(check, job.CheckWarn, remedy, "a job that stands still for longer than binlogs are kept needs a full sync; kept for less than %d hours or in small number: %s", shortTTL/3600, pair.SomeOf(short))
		return
	}
	s.add(check, job.CheckPass, "", "binlogs are kept for %d hours or more", shortTTL/3600)
}

// otherTables are the names of what looks like a table and is none of Doris' own.
type otherTables struct{ async, odbc, foreign []string }

// checkForeign tells of tables of other systems: unless the source is told to pass
// them over, Doris refuses to back up the database (doris-sql.md 2.7).
func (s *setup) checkForeign(ctx context.Context, tables []string) {
	if len(tables) == 0 {
		return
	}
	const setting = "ignore_backup_not_support_table_type"
	const check = "source: external tables"
	if value, known, err := s.j.Source.SQL.FrontendConfig(ctx, setting); err == nil && known && pair.IsTrue(value) {
		s.add(check, job.CheckWarn, "create them on the destination yourself", "these are not replicated: %s", pair.SomeOf(tables))
		return
	}
	s.add(check, job.CheckFail, "set "+setting+" = true on each frontend of the source, or leave them out with exclude_tables",
		"Doris refuses to back these up, so the full sync cannot begin: %s", pair.SomeOf(tables))
}

// readTables reads the texts of the tables concerned, and the names of what is no
// table of Doris' own.
func (s *setup) readTables(ctx context.Context) (tables []setupTable, others otherTables, err error) {
	names := []string{s.spec.Source.Table}
	var views []string
	if s.spec.Type() == job.DatabaseSync {
		if names, err = s.j.SelectedNames(ctx); err != nil {
			return nil, otherTables{}, err
		}
		if views, err = s.j.Source.SQL.Views(ctx, s.spec.Source.Database); err != nil {
			return nil, otherTables{}, err
		}
	}
	plain, err := s.j.WithoutAsyncViews(ctx, slices.Clone(names))
	if err != nil {
		return nil, otherTables{}, err
	}
	for _, name := range names {
		switch {
		case slices.Contains(views, name):
			continue
		case !slices.Contains(plain, name):
			others.async = append(others.async, name)
			continue
		}
		text, err := s.j.Source.SQL.CreateTableText(ctx, s.spec.Source.Database, name)
		if err != nil {
			if exists, lookErr := s.j.Source.SQL.TableExists(ctx, s.spec.Source.Database, name); lookErr == nil && !exists {
				continue // dropped meanwhile
			}
			return nil, otherTables{}, err
		}
		switch {
		case strings.Contains(text, "CREATE MATERIALIZED VIEW"), strings.Contains(text, "ENGINE=MATERIALIZED_VIEW"):
			others.async = append(others.async, name)
		case strings.Contains(text, "ENGINE=ODBC"):
			others.odbc = append(others.odbc, name)
		case !strings.Contains(text, "ENGINE=OLAP"):
			others.foreign = append(others.foreign, name)
		default:
			tables = append(tables, setupTable{name: name, text: text, replicas: replicaNumber(text)})
		}
	}
	return tables, others, nil
}

// defaultBackupTablets is Doris' max_backup_tablets_per_job (doris-sql.md 2.7).
const defaultBackupTablets = 300_000

// checkTablets compares the tablets of a full sync with the limit of a backup.
func (s *setup) checkTablets(ctx context.Context, tables []setupTable) {
	const check = "source: tablets"
	if len(tables) == 0 {
		return
	}
	limit := int64(defaultBackupTablets)
	if value, ok, err := s.j.Source.SQL.FrontendConfig(ctx, "max_backup_tablets_per_job"); err == nil && ok {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			limit = n
		}
	}
	count := int64(0)
	var temporary []string // tables with temporary partitions
	for chunk := range slices.Chunk(tables, pair.MetaChunk) {
		var names []string
		for _, t := range chunk {
			names = append(names, t.name)
		}
		db, err := s.j.Source.FE.Meta(ctx, fe.MetaRequest{DatabaseID: s.spec.Source.DatabaseID, Database: s.spec.Source.Database, Tables: names})
		if err != nil {
			s.failed(check, Refused(s.j.Source, "count tablets", err), "")
			return
		}
		for _, t := range db.Tables {
			if slices.ContainsFunc(t.Partitions, func(p *meta.Partition) bool { return p.Temporary }) {
				temporary = append(temporary, t.Name)
			}
			for _, p := range t.Partitions {
				for _, index := range p.Indexes {
					count += int64(len(index.Tablets))
				}
			}
		}
	}
	s.checkTemporary(ctx, temporary)
	if count > limit {
		s.add(check, job.CheckFail, fmt.Sprintf("ADMIN SET FRONTEND CONFIG (\"max_backup_tablets_per_job\" = \"%d\") on each frontend of the source and the same in fe.conf, or several jobs with include_tables", 2*count),
			"a full sync would back up %d tablets at once, more than max_backup_tablets_per_job = %d", count, limit)
		return
	}
	s.add(check, job.CheckPass, "", "%d, a backup may have %d", count, limit)
}

// checkTemporary warns of tables with temporary partitions: unless the source is
// told to pass them over, Doris refuses every snapshot with such a table.
func (s *setup) checkTemporary(ctx context.Context, tables []string) {
	if len(tables) == 0 {
		return
	}
	const setting = "ignore_backup_tmp_partitions"
	const remedy = "set " + setting + " = true on each frontend of the source, or drop them (SHOW TEMPORARY PARTITIONS FROM t)"
	const check = "source: temporary partitions"
	switch value, known, err := s.j.Source.SQL.FrontendConfig(ctx, setting); {
	case err == nil && known && pair.IsTrue(value):
		s.add(check, job.CheckPass, "", "snapshots pass them over: %s", pair.SomeOf(tables))
	case problem.LacksPrivilege(err):
		s.add(check, job.CheckWarn, remedy, "without "+setting+" = true, which cannot be read, Doris refuses snapshots of %s", pair.SomeOf(tables))
	default:
		s.add(check, job.CheckFail, remedy, "Doris refuses to back up a table with temporary partitions, so the full sync cannot begin: %s", pair.SomeOf(tables))
	}
}

// checkDestinationDatabase looks what the destination has already.
func (s *setup) checkDestinationDatabase(ctx context.Context, tables []setupTable) {
	const check = "destination: database"
	dst := &s.spec.Destination
	sql := s.j.Destination.SQL
	exists, err := sql.DatabaseExists(ctx, dst.Database)
	if err != nil {
		s.failed(check, Refused(s.j.Destination, "look for the database", err), "")
		return
	}
	if !exists {
		s.add(check, job.CheckPass, "", "%s does not exist and will be created", dst.Database)
		return
	}
	have, err := sql.Tables(ctx, dst.Database)
	if err != nil {
		s.failed(check, Refused(s.j.Destination, "list its tables", err), "")
		return
	}
	var taken []string
	if s.spec.Type() == job.TableSync {
		if slices.Contains(have, dst.Table) {
			taken = []string{dst.Table}
		}
	} else {
		for _, t := range tables {
			if slices.Contains(have, t.name) {
				taken = append(taken, t.name)
			}
		}
	}
	if len(taken) == 0 {
		s.add(check, job.CheckPass, "", "%s exists and has none of the tables to replicate", dst.Database)
		return
	}
	if s.spec.Type() == job.TableSync && !s.spec.AllowTableExists {
		s.add(check, job.CheckFail, "drop or rename it, or create the job with allow_table_exists", "dest table %s.%s already exists", dst.Database, dst.Table)
		return
	}
	foreign, err := s.j.ForeignTables(ctx, taken, nil)
	switch {
	case err != nil:
		s.failed(check, Refused(s.j.Destination, "look at its tables", err), "")
	case len(foreign) > 0 && !s.spec.AllowTableExists:
		s.add(check, job.CheckFail, remedyForeign, "these tables of %s have rows and were never synced, a full sync would replace them: %s", dst.Database, pair.SomeOf(foreign))
	default:
		s.add(check, job.CheckWarn, "rename what has to be kept", "the full sync replaces tables that %s has already: %s", dst.Database, pair.SomeOf(taken))
	}
}

// checkReplicas compares the replicas that the tables are to have with the
// destination's backends.
func (s *setup) checkReplicas(facts *clusterFacts, tables []setupTable) {
	const check = "destination: replicas"
	if facts.alive == 0 {
		return // which is a line of its own
	}
	alive := counted(facts.alive, "backend") + " alive"
	if n := s.spec.ReplicationNum; n > 0 {
		if n > facts.alive {
			s.add(check, job.CheckFail, "lower replication_num, or add backends", "replication_num %d, but the destination has %s", n, alive)
			return
		}
		s.add(check, job.CheckPass, "", "replication_num %d, %s", n, alive)
		return
	}
	var many []string
	for _, t := range tables {
		if t.replicas > facts.alive {
			many = append(many, fmt.Sprintf("%s (%d)", t.name, t.replicas))
		}
	}
	if len(many) > 0 {
		s.add(check, job.CheckFail, "create the job with replication_num, or add backends", "the destination has %s, less than the replicas of %s", alive, pair.SomeOf(many))
		return
	}
	s.add(check, job.CheckPass, "", "%s", alive)
}
