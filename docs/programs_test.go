package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Pages that call the client mysql name the package that has it, the one that
// scripts/setup installs for the tests of these lines.
func TestPagesNameTheClient(t *testing.T) {
	read := func(path string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(root, path))
		require.NoError(t, err)
		return string(b)
	}
	m := regexp.MustCompile(`(?m)^\s*need mysql (\S+)`).FindStringSubmatch(read("scripts/setup"))
	require.NotNil(t, m)
	for _, page := range []string{"README.md", "docs/quickstart.md"} {
		text := read(page)
		require.Contains(t, text, "mysql -h", page)
		require.Contains(t, text, "`"+m[1]+"`", page)
	}
}
