package e2e

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/faults"
	"github.com/doris-ccr/ccr/e2e/harness"
)

// fault is a rule that a test has switched on. The test fails at its end if the
// rule has struck nothing, unless the rule says that it may not (clusters).
type fault struct {
	*env
	rules *faults.Set
	id    int
	rule  faults.Rule
}

// fault switches a rule of a cluster on.
func (e *env) fault(cluster *harness.Cluster, rule faults.Rule) *fault {
	e.Helper()
	id, err := cluster.Faults().Add(rule)
	require.NoError(e, err)
	return &fault{env: e, rules: cluster.Faults(), id: id, rule: rule}
}

// struck waits until the rule has struck: what it holds is held from now on.
func (f *fault) struck() {
	f.Helper()
	require.NoError(f, harness.Await(f.ctx, catchUp, func(context.Context) error {
		if f.rules.Hits(f.id) == 0 {
			return fmt.Errorf("nothing has come to %s", f.rule.Point)
		}
		return nil
	}))
}

// end switches the rule off.
func (f *fault) end() {
	f.Helper()
	require.True(f, f.rules.Remove(f.id), "rule %d of %s is not there any more", f.id, f.rule.Point)
}

// The test runs itself with a rule that nothing meets: clusters makes it fail.
func TestARuleThatStrikesNothingFailsItsTest(t *testing.T) {
	const variable = "CCR_E2E_TEST_OF_RULES"
	if played := os.Getenv(variable); played != "" {
		e := clusters(t, harness.PairOptions{})
		f := e.fault(e.pair.Destination, faults.Rule{Point: "fe.restoreSnapshot", Action: faults.Fail, MayNotStrike: played == "allowed"})
		if played == "removed" {
			f.end()
		}
		return
	}
	t.Parallel()
	for played, fails := range map[string]bool{"kept": true, "removed": true, "allowed": false} {
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), variable+"="+played, harness.SeedVariable+"=20301")
		out, err := again.CombinedOutput()
		require.Equal(t, fails, err != nil, "%s: %v\n%s", played, err, out)
		if fails {
			require.Contains(t, string(out), "the fault rule {fe.restoreSnapshot fail} has struck nothing")
			require.Contains(t, string(out), "CCR_E2E_SEED=20301 gives them again")
		}
	}
}

// What a test does to a cluster has to happen: no result of these calls is passed
// over.
func TestNoErrorOfTheSimulatorIsIgnored(t *testing.T) {
	t.Parallel()
	telling := map[string]bool{"Remove": true} // tells by a bool
	for _, of := range []any{&harness.Cluster{}, &core.Core{}, &faults.Set{}} {
		of := reflect.TypeOf(of)
		for i := range of.NumMethod() {
			m := of.Method(i)
			if n := m.Type.NumOut(); n > 0 && m.Type.Out(n-1) == reflect.TypeFor[error]() && m.Name != "Close" {
				telling[m.Name] = true
			}
		}
	}
	for _, name := range []string{"SwitchMaster", "Add", "KillBE", "RestartFE", "CollectBinlogs", "BreakReplica", "Damage"} {
		require.True(t, telling[name], name)
	}
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	set := token.NewFileSet()
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if called := ignored(n); telling[called] {
				t.Errorf("%s: the result of %s is passed over", set.Position(n.Pos()), called)
			}
			return true
		})
	}
}

// A test that kills or stops its process has one of its own: with the shared one those
// of all other tests end.
func TestNobodyKillsTheSharedProcess(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	ends := 0
	for _, name := range files {
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			shared, ended := false, false
			ast.Inspect(decl, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				switch called := call.Fun.(type) {
				case *ast.Ident:
					shared = shared || called.Name == "newEnv"
				case *ast.SelectorExpr:
					of, ok := called.X.(*ast.SelectorExpr)
					ended = ended || ok && of.Sel.Name == "ccr" && (called.Sel.Name == "Kill" || called.Sel.Name == "Stop")
				}
				return true
			})
			if ended {
				ends++
			}
			if shared && ended {
				t.Errorf("%s: it ends the process that other tests use, too: newOwnEnv starts another one", set.Position(decl.Pos()))
			}
		}
	}
	require.Greater(t, ends, 10)
}

// ignored is the name of the method whose results the statement throws away.
func ignored(n ast.Node) string {
	var call ast.Expr
	switch n := n.(type) {
	case *ast.ExprStmt:
		call = n.X
	case *ast.DeferStmt:
		call = n.Call
	case *ast.GoStmt:
		call = n.Call
	case *ast.AssignStmt:
		blank := func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return ok && id.Name == "_" }
		if len(n.Rhs) == 1 && !slices.ContainsFunc(n.Lhs, func(e ast.Expr) bool { return !blank(e) }) {
			call = n.Rhs[0]
		}
	}
	if c, ok := call.(*ast.CallExpr); ok {
		method, ok := c.Fun.(*ast.SelectorExpr)
		if ok && (!slices.Contains([]string{"Add", "Remove"}, method.Sel.Name) || ofFaults(method.X)) {
			return method.Sel.Name
		}
	}
	return ""
}

// ofFaults tells the rules of a cluster from what else has an Add: counters.
func ofFaults(x ast.Expr) bool {
	switch x := x.(type) {
	case *ast.CallExpr:
		method, ok := x.Fun.(*ast.SelectorExpr)
		return ok && method.Sel.Name == "Faults"
	case *ast.SelectorExpr:
		return x.Sel.Name == "rules"
	}
	return false
}
