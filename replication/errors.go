package replication

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
	"github.com/doris-ccr/ccr/job"
)

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

func refusef(format string, args ...any) *Refusal {
	err := fmt.Errorf(format, args...)
	return &Refusal{Text: err.Error(), Err: errors.Unwrap(err)}
}

// metaError says that the metadata of the two sides do not fit.
type metaError struct{ text string }

func (e *metaError) Error() string { return e.text }

func metaErrorf(format string, args ...any) error {
	return &metaError{text: fmt.Sprintf(format, args...)}
}

// wantSnapshot ends a step because a snapshot is needed.
type wantSnapshot struct{ wanted job.SnapshotWanted }

func (w *wantSnapshot) Error() string { return "a snapshot is needed: " + w.wanted.Reason }

// remedied is an error that does not go away by itself, with advice.
type remedied struct {
	err    error
	remedy string
}

func (e *remedied) Error() string { return e.err.Error() }
func (e *remedied) Unwrap() error { return e.err }

// withRemedy marks err as one that needs a person, who should do what remedy
// says.
func withRemedy(err error, remedy string) error { return &remedied{err: err, remedy: remedy} }

// brokenOff matches what a frontend answers that passed a statement on to the
// master (doris-sql.md 1.2) and got no answer: it may have been carried out.
var brokenOff = regexp.MustCompile(`(?i)timed out|timeout|TTransportException|SocketException|connection (?:reset|refused|closed)`)

// Classify tells where an error came from (http-api.md 1.1) and whether trying
// again by itself can help.
func Classify(err error) (kind job.Kind, retryable bool) {
	var (
		refusal   *Refusal
		decided   *remedied
		mismatch  *mismatch
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
	case errors.As(err, &beStatus), errors.Is(err, errBackendDown):
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
	if errors.As(err, &refusal) || errors.As(err, &decided) || errors.Is(err, errForeign) || errors.Is(err, errForgotten) || errors.Is(err, errStuck) {
		retryable = false
	}
	return kind, retryable
}

// problemOf describes an error at a binlog for the job's status.
func problemOf(err error, seq int64, t binlog.Type) *job.Problem {
	kind, _ := Classify(err)
	remedy := Remedy(err)
	if remedy == "" {
		remedy = remedyAt(seq, t)
	}
	return &job.Problem{
		Text: err.Error(), Kind: kind, CommitSeq: seq, BinlogType: t,
		Since: time.Now(), Tries: 1, Remedy: remedy,
	}
}
