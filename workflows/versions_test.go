package workflows_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever changes the sequence of steps finds all earlier changes in one list:
// each with its release, each in use, none outside of it.
func TestEveryVersionIsInTheList(t *testing.T) {
	files := sources(t)
	listed := listedChanges(t, files["versions.go"])
	used := map[string]bool{}
	for name, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch called(call) {
			case "GetVersion":
				require.Equal(t, "versions.go", name, "GetVersion outside of the list")
			case "version", "reached":
				if name == "versions.go" {
					return true
				}
				arg, ok := call.Args[len(call.Args)-1].(*ast.Ident)
				require.True(t, ok, "%s asks for a version that has no constant", name)
				require.Contains(t, listed, arg.Name, name)
				used[arg.Name] = true
			}
			return true
		})
	}
	require.NotEmpty(t, listed)
	require.ElementsMatch(t, slices.Collect(maps.Keys(listed)), slices.Collect(maps.Keys(used)), "listed, and in use")
}

// The table of docs/upgrade.md has the same changes with the same releases.
func TestEveryVersionIsDocumented(t *testing.T) {
	upgrade, err := os.ReadFile("../docs/upgrade.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(upgrade), "## What keeps jobs alive over versions\n")
	require.True(t, found)
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9.]+) \\| ").FindAllStringSubmatch(section, -1) {
		documented[row[1]] = row[2]
	}
	require.Equal(t, strings.Count(section, "\n| `"), len(documented), "rows that are not understood")
	inCode := map[string]string{}
	for _, c := range listedChanges(t, sources(t)["versions.go"]) {
		inCode[c.id] = c.release
	}
	require.Equal(t, inCode, documented)
}

type listedChange struct{ id, release string }

// listedChanges reads the constants of type change, by their name.
func listedChanges(t *testing.T, file *ast.File) map[string]listedChange {
	t.Helper()
	release := regexp.MustCompile(`^([0-9]+\.[0-9]+): \S`)
	all := map[string]listedChange{}
	ids := map[string]string{}
	for _, d := range file.Decls {
		consts, ok := d.(*ast.GenDecl)
		if !ok || consts.Tok != token.CONST {
			continue
		}
		for _, s := range consts.Specs {
			row := s.(*ast.ValueSpec)
			name := row.Names[0].Name
			kind, ok := row.Type.(*ast.Ident)
			require.True(t, ok && kind.Name == "change", "%s is no change", name)
			id, err := strconv.Unquote(row.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			since := release.FindStringSubmatch(row.Doc.Text())
			require.NotNil(t, since, "%s has to say its release and what it changed", name)
			require.Empty(t, ids[id], "two changes have one id: %s", name)
			ids[id] = name
			all[name] = listedChange{id, since[1]}
		}
	}
	return all
}

// sources are the files of the package, by name.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			files[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			require.NoError(t, err)
		}
	}
	return files
}

// called is the name of the function that a call calls, without what it is of.
func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
