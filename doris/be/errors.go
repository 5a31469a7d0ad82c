package be

import (
	"errors"
	"fmt"
	"strings"

	"github.com/doris-ccr/ccr/doris/status"
	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
	"github.com/doris-ccr/ccr/doris/thriftpool"
)

// TransportError is a call without an answer. An ingest may simply be repeated:
// it is idempotent.
type TransportError = thriftpool.Error

// StatusError is a definite refusal by the backend.
type StatusError status.Error

// Text returns the server's messages in one line.
func (e *StatusError) Text() string { return (*status.Error)(e).Text() }

// Error implements error. It has the server's text unchanged.
func (e *StatusError) Error() string { return (*status.Error)(e).Error() }

// What a backend may refuse, for errors.Is.
var (
	// ErrTabletMissing: the destination backend has no such tablet.
	ErrTabletMissing = errors.New("the backend has no such tablet")
	// ErrHTTP: the download from the source backend failed; another replica may
	// have the rows.
	ErrHTTP = errors.New("download from the source backend failed")
	// ErrBinlogDisabled: enable_feature_binlog is off on the backend.
	ErrBinlogDisabled = errors.New("binlogs are disabled on the backend")
	// ErrIngestFailed: an asynchronous ingest failed; the backend gives no
	// reason.
	ErrIngestFailed = errors.New("ingest failed on the backend")
	// ErrIngestForgotten: the backend does not know the asynchronous ingest it
	// had accepted, e.g. because it was restarted.
	ErrIngestForgotten = errors.New("the backend has forgotten the ingest")
	// ErrIncomplete: the answer lacks what it must have.
	ErrIncomplete = errors.New("the backend's answer is incomplete")
)

// Is implements errors.Is for the sentinels of this package.
func (e *StatusError) Is(target error) bool {
	switch target {
	case ErrTabletMissing:
		return e.Code == status.TabletMissing
	case ErrHTTP:
		return e.Code == status.HTTPError
	case ErrBinlogDisabled:
		return strings.Contains(e.Text(), "enable feature binlog is false")
	}
	return false
}

// transport makes sure that a call without a usable answer is a *TransportError.
func transport(method string, addr Endpoint, err error) error {
	var lost *TransportError
	if errors.As(err, &lost) || errors.Is(err, thriftpool.ErrUnknownMethod) {
		return err
	}
	return &TransportError{Method: method, Addr: addr.String(), Sent: true, Err: err}
}

func replyError(method string, addr Endpoint, s *wire.TStatus) error {
	if s == nil {
		return fmt.Errorf("be %s: %s: the status is missing: %w", addr, method, ErrIncomplete)
	}
	if code := status.Code(s.GetStatusCode()); code != status.OK {
		return &StatusError{Server: "be", Addr: addr.String(), Method: method, Code: code, Messages: status.ReadableAll(s.GetErrorMsgs())}
	}
	return nil
}
