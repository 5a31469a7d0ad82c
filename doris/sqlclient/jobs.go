package sqlclient

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The states of backup and restore jobs that end them; others mean that the job
// is running (doris-sql.md 2.8, 2.9).
const (
	JobPending   = "PENDING"
	JobFinished  = "FINISHED"
	JobCancelled = "CANCELLED"
)

// BackupJob is a row of SHOW BACKUP.
type BackupJob struct {
	ID         int64
	Name       string // of the snapshot
	Database   string
	State      string
	Objects    string // e.g. [db.t1], [db.t2]
	CreateTime string // as printed, in the server's time zone
	Progress   string
	Unfinished string
	TaskErrors string
	Status     string // [OK] or [CODE, msg: text]
}

// BackupJobs returns the remembered backups of a database whose names begin with
// the prefix, oldest first. Only the last 10 backups and restores are remembered.
func (c *Client) BackupJobs(ctx context.Context, db, prefix string) ([]BackupJob, error) {
	return c.backups(ctx, db, "LIKE "+QuoteString(prefix+"%"), func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// BackupJob returns the backup of this name; ok is false if none is remembered.
func (c *Client) BackupJob(ctx context.Context, db, name string) (job BackupJob, ok bool, err error) {
	jobs, err := c.backups(ctx, db, "= "+QuoteString(name), func(n string) bool { return n == name })
	if err != nil || len(jobs) == 0 {
		return BackupJob{}, false, err
	}
	return jobs[len(jobs)-1], true, nil
}

func (c *Client) backups(ctx context.Context, db, condition string, wanted func(name string) bool) ([]BackupJob, error) {
	rows, err := c.Query(ctx, "SHOW BACKUP FROM "+Quote(db)+" WHERE SnapshotName "+condition)
	if err != nil {
		return nil, err
	}
	var jobs []BackupJob
	for _, row := range rows {
		if !wanted(row.Get("SnapshotName")) {
			continue
		}
		jobs = append(jobs, BackupJob{
			ID: row.Int("JobId"), Name: row.Get("SnapshotName"), Database: row.Get("DbName"), State: row.Get("State"),
			Objects: row.Get("BackupObjs"), CreateTime: row.Get("CreateTime"), Progress: row.Get("Progress"),
			Unfinished: row.Get("UnfinishedTasks"), TaskErrors: row.Get("TaskErrMsg"), Status: row.Get("Status"),
		})
	}
	return jobs, nil
}

// RestoreJob is a row of SHOW RESTORE.
type RestoreJob struct {
	ID         int64
	Label      string
	Database   string
	State      string
	Objects    string // JSON, with the names on the source
	CreateTime string // as printed, in the server's time zone
	Progress   string
	Unfinished string
	TaskErrors string
	Status     string // [OK] or [CODE, msg: text]
}

// RestoreJobs returns the remembered restores into a database whose labels begin
// with the prefix, oldest first.
func (c *Client) RestoreJobs(ctx context.Context, db, prefix string) ([]RestoreJob, error) {
	return c.restores(ctx, db, "LIKE "+QuoteString(prefix+"%"), func(label string) bool { return strings.HasPrefix(label, prefix) })
}

// RestoreJob returns the restore of this label; ok is false if none is
// remembered.
func (c *Client) RestoreJob(ctx context.Context, db, label string) (job RestoreJob, ok bool, err error) {
	jobs, err := c.restores(ctx, db, "= "+QuoteString(label), func(l string) bool { return l == label })
	if err != nil || len(jobs) == 0 {
		return RestoreJob{}, false, err
	}
	return jobs[len(jobs)-1], true, nil
}

func (c *Client) restores(ctx context.Context, db, condition string, wanted func(label string) bool) ([]RestoreJob, error) {
	rows, err := c.Query(ctx, "SHOW RESTORE FROM "+Quote(db)+" WHERE Label "+condition)
	if err != nil {
		return nil, err
	}
	var jobs []RestoreJob
	for _, row := range rows {
		if !wanted(row.Get("Label")) {
			continue
		}
		jobs = append(jobs, RestoreJob{
			ID: row.Int("JobId"), Label: row.Get("Label"), Database: row.Get("DbName"), State: row.Get("State"),
			Objects: row.Get("RestoreObjs"), CreateTime: row.Get("CreateTime"), Progress: row.Get("Progress"),
			Unfinished: row.Get("UnfinishedTasks"), TaskErrors: row.Get("TaskErrMsg"), Status: row.Get("Status"),
		})
	}
	return jobs, nil
}

// CancelBackup cancels the database's running backup, whosever it is. ErrNoJob
// if there is none.
func (c *Client) CancelBackup(ctx context.Context, db string) error {
	return c.Exec(ctx, "CANCEL BACKUP FROM "+Quote(db))
}

// CancelRestore cancels the database's running restore, whosever it is. ErrNoJob
// if there is none.
func (c *Client) CancelRestore(ctx context.Context, db string) error {
	return c.Exec(ctx, "CANCEL RESTORE FROM "+Quote(db))
}

// Transaction is a row of SHOW TRANSACTION (doris-sql.md 2.13).
type Transaction struct {
	ID     int64
	Label  string
	Status string // PREPARE, COMMITTED, VISIBLE, ABORTED, PRECOMMITTED or UNKNOWN
	Reason string
}

// The states of a Transaction.
const (
	TxnPrepare      = "PREPARE"
	TxnPrecommitted = "PRECOMMITTED"
	TxnCommitted    = "COMMITTED"
	TxnVisible      = "VISIBLE"
	TxnAborted      = "ABORTED"
)

// Transactions returns what the database remembers of transactions whose labels
// begin with the prefix.
func (c *Client) Transactions(ctx context.Context, db, labelPrefix string) ([]Transaction, error) {
	all, err := c.transactions(ctx, db, "label LIKE "+QuoteString(labelPrefix+"%"))
	if errors.Is(err, ErrNotExist) && !errors.Is(err, ErrUnknownDatabase) {
		return nil, nil
	}
	var txns []Transaction
	for _, t := range all {
		if strings.HasPrefix(t.Label, labelPrefix) {
			txns = append(txns, t)
		}
	}
	return txns, err
}

// CommittedTransactions returns the transactions of the database that are committed
// and not visible yet, and whose labels begin with the prefix. A frontend looks for them
// among the unfinished ones only, however many finished ones it remembers
// (doris-sql.md 2.13).
func (c *Client) CommittedTransactions(ctx context.Context, db, labelPrefix string) ([]Transaction, error) {
	all, err := c.transactions(ctx, db, "status = "+QuoteString(strings.ToLower(TxnCommitted)))
	if err != nil {
		return nil, err
	}
	var txns []Transaction
	for _, t := range all {
		if t.Status == TxnCommitted && strings.HasPrefix(t.Label, labelPrefix) {
			txns = append(txns, t)
		}
	}
	return txns, nil
}

// TransactionByID returns a transaction. ErrNotExist: the database does not know
// it, or has forgotten it.
func (c *Client) TransactionByID(ctx context.Context, db string, id int64) (Transaction, error) {
	txns, err := c.transactions(ctx, db, "id = "+strconv.FormatInt(id, 10))
	if err != nil {
		return Transaction{}, err
	}
	for _, t := range txns {
		if t.ID == id {
			return t, nil
		}
	}
	return Transaction{}, fmt.Errorf("transaction %d of %s: %w", id, db, ErrNotExist)
}

// TransactionByLabel returns the newest transaction with exactly this label.
// ErrNotExist: there is none, or it is forgotten.
func (c *Client) TransactionByLabel(ctx context.Context, db, label string) (Transaction, error) {
	txns, err := c.transactions(ctx, db, "label = "+QuoteString(label))
	if err != nil {
		return Transaction{}, err
	}
	var newest Transaction
	for _, t := range txns {
		if t.Label == label && t.ID > newest.ID {
			newest = t
		}
	}
	if newest.ID == 0 {
		return Transaction{}, fmt.Errorf("transaction with label %s of %s: %w", label, db, ErrNotExist)
	}
	return newest, nil
}

func (c *Client) transactions(ctx context.Context, db, condition string) ([]Transaction, error) {
	statement := "SHOW TRANSACTION FROM " + Quote(db) + " WHERE " + condition
	rows, err := c.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	txns := make([]Transaction, 0, len(rows))
	for _, row := range rows {
		t := Transaction{
			ID: row.Int("TransactionId"), Label: row.Get("Label"),
			Status: row.Get("TransactionStatus"), Reason: row.Get("Reason"),
		}
		if t.ID == 0 || t.Status == "" {
			return nil, fmt.Errorf("%s: a transaction has no id or status: %w", statement, ErrIncomplete)
		}
		txns = append(txns, t)
	}
	return txns, nil
}
