package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	thrifttypes "github.com/doris-ccr/ccr/doris/thriftgen/types"
	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// snapshotRun is a snapshot that can be restored again and again.
type snapshotRun struct {
	t     *testing.T
	from  *side
	label string
	meta  []byte
	info  map[string]any
	runs  int
}

func newSnapshot(t *testing.T, from *side, db string) *snapshotRun {
	t.Helper()
	label := from.backup(db)
	got := from.getSnapshot(db, label, false)
	info := decodeJobInfo(t, got.JobInfo)
	info["extra_info"] = from.extraInfo()
	return &snapshotRun{t: t, from: from, label: label, meta: got.Meta, info: info}
}

type change = func(*frontendservice.TRestoreSnapshotRequest)

// submit starts a restore and returns its label.
func (r *snapshotRun) submit(to *side, db string, changes ...change) (string, *status.TStatus) {
	r.t.Helper()
	r.runs++
	label := fmt.Sprintf("%s_r%d", r.label, r.runs)
	request := restoreRequest(r.t, db, label, r.meta, r.info)
	for _, change := range changes {
		change(request)
	}
	return label, to.restore(request)
}

// run restores and returns the final row of SHOW RESTORE.
func (r *snapshotRun) run(to *side, db string, changes ...change) row {
	r.t.Helper()
	label, st := r.submit(to, db, changes...)
	requireOK(r.t, st)
	var last row
	require.Eventually(r.t, func() bool {
		last = to.query("SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", db, label)[0]
		return last["State"] == "FINISHED" || last["State"] == "CANCELLED"
	}, patience, 5*time.Millisecond)
	return last
}

func (r *snapshotRun) finishes(to *side, db string, changes ...change) {
	r.t.Helper()
	last := r.run(to, db, changes...)
	require.Equal(r.t, "FINISHED", last["State"], last["Status"])
	require.NotEqual(r.t, "NULL", last["FinishedTime"])
}

func (r *snapshotRun) cancelled(to *side, db, text string, changes ...change) {
	r.t.Helper()
	last := r.run(to, db, changes...)
	require.Equal(r.t, "CANCELLED", last["State"])
	require.Contains(r.t, last["Status"], text)
}

func atomically(r *frontendservice.TRestoreSnapshotRequest) { r.AtomicRestore = new(true) }
func forced(r *frontendservice.TRestoreSnapshotRequest) {
	r.AtomicRestore, r.ForceReplace = new(true), new(true)
}

func property(key, value string) change {
	return func(r *frontendservice.TRestoreSnapshotRequest) { r.Properties[key] = value }
}

func only(names ...string) change {
	return func(r *frontendservice.TRestoreSnapshotRequest) {
		for i := 0; i < len(names); i += 2 {
			ref := &thrifttypes.TTableRef{Table: &names[i]}
			if names[i+1] != "" {
				ref.AliasName = &names[i+1]
			}
			r.TableRefs = append(r.TableRefs, ref)
		}
	}
}

const rangedDefinition = "(k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20')) DISTRIBUTED BY HASH(k) BUCKETS 2 " +
	"PROPERTIES ('replication_num' = '1')"

// doris-sql.md 4.5: properties and lists.
func TestRestoreSubmission(t *testing.T) {
	from, to := source(t), destination(t)
	db := from.rangedTable()
	from.exec("CREATE VIEW `%s`.v AS SELECT k FROM `%s`.t", db, db)
	from.table(db, "u", 1)
	snapshot := newSnapshot(t, from, db)
	into := to.database()
	refused := func(text string, changes ...change) {
		t.Helper()
		_, st := snapshot.submit(to, into, changes...)
		requireStatus(t, status.TStatusCode_ANALYSIS_ERROR, text, st)
	}
	refused("Invalid boolean property allow_load value: perhaps", property("allow_load", "perhaps"))
	refused("timeout must be at least 10 min", property("timeout", "599"))
	refused("Duplicated alias name: x", only("t", "x", "u", "x"))
	refused("Table nope does not exist in snapshot "+snapshot.label, only("nope", ""))

	snapshot.finishes(to, into, only("u", "__ccr_u_1"), property("timeout", "600"))
	require.Equal(t, "__ccr_u_1", values(to.query("SHOW TABLES FROM `%s`", into), "Tables_in_"+into), "what is not listed is left out, views too")
	shown := to.query("SHOW RESTORE FROM `%s`", into)[0]
	require.Contains(t, shown["RestoreObjs"], `"name": "u"`, "source names, never aliases")
	require.NotContains(t, shown["RestoreObjs"], "__ccr_u_1")
	require.Equal(t, "600", shown["Timeout"])
	snapshot.finishes(to, into, only("v", "", "t", ""))
	require.Equal(t, "__ccr_u_1,t,v", values(to.query("SHOW TABLES FROM `%s`", into), "Tables_in_"+into))
	require.Contains(t, values(to.query("SHOW CREATE VIEW `%s`.v", into), "Create View"), "`internal`.`"+into+"`.`t`")
}

// doris-sql.md 4.6: the checks of PENDING and what is in a signature.
func TestRestoreChecks(t *testing.T) {
	from, to := source(t), destination(t)
	db := from.rangedTable()
	from.exec("INSERT INTO `%s`.t VALUES (1, 1), (11, 11)", db)
	from.exec("CREATE VIEW `%s`.v AS SELECT k FROM `%s`.t", db, db)
	snapshot := newSnapshot(t, from, db)
	table := func(definition string) string {
		into := to.database()
		to.exec("CREATE TABLE `%s`.t %s", into, definition)
		return into
	}
	const tail = " DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1')"
	const parts = " PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p2 VALUES LESS THAN ('20'))"
	const differs = "Table t already exist but with different schema"
	for definition, text := range map[string]string{
		"(k INT, w INT) DUPLICATE KEY(k)" + parts + tail:                                                                                                   differs,
		"(k INT, v BIGINT) DUPLICATE KEY(k)" + parts + tail:                                                                                                differs,
		"(k INT, v INT) DUPLICATE KEY(k, v)" + parts + tail:                                                                                                differs,
		"(k INT, v INT DEFAULT '1') DUPLICATE KEY(k)" + parts + tail:                                                                                       differs,
		"(k INT NOT NULL, v INT) DUPLICATE KEY(k)" + parts + tail:                                                                                          differs,
		"(k INT, v INT) DUPLICATE KEY(k)" + tail:                                                                                                           differs,
		"(k INT, v INT, INDEX i (v) USING INVERTED) DUPLICATE KEY(k)" + parts + tail:                                                                       differs,
		"(k INT, v INT) DUPLICATE KEY(k)" + parts + " DISTRIBUTED BY HASH(k) BUCKETS 3 PROPERTIES ('replication_num' = '1')":                               differs,
		"(k INT, v INT) DUPLICATE KEY(k)" + parts + " DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1', 'bloom_filter_columns' = 'k')": differs,
		"(k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('15'), PARTITION p2 VALUES LESS THAN ('20'))" + tail:        "Partition p1 in table t has different partition item with partition in repository",
		"(k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION px VALUES [('15'), ('18')))" + tail:        "Partition p2 in table t has conflict partition item with existing items",
	} {
		snapshot.cancelled(to, table(definition), text)
	}
	// Not in the signature: comments, properties, further partitions.
	into := table("(k INT COMMENT 'x', v INT) DUPLICATE KEY(k) COMMENT 'y' PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p3 VALUES [('30'), ('40')))" +
		" DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1', 'compaction_policy' = 'time_series')")
	snapshot.finishes(to, into)
	require.Equal(t, "p1,p2,p3", values(to.query("SHOW PARTITIONS FROM `%s`.t", into), "PartitionName"))

	// A destination name is part of the signature: an alias must be free.
	to.exec("CREATE TABLE `%s`.a %s", into, rangedDefinition)
	snapshot.cancelled(to, into, "Table a already exist but with different schema", only("t", "a"))

	into = table(rangedDefinition)
	snapshot.cancelled(to, into, "has different replication num '1' with partition in repository, which is 3", func(r *frontendservice.TRestoreSnapshotRequest) {
		r.Properties = map[string]string{"replication_num": "3"}
	})
	to.exec("ALTER TABLE `%s`.t ADD TEMPORARY PARTITION tp VALUES [('0'), ('10'))", into)
	snapshot.cancelled(to, into, "Do not support restoring table with temp partitions")

	into = to.database()
	to.exec("CREATE VIEW `%s`.t AS SELECT 1 AS one", into)
	snapshot.cancelled(to, into, "Only support restore OLAP table: t")
	into = to.database()
	to.exec("CREATE TABLE `%s`.v %s", into, rangedDefinition)
	snapshot.cancelled(to, into, "The local table v with the same name but a different type of backup meta.")
	into = table(rangedDefinition)
	to.exec("CREATE VIEW `%s`.v AS SELECT v FROM `%s`.t", into, into)
	snapshot.cancelled(to, into, "View v already exist but with different schema")
	require.Contains(t, values(to.query("SHOW CREATE VIEW `%s`.v", into), "Create View"), "`v`", "it stays as it was")
	into = to.database()
	snapshot.cancelled(to, into, "Failed to find enough backend, please check the replication num,replication tag and storage medium.",
		func(r *frontendservice.TRestoreSnapshotRequest) {
			r.Properties = map[string]string{"replication_num": "9"}
		})
	require.Empty(t, to.query("SHOW TABLES FROM `%s`", into))
}

// The spelling of check 2 in older versions (doris-sql.md 4.6).
func TestRestoreOldSpelling(t *testing.T) {
	s := versioned(t, core.Version21)
	db := s.rangedTable()
	snapshot := newSnapshot(t, s, db)
	into := s.database()
	s.exec("CREATE VIEW `%s`.t AS SELECT 1 AS one", into)
	snapshot.cancelled(s, into, "Only support retore OLAP table: t")
}

// doris-sql.md 4.7: what a non-atomic restore does to what exists.
func TestRestoreInPlace(t *testing.T) {
	from, to := source(t), destination(t)
	db := from.rangedTable()
	from.exec("INSERT INTO `%s`.t VALUES (1, 1), (11, 11)", db)
	from.exec("INSERT INTO `%s`.t VALUES (2, 2)", db)
	from.exec("CREATE VIEW `%s`.v AS SELECT k FROM `%s`.t", db, db)
	snapshot := newSnapshot(t, from, db)
	into := to.database()
	to.exec("CREATE TABLE `%s`.t (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p3 VALUES [('30'), ('40'))) DISTRIBUTED BY HASH(k) BUCKETS 2 "+
		"PROPERTIES ('replication_num' = '1')", into)
	to.exec("INSERT INTO `%s`.t VALUES (3, 3), (31, 31)", into)
	before, ids := to.tableMeta(into, "t").GetID(), to.partitionIDs(into, "t")
	prev := to.lastSeq(into)
	snapshot.finishes(to, into)
	require.Equal(t, "1,2,11,31", values(to.query("SELECT k FROM `%s`.t ORDER BY k", into), "k"), "overwritten, added, kept")
	require.Equal(t, before, to.tableMeta(into, "t").GetID())
	after := to.partitionIDs(into, "t")
	require.Equal(t, ids["p1"], after["p1"])
	require.Equal(t, ids["p3"], after["p3"])
	versions := map[string]string{}
	for _, r := range to.query("SHOW PARTITIONS FROM `%s`.t", into) {
		versions[r["PartitionName"]] = r["VisibleVersion"]
	}
	require.Equal(t, map[string]string{"p1": "3", "p2": "2", "p3": "2"}, versions, "the backup's version")
	for _, b := range to.binlogs(into, -1, prev) {
		require.NotEqual(t, int32(binlog.TypeCreateTable), int32(b.GetType()), "4.9: no CREATE_TABLE of restored tables")
	}
	view := to.meta(into).GetID()
	snapshot.finishes(to, into)
	require.Equal(t, view, to.meta(into).GetID(), "an equal view is kept")
	require.Equal(t, "1,2,11,31", values(to.query("SELECT k FROM `%s`.t ORDER BY k", into), "k"))
}

// doris-sql.md 4.7: statements that meet a restore in progress.
func TestStatementsDuringRestore(t *testing.T) {
	c, s := private(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	snapshot := newSnapshot(t, s, db)
	into := s.database()
	s.exec("CREATE TABLE `%s`.t %s", into, rangedDefinition)
	s.exec("ALTER TABLE `%s`.t ADD PARTITION p9 VALUES [('90'), ('99'))", into)
	s.exec("CREATE TABLE `%s`.other %s", into, rangedDefinition)
	hold, err := c.Faults().Add(faults.Rule{Point: "restore.SNAPSHOTING", Action: faults.Hold})
	require.NoError(t, err)
	label, st := snapshot.submit(s, into)
	requireOK(t, st)
	s.waitState("SNAPSHOTING", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, label)
	const alter = "Table[t]'s state(RESTORE) is not NORMAL. Do not allow doing ALTER ops"
	for statement, text := range map[string]string{
		"SELECT * FROM `%s`.t PARTITION (p1)":         "Partition state is not NORMAL: p1:RESTORING",
		"INSERT INTO `%s`.t VALUES (1, 1)":            "Table [t], Partition [p1] is in restore process. Can not load into it",
		"ALTER TABLE `%s`.t ADD COLUMN c INT":         alter,
		"TRUNCATE TABLE `%s`.t":                       alter,
		"ALTER TABLE `%s`.t RENAME u":                 alter,
		"ALTER TABLE `%s`.other REPLACE WITH TABLE t": alter,
		"DROP TABLE `%s`.t":                           "The table [t]'s state is RESTORE, cannot be dropped. please cancel the operation on olap table firstly. If you want to forcibly drop(cannot be recovered), please use \"DROP table FORCE\".",
		"ALTER TABLE `%s`.other RENAME t":             "Table name[t] is already used (in restoring)",
	} {
		s.refuses(1105, text, statement, into)
	}
	s.refuses(5064, "Can only run one backup or restore job of a database at same time , current running: label = "+label, "BACKUP SNAPSHOT `%s`.b TO `__keep_on_local__`", into)
	s.exec("INSERT INTO `%s`.t VALUES (95, 1)", into) // its partition is not restored
	s.exec("INSERT INTO `%s`.other VALUES (1, 1)", into)
	s.exec("DROP TABLE `%s`.t FORCE", into)
	faultstest.Release(t, c.Faults(), hold)
	s.exec("ADMIN SET FRONTEND CONFIG ('x' = 'y')")
	last := row{}
	require.Eventually(t, func() bool {
		last = s.query("SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, label)[0]
		return last["State"] == "CANCELLED" || last["State"] == "FINISHED"
	}, patience, 5*time.Millisecond)
	require.Contains(t, last["Status"], "has been dropped", "%v", last)
	s.exec("INSERT INTO `%s`.other VALUES (1, 1)", into)
}

// doris-sql.md 4.8: an atomic restore replaces the table as a whole.
func TestAtomicRestoreRules(t *testing.T) {
	c, s := private(t)
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	snapshot := newSnapshot(t, s, db)
	into := s.database()
	s.exec("CREATE TABLE `%s`.t %s", into, rangedDefinition)
	s.exec("INSERT INTO `%s`.t VALUES (5, 5)", into)
	hold, err := c.Faults().Add(faults.Rule{Point: "restore.SNAPSHOTING", Action: faults.Hold})
	require.NoError(t, err)
	label, st := snapshot.submit(s, into, atomically)
	requireOK(t, st)
	s.waitState("SNAPSHOTING", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, label)
	require.Contains(t, values(s.query("SHOW CREATE TABLE `%s`.t", into), "Create Table"), `"in_atomic_restore" = "true"`)
	require.Len(t, s.query("SELECT * FROM `%s`.t", into), 1, "readable")
	s.exec("INSERT INTO `%s`.t VALUES (6, 6)", into)
	s.refuses(1105, "Table[t] is in atomic restore state. Do not allow doing ALTER ops", "ALTER TABLE `%s`.t ADD COLUMN c INT", into)
	s.refuses(1105, "The table [t]'s state is in atomic restore, cannot be dropped. please cancel the restore operation on olap table firstly.", "DROP TABLE `%s`.t", into)
	faultstest.Release(t, c.Faults(), hold)
	s.exec("CANCEL RESTORE FROM `%s`", into)
	s.waitState("CANCELLED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, label)
	require.NotContains(t, values(s.query("SHOW CREATE TABLE `%s`.t", into), "Create Table"), "in_atomic_restore", "4.10: as it was")
	require.Equal(t, "t", values(s.query("SHOW TABLES FROM `%s`", into), "Tables_in_"+into), "4.10: the hidden table is gone")
	require.Len(t, s.query("SELECT * FROM `%s`.t", into), 2)

	before := s.tableMeta(into, "t").GetID()
	snapshot.finishes(s, into, atomically)
	require.Equal(t, "1", values(s.query("SELECT * FROM `%s`.t", into), "k"))
	require.NotEqual(t, before, s.tableMeta(into, "t").GetID())
	s.exec("DROP TABLE `%s`.t FORCE", into)
	s.refuses(1109, "Unknown table 't'", "RECOVER TABLE `%s`.t", into) // the old one was erased

	s.exec("CREATE TABLE `%s`.t (a INT) DISTRIBUTED BY HASH(a) BUCKETS 1 PROPERTIES ('replication_num' = '1')", into)
	snapshot.cancelled(s, into, "Table t already exist but with different schema", atomically)
	snapshot.finishes(s, into, forced)
	require.Equal(t, "1", values(s.query("SELECT * FROM `%s`.t", into), "k"))
	snapshot.finishes(s, into, only("t", "fresh"), atomically)
	require.Equal(t, "1", values(s.query("SELECT * FROM `%s`.fresh", into), "k"), "a missing table is created")
}

// doris-sql.md 4.9: what the commit does besides.
func TestRestoreCommit(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) { cfg.BEs = 3 })
	db := s.rangedTable()
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	s.exec("CREATE TABLE `%s`.i (k INT NOT NULL AUTO_INCREMENT, v INT, INDEX x (v) USING INVERTED) DUPLICATE KEY(k) COMMENT 'c' DISTRIBUTED BY HASH(k) BUCKETS 1 ROLLUP (r (v, k)) PROPERTIES ('replication_num' = '1')", db)
	s.exec("INSERT INTO `%s`.i (v) VALUES (1)", db)
	snapshot := newSnapshot(t, s, db)

	into := s.database()
	s.exec("CREATE TABLE `%s`.foreign_ %s", into, rangedDefinition)
	s.exec("CREATE VIEW `%s`.seen AS SELECT 1 AS one", into)
	s.exec("CREATE TABLE `%s`.t (k INT, v INT) DUPLICATE KEY(k) PARTITION BY RANGE(k) (PARTITION p1 VALUES LESS THAN ('10'), PARTITION p3 VALUES [('30'), ('40'))) DISTRIBUTED BY HASH(k) BUCKETS 2 PROPERTIES ('replication_num' = '1')", into)
	snapshot.finishes(s, into, func(r *frontendservice.TRestoreSnapshotRequest) { r.CleanPartitions = new(true) })
	require.Equal(t, "p1,p2", values(s.query("SHOW PARTITIONS FROM `%s`.t", into), "PartitionName"))
	s.exec("RECOVER PARTITION p3 FROM `%s`.t", into) // dropped things go to the recycle bin
	snapshot.finishes(s, into, func(r *frontendservice.TRestoreSnapshotRequest) { r.CleanTables = new(true) })
	require.Equal(t, "i,t", values(s.query("SHOW TABLES FROM `%s`", into), "Tables_in_"+into))
	s.exec("RECOVER TABLE `%s`.foreign_", into)

	copied := s.database()
	snapshot.finishes(s, copied, func(r *frontendservice.TRestoreSnapshotRequest) {
		r.Properties = map[string]string{"replication_num": "2"}
	})
	require.Equal(t, "2", s.query("SHOW PARTITIONS FROM `%s`.t", copied)[0]["ReplicationNum"])
	text := values(s.query("SHOW CREATE TABLE `%s`.i", copied), "Create Table")
	require.Contains(t, text, "COMMENT 'c'")
	require.Contains(t, text, `"replication_allocation" = "tag.location.default: 2"`)
	require.Len(t, s.query("DESC `%s`.i ALL", copied), 5, "rollups come along")
	s.exec("INSERT INTO `%s`.i (v) VALUES (2)", copied)
	require.Len(t, s.query("SELECT DISTINCT k FROM `%s`.i", copied), 2, "auto-increment continues")

	// An alias together with clean_tables loses the restored table: a bug of
	// every version.
	aliased := s.database()
	snapshot.finishes(s, aliased, only("t", "alias_t"), func(r *frontendservice.TRestoreSnapshotRequest) { r.CleanTables = new(true) })
	require.Empty(t, s.query("SHOW TABLES FROM `%s`", aliased))
}
