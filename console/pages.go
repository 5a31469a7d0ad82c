package console

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// pageSet has the templates of all pages in one language.
type pageSet struct{ pages map[string]*template.Template }

// parsePages reads the templates, once for each language.
func (s *Console) parsePages() (map[lang]*pageSet, error) {
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates of the console: %w", err)
	}
	sets := map[lang]*pageSet{}
	for _, l := range []lang{english, chinese} {
		shared, err := template.New("").Funcs(s.functions(l)).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
		if err != nil {
			return nil, fmt.Errorf("templates of the console: %w", err)
		}
		set := &pageSet{pages: map[string]*template.Template{}}
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if name == "layout" || name == "parts" {
				continue
			}
			page, err := template.Must(shared.Clone()).ParseFS(templateFiles, file)
			if err != nil {
				return nil, fmt.Errorf("template %s of the console: %w", name, err)
			}
			set.pages[name] = page
		}
		sets[l] = set
	}
	return sets, nil
}

func (p *pageSet) execute(out io.Writer, page string, f *frame) error {
	t, ok := p.pages[page]
	if !ok {
		return errNoPage
	}
	return t.ExecuteTemplate(out, "layout", f)
}

// functions are what templates can call. T is a text in the language of the page, J one of a job, and jobText the same
// where no elements can be.
func (s *Console) functions(l lang) template.FuncMap {
	return template.FuncMap{
		"T":       l.text,
		"J":       func(text any) any { return s.jobText(l, fmt.Sprint(text)) },
		"jobText": func(text string) string { return s.plainJobText(l, text) },
		"asset":   func(file string) (string, error) { return s.assetPath(file) },
		"number":  number,
		"bytes":   job.SizeText,
		"seconds": l.seconds,
		"ago":     func(t time.Time) string { return l.ago(s.now(), t) },
		"stamp":   func(t time.Time) string { return t.Local().Format(time.DateTime) },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"json": func(v any) (string, error) {
			text, err := json.Marshal(v)
			return string(text), err
		},
		"state":  l.state,
		"method": func(m job.VerifyMethod) string { return methodWords[m] },
	}
}

func (s *Console) assetPath(file string) (string, error) {
	a, ok := s.assets[file]
	if !ok {
		return "", fmt.Errorf("there is no asset %s", file)
	}
	return "console/assets/" + file + "?v=" + a.tag, nil
}

// methodWords say what a verification compares; each includes those before it.
var methodWords = map[job.VerifyMethod]string{
	job.VerifyCount:    "definitions and numbers of rows",
	job.VerifyChecksum: "checksums of all rows",
	job.VerifyColumns:  "which columns differ",
	job.VerifyRows:     "which rows differ",
}
