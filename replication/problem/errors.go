// Package problem has the errors of replication: which kind they are, whether trying
// again can help, and what a person can do about them.
package problem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
)

// Absent tells whether a statement was refused because what it names is not
// there.
func Absent(err error) bool {
	var refused *sqlclient.Error
	return errors.As(err, &refused) && refused.Contains("does not exist") ||
		errors.Is(err, sqlclient.ErrUnknownPartition)
}

// ErrForgotten: a commit may have been applied, and forgotten since.
var ErrForgotten = errors.New("the destination may have forgotten that it committed the transaction: it had too many others since")

// ErrStuck: the transaction has its label until the destination ends it itself
// (abandonedAfter). What it was to apply needs another label (doris-rpc.md 3.9).
var ErrStuck = errors.New("a table of the transaction was dropped on the destination, so it can be neither committed nor rolled back before its time is over")

// Refusal is a first-run check that failed: the job must not start. Its text is
// what create_ccr answers (doris-binlogs.md 4.2).
type Refusal struct {
	Text   string
	Remedy string // what a person can do about it, "" if the text says it all
	Err    error  // the cause, if there is one
}

// Error implements error: whoever gets nothing else needs the remedy, too.
func (r *Refusal) Error() string {
	if r.Remedy == "" {
		return r.Text
	}
	return r.Text + " (" + r.Remedy + ")"
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Refusef makes a refusal; a %w is its cause.
func Refusef(format string, args ...any) *Refusal {
	err := fmt.Errorf(format, args...)
	return &Refusal{Text: err.Error(), Err: errors.Unwrap(err)}
}

// metaError says that the metadata of the two sides do not fit.
type metaError struct{ text string }

func (e *metaError) Error() string { return e.text }

// MetaErrorf makes an error of kind job.KindMeta.
func MetaErrorf(format string, args ...any) error {
	return &metaError{text: fmt.Sprintf(format, args...)}
}

// WantSnapshot ends a step because a snapshot is needed.
type WantSnapshot struct{ Wanted job.SnapshotWanted }

// Error implements error.
func (w *WantSnapshot) Error() string { return "a snapshot is needed: " + w.Wanted.Reason }

// Remedied is an error that does not go away by itself, with advice.
type Remedied struct {
	err    error
	remedy string
}

// Error implements error.
func (e *Remedied) Error() string { return e.err.Error() }

// Unwrap gives the error itself.
func (e *Remedied) Unwrap() error { return e.err }

// WithRemedy marks err as one that needs a person, who should do what remedy
// says.
func WithRemedy(err error, remedy string) error { return &Remedied{err: err, remedy: remedy} }

// brokenOff matches what a frontend answers that passed a statement on to the
// master (doris-sql.md 1.2) and got no answer: it may have been carried out.
var brokenOff = regexp.MustCompile(`(?i)timed out|timeout|TTransportException|SocketException|connection (?:reset|refused|closed)`)

// Classify tells where an error came from (http-api.md 1.1) and whether trying
// again by itself can help.
func Classify(err error) (kind job.Kind, retryable bool) {
	var (
		refusal   *Refusal
		decided   *Remedied
		mismatch  *Mismatch
		metaErr   *metaError
		unmapped  *fe.UnmappedHostError
		feStatus  *fe.StatusError
		beStatus  *be.StatusError
		transport *fe.TransportError
		sqlErr    *sqlclient.Error
		network   *sqlclient.NetworkError
	)
	kind, retryable = job.KindNormal, true
	switch {
	case errors.As(err, &metaErr), errors.As(err, &mismatch):
		kind = job.KindMeta
	case errors.As(err, &beStatus), errors.Is(err, ErrBackendDown):
		kind = job.KindBE
	case errors.As(err, &feStatus):
		kind = job.KindFE
		retryable = !errors.Is(err, fe.ErrAccessDenied)
	case errors.As(err, &sqlErr):
		kind = job.KindDB
		if brokenOff.MatchString(sqlErr.Message) {
			kind = job.KindRPC
		}
	case errors.As(err, &unmapped):
		retryable = false
	case errors.As(err, &transport), errors.As(err, &network),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		kind = job.KindRPC
	}
	if errors.As(err, &refusal) || errors.As(err, &decided) || errors.Is(err, ErrOtherAttempt) || errors.Is(err, ErrForgotten) || errors.Is(err, ErrStuck) {
		retryable = false
	}
	return kind, retryable
}

// Of describes an error at a binlog for the job's status.
func Of(err error, seq int64, t binlog.Type) *job.Problem {
	kind, _ := Classify(err)
	remedy := Remedy(err)
	if remedy == "" {
		remedy = RemedyAt(seq, t)
	}
	return &job.Problem{
		Text: Text(err), Kind: kind, CommitSeq: seq, BinlogType: t,
		Since: time.Now(), Tries: 1, Remedy: remedy,
	}
}

// Text is what is told of an error: as much as a job can keep, in characters that Temporal takes.
func Text(err error) string { return status.Readable(err.Error()) }

// ErrOtherAttempt: a transaction of another attempt holds one of our labels.
var ErrOtherAttempt = errors.New("another attempt has applied or is applying a part of these binlogs")

// ErrBackendDown: the destination's frontend knows that the backend is dead.
var ErrBackendDown = errors.New("the backend is down")

// MissingTable matches the refusal of a view over a table that is not there.
var MissingTable = regexp.MustCompile(`Table \[.*\] does not exist`)
