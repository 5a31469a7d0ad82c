package docs

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every citation of a document, "doris-rpc.md 3.7", leads to a chapter that is
// there, and nothing cites an issue or a document that is not in the repository:
// who reads the code has nothing else.
func TestCitations(t *testing.T) {
	texts := readTexts(t)
	documents := map[string][]chapters{}
	for _, x := range texts {
		if strings.HasSuffix(x.path, ".md") {
			documents[filepath.Base(x.path)] = append(documents[filepath.Base(x.path)], chaptersOf(x.text))
		}
	}
	found := 0
	for _, x := range texts {
		for _, m := range mention.FindAllStringSubmatch(x.text, -1) {
			name := m[1]
			candidates, known := documents[name]
			if !known {
				t.Errorf("%s: %s is not in the repository", x.path, name)
				continue
			}
			for _, number := range numbers.FindAllString(m[2], -1) {
				found++
				if !slices.ContainsFunc(candidates, func(c chapters) bool { return c[number] }) {
					t.Errorf("%s: %s has no chapter %s: %q", x.path, name, number, m[0])
				}
			}
		}
		for _, m := range issue.FindAllString(x.text, -1) {
			t.Errorf("%s cites an issue: %q", x.path, m)
		}
	}
	require.Greater(t, found, 500, "citations are recognized")
}

var (
	// mention is the name of a document and the chapters behind it, in one of the
	// forms "doris-rpc.md 3.7", "doris-rpc.md 3.8, 3.9", "doris-sql.md 2.12 and 3.7",
	// "doris-sql.md 5.1 to 5.4", "doris-binlogs.md chapter 6"; a line may end in
	// between.
	mention = regexp.MustCompile(`\b([a-z][a-z0-9-]*(?:\.zh-CN)?\.md)\b` + "[`)]*" +
		`((?:\s+(?:chapters?\s+)?\d+(?:\.\d+)*(?:(?:,\s+|\s+and\s+|\s+to\s+|-)\d+(?:\.\d+)*\b)*)?)`)
	numbers = regexp.MustCompile(`\d+(?:\.\d+)*`)

	// issue is one of ours; those of others are cited as apache/doris#45669.
	issue = regexp.MustCompile(`(?i)\bissues?[\s/]+#?\d+\b`)
)

// chapters are the numbers that a document has: of its headings, "## 3.7 Title" or
// "# 3. Title", and of the points of a list in a chapter that has no others below
// it, which are cited as 10.4.
type chapters map[string]bool

var (
	heading = regexp.MustCompile(`^#+\s+(.*)$`)
	number  = regexp.MustCompile(`(?:^|, )(\d+(?:\.\d+)*)\.?(?: |$)`)
	point   = regexp.MustCompile(`^(\d+)\. `)
)

func chaptersOf(text string) chapters {
	all, points, current := chapters{}, map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := heading.FindStringSubmatch(line); m != nil {
			current = ""
			for _, n := range number.FindAllStringSubmatch(m[1], -1) {
				all[n[1]] = true
				current = n[1]
			}
		} else if m := point.FindStringSubmatch(line); m != nil && current != "" {
			points[current] = append(points[current], current+"."+m[1])
		}
	}
	for in, numbers := range points {
		if all[in+".1"] {
			continue // chapters of its own have these numbers
		}
		for _, n := range numbers {
			all[n] = true
		}
	}
	return all
}

// source is a file, or what of it is read by people.
type source struct{ path, text string }

// readTexts reads what may cite: comments in Go files, documents, and files of
// configuration.
func readTexts(t *testing.T) []source {
	var all []source
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch entry.Name() {
			case ".git", "bin", "build", "thriftgen", "histories", "recordings", "node_modules", "ccr-data":
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(path) {
		case ".go":
			text, err := comments(path)
			all = append(all, source{path, text})
			return err
		case ".md", ".yaml", ".yml", ".sh", ".thrift", "":
			text, err := os.ReadFile(path)
			all = append(all, source{path, string(text)})
			return err
		}
		return nil
	})
	require.NoError(t, err)
	return all
}

// comments are those of a Go file, without the marks.
func comments(path string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, group := range file.Comments {
		b.WriteString(group.Text())
		b.WriteString("\n")
	}
	return b.String(), nil
}

func TestChaptersOf(t *testing.T) {
	got := chaptersOf("# 3. Three\n\n7. a\n\n## 3.1 One\n### 3.4 `/pause`, 3.5 `/resume`\n## 10. Ten\n\n1. a\n2. b\n\n## Without\n\n1. c\n")
	require.Equal(t, chapters{"3": true, "3.1": true, "3.4": true, "3.5": true, "10": true, "10.1": true, "10.2": true}, got)
}

func TestMention(t *testing.T) {
	for text, want := range map[string][]string{
		"(doris-rpc.md 3.3.1)":                                  {"3.3.1"},
		"doris-rpc.md\n3.3.1, doris-binlogs.md 3.3):":           {"3.3.1"},
		"(doris-binlogs.md 4.3, 4.5.6, 4.5.7). It may":          {"4.3", "4.5.6", "4.5.7"},
		"doris-sql.md 2.12 and 3.7).":                           {"2.12", "3.7"},
		"doris-sql.md 5.1 to 5.4 as":                            {"5.1", "5.4"},
		"doris-binlogs.md chapter 6, or":                        {"6"},
		"doris-binlogs.md 6.8, row 81.":                         {"6.8"},
		"[security.md](security.md) has the roles":              nil,
		"the page temporal.md and 12 others, see operations.md": nil,
	} {
		m := mention.FindStringSubmatch(text)
		require.NotNil(t, m, text)
		require.Equal(t, want, numbers.FindAllString(m[2], -1), text)
	}
}
