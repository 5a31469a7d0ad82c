package sqlclient

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/doris-ccr/ccr/doris/status"
)

// maxStatement bounds how much of a statement an error shows, in bytes.
const maxStatement = 2 << 10

// Error is a statement that the server refused. Use errors.Is with the
// sentinels below to tell why.
type Error struct {
	Code      uint16
	Message   string // the server's text, as status.Readable leaves it
	Statement string
	Host      string
	err       *mysql.MySQLError
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: Error %d: %s (statement: %s)", e.Host, e.Code, e.Message, shorten(e.Statement))
}

// Unwrap gives the driver's error.
func (e *Error) Unwrap() error { return e.err }

// Contains tells whether the server's text has the part.
func (e *Error) Contains(part string) bool { return strings.Contains(e.Message, part) }

// NetworkError is a statement that got no answer.
type NetworkError struct {
	// Sent tells whether the statement may have been executed.
	Sent      bool
	Statement string
	Host      string
	Err       error
}

// Error implements error.
func (e *NetworkError) Error() string {
	outcome := "not sent"
	if e.Sent {
		outcome = "no answer, outcome unknown"
	}
	return fmt.Sprintf("%s: %s: %v (statement: %s)", e.Host, outcome, e.Err, shorten(e.Statement))
}

// Unwrap gives the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

func shorten(statement string) string {
	if len(statement) <= maxStatement {
		return statement
	}
	return strings.ToValidUTF8(statement[:maxStatement], "") + "..."
}

// What a server may refuse, for errors.Is.
var (
	ErrAccessDenied     = errors.New("access denied")
	ErrUnknownDatabase  = errors.New("unknown database")
	ErrUnknownTable     = errors.New("unknown table")
	ErrUnknownColumn    = errors.New("unknown column")
	ErrUnknownPartition = errors.New("unknown partition")
	// ErrNotExist: what a statement names is not there (a transaction, a rollup,
	// a column, ...).
	ErrNotExist      = errors.New("does not exist")
	ErrAlreadyExists = errors.New("already exists")
	// ErrNotTable: it is a view.
	ErrNotTable = errors.New("not a table")
	// ErrJobRunning: another backup or restore job of the database is running.
	ErrJobRunning = errors.New("another backup or restore job is running")
	// ErrNoJob: there is no job to cancel, or the last one has ended.
	ErrNoJob = errors.New("no backup or restore job is running")
)

var refusals = map[error]struct {
	codes []uint16
	parts []string
}{
	ErrAccessDenied:     {codes: []uint16{1044, 1045, 1142, 1227}, parts: []string{"Access denied"}},
	ErrUnknownDatabase:  {codes: []uint16{1049}, parts: []string{"Unknown database", "unknown database"}},
	ErrUnknownTable:     {codes: []uint16{1051, 1109, 1146}, parts: []string{"Unknown table", "unknown table", "table not found"}},
	ErrUnknownColumn:    {codes: []uint16{1054}, parts: []string{"Unknown column"}},
	ErrUnknownPartition: {parts: []string{"Unknown partition"}},
	ErrNotExist:         {parts: []string{"does not exist", "doesn't exist", "not exist"}},
	ErrAlreadyExists:    {codes: []uint16{1007, 1050, 1060, 1517}, parts: []string{"already exist"}},
	ErrNotTable:         {codes: []uint16{1347}, parts: []string{"is not TABLE"}},
	ErrJobRunning:       {parts: []string{"Can only run one backup or restore job", "Another backup or restore job is being submitted"}},
	ErrNoJob: {parts: []string{"No backup job is currently running", "No restore is currently running",
		"can not be cancelled. state: FINISHED", "can not be cancelled. state: CANCELLED"}},
}

// Is implements errors.Is for the sentinels of this package.
func (e *Error) Is(target error) bool {
	r, ok := refusals[target]
	if !ok {
		return false
	}
	return slices.Contains(r.codes, e.Code) || slices.ContainsFunc(r.parts, e.Contains)
}

// ErrIncomplete: the answer lacks what it must have; see architecture.md 3.
var ErrIncomplete = errors.New("the frontend's answer is incomplete")

// networkParts are the texts that count as network errors even if the server
// sends them: a follower that cannot reach the master (doris-sql.md 1.1).
var networkParts = []string{
	"timeout awaiting response headers", "connection refused", "connection reset by peer",
	"connection timeouted", "i/o timeout",
}

// replyError turns a driver's error into one of ours. sent says whether the statement
// may have reached the server.
func replyError(ep Endpoint, statement string, sent bool, err error) error {
	if err == nil {
		return nil
	}
	var refusal *mysql.MySQLError
	if errors.As(err, &refusal) {
		refusal = &mysql.MySQLError{Number: refusal.Number, SQLState: refusal.SQLState, Message: status.Readable(refusal.Message)}
		err = refusal
		for _, part := range networkParts {
			if strings.Contains(refusal.Message, part) {
				return &NetworkError{Sent: sent, Statement: statement, Host: ep.String(), Err: err}
			}
		}
		return &Error{Code: refusal.Number, Message: refusal.Message, Statement: statement, Host: ep.String(), err: refusal}
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		err = ErrNoTLS
	}
	return &NetworkError{Sent: sent, Statement: statement, Host: ep.String(), Err: err}
}

// ErrNoTLS: TLS is asked for, and the frontend speaks none (doris-sql.md 1.2).
var ErrNoTLS = errors.New("the frontend's MySQL port speaks no TLS, and --doris-tls, or tls of this side of the job, asks for it: set enable_ssl = true in its fe.conf")
