package faultstest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/dorisim/faults/faultstest"
)

// played is a test that notes what it is told.
type played struct {
	testing.TB
	errors   []string
	cleanups []func()
}

func (p *played) Helper()          {}
func (p *played) Failed() bool     { return len(p.errors) > 0 }
func (p *played) Cleanup(f func()) { p.cleanups = append(p.cleanups, f) }
func (p *played) Errorf(format string, args ...any) {
	p.errors = append(p.errors, fmt.Sprintf(format, args...))
}

func TestRulesThatStrikeNothingFailTheirTest(t *testing.T) {
	struck := faults.Rule{Point: "fe.commitTxn", Action: faults.Fail}
	never := faults.Rule{Point: "be.write", Action: faults.Fail}
	allowed := never
	allowed.MayNotStrike = true
	const told = "the fault rule {be.write fail} has struck nothing"
	for name, c := range map[string]struct {
		rules  []faults.Rule
		end    func(*faults.Set, int)
		failed bool // before
		want   []string
	}{
		"all have struck":           {rules: []faults.Rule{struck}},
		"one has not":               {rules: []faults.Rule{struck, never}, want: []string{told}},
		"nor had it when it ended":  {rules: []faults.Rule{never}, end: func(s *faults.Set, id int) { s.Remove(id) }, want: []string{told}},
		"nor when all ended":        {rules: []faults.Rule{never, never}, end: func(s *faults.Set, _ int) { s.Clear() }, want: []string{told, told}},
		"it says that it may not":   {rules: []faults.Rule{allowed}},
		"the test failed otherwise": {rules: []faults.Rule{never}, failed: true, want: []string{"before"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, set := &played{}, &faults.Set{}
			faultstest.Struck(p, set)
			if c.failed {
				p.Errorf("before")
			}
			for _, r := range c.rules {
				id, err := set.Add(r)
				require.NoError(t, err)
				_ = set.Before(t.Context(), "fe.commitTxn")
				if c.end != nil {
					c.end(set, id)
				}
			}
			for _, f := range p.cleanups {
				f()
			}
			require.Equal(t, c.want, p.errors)
		})
	}
}
