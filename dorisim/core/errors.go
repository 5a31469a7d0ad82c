package core

import "fmt"

// Error is a refusal that a client gets to see (doris-sql.md 1.4).
type Error struct {
	// Code is the MySQL error code; 0 stands for 1105, the generic one.
	Code int
	// SQLState is "HY000" when empty.
	SQLState string
	// ErrCode is the FE's own code: 2, or 7 for "metadata not found"; 0 stands
	// for 2.
	ErrCode int
	// Message is the text without the "errCode = 2, detailMessage = " prefix.
	Message string
	// Bare messages have no prefix: exceptions that nothing in the FE expects.
	Bare bool
}

// Error prints the text as a client of the FE sees it.
func (e *Error) Error() string {
	if e.Bare {
		return e.Message
	}
	code := e.ErrCode
	if code == 0 {
		code = 2
	}
	return fmt.Sprintf("errCode = %d, detailMessage = %s", code, e.Message)
}

// MySQLCode returns the code on the MySQL wire.
func (e *Error) MySQLCode() int {
	if e.Code == 0 {
		return 1105
	}
	return e.Code
}

// Errorf makes a generic refusal (code 1105, errCode 2).
func Errorf(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// CodeErrorf makes a refusal with a MySQL code.
func CodeErrorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// MetaErrorf makes a "metadata not found" refusal (errCode 7).
func MetaErrorf(format string, args ...any) *Error {
	return &Error{ErrCode: 7, Message: fmt.Sprintf(format, args...)}
}

// Uncaught is what an exception comes to that nothing in the FE expects.
func Uncaught(message string) *Error {
	return &Error{Message: "Unexpected exception: " + message, Bare: true}
}

// LabelUsedError refuses a label that a transaction already has, unless that
// one was aborted (doris-rpc.md 3.7).
type LabelUsedError struct {
	Label string
	TxnID int64
	State TxnState
}

// Error implements error.
func (e *LabelUsedError) Error() string { return e.refusal().Error() }

// Unwrap gives the refusal that SQL clients see.
func (e *LabelUsedError) Unwrap() error { return e.refusal() }

func (e *LabelUsedError) refusal() *Error {
	return Errorf("Label [%s] has already been used, relate to txn [%d], status [%s].", e.Label, e.TxnID, e.State)
}

// TxnNotFoundError says that the master does not know the transaction: it never
// existed, was forgotten, or was a PREPARE one lost with the old master.
type TxnNotFoundError struct{ TxnID int64 }

// Error implements error.
func (e *TxnNotFoundError) Error() string { return e.refusal().Error() }

// Unwrap gives the refusal that SQL clients see.
func (e *TxnNotFoundError) Unwrap() error { return e.refusal() }

func (e *TxnNotFoundError) refusal() *Error { return Errorf("transaction [%d] not found", e.TxnID) }
