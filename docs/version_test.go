// Package docs holds the documents, and tests of what they and the code say of
// each other.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = ".."

// The version is one number in the file VERSION. What cannot read that file says
// the same.
func TestVersion(t *testing.T) {
	version := strings.TrimSpace(read(t, "VERSION"))
	require.Regexp(t, `^\d+\.\d+\.\d+$`, version)
	for file, form := range map[string]string{
		"deploy/helm/ccr/Chart.yaml":  `(?m)^version: (.+)$`,
		"apiserver/openapi/info.yaml": `(?m)^  version: (.+)$`,
		"CHANGELOG.md":                `(?m)^## (\S+)`,
	} {
		require.Equal(t, version, first(t, file, form), "%s and VERSION", file)
	}
	require.Equal(t, version, first(t, "deploy/helm/ccr/Chart.yaml", `(?m)^appVersion: (.+)$`), "the chart's image and VERSION")
	require.Contains(t, read(t, "deploy/Dockerfile"), "main.version=v$(cat VERSION):")
	require.Contains(t, read(t, "scripts/release"), "version=$(cat VERSION)")

	// Make's own view, which it stamps the binaries with.
	makefile := exec.CommandContext(t.Context(), "make", "--no-print-directory", "-n", "-C", root, "build")
	out, err := makefile.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "main.version=v"+version+":")
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	return string(text)
}

// first is what the first match of form in a file has in its parentheses.
func first(t *testing.T, file, form string) string {
	t.Helper()
	m := regexp.MustCompile(form).FindStringSubmatch(read(t, file))
	require.NotNil(t, m, "%s has nothing like %s", file, form)
	return m[1]
}
