package console

import (
	"cmp"
	"html/template"
	"slices"
	"strings"
	"unicode"
)

// What jobs say is English: in their events, in their states, and over the HTTP interface. Scripts, documents and
// people who search a log know it by these words. The console shows it in the language of the page; it is translated
// when it is shown, so that whatever decides by these texts decides by the English ones.

// jobTexts finds the texts of jobs in another language.
type jobTexts struct {
	// byWord has the patterns that begin with a whole word, by that word; others are the rest. The most
	// telling pattern is first.
	byWord map[string][]*jobPattern
	others []*jobPattern
	// definitions say in what two definitions differ.
	definitions *jobTexts
	// anything: all texts may stand in all holes, however little a pattern has besides.
	anything bool
}

// newChineseJobTexts are the texts of jobs in Chinese.
func newChineseJobTexts() *jobTexts {
	t := newJobTexts(false, chineseJobTexts()...)
	t.definitions = newJobTexts(true, chineseDefinitions)
	return t
}

// newJobTexts reads catalogues.
func newJobTexts(anything bool, catalogues ...map[string]string) *jobTexts {
	t := &jobTexts{byWord: map[string][]*jobPattern{}, anything: anything}
	for _, catalogue := range catalogues {
		for english, translated := range catalogue {
			p := newJobPattern(english, translated)
			p.anything = anything || p.weight >= enoughText
			if word, whole := p.firstWord(); whole {
				t.byWord[word] = append(t.byWord[word], p)
			} else {
				t.others = append(t.others, p)
			}
		}
	}
	for _, list := range t.byWord {
		slices.SortFunc(list, moreTelling)
	}
	slices.SortFunc(t.others, moreTelling)
	return t
}

// moreTelling orders patterns: more fixed text first. Equal ones have an order, too, so that each server shows the same.
func moreTelling(a, b *jobPattern) int {
	return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(len(a.verbs), len(b.verbs)), strings.Compare(a.english, b.english))
}

// find is the most telling pattern that fits a text, and what stands in its holes.
func (t *jobTexts) find(text string) (*jobPattern, []string) {
	word, _, _ := strings.Cut(text, " ")
	known := t.byWord[word]
	// Both lists are sorted: whichever is more telling is tried first. How a text begins tells more than what is
	// somewhere in it, which may be a text in the text.
	for i, k := 0, 0; i < len(known) || k < len(t.others); {
		var p *jobPattern
		if k == len(t.others) || i < len(known) && (known[i].anything || moreTelling(known[i], t.others[k]) < 0) {
			p, i = known[i], i+1
		} else {
			p, k = t.others[k], k+1
		}
		if holes, ok := p.match(text); ok {
			return p, holes
		}
	}
	return nil, nil
}

// jobTextPiece is a part of a text as it is shown.
type jobTextPiece struct {
	text string
	// code is what people type or read in a configuration.
	code bool
	// quoted is what stood in a hole, as it was: a name, a number, what Doris says.
	quoted bool
	// foreign is what nobody has translated.
	foreign bool
}

// english tells whether a piece of a Chinese text has to be read as English.
func (p *jobTextPiece) english() bool {
	return (p.foreign || p.quoted && strings.Count(p.text, " ") > 2) && hasLetters(p.text)
}

// maxJobTextDepth bounds how often a text is looked for in another.
const maxJobTextDepth = 12

// translate is a text in pieces, and whether any of it was known.
func (t *jobTexts) translate(text string) ([]jobTextPiece, bool) {
	return t.translateWithin(text, maxJobTextDepth)
}

func (t *jobTexts) translateWithin(text string, depth int) ([]jobTextPiece, bool) {
	if depth > 0 && strings.TrimSpace(text) != "" {
		p, holes := t.find(text)
		// Of two texts that were put together the second may look like a name in the first.
		if p == nil || p.hidesText(holes) {
			if pieces, ok := t.translateJoined(text, depth, p); ok {
				return pieces, true
			}
		}
		if p != nil {
			return t.fill(p, holes, depth), true
		}
	}
	return []jobTextPiece{{text: text, foreign: true}}, false
}

// fill writes the translation of a pattern.
func (t *jobTexts) fill(p *jobPattern, holes []string, depth int) []jobTextPiece {
	var pieces []jobTextPiece
	for _, part := range p.translated {
		switch {
		case part.hole < 0:
			pieces = append(pieces, jobTextPiece{text: part.text, code: part.code})
		case part.nested:
			of := t
			if part.definition && t.definitions != nil {
				of = t.definitions
			}
			inner, _ := of.translateWithin(holes[part.hole], depth-1)
			pieces = append(pieces, inner...)
		default:
			pieces = append(pieces, jobTextPiece{text: holes[part.hole], code: part.code, quoted: true})
		}
	}
	return pieces
}

// joints are what puts texts together that are known each by itself: an error and what it was met at, several
// things that were found, a refusal and its remedy.
var joints = []joint{{": ", "："}, {"; ", "；"}, {" (", "（"}}

type joint struct{ english, chinese string }

// maxJoints bounds how many places of a text are tried.
const maxJoints = 6

// translateJoined translates two texts that were put together, the first of which is known, and says more than whole,
// which fits both together.
func (t *jobTexts) translateJoined(text string, depth int, whole *jobPattern) ([]jobTextPiece, bool) {
	for _, joint := range joints {
		at := 0
		for range maxJoints {
			next := strings.Index(text[at:], joint.english)
			if next < 0 {
				break
			}
			at += next
			first, second := text[:at], text[at+len(joint.english):]
			at += len(joint.english)
			end := ""
			if joint.english == " (" {
				if !strings.HasSuffix(second, ")") {
					continue
				}
				second, end = strings.TrimSuffix(second, ")"), "）"
			}
			p, holes := t.find(first)
			if p == nil || p.hidesText(holes) || whole != nil && !t.saysMore(p, whole) {
				continue
			}
			pieces := append(t.fill(p, holes, depth), jobTextPiece{text: joint.chinese})
			rest, _ := t.translateWithin(second, depth-1)
			pieces = append(pieces, rest...)
			if end != "" {
				pieces = append(pieces, jobTextPiece{text: end})
			}
			return pieces, true
		}
	}
	return nil, false
}

// saysMore tells whether the first of two texts says more than what fits both together. In a list of differences
// the first may be of the same kind.
func (t *jobTexts) saysMore(first, whole *jobPattern) bool {
	return first.weight > whole.weight || t.anything && first == whole
}

// html is a text for a page in Chinese: the English one is its title, and what is English is marked as that.
func (t *jobTexts) html(text string) template.HTML {
	pieces, known := t.translate(text)
	var b strings.Builder
	if known {
		b.WriteString(`<span title="` + template.HTMLEscapeString(text) + `">`)
	}
	for _, p := range mergedCode(pieces) {
		if p.text == "" {
			continue
		}
		escaped := template.HTMLEscapeString(p.text)
		switch {
		case p.code:
			b.WriteString("<code>" + escaped + "</code>")
		case p.english():
			b.WriteString(`<span lang="en">` + escaped + `</span>`)
		default:
			b.WriteString(escaped)
		}
	}
	if known {
		b.WriteString("</span>")
	}
	return template.HTML(b.String()) //nolint:gosec // each piece is escaped above
}

// mergedCode makes one piece of those of the same code.
func mergedCode(pieces []jobTextPiece) []jobTextPiece {
	merged := make([]jobTextPiece, 0, len(pieces))
	for _, p := range pieces {
		if last := len(merged) - 1; p.code && last >= 0 && merged[last].code {
			merged[last].text += p.text
			continue
		}
		merged = append(merged, p)
	}
	return merged
}

// plain is a text where no elements can be.
func (t *jobTexts) plain(text string) string {
	pieces, _ := t.translate(text)
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// hasLetters tells whether a text has Latin letters and nothing of Chinese: what the console says itself is in the
// language of the page already.
func hasLetters(text string) bool {
	latin := false
	for _, r := range text {
		if unicode.Is(unicode.Han, r) {
			return false
		}
		latin = latin || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	return latin
}

// jobText is a text of a job for a page, as a string or as HTML.
func (s *Console) jobText(l lang, text string) any {
	if texts, ok := s.jobTexts[l]; ok && text != "" {
		return texts.html(text)
	}
	return text
}

// plainJobText is the same where no elements can be.
func (s *Console) plainJobText(l lang, text string) string {
	if texts, ok := s.jobTexts[l]; ok {
		return texts.plain(text)
	}
	return text
}
