package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/doris-ccr/ccr/"

// rooms are the packages of the product, and which others each may use
// (architecture.md 2). An arrow that is not here is a decision: if it is a good one,
// it is written down here and there. "doris" stands for all that is below it.
var rooms = map[string][]string{
	"access":    {"keyfile"},
	"console":   {"access", "doris", "job"},
	"failpoint": {},
	"keyfile":   {},
	"docs":      {},

	"doris":  {},
	"job":    {"doris"},
	"secret": {"job", "keyfile"},
	"config": {"job", "keyfile"},

	"replication/problem":    {"doris", "job"},
	"replication/schema":     {"doris"},
	"replication/pair":       {"doris", "job", "replication/problem"},
	"replication/compare":    {"doris", "job", "replication/pair", "replication/schema"},
	"replication/stream":     {"doris", "job", "replication/pair", "replication/problem", "replication/compare"},
	"replication/ddl":        {"doris", "job", "replication/pair", "replication/problem", "replication/schema"},
	"replication/snapshot":   {"doris", "job", "replication/pair", "replication/problem", "replication/compare"},
	"replication/preflight":  {"doris", "job", "replication/pair", "replication/problem"},
	"replication/adopt":      {"doris", "job", "replication/pair", "replication/problem", "replication/preflight"},
	"replication/ahead":      {"doris", "job", "replication/pair", "replication/ddl"},
	"replication/verify":     {"doris", "job", "replication/pair", "replication/problem", "replication/schema", "replication/compare"},
	"replication/pairtest":   {"doris", "job", "replication/pair"},
	"replication/schematest": {},
	"replication": {"doris", "job", "replication/pair", "replication/stream", "replication/ddl", "replication/snapshot",
		"replication/preflight", "replication/adopt", "replication/verify", "replication/ahead"},

	"activities": {"doris", "job", "secret", "failpoint", "replication", "replication/problem", "replication/ddl", "replication/stream", "replication/verify"},
	"workflows":  {"doris", "job"},
	"worker":     {"doris", "job", "secret", "failpoint", "activities", "workflows", "replication"},
	"apiserver":  {"doris", "job", "secret", "access", "failpoint", "console"},
	"importer":   {"job", "secret", "replication", "replication/adopt"},
	"server":     {"access", "activities", "apiserver", "config", "failpoint", "replication", "secret", "worker"},
	"client":     {},
	"cli":        {"access", "apiserver", "client", "config", "importer", "job", "replication", "secret", "server", "worker"},
	"cmd":        {"cli"},

	"workflows/histories": {},
}

// roomOf is the room that a package belongs to.
func roomOf(pkg string) string {
	for _, whole := range []string{"doris", "cmd"} {
		if pkg == whole || strings.HasPrefix(pkg, whole+"/") {
			return whole
		}
	}
	return pkg
}

// TestRooms: no package uses another one that its room must not know. Test files
// are free.
func TestRooms(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		rel := filepath.ToSlash(strings.TrimPrefix(name, "../"))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains([]string{"dorisim", "standalone", "e2e", "tools", "bin", "build", "deploy"}, rel) || strings.HasPrefix(d.Name(), ".git")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		room := roomOf(path.Dir(rel))
		allowed, known := rooms[room]
		require.True(t, known, "%s: the room %s is not in the table", rel, room)
		seen[room] = true
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if to, ours := strings.CutPrefix(imported, module); ours && roomOf(to) != room {
				require.Contains(t, allowed, roomOf(to), "%s: %s must not use %s", rel, room, to)
			}
		}
		return nil
	})
	require.NoError(t, err)
	for room := range rooms {
		require.True(t, seen[room] || room == "docs", "there is no room %s any more", room)
	}
}
