package fe

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// Code is Doris' TStatusCode; package status has its names.
type Code = status.Code

// TransportError is a call without an answer. Unless Sent is false its outcome
// is unknown.
type TransportError = thriftpool.Error

// ErrTooLarge: an answer is larger than this client accepts. It comes in a
// TransportError, after one attempt.
var ErrTooLarge = thriftpool.ErrTooLarge

// ErrUnknownMethod: the server is too old for the method.
var ErrUnknownMethod = thriftpool.ErrUnknownMethod

// StatusError is a definite refusal by the frontend. Use errors.Is with the
// sentinels below to tell what was refused.
type StatusError status.Error

// Text returns the server's messages in one line.
func (e *StatusError) Text() string { return e.plain().Text() }

// Error implements error. It has the server's text unchanged.
func (e *StatusError) Error() string { return e.plain().Error() }

func (e *StatusError) plain() *status.Error { return (*status.Error)(e) }

// What a frontend may refuse, for errors.Is.
var (
	ErrNotMaster        = errors.New("the frontend is not the master")
	ErrAccessDenied     = errors.New("access denied")
	ErrDatabaseNotFound = errors.New("database not found")
	ErrTableNotFound    = errors.New("table not found")
	// ErrBinlogNotFound: nothing was ever recorded, or binlogs are disabled.
	ErrBinlogNotFound = errors.New("no binlog of this database or table")
	// ErrTxnNotFound is also what rollbackTxn says of a transaction that is
	// VISIBLE or ABORTED (doris-rpc.md 3.9).
	ErrTxnNotFound  = errors.New("transaction not found")
	ErrTxnCommitted = errors.New("transaction is already committed")
	ErrTxnVisible   = errors.New("transaction is already visible")
	ErrTxnAborted   = errors.New("transaction is already aborted")
	// ErrTxnPending: waitingTxnStatus ran out of time, the transaction is still
	// on its way.
	ErrTxnPending = errors.New("transaction is not finished yet")
	// ErrTooManyTxns: the database's limit of running transactions is reached.
	ErrTooManyTxns = errors.New("too many running transactions")
	// ErrQuorum: too few replicas of a tablet have the data of the transaction.
	ErrQuorum = errors.New("too few replicas have the transaction")
	// ErrRestoring: the table is being restored and takes no load.
	ErrRestoring = errors.New("the table is being restored")
	// ErrLocked: the server could not lock the tables in time.
	ErrLocked           = errors.New("table lock not obtained")
	ErrSnapshotNotExist = errors.New("snapshot does not exist")
	ErrSnapshotExpired  = errors.New("snapshot has expired")
	// ErrRestoreBusy: another backup or restore job of the database is running.
	ErrRestoreBusy = errors.New("another backup or restore job is running")

	// ErrIncomplete: the answer lacks what it must have; see architecture.md 3.
	ErrIncomplete = errors.New("the frontend's answer is incomplete")
)

var txnNotFound = regexp.MustCompile(`transaction \[\d+\] not found`)

// refusals says which code or which part of the text means what. The texts are
// Doris' own (doris-rpc.md 3).
var refusals = map[error]struct {
	codes   []Code
	parts   []string
	pattern *regexp.Regexp
}{
	ErrNotMaster:        {codes: []Code{status.NotMaster}},
	ErrAccessDenied:     {codes: []Code{status.NotAuthorized}, parts: []string{"Access denied"}},
	ErrDatabaseNotFound: {parts: []string{"unknown database", "can't find db named"}},
	ErrTableNotFound:    {parts: []string{"can't find table id:", "table not found", "unknown table"}},
	ErrBinlogNotFound:   {codes: []Code{status.BinlogDisable, status.BinlogNotFoundDB, status.BinlogNotFoundTable}},
	ErrTxnNotFound:      {parts: []string{"transaction not found", "txn does not exist"}, pattern: txnNotFound},
	ErrTxnCommitted:     {parts: []string{"is already COMMITTED"}},
	ErrTxnVisible:       {parts: []string{"is already VISIBLE"}},
	ErrTxnAborted:       {parts: []string{"is already aborted"}},
	ErrTxnPending:       {codes: []Code{status.Incomplete}},
	ErrTooManyTxns:      {parts: []string{"current running txns on db"}},
	ErrQuorum:           {parts: []string{"< load required replica num"}},
	ErrRestoring:        {parts: []string{"is in restore process"}},
	ErrLocked:           {codes: []Code{status.ObtainLockFailed}, parts: []string{"write lock timeout"}},
	ErrSnapshotNotExist: {codes: []Code{status.SnapshotNotExist}},
	ErrSnapshotExpired:  {codes: []Code{status.SnapshotExpired}},
	ErrRestoreBusy: {parts: []string{"Can only run one backup or restore job",
		"Another backup or restore job is being submitted"}},
}

// Is implements errors.Is for the sentinels of this package.
func (e *StatusError) Is(target error) bool {
	r, ok := refusals[target]
	if !ok {
		return false
	}
	if slices.Contains(r.codes, e.Code) {
		return true
	}
	text := e.Text()
	for _, part := range r.parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return r.pattern != nil && r.pattern.MatchString(text)
}

// LabelExistsError: the label belongs to a transaction that was not aborted.
type LabelExistsError struct {
	Label string
	// TxnID of the label's transaction, 0 if the server does not tell.
	TxnID int64
	// JobStatus is RUNNING, PRECOMMITTED or FINISHED.
	JobStatus string
	// TxnStatus is PREPARE, PRECOMMITTED, COMMITTED or VISIBLE, "" if the
	// server does not tell.
	TxnStatus string
	Err       *StatusError
}

// The values of LabelExistsError.JobStatus.
const (
	JobRunning      = "RUNNING"
	JobPrecommitted = "PRECOMMITTED"
	JobFinished     = "FINISHED"
)

// Error implements error.
func (e *LabelExistsError) Error() string {
	return fmt.Sprintf("label %s is used by transaction %d (%s): %v", e.Label, e.TxnID, e.JobStatus, e.Err)
}

// Unwrap gives the server's refusal.
func (e *LabelExistsError) Unwrap() error { return e.Err }

var labelOwner = regexp.MustCompile(`relate to txn \[(\d+)\], status \[(\w+)\]`)

func newLabelExists(label, jobStatus string, txnID int64, refusal *StatusError) *LabelExistsError {
	e := &LabelExistsError{Label: label, TxnID: txnID, JobStatus: jobStatus, Err: refusal}
	if m := labelOwner.FindStringSubmatch(refusal.Text()); m != nil {
		if id, err := strconv.ParseInt(m[1], 10, 64); err == nil {
			e.TxnID = id
		}
		e.TxnStatus = m[2]
	}
	return e
}

// incomplete says what an answer lacks.
func incomplete(method, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", method, fmt.Sprintf(format, args...), ErrIncomplete)
}

// missingDatabaseError is getMeta's "OK and nothing" (doris-rpc.md 10.4).
type missingDatabaseError struct {
	id   int64
	name string
}

func (e *missingDatabaseError) Error() string {
	return fmt.Sprintf("getMeta: database %q (id %d) does not exist", e.name, e.id)
}

func (e *missingDatabaseError) Unwrap() error { return ErrDatabaseNotFound }
