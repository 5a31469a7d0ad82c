package console

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Everything that the code lets jobs say to people is in Chinese as well: what a new text needs is an entry in a
// catalogue, or in the list of those that stay English, with a reason.
func TestEveryTextOfJobsIsInChinese(t *testing.T) {
	t.Parallel()
	texts := newChineseJobTexts()
	found := jobTextsInCode(t)
	require.Greater(t, len(found), 800, "the test has forgotten how to find them")
	said := map[string]bool{}
	for _, f := range found {
		said[f.text] = true
		if staysEnglish[f.text] == "" && !isTranslated(texts, f.text) {
			t.Errorf("%s: %q has no Chinese: write it into console/jobtext_zh_*.go", f.at, f.text)
		}
	}
	for text, reason := range staysEnglish {
		require.True(t, said[text], "no code says %q any more", text)
		require.NotEmpty(t, reason, text)
		require.False(t, isTranslated(texts, text), "%q has Chinese", text)
	}
}

// isTranslated tells whether all words of a format are known.
func isTranslated(texts *jobTexts, format string) bool {
	// What is put behind another text is in the catalogue together with that.
	if beginsInside.MatchString(format) {
		part := formatVerb.ReplaceAllString(strings.Trim(format, "\n"), "%s")
		for _, catalogue := range chineseJobTexts() {
			for english := range catalogue {
				if strings.Contains(formatVerb.ReplaceAllString(english, "%s"), part) {
					return true
				}
			}
		}
		return false
	}
	pieces, known := texts.translate(sampleOf(format))
	if !known {
		pieces, known = texts.definitions.translate(sampleOf(format))
	}
	for _, p := range pieces {
		// No pattern that fits everything has taken words of the text for a value.
		known = known && !(p.quoted || p.foreign) || known && len(wordsOfFormat.FindString(sampleValue.ReplaceAllString(p.text, ""))) == 0
	}
	return known
}

var (
	beginsInside  = regexp.MustCompile(`^[\s;,:(]`)
	sampleValue   = regexp.MustCompile(`X\d+|true|[a-z]+(?:_[a-z]+)+`) // an option is a value, too
	wordsOfFormat = regexp.MustCompile(`[A-Za-z]{2}`)
)

// staysEnglish are texts that nobody sees in the console, or that are not ours, with why.
var staysEnglish = map[string]string{
	"encode OpenAPI document: %w":                  "when a server starts",
	"read OpenAPI document: %w":                    "when a server starts",
	"read OpenAPI document: %s: %w":                "when a server starts",
	"apiserver: no Temporal client given":          "when a server starts",
	"register job gauges: %w":                      "when a server starts",
	"serve HTTP API on %s: %w":                     "when a server starts",
	"404 page not found":                           "the answer to a script",
	"encode reply of %s: %w":                       "the answer to a script",
	"write page: %w":                               "in the log of a server",
	"write table: %w":                              "in the log of a server",
	"; source and destination of %d differ":        "on the page /view, which is English",
	"no jobs":                                      "on the page /view, which is English",
	"%s on %s:%d (as %s)":                          "in the Web UI of Temporal",
	"%sthe source has %d rows, the destination %d": "begins with nothing, or with a partition: the catalogue has both",
	" WHERE PartitionName = %s":                    "a part of a statement",
	"cast(%s AS STRING)":                           "a statement",
	"failpoints are for tests: only a process with API and worker that runs with --enable-failpoints has them": "for tests",
}

// foundText is a text or its format, and where it is.
type foundText struct{ text, at string }

// packagesThatTell make texts that jobs, checks and verifications show.
var packagesThatTell = []string{"replication/*", "workflows", "activities", "apiserver", "job", "importer", "doris/be", "doris/fe", "doris/thriftpool", "doris/sqlclient"}

// textArguments are the functions that take texts for people, and which arguments these are. The key is the name of
// the function, or package and name where the name alone says too little.
var textArguments = map[string][]int{
	"event": {1}, "AddEvent": {2}, "note": {0}, "noteOnce": {1}, "works": {0}, "report": {0},
	"Errorf": {0}, "errors.New": {0}, "MetaErrorf": {0}, "Refusef": {0}, "WithRemedy": {1},
	"again": {1}, "wantTable": {1}, "replaceTable": {1}, "want": {3}, "differ": {1}, "Differ": {1},
	"Untoldf": {0}, "bringConflicting": {1}, "snapshotOf": {3}, "another": {1}, "bringUnconfirmed": {3}, "collision": {1},
	"stepProblem": {1}, "tryLater": {1}, "fail": {0}, "startFullSync": {1}, "startPartialSync": {2}, "orderedFullSync": {1},
	"takeSnapshotAgain": {0},
	"add":               {0, 2, 3}, "failed": {0, 2}, "warnOf": {0, 2, 3}, "Refused": {1}, "standstillProblem": {2, 3}, "stepFailed": {1},
}

// textFields are the fields of structs, and textNames the variables, that hold them.
var (
	textFields = regexp.MustCompile(`^(Text|Why|Reason|Remedy|Detail|Check|Summary|Note|Error)$`)
	textNames  = regexp.MustCompile(`^([Rr]emedy.*|stepRemedies|knownRefusals|text|texts|reason|what|Text|Why|Reason|Summary|Note|Error|Failed|check|where|why|missing|unclear|version|alive|parts|told|said|userRequired)$`)
	// textResults are the functions that return them.
	textResults = regexp.MustCompile(`^(Remedy|SetupRemedy|RemedyAt|RemedyForText|remedyNoTaker|wayCommand|lacking|Advice|Describe|doing|currentStep|selecting|obstacles|obstaclesOf|times|compareKey|summary|LostReason|unhandled|spoiled|counted|writesToSame|writesSomewhere|said|loginText|snapshotKind|describe)$`)
)

// sentence is what a function that returns a text may mean for people: statements and regular expressions are not.
var sentence = regexp.MustCompile(`^[a-z%(][^\\^$|]* [a-z]+ [^\\^$|]*$`)

// jobTextsInCode reads the texts from the source of the packages that make them.
func jobTextsInCode(t *testing.T) []foundText {
	t.Helper()
	c := &textCollector{files: token.NewFileSet(), seen: map[string]bool{}}
	for _, dir := range packagesThatTell {
		names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, names, dir)
		var files []*ast.File
		c.consts = map[string]string{}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(c.files, name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, f)
			ast.Inspect(f, c.readConst)
		}
		for _, f := range files {
			ast.Inspect(f, c.look)
		}
	}
	return c.found
}

// textCollector walks through source text.
type textCollector struct {
	files  *token.FileSet
	consts map[string]string // of the packages of one directory
	seen   map[string]bool
	found  []foundText
}

func (c *textCollector) readConst(n ast.Node) bool {
	if v, ok := n.(*ast.ValueSpec); ok {
		for i, name := range v.Names {
			if i < len(v.Values) {
				if lit, ok := v.Values[i].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					c.consts[name.Name], _ = strconv.Unquote(lit.Value)
				}
			}
		}
	}
	return true
}

func (c *textCollector) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if i < len(n.Values) && textNames.MatchString(name.Name) {
				c.note(n.Values[i])
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if i < len(n.Rhs) && textNames.MatchString(nameOf(left)) {
				c.note(n.Rhs[i])
			}
		}
	case *ast.KeyValueExpr:
		if textFields.MatchString(nameOf(n.Key)) {
			c.note(n.Value)
		}
	case *ast.CompositeLit:
		switch nameOf(n.Type) {
		case "RollbackRequest":
			return false // what Doris is told
		case "refusedError":
			c.note(n)
		}
	case *ast.CallExpr:
		c.lookAtCall(n)
	case *ast.ReturnStmt:
		for _, value := range n.Results {
			if sentence.MatchString(c.formatOf(value, false)) {
				c.note(value)
			}
		}
	case *ast.FuncDecl:
		if n.Body != nil && textResults.MatchString(n.Name.Name) {
			ast.Inspect(n.Body, func(inner ast.Node) bool {
				if r, ok := inner.(*ast.ReturnStmt); ok {
					for _, value := range r.Results {
						c.note(value)
					}
				}
				return true
			})
		}
	}
	return true
}

func (c *textCollector) lookAtCall(n *ast.CallExpr) {
	name := nameOf(n.Fun)
	if s, ok := n.Fun.(*ast.SelectorExpr); ok && name == "New" {
		name = nameOf(s.X) + ".New"
	}
	if name == "append" && len(n.Args) > 1 && textNames.MatchString(nameOf(n.Args[0])) {
		for _, value := range n.Args[1:] {
			c.note(value)
		}
	}
	if strings.Contains(c.files.Position(n.Pos()).Filename, "/importer/") && name != "note" && name != "AddEvent" {
		return // its errors are for the terminal of ccr import
	}
	for _, at := range textArguments[name] {
		if at < len(n.Args) {
			c.noteFormat(n.Args[at])
		}
	}
}

// note remembers a text that is written as it is.
func (c *textCollector) note(value ast.Expr) {
	if list, ok := value.(*ast.CompositeLit); ok {
		for _, element := range list.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				element = pair.Value
			} else if row, ok := element.(*ast.CompositeLit); ok && len(row.Elts) == 2 {
				element = row.Elts[1] // of knownRefusals: the other is Doris' text
			}
			c.note(element)
		}
		return
	}
	c.add(value, c.formatOf(value, false))
}

// noteFormat remembers a text that values are put into, if it is a literal.
func (c *textCollector) noteFormat(value ast.Expr) {
	if list, ok := value.(*ast.CompositeLit); ok {
		c.note(list)
		return
	}
	c.add(value, c.formatOf(value, true))
}

// lowerWord is what tells a text for people from a part of a statement.
var lowerWord = regexp.MustCompile(`[a-z]{2}`)

func (c *textCollector) add(at ast.Expr, format string) {
	// A format of holes alone says nothing by itself; single words are names.
	words := strings.TrimSpace(formatVerb.ReplaceAllString(format, ""))
	if !strings.Contains(format, " ") || !lowerWord.MatchString(words) || c.seen[format] {
		return
	}
	c.seen[format] = true
	p := c.files.Position(at.Pos())
	c.found = append(c.found, foundText{format, fmt.Sprintf("%s:%d", strings.TrimPrefix(p.Filename, "../"), p.Line)})
}

// formatOf is the text of an expression, with %s for what is known only when it runs. The text may be a format
// itself.
func (c *textCollector) formatOf(value ast.Expr, isFormat bool) string {
	fixed := func(text string) string {
		if isFormat {
			return text
		}
		return strings.ReplaceAll(text, "%", "%%")
	}
	switch v := value.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(v.Value); v.Kind == token.STRING && err == nil {
			return fixed(text)
		}
	case *ast.ParenExpr:
		return c.formatOf(v.X, isFormat)
	case *ast.Ident:
		if text, ok := c.consts[v.Name]; ok {
			return fixed(text)
		}
	case *ast.BinaryExpr:
		if v.Op == token.ADD {
			return c.formatOf(v.X, isFormat) + c.formatOf(v.Y, isFormat)
		}
	case *ast.CallExpr:
		switch name := nameOf(v.Fun); {
		case len(v.Args) == 0:
		case name == "Sprintf":
			return c.formatOf(v.Args[0], true)
		case name == "oneLine" || name == "limit" || name == "Limited":
			return c.formatOf(v.Args[0], isFormat)
		}
	}
	return "%s"
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// sampleOf is a text as a format makes it.
func sampleOf(format string) string {
	n := 0
	return strings.TrimSpace(formatVerb.ReplaceAllStringFunc(format, func(verb string) string {
		n++
		switch verb[len(verb)-1] {
		case '%':
			return "%"
		case 'd':
			return strconv.Itoa(n)
		case 't':
			return "true"
		case 'q':
			return strconv.Quote(fmt.Sprintf("X%d", n))
		}
		return fmt.Sprintf("X%d", n)
	}))
}
