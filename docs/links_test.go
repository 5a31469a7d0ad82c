package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// blocks are the fenced blocks of a document, with their languages.
func blocks(text string) []string {
	var all []string
	var open *strings.Builder
	for line := range strings.Lines(text) {
		switch fence := strings.HasPrefix(strings.TrimSpace(line), "```"); {
		case fence && open == nil:
			open = &strings.Builder{}
			open.WriteString(line)
		case fence:
			all = append(all, open.String())
			open = nil
		case open != nil:
			open.WriteString(line)
		}
	}
	return all
}

// The Chinese page has the commands and replies of the English one.
func TestChineseOperations(t *testing.T) {
	english, err := os.ReadFile("operations.md")
	require.NoError(t, err)
	chinese, err := os.ReadFile("operations.zh-CN.md")
	require.NoError(t, err)
	translated := blocks(string(chinese))
	for i, block := range blocks(string(english)) {
		require.Less(t, i, len(translated), "not in the Chinese page: %s", block)
		require.Equal(t, comment.ReplaceAllString(block, ""), comment.ReplaceAllString(translated[i], ""))
	}
	count := func(text, prefix string) int { return strings.Count(text, "\n"+prefix) }
	require.Equal(t, count(string(english), "### "), count(string(chinese), "### ")-1, "it has one heading more, of the general form")
}

// comment is a remark behind a command.
var comment = regexp.MustCompile(`   # .*`)

var link = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)

// Links between documents lead to files and chapters that exist.
func TestLinks(t *testing.T) {
	files := []string{"../deploy/helm/ccr/README.md"}
	for _, folder := range []string{".", "reference", ".."} {
		found, err := filepath.Glob(filepath.Join(folder, "*.md"))
		require.NoError(t, err)
		files = append(files, found...)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor := m[1], m[2]
			if strings.Contains(target, "://") {
				continue
			}
			to := f
			if target != "" {
				to = filepath.Join(filepath.Dir(f), target)
			}
			_, err := os.Stat(to)
			require.NoError(t, err, "%s links to %s", f, target)
			if anchor != "" && strings.HasSuffix(to, ".md") {
				require.Contains(t, anchorsOf(t, to), anchor[1:], "%s links to %s%s", f, target, anchor)
			}
		}
	}
}

// anchorsOf are those of a document's headings, as GitHub makes them.
func anchorsOf(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all []string
	for line := range strings.Lines(string(text)) {
		if title := strings.TrimLeft(line, "#"); title != line {
			all = append(all, slug(title))
		}
	}
	return all
}

var notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

func slug(title string) string {
	return strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
}

var runbook = regexp.MustCompile(`(?m)^\s*runbook_url: https://github\.com/doris-ccr/ccr/blob/main/(\S+)#(\S+)$`)

// Each alert leads to a chapter that exists.
func TestRunbooks(t *testing.T) {
	rules, err := os.ReadFile("../deploy/prometheus/rules.yml")
	require.NoError(t, err)
	found := runbook.FindAllStringSubmatch(string(rules), -1)
	require.Len(t, found, strings.Count(string(rules), "- alert: "))
	for _, m := range found {
		require.Contains(t, anchorsOf(t, filepath.Join("..", m[1])), m[2], m[0])
	}
}
