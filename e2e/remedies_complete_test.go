package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every remedy in the code, and every chapter of docs/troubleshooting.md with the
// rows of its tables, is followed by a test: a row here, or another test that is
// named. A new one without a test fails.
func TestEveryRemedyIsFollowed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/troubleshooting.md")
	require.NoError(t, err)
	written := remediesInCode(t)
	tests := testsIn(t, "..")
	var helps, texts, pages []string
	for _, row := range remedyRows() {
		helps, texts, pages = append(helps, row.helps...), append(texts, row.texts...), append(pages, row.pages...)
	}
	for _, row := range processRows() {
		helps, pages = append(helps, row.helps...), append(pages, row.pages...)
	}
	for _, row := range checkRows() {
		helps = append(helps, row.helps...)
	}
	for _, f := range followedElsewhere() {
		if !slices.Contains(tests, f.test) {
			t.Errorf("there is no test %s", f.test)
		}
		helps, texts, pages = append(helps, f.helps...), append(texts, f.texts...), append(pages, f.pages...)
	}
	for _, remedy := range written.remedies {
		if !slices.ContainsFunc(helps, func(part string) bool { return strings.Contains(remedy.text, part) }) {
			t.Errorf("%s: no test follows %q", remedy.at, remedy.text)
		}
	}
	for _, part := range helps {
		if !slices.ContainsFunc(written.remedies, func(r writtenRemedy) bool { return strings.Contains(r.text, part) }) {
			t.Errorf("there is no such remedy: %q", part)
		}
	}
	for _, part := range written.told {
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(part, text) || strings.Contains(text, part) }) {
			t.Errorf("no test meets Doris' %q", part)
		}
	}
	there := chapters(string(page))
	for _, chapter := range there {
		if !slices.Contains(pages, chapter) {
			t.Errorf("no test follows this part of docs/troubleshooting.md: %s", chapter)
		}
	}
	for _, chapter := range pages {
		if !slices.Contains(there, chapter) {
			t.Errorf("docs/troubleshooting.md has no such part: %s", chapter)
		}
	}
}

// chapters are the headings of the page, and the first cells of its tables' rows.
func chapters(page string) []string {
	var found []string
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "## "), strings.HasPrefix(line, "### "):
			found = append(found, line)
		case strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "|--"):
			found = append(found, strings.TrimSpace(strings.SplitN(line, "|", 3)[1]))
		}
	}
	heads := []string{"", "In the reply", "`kind`", "Text", "Reason"} // of tables
	return slices.DeleteFunc(found, func(s string) bool { return slices.Contains(heads, s) })
}

// written is what the code says to people in trouble.
type written struct {
	remedies []writtenRemedy
	told     []string // parts of Doris' texts
}

type writtenRemedy struct{ text, at string }

// remediesInCode reads the remedies from the source text of the packages that
// make some: whatever is given a name, field or argument for a remedy.
func remediesInCode(t *testing.T) written {
	t.Helper()
	var w written
	files := token.NewFileSet()
	for _, dir := range []string{"replication/*", "workflows", "activities", "apiserver"} {
		names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			ast.Inspect(f, func(n ast.Node) bool { w.look(files, n); return true })
		}
	}
	require.Greater(t, len(w.remedies), 60)
	require.Greater(t, len(w.told), 20)
	return w
}

// arguments are the functions that take a remedy, and which argument it is.
var arguments = map[string]int{"WithRemedy": 1, "add": 2, "failed": 2, "warnOf": 2, "standstillProblem": 2}

var remedyFunctions = regexp.MustCompile(`^(Remedy|SetupRemedy|RemedyAt|remedyNoTaker|wayCommand|lacking)$`)

var remedyName = regexp.MustCompile(`^([Rr]emedy|stepRemedies)`)

func (w *written) look(files *token.FileSet, n ast.Node) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			switch {
			case i >= len(n.Values):
			case name.Name == "knownRefusals":
				w.readTold(files, n.Values[i])
			case remedyName.MatchString(name.Name):
				w.note(files, n.Values[i])
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if remedyName.MatchString(lastName(left)) && i < len(n.Rhs) {
				w.note(files, n.Rhs[i])
			}
		}
	case *ast.KeyValueExpr:
		if remedyName.MatchString(lastName(n.Key)) {
			w.note(files, n.Value)
		}
	case *ast.CallExpr:
		if at, ok := arguments[lastName(n.Fun)]; ok && at < len(n.Args) {
			w.note(files, n.Args[at])
		}
	case *ast.FuncDecl:
		if remedyFunctions.MatchString(n.Name.Name) {
			ast.Inspect(n.Body, func(inner ast.Node) bool {
				if r, ok := inner.(*ast.ReturnStmt); ok {
					for _, value := range r.Results {
						w.note(files, value)
					}
				}
				return true
			})
		}
	}
}

// note remembers the longest text that a value is made of.
func (w *written) note(files *token.FileSet, value ast.Expr) {
	if all, ok := value.(*ast.CompositeLit); ok {
		for _, element := range all.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				w.note(files, pair.Value)
			}
		}
		return
	}
	var longest string
	for _, text := range literals(value) {
		if len(text) > len(longest) {
			longest = text
		}
	}
	if longest != "" {
		at := files.Position(value.Pos())
		w.remedies = append(w.remedies, writtenRemedy{longest, fmt.Sprintf("%s:%d", at.Filename, at.Line)})
	}
}

func (w *written) readTold(files *token.FileSet, list ast.Expr) {
	for _, element := range list.(*ast.CompositeLit).Elts {
		pair := element.(*ast.CompositeLit).Elts
		w.told = append(w.told, literals(pair[0])...)
		w.note(files, pair[1])
	}
}

// literals are the string literals of an expression that is a literal, a sum, or
// a call that formats.
func literals(value ast.Expr) (found []string) {
	switch value := value.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(value.Value); value.Kind == token.STRING && err == nil {
			found = append(found, text)
		}
	case *ast.BinaryExpr:
		found = append(literals(value.X), literals(value.Y)...)
	case *ast.CallExpr:
		if lastName(value.Fun) == "Sprintf" {
			found = literals(value.Args[0])
		}
	}
	return found
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// testsIn are the names of all tests below a directory.
func testsIn(t *testing.T, dir string) []string {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	var found []string
	for _, pattern := range []string{"*/*_test.go", "*/*/*_test.go"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				found = append(found, m[1])
			}
		}
	}
	return found
}
