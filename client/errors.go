package client

import (
	"errors"
	"fmt"
	"net/http"
)

// The classes of errors, for errors.Is.
var (
	// ErrNotFound: there is no such job, or no such report.
	ErrNotFound = errors.New("not found")
	// ErrUnauthorized: no token, an unknown one, or one whose role does not suffice.
	ErrUnauthorized = errors.New("not authorised")
	// ErrRefused: the request says something that cannot be done, or the job refuses it in
	// its present state.
	ErrRefused = errors.New("refused")
	// ErrPending: what was asked for is recorded and goes on.
	ErrPending = errors.New("recorded, and goes on")
	// ErrUnavailable: the server, Temporal or the workers do not answer.
	ErrUnavailable = errors.New("not available")
)

// The roles of tokens.
const (
	roleRead    = "read"
	roleOperate = "operate"
	roleAdmin   = "admin"
)

// Error is an answer of the API that is no success.
type Error struct {
	Address string // of the server
	Path    string
	Status  int    // of HTTP
	Text    string // what the server says
	Role    string // what the token has to permit
	// stranger: the answer is none of ccr.
	stranger bool
	// moved is where a redirect leads.
	moved string
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.moved != "":
		return fmt.Sprintf("%s answers %s with %d and leads to %q, which is not followed: the token would go there, too. If that is the server, give its address", e.Address, e.Path, e.Status, e.moved)
	case e.stranger:
		return fmt.Sprintf("%s answers %s with %d %s, which is not an answer of ccr of this release", e.Address, e.Path, e.Status, http.StatusText(e.Status))
	case errors.Is(e, ErrUnauthorized):
		return fmt.Sprintf("%s: %s (set CCR_TOKEN to a token with the role %s, or use a context that has one)", e.Address, e.Text, e.Role)
	}
	return e.Text
}

// Is tells the class of the error.
func (e *Error) Is(class error) bool {
	switch e.Status {
	case http.StatusNotFound:
		return class == ErrNotFound && !e.stranger
	case http.StatusUnauthorized, http.StatusForbidden:
		return class == ErrUnauthorized
	case http.StatusAccepted:
		return class == ErrPending
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return class == ErrRefused
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return class == ErrUnavailable
	}
	return false
}

// UnreachableError: the server does not answer.
type UnreachableError struct {
	Address string
	Err     error
}

// Error implements error.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s does not answer: %v", e.Address, e.Err)
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Is tells the class of the error.
func (e *UnreachableError) Is(class error) bool { return class == ErrUnavailable }
