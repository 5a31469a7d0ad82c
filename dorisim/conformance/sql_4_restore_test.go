package conformance

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

func TestOnlyTenJobsAreRemembered(t *testing.T) {
	s := source(t)
	db := s.database()
	s.table(db, "t", 1)
	for i := range 12 {
		s.exec("BACKUP SNAPSHOT `%s`.`%s_l%d` TO `__keep_on_local__` ON (t)", db, db, i)
		s.waitState("FINISHED", "SHOW BACKUP FROM `%s` WHERE SnapshotName = \"%s_l%d\"", db, db, i)
	}
	rows := s.query("SHOW BACKUP FROM `%s`", db)
	require.Len(t, rows, 10)
	require.Equal(t, db+"_l2", rows[0]["SnapshotName"])
	require.Empty(t, s.query("SHOW BACKUP FROM `%s` WHERE SnapshotName = \"%s_l0\"", db, db))
}

func TestCancelInEachState(t *testing.T) {
	c, s := private(t)
	db := s.database()
	s.table(db, "t", 1)
	s.exec("INSERT INTO `%s`.t VALUES (1, 1)", db)
	label := s.backup(db)
	snapshot := s.getSnapshot(db, label, false)
	into := s.database()
	for i, state := range []string{"PENDING", "CREATING", "SNAPSHOTING", "DOWNLOAD", "DOWNLOADING", "COMMIT"} {
		hold, err := c.Faults().Add(faults.Rule{Point: "restore." + state, Action: faults.Delay, DelayMillis: 3600_000})
		require.NoError(t, err)
		name := fmt.Sprintf("%s_r%d", into, i)
		info := decodeJobInfo(t, snapshot.GetJobInfo())
		info["extra_info"] = s.extraInfo()
		requireOK(t, s.restore(restoreRequest(t, into, name, snapshot.GetMeta(), info)))
		s.waitState(state, "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, name)
		faultstest.Await(t, c.Faults(), hold)
		s.refuses(5064, "Can only run one backup or restore job of a database at same time", "BACKUP SNAPSHOT `%s`.`%s_b` TO `__keep_on_local__`", into, name)
		s.exec("CANCEL RESTORE FROM `%s`", into)
		require.True(t, c.Faults().Remove(hold))
		cancelled := s.waitState("CANCELLED", "SHOW RESTORE FROM `%s` WHERE Label = \"%s\"", into, name)
		require.Contains(t, cancelled["Status"], "user cancelled, current state: "+state)
		require.Empty(t, s.query("SHOW TABLES FROM `%s`", into), state)
	}
	s.refuses(5064, "can not be cancelled. state: CANCELLED", "CANCEL RESTORE FROM `%s`", into)
}

func TestTemporaryPartitionsInBackup(t *testing.T) {
	c, s := private(t)
	db := s.rangedTable()
	s.exec("ALTER TABLE `%s`.t ADD TEMPORARY PARTITION tp VALUES [('10'), ('20'))", db)
	s.refuses(5064, "Do not support backup table t with temp partitions", "BACKUP SNAPSHOT `%s`.l1 TO `__keep_on_local__`", db)
	s.exec("ADMIN SET FRONTEND CONFIG ('ignore_backup_tmp_partitions' = 'true')")
	s.exec("BACKUP SNAPSHOT `%s`.l2 TO `__keep_on_local__`", db)
	s.waitState("FINISHED", "SHOW BACKUP FROM `%s`", db)
	snapshot := s.getSnapshot(db, "l2", false)
	require.NotContains(t, string(snapshot.GetJobInfo()), `"tp"`)
	c.AdvanceClock(25 * time.Hour)
	require.Equal(t, status.TStatusCode_SNAPSHOT_EXPIRED, s.getSnapshot(db, "l2", false).Status.StatusCode)
}

func TestRestoreStatement(t *testing.T) {
	s := source(t)
	db := s.database()
	s.refuses(1105, "restore from the local repo via SQL call is not supported",
		"RESTORE SNAPSHOT `%s`.`l` FROM `__keep_on_local__` PROPERTIES (\"backup_timestamp\" = \"2024-11-12-10-03-11\")", db)
	s.refuses(1105, "Repository nowhere does not exist", "RESTORE SNAPSHOT `%s`.l FROM `nowhere` ON (`t` AS `alias`)", db)
}

func TestViewComment(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.exec("CREATE VIEW `%s`.v (a) AS SELECT k FROM `%s`.t", db, db)
	s.exec("ALTER VIEW `%s`.v MODIFY COMMENT \"it's\"", db)
	record := s.payload(db, binlog.TypeModifyViewDef)
	require.Equal(t, "", record["inlineViewDef"])
	require.Equal(t, "it's", record["comment"])
}
