// Package status has the codes that every Doris RPC answers with
// (doris-rpc.md 2).
package status

import (
	"fmt"
	"strings"

	wire "github.com/doris-ccr/ccr/doris/thriftgen/status"
)

// Code is Doris' TStatusCode. Values without a name are possible: newer servers
// add some.
type Code int32

// The codes that replication tells apart.
const (
	OK                     Code = 0
	AnalysisError          Code = 2
	RuntimeError           Code = 4
	InternalError          Code = 6
	Timeout                Code = 8
	PublishTimeout         Code = 14
	LabelAlreadyExists     Code = 15
	NotAuthorized          Code = 38
	Incomplete             Code = 44
	BinlogDisable          Code = 60
	BinlogTooOldCommitSeq  Code = 61
	BinlogTooNewCommitSeq  Code = 62
	BinlogNotFoundDB       Code = 63
	BinlogNotFoundTable    Code = 64
	SnapshotNotExist       Code = 70
	HTTPError              Code = 71
	TabletMissing          Code = 72
	NotMaster              Code = 73
	ObtainLockFailed       Code = 74
	SnapshotExpired        Code = 75
	DeleteBitmapLockFailed Code = 100
)

// String returns Doris' name, e.g. "ANALYSIS_ERROR", or "CODE(n)".
func (c Code) String() string {
	name := wire.TStatusCode(c).String()
	if name == "<UNSET>" {
		return fmt.Sprintf("CODE(%d)", int32(c))
	}
	return name
}

// Error is a definite refusal: the server has read the request and answers with
// a status other than OK.
type Error struct {
	// Server is "fe" or "be", Addr the address that answered.
	Server, Addr string
	Method       string
	Code         Code
	// Messages is the server's text, usually one entry; often empty.
	Messages []string
}

// Text returns the server's messages in one line.
func (e *Error) Text() string { return strings.Join(e.Messages, "; ") }

// Error implements error. It has the server's text unchanged.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s %s: %s: %s", e.Server, e.Addr, e.Method, e.Code)
	if m := e.Text(); m != "" {
		text += ": " + m
	}
	return text
}
