// Package failpoint makes jobs fail on purpose, for tests of what surrounds ccr:
// alerts, runbooks, scripts (http-api.md 3.18). A process knows failpoints only
// with --enable-failpoints.
package failpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
)

// HandleBinlog is the failpoint at which a job finds that it cannot follow its
// binlogs.
const HandleBinlog = "handle_binlog_failed"

// Set holds the failpoints that are on in this process. The nil Set has none.
type Set struct {
	mu sync.Mutex
	on map[string]map[string]json.RawMessage // by job, then failpoint
}

// Put switches a failpoint of a job on. A value of null (or none) switches it
// off, and an empty failpoint switches off all of the job.
func (s *Set) Put(job, failpoint string, value json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case failpoint == "":
		delete(s.on, job)
	case len(value) == 0 || bytes.Equal(value, []byte("null")):
		delete(s.on[job], failpoint)
	default:
		if s.on == nil {
			s.on = map[string]map[string]json.RawMessage{}
		}
		if s.on[job] == nil {
			s.on[job] = map[string]json.RawMessage{}
		}
		s.on[job][failpoint] = value
	}
}

// Error is what a job meets at a failpoint that is on.
type Error struct {
	Failpoint string
	Value     json.RawMessage
}

// Error names the failpoint.
func (e *Error) Error() string {
	return fmt.Sprintf("failpoint %s is on (%s): switch it off with /failpoint", e.Failpoint, e.Value)
}

// At returns an Error if the failpoint of the job is on.
func (s *Set) At(job, failpoint string) error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if value, on := s.on[job][failpoint]; on {
		return &Error{failpoint, value}
	}
	return nil
}
