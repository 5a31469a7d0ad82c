// Package faults holds named fault points of the simulator that can be switched
// on and off while it runs: lose a request, lose a reply, fail or delay a call.
//
// A point is named after what it interrupts:
//
//	fe.<method>       a Thrift method of an FE, e.g. fe.commitTxn
//	be.<name>         a hook of a backend (package be): ingest_binlog, write,
//	                  publish, query_ingest_binlog, http.binlog, http.snapshot, download
//	publish           making a transaction visible; Fail holds it back
//	clone             copying a replica; Fail holds it back
//	backup.<STATE>    the end of a state of a BACKUP job, e.g. backup.SNAPSHOTING
//	alter.<STATE>     the end of a state of an ALTER job, e.g. alter.WAITING_TXN;
//	                  Fail holds the job in it
//	restore.<STATE>   the end of a state of a RESTORE job, e.g. restore.DOWNLOADING
//	backup.submit     submitting either, under the cluster-wide lock
//
// Points of frontends and backends also exist with the node's index appended:
// be.ingest_binlog@1.
package faults

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"
	"time"
)

// Action says what a rule does to a call.
type Action string

const (
	// DropBefore closes the connection before the call has any effect.
	DropBefore Action = "drop_before"
	// DropAfter lets the call take effect and closes the connection instead of
	// answering: the lost reply.
	DropAfter Action = "drop_after"
	// Fail answers with an error instead of doing the call.
	Fail Action = "fail"
	// Empty answers that all is well, and with nothing else, instead of doing the
	// call: half an answer, which no client must believe.
	Empty Action = "empty"
	// Delay waits before the call is done.
	Delay Action = "delay"
	// Hold keeps a call waiting until the rule is removed, so that something can
	// happen at this very moment, however long it takes.
	Hold Action = "hold"
	// DelayAfter does the call and waits before it is answered.
	DelayAfter Action = "delay_after"
)

// actions are all that there are.
var actions = []Action{DropBefore, DropAfter, Fail, Empty, Delay, DelayAfter, Hold}

// ErrDropped tells the server to close the connection without an answer.
var ErrDropped = errors.New("connection dropped by a fault rule")

// ErrEmpty tells the server to answer with a status that says OK and nothing else.
var ErrEmpty = errors.New("answer emptied by a fault rule")

// Failure is the error of a Fail rule.
type Failure struct{ Point, Message string }

// Error implements error.
func (f *Failure) Error() string {
	if f.Message != "" {
		return f.Message
	}
	return "fault injected at " + f.Point
}

// Rule is one fault. Point may be a pattern as of path.Match, e.g. "fe.*".
type Rule struct {
	ID     int    `json:"id"`
	Point  string `json:"point"`
	Action Action `json:"action"`
	// Delay in milliseconds, for the delaying actions.
	DelayMillis int `json:"delay_ms,omitempty"`
	// Skip lets that many calls pass first; Count limits how often the rule
	// strikes, 0 is without limit.
	Skip    int    `json:"skip,omitempty"`
	Count   int    `json:"count,omitempty"`
	Message string `json:"message,omitempty"`
	// Hits counts how often the rule struck.
	Hits int `json:"hits"`
	// MayNotStrike says that the test that adds the rule does not rely on it
	// (Set.Unstruck).
	MayNotStrike bool `json:"-"`

	removed chan struct{} // closed with the rule's removal
}

// Validate refuses rules that could never strike, or not as they say.
func (r Rule) Validate() error {
	delays := r.Action == Delay || r.Action == DelayAfter
	switch {
	case r.Point == "":
		return errors.New("fault rule without a point")
	case !slices.Contains(actions, r.Action):
		return fmt.Errorf("there is no fault action %q, there are: %s", r.Action, listed(actions))
	case delays && r.DelayMillis <= 0:
		return fmt.Errorf("fault action %s needs a positive delay_ms", r.Action)
	case !delays && r.DelayMillis != 0:
		return fmt.Errorf("fault action %s takes no delay_ms, %s and %s do", r.Action, Delay, DelayAfter)
	case r.Action != Fail && r.Message != "":
		return fmt.Errorf("fault action %s takes no message, %s does", r.Action, Fail)
	case r.Skip < 0 || r.Count < 0:
		return fmt.Errorf("skip %d and count %d of a fault rule: neither can be negative", r.Skip, r.Count)
	}
	if _, err := path.Match(r.Point, ""); err != nil {
		return fmt.Errorf("fault point %q: %w", r.Point, err)
	}
	return checkPoint(r.Point, r.Action)
}

// Set is the rules of one cluster. The zero value and nil are empty sets. It is
// safe for concurrent use.
type Set struct {
	// Nodes tells how many frontends or backends there are, by the prefix of their
	// points: "fe." or "be.". Nil: any index may be named.
	Nodes func(prefix string) int

	mu    sync.Mutex
	last  int
	rules []*Rule
	// removed rules that never struck
	unstruck []Rule
}

// Add switches a rule on and returns its id.
func (s *Set) Add(r Rule) (int, error) {
	if err := r.Validate(); err != nil {
		return 0, err
	}
	if err := s.checkNode(r.Point); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	r.ID, r.Hits, r.removed = s.last, 0, make(chan struct{})
	s.rules = append(s.rules, &r)
	return r.ID, nil
}

// Remove switches a rule off and tells whether there was one.
func (s *Set) Remove(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.rules)
	s.rules = slices.DeleteFunc(s.rules, func(r *Rule) bool {
		if r.ID == id {
			s.end(r)
		}
		return r.ID == id
	})
	return len(s.rules) < n
}

// end lets go what the rule holds; s.mu is held.
func (s *Set) end(r *Rule) {
	close(r.removed)
	if r.useless() {
		s.unstruck = append(s.unstruck, *r)
	}
}

func (r *Rule) useless() bool { return r.Hits == 0 && !r.MayNotStrike }

// Unstruck returns the rules, removed ones included, that have never struck
// although whoever added them relies on it: a test that did so has proved nothing.
func (s *Set) Unstruck() []Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.unstruck)
	for _, r := range s.rules {
		if r.useless() {
			list = append(list, *r)
		}
	}
	return list
}

// Hits tells how often a rule has struck; 0 if there is no such rule.
func (s *Set) Hits(id int) int {
	for _, r := range s.List() {
		if r.ID == id {
			return r.Hits
		}
	}
	return 0
}

// Clear switches all rules off.
func (s *Set) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rules {
		s.end(r)
	}
	s.rules = nil
}

// List returns the rules, used up ones included.
func (s *Set) List() []Rule {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Rule, len(s.rules))
	for i, r := range s.rules {
		list[i] = *r
	}
	return list
}

// Before is called by a server before it does what point names. It waits out
// the delays and holds, and returns ErrDropped, ErrEmpty or a *Failure if the call must not be done.
func (s *Set) Before(ctx context.Context, point string) error {
	return s.strike(ctx, point, DropBefore, Fail, Empty, Delay, Hold)
}

// After is called when the effect has taken place and the answer has not been
// sent. ErrDropped means: do not answer.
func (s *Set) After(ctx context.Context, point string) error {
	return s.strike(ctx, point, DropAfter, DelayAfter)
}

func (s *Set) strike(ctx context.Context, point string, actions ...Action) error {
	if s == nil {
		return nil
	}
	var wait time.Duration
	var outcome error
	var holds []<-chan struct{}
	s.mu.Lock()
	for _, r := range s.rules {
		if !slices.Contains(actions, r.Action) || !r.matches(point) {
			continue
		}
		switch r.Action {
		case Delay, DelayAfter:
			wait += time.Duration(r.DelayMillis) * time.Millisecond
		case Hold:
			holds = append(holds, r.removed)
		case Fail:
			outcome = &Failure{Point: point, Message: r.Message}
		case Empty:
			outcome = ErrEmpty
		default:
			outcome = ErrDropped
		}
		if outcome != nil {
			break
		}
	}
	s.mu.Unlock()
	if wait > 0 {
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
	}
	for _, removed := range holds {
		select {
		case <-removed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return outcome
}

// matches tells whether the rule strikes at point now, and counts it.
func (r *Rule) matches(point string) bool {
	if ok, err := path.Match(r.Point, point); err != nil || !ok {
		return false
	}
	if r.Skip > 0 {
		r.Skip--
		return false
	}
	if r.Count > 0 && r.Hits >= r.Count {
		return false
	}
	r.Hits++
	return true
}

// Sleep waits for d, or until ctx ends and then returns its error.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
