package sql

import (
	"strconv"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// Refusals of a WHERE that these statements do not know; the texts are Doris'.
const (
	backupWhere      = `Where clause should like: SnapshotName = "your_snapshot_name",  or SnapshotName LIKE "matcher"`
	restoreWhere     = `Where clause should like: LABEL = "your_label_name",  or LABEL LIKE "matcher"`
	snapshotWhere    = `Where clause should looks like: SNAPSHOT = 'your_snapshot_name' [AND TIMESTAMP = '2018-04-18-19-19-10']`
	transactionWhere = `Where clause should looks like one of them: id = 123 or label =/like 'label' or status = 'prepare/precommitted/committed/visible/aborted'`
)

// showJobs has SHOW BACKUP, RESTORE, SNAPSHOT and TRANSACTION.
func (s *session) showJobs(c *cursor, word string) (*sqltypes.Result, error) {
	switch word {
	case "BACKUP":
		return s.showBackup(c)
	case "BRIEF":
		if c.keyword("RESTORE") {
			return s.showRestore(c, true)
		}
		return nil, c.mismatch()
	case "RESTORE":
		return s.showRestore(c, false)
	case "SNAPSHOT":
		return s.showSnapshot(c)
	default:
		return s.showTransaction(c)
	}
}

// condition is column = 'value' or column LIKE 'pattern'.
type condition struct {
	column, value string
	like          bool
}

// matches tells whether the text satisfies the condition; no condition is
// satisfied by everything.
func (w *condition) matches(text string) bool {
	switch {
	case w == nil:
		return true
	case w.like:
		return like(text, w.value, false)
	}
	return text == w.value
}

// where consumes WHERE column =|LIKE value; nil if there is none. A condition on
// another column, or of another form, is refused with that text.
func where(c *cursor, refusal string, columns ...string) (*condition, error) {
	if !c.keyword("WHERE") {
		return nil, c.finish()
	}
	name, err := c.ident()
	if err != nil {
		return nil, core.Errorf("%s", refusal)
	}
	w := &condition{}
	for _, known := range columns {
		if strings.EqualFold(name, known) {
			w.column = known
		}
	}
	switch {
	case c.symbol("="):
	case c.keyword("LIKE"):
		w.like = true
	default:
		return nil, core.Errorf("%s", refusal)
	}
	t := c.next()
	w.value = t.Text
	if w.column == "" || t.Kind != parser.String && t.Kind != parser.Number || c.finish() != nil || w.value == "" {
		return nil, core.Errorf("%s", refusal)
	}
	return w, nil
}

// jobsOf reads FROM db and WHERE of SHOW BACKUP and SHOW RESTORE, for who may see
// the jobs.
func (s *session) jobsOf(c *cursor, refusal, column string) (database string, w *condition, err error) {
	if database, err = s.fromDatabase(c); err != nil {
		return "", nil, err
	}
	if err := s.needDatabase(core.LoadPriv, database); err != nil {
		return "", nil, err
	}
	w, err = where(c, refusal, column)
	return database, w, err
}

// showBackup is doris-sql.md 2.8.
func (s *session) showBackup(c *cursor) (*sqltypes.Result, error) {
	database, w, err := s.jobsOf(c, backupWhere, "SnapshotName")
	if err != nil {
		return nil, err
	}
	l := newListing("JobId", "SnapshotName", "DbName", "State", "BackupObjs", "CreateTime", "SnapshotFinishedTime",
		"UploadFinishedTime", "FinishedTime", "UnfinishedTasks", "Progress", "TaskErrMsg", "Status", "Timeout")
	for _, j := range s.server.cfg.Backup.BackupJobs(database) {
		if w.matches(j.SnapshotName) {
			l.add(j.JobID, j.SnapshotName, j.DbName, j.State, j.BackupObjs, j.CreateTime, j.SnapshotFinishedTime,
				j.UploadFinishedTime, j.FinishedTime, j.UnfinishedTasks, j.Progress, j.TaskErrMsg, j.Status, j.Timeout)
		}
	}
	return l.result(), nil
}

// showRestore is doris-sql.md 2.9; the brief form leaves three columns out.
func (s *session) showRestore(c *cursor, brief bool) (*sqltypes.Result, error) {
	database, w, err := s.jobsOf(c, restoreWhere, "Label")
	if err != nil {
		return nil, err
	}
	l := newListing("JobId", "Label", "Timestamp", "DbName", "State", "AllowLoad", "ReplicationNum", "ReplicaAllocation",
		"ReserveReplica", "ReserveDynamicPartitionEnable", "RestoreObjs", "CreateTime", "MetaPreparedTime",
		"SnapshotFinishedTime", "DownloadFinishedTime", "FinishedTime", "UnfinishedTasks", "Progress", "TaskErrMsg", "Status", "Timeout")
	for _, j := range s.server.cfg.Backup.RestoreJobs(database) {
		if w.matches(j.Label) {
			addRestore(l, j)
		}
	}
	if brief {
		l = l.project("JobId", "Label", "Timestamp", "DbName", "State", "AllowLoad", "ReplicationNum", "ReplicaAllocation",
			"ReserveReplica", "ReserveDynamicPartitionEnable", "CreateTime", "MetaPreparedTime", "SnapshotFinishedTime",
			"DownloadFinishedTime", "FinishedTime", "UnfinishedTasks", "Status", "Timeout")
	}
	return l.result(), nil
}

func addRestore(l *listing, j backup.RestoreJob) {
	l.add(j.JobID, j.Label, j.Timestamp, j.DbName, j.State, j.AllowLoad, j.ReplicationNum, j.ReplicaAllocation,
		j.ReserveReplica, j.ReserveDynamicPartitionEnable, j.RestoreObjs, j.CreateTime, j.MetaPreparedTime,
		j.SnapshotFinishedTime, j.DownloadFinishedTime, j.FinishedTime, j.UnfinishedTasks, j.Progress, j.TaskErrMsg, j.Status, j.Timeout)
}

// showSnapshot is doris-sql.md 2.10: there are no repositories, so nothing is in
// them; the local one is not listed by this statement.
func (s *session) showSnapshot(c *cursor) (*sqltypes.Result, error) {
	if !c.keyword("ON") {
		return nil, c.mismatch()
	}
	if err := s.needGlobal(core.AdminPriv, core.AdminPriv.String()); err != nil {
		return nil, err
	}
	repository, err := c.ident()
	if err != nil {
		return nil, err
	}
	if _, err := where(c, snapshotWhere, "SNAPSHOT", "SNAPSHOTTYPE"); err != nil {
		return nil, err
	}
	if repository != backup.LocalRepository || s.server.core.Version() != core.VersionNew {
		return nil, core.Errorf("Repository %s does not exist", repository)
	}
	return newListing("Snapshot", "Timestamp", "Status").result(), nil
}

// showTransaction is doris-sql.md 2.13.
func (s *session) showTransaction(c *cursor) (*sqltypes.Result, error) {
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	if err := s.needTransactions(database); err != nil {
		return nil, err
	}
	w, err := where(c, transactionWhere, "id", "label", "status")
	if err != nil {
		return nil, err
	}
	if w == nil {
		return nil, core.Errorf("%s", transactionWhere)
	}
	txns, err := s.transactions(database, w)
	if err != nil {
		return nil, err
	}
	l := newListing("TransactionId", "Label", "Coordinator", "TransactionStatus", "LoadJobSourceType", "PrepareTime", "PreCommitTime",
		"CommitTime", "PublishTime", "FinishTime", "Reason", "ErrorReplicasCount", "ListenerId", "TimeoutMs", "ErrMsg")
	for _, t := range txns {
		l.add(t.ID, t.Label, t.Coordinator.String(), string(t.State), t.Source, t.PrepareTime, nil,
			t.CommitTime, t.PublishTime, t.FinishTime, t.Reason, t.ErrorReplicas, -1, t.Timeout.Milliseconds(), t.ErrMsg)
	}
	return l.result(), nil
}

// needTransactions: since April 2024 only administrators may see transactions
// (doris-sql.md 2.13); 2.1 is older.
func (s *session) needTransactions(database string) error {
	if s.server.core.Version() == core.Version21 {
		return s.needDatabase(core.LoadPriv, database)
	}
	return s.needGlobal(core.AdminPriv, core.AdminPriv.String())
}

func (s *session) transactions(database string, w *condition) ([]core.Txn, error) {
	s.server.core.RLock()
	db, ok := s.server.core.Database(database)
	s.server.core.RUnlock()
	if !ok {
		return nil, errUnknownDatabase(database)
	}
	if w.column == "id" {
		id, err := strconv.ParseInt(w.value, 10, 64)
		if err != nil || w.like {
			return nil, core.Errorf("%s", transactionWhere)
		}
		t, ok := s.server.core.Txn(db.ID, id)
		if !ok {
			return nil, core.Errorf("transaction with id %d does not exist", id)
		}
		return []core.Txn{t}, nil
	}
	if w.column == "label" && !w.like {
		t, ok := s.server.core.TxnByLabel(db.ID, w.value)
		if !ok {
			return nil, core.Errorf("transaction with label %s does not exist", w.value)
		}
		return []core.Txn{t}, nil
	}
	var list []core.Txn
	for _, t := range s.server.core.Txns(db.ID) {
		if w.column == "label" && w.matches(t.Label) || w.column == "status" && strings.EqualFold(string(t.State), w.value) {
			list = append(list, t)
		}
	}
	return list, nil
}
