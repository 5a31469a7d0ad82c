// Package faultstest is for tests that use fault rules.
package faultstest

import (
	"testing"
	"time"

	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Struck fails the test, when it is over, for each rule that has struck nothing: the
// test has not met what it says. A rule that the test does not rely on says so
// (faults.Rule.MayNotStrike). A test that has failed has other reasons.
func Struck(t testing.TB, sets ...*faults.Set) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() {
			return
		}
		for _, s := range sets {
			for _, r := range s.Unstruck() {
				t.Errorf("the fault rule {%s %s} has struck nothing", r.Point, r.Action)
			}
		}
	})
}

// Await waits until the rule has struck: what it holds is held from now on.
func Await(t testing.TB, s *faults.Set, id int) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.Hits(id) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("fault rule %d has struck nothing for %s: %+v", id, patience, s.List())
		}
	}
}

const patience = 20 * time.Second

// Release waits until the rule has struck, and removes it.
func Release(t testing.TB, s *faults.Set, id int) {
	t.Helper()
	Await(t, s, id)
	if !s.Remove(id) {
		t.Fatalf("there is no fault rule %d", id)
	}
}
