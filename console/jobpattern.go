package console

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// jobPattern is the format of a text that jobs say, and what it is in another language.
type jobPattern struct {
	english string
	// literals are what stands before, between and after the holes.
	literals []string
	verbs    []byte // of the holes
	// weight is how much fixed text there is.
	weight     int
	nested     []bool // the holes that have a text of a job
	anything   bool   // whether all texts may stand in the others
	translated []translatedPart
}

// translatedPart is fixed text, or a hole.
type translatedPart struct {
	text string
	hole int // -1: fixed text
	code bool
	// nested: what is in the hole is a text of a job, too; definition: it says in what two definitions differ.
	nested, definition bool
}

// formatVerb finds what a format puts values for: %s, %d, %[2]s, %.80q, and %% for itself.
var formatVerb = regexp.MustCompile(`%(?:\[(\d+)\])?(?:\.\d+)?([a-zA-Z%])`)

// newJobPattern reads an entry of a catalogue. In the translation, %w is a hole whose text is looked for in the
// catalogue by itself, %D one with what two definitions differ in; every other verb takes it as it is. Between
// backticks is code.
func newJobPattern(english, translated string) *jobPattern {
	p := &jobPattern{english: english}
	last, literal := 0, ""
	for _, m := range formatVerb.FindAllStringSubmatchIndex(english, -1) {
		literal += english[last:m[0]]
		last = m[1]
		if verb := english[m[4]]; verb == '%' {
			literal += "%"
		} else {
			p.literals, p.verbs, literal = append(p.literals, literal), append(p.verbs, verb), ""
		}
	}
	p.literals = append(p.literals, literal+english[last:])
	for _, text := range p.literals {
		p.weight += len(text)
	}
	p.nested = make([]bool, len(p.verbs))
	p.readTranslation(translated)
	return p
}

func (p *jobPattern) readTranslation(translated string) {
	next := 0
	for i, text := range strings.Split(translated, "`") {
		code, last := i%2 == 1, 0
		add := func(text string) {
			if text = strings.ReplaceAll(text, "%%", "%"); text != "" {
				p.translated = append(p.translated, translatedPart{text: text, hole: -1, code: code})
			}
		}
		for _, m := range formatVerb.FindAllStringSubmatchIndex(text, -1) {
			verb := text[m[4]]
			if verb == '%' {
				continue
			}
			add(text[last:m[0]])
			last = m[1]
			if m[2] >= 0 {
				n, _ := strconv.Atoi(text[m[2]:m[3]])
				next = n - 1
			}
			nested := verb == 'w' || verb == 'D'
			p.translated = append(p.translated, translatedPart{hole: next, code: code, nested: nested, definition: verb == 'D'})
			if next < len(p.nested) && nested {
				p.nested[next] = true
			}
			next++
		}
		add(text[last:])
	}
}

// firstWord is the word that each text of the pattern begins with, and whether it is a whole one.
func (p *jobPattern) firstWord() (string, bool) {
	word, _, whole := strings.Cut(p.literals[0], " ")
	return word, whole || len(p.verbs) == 0
}

// match tells whether a text has the pattern, and what stands in the holes.
func (p *jobPattern) match(text string) ([]string, bool) {
	if len(p.verbs) == 0 {
		return nil, text == p.literals[0]
	}
	if len(text) < p.weight || !strings.HasPrefix(text, p.literals[0]) || !strings.HasSuffix(text, p.literals[len(p.verbs)]) {
		return nil, false
	}
	holes := make([]string, 0, len(p.verbs))
	tries := maxMatchTries
	return p.matchHoles(text[len(p.literals[0]):], holes, &tries)
}

// maxMatchTries bounds how many ways of dividing a text are looked at: texts may be long, and made by others.
const maxMatchTries = 200

// matchHoles fills the next hole with as little as fits, then those behind it.
func (p *jobPattern) matchHoles(text string, holes []string, tries *int) ([]string, bool) {
	n := len(holes)
	literal := p.literals[n+1]
	if n == len(p.verbs)-1 {
		value, ok := strings.CutSuffix(text, literal)
		return append(holes, value), ok && p.fits(n, value)
	}
	// What is in brackets at the end is the last that is in brackets.
	if n == len(p.verbs)-2 && literal == " (" && p.literals[n+2] == ")" {
		at := strings.LastIndex(text, literal)
		if at >= 0 && p.fits(n, text[:at]) {
			if all, ok := p.matchHoles(text[at+len(literal):], append(holes, text[:at]), tries); ok {
				return all, true
			}
		}
	}
	for at := 0; *tries > 0; at++ {
		*tries--
		next := strings.Index(text[at:], literal)
		if next < 0 {
			return nil, false
		}
		at += next
		if p.fits(n, text[:at]) {
			if all, ok := p.matchHoles(text[at+len(literal):], append(holes, text[:at]), tries); ok {
				return all, true
			}
		}
		if at == len(text) {
			break
		}
	}
	return nil, false
}

// enoughText is how much fixed text a pattern has to have so that anything may stand in its holes.
const enoughText = 10

// fits tells whether a value can be what stands in a hole.
func (p *jobPattern) fits(hole int, value string) bool {
	switch p.verbs[hole] {
	case 'd':
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case 't':
		return value == "true" || value == "false"
	case 'q':
		return len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"'
	}
	if p.anything || p.nested[hole] {
		return true
	}
	return !strings.Contains(value, " ") // a name, no sentence of somebody else
}

// hidesText tells whether what was taken for a name may be two texts.
func (p *jobPattern) hidesText(holes []string) bool {
	for i, value := range holes {
		if !p.nested[i] && slices.ContainsFunc(joints, func(j joint) bool { return strings.Contains(value, j.english) }) {
			return true
		}
	}
	return false
}
