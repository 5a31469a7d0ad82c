package parser

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrUnknownStatement marks statements that this package leaves to others:
// SELECT, SHOW, SET, DML and so on. It says nothing about their syntax.
var ErrUnknownStatement = errors.New("not a DDL statement")

// UnsupportedError is a Doris statement that the simulator recognises but does
// not carry out.
type UnsupportedError struct{ What string }

// Error implements error.
func (e *UnsupportedError) Error() string { return e.What + " is not supported by dorisim yet" }

// Parse reads one statement, with or without a final semicolon. Its errors are
// ErrUnknownStatement, *UnsupportedError and *SyntaxError.
func Parse(text string) (Statement, error) {
	all, err := Lex(text)
	if err != nil {
		return nil, err
	}
	tokens := all[:0]
	for _, t := range all {
		if t.Kind != Hint {
			tokens = append(tokens, t)
		}
	}
	p := &parser{src: text, tokens: tokens}
	s := p.parseStatement()
	for p.symbol(";") {
	}
	if p.err == nil && p.peek().Kind != EOF {
		p.failf("extraneous input '%s' expecting <EOF>", p.text(p.peek()))
	}
	if p.err != nil {
		return nil, p.err
	}
	return s, nil
}

// parser is a recursive descent parser with a sticky error: after the first
// error every token is EOF, so callers need not check at each step.
type parser struct {
	src    string
	tokens []Token // the last one is EOF
	pos    int
	err    error
}

func (p *parser) parseStatement() Statement {
	switch {
	case p.keyword("CREATE"):
		return p.parseCreate()
	case p.keyword("DROP"):
		return p.parseDrop()
	case p.keyword("ALTER"):
		return p.parseAlter()
	case p.keyword("TRUNCATE"):
		return p.parseTruncate()
	case p.keyword("BACKUP"):
		return p.parseBackup()
	case p.keyword("CANCEL"):
		return p.parseCancel()
	case p.keyword("ADMIN", "SET"):
		return p.parseAdminSet()
	case p.keyword("REFRESH"), p.keyword("PAUSE"), p.keyword("RESUME"):
		if !p.peek().Is("MATERIALIZED") {
			return p.unknown()
		}
		return p.touchMaterialized()
	case p.keyword("SYNC"):
		return &Sync{}
	case p.keyword("RECOVER"):
		return p.parseRecover()
	case p.keyword("BUILD", "INDEX"):
		return p.buildIndex()
	}
	return p.unknown()
}

func (p *parser) unknown() Statement {
	p.stop(ErrUnknownStatement)
	return nil
}

func (p *parser) unsupported(what string) Statement {
	p.stop(&UnsupportedError{What: what})
	return nil
}

// firstWords returns the first n words of the statement in upper case.
func (p *parser) firstWords(n int) string {
	var words []string
	for _, t := range p.tokens {
		if t.Kind != Word || len(words) == n {
			break
		}
		words = append(words, strings.ToUpper(t.Text))
	}
	return strings.Join(words, " ")
}

func (p *parser) stop(err error) {
	if p.err == nil {
		p.err = err
	}
	p.pos = len(p.tokens) - 1
}

func (p *parser) failf(format string, args ...any) {
	p.stop(syntaxError(p.src, p.peek().Pos, fmt.Sprintf(format, args...)))
}

func (p *parser) mismatch(expected string) {
	p.failf("mismatched input '%s' expecting %s", p.text(p.peek()), expected)
}

func (p *parser) text(t Token) string {
	if t.Kind == EOF {
		return "<EOF>"
	}
	return p.src[t.Pos:t.End]
}

func (p *parser) peek() Token { return p.peekAt(0) }

func (p *parser) peekAt(n int) Token {
	if i := p.pos + n; p.err == nil && i < len(p.tokens) {
		return p.tokens[i]
	}
	return p.tokens[len(p.tokens)-1]
}

func (p *parser) next() Token {
	t := p.peek()
	if p.pos < len(p.tokens)-1 {
		p.pos++
	}
	return t
}

// keyword accepts the sequence of keywords, all or nothing.
func (p *parser) keyword(words ...string) bool {
	for i, w := range words {
		if !p.peekAt(i).Is(w) {
			return false
		}
	}
	p.pos += len(words)
	return true
}

func (p *parser) expect(words ...string) {
	for _, w := range words {
		if !p.keyword(w) {
			p.mismatch("'" + w + "'")
			return
		}
	}
}

func (p *parser) symbol(s string) bool {
	if !p.peek().IsSymbol(s) {
		return false
	}
	p.pos++
	return true
}

func (p *parser) expectSymbol(s string) {
	if !p.symbol(s) {
		p.mismatch("'" + s + "'")
	}
}

// ident reads a bare or quoted identifier. Doris reserves few words, and none
// where the simulator's grammar would become ambiguous.
func (p *parser) ident() string {
	t := p.peek()
	if t.Kind != Word && t.Kind != QuotedIdent || t.Text == "" {
		p.mismatch("an identifier")
		return ""
	}
	return p.next().Text
}

// dashedIdent reads a bare name that may contain dashes, like a label.
func (p *parser) dashedIdent() string {
	name := p.ident()
	for p.peek().IsSymbol("-") && p.peek().Pos == p.tokens[p.pos-1].End {
		p.pos++
		name += "-"
		if t := p.peek(); (t.Kind == Word || t.Kind == Number) && t.Pos == p.tokens[p.pos-1].End {
			name += p.next().Text
		}
	}
	return name
}

// name reads [catalog.][database.]name.
func (p *parser) name() Name {
	parts := []string{p.ident()}
	for len(parts) < 3 && p.symbol(".") {
		parts = append(parts, p.dashedIdent())
	}
	switch len(parts) {
	case 1:
		return Name{Name: parts[0]}
	case 2:
		return Name{Database: parts[0], Name: parts[1]}
	}
	if !strings.EqualFold(parts[0], "internal") {
		p.failf("unknown catalog '%s'", parts[0])
	}
	return Name{Database: parts[1], Name: parts[2]}
}

// idents reads (a, b, c) with at least one name.
func (p *parser) idents() []string {
	var names []string
	p.list(func() { names = append(names, p.ident()) })
	return names
}

// list reads ( item, item, ... ).
func (p *parser) list(item func()) {
	p.expectSymbol("(")
	for p.err == nil {
		item()
		if !p.symbol(",") {
			break
		}
	}
	p.expectSymbol(")")
}

func (p *parser) str() string {
	if p.peek().Kind != String {
		p.mismatch("a string")
		return ""
	}
	return p.next().Text
}

func (p *parser) integer() int64 {
	t := p.peek()
	n, err := strconv.ParseInt(t.Text, 10, 64)
	if t.Kind != Number || err != nil {
		p.mismatch("an integer")
		return 0
	}
	p.next()
	return n
}

func (p *parser) ifExists() bool    { return p.keyword("IF", "EXISTS") }
func (p *parser) ifNotExists() bool { return p.keyword("IF", "NOT", "EXISTS") }

// optionalComment reads [COMMENT 'text'].
func (p *parser) optionalComment() (text string, ok bool) {
	if !p.keyword("COMMENT") {
		return "", false
	}
	p.symbol("=")
	return p.str(), true
}

// optionalProperties reads [PROPERTIES (..)].
func (p *parser) optionalProperties() Properties {
	if !p.keyword("PROPERTIES") {
		return nil
	}
	return p.properties()
}

// properties reads ("key" = "value", ...); the list may be empty. Values may be
// bare words or numbers. The last of two equal keys wins, as in Doris.
func (p *parser) properties() Properties {
	props := Properties{}
	if p.peek().IsSymbol("(") && p.peekAt(1).IsSymbol(")") {
		p.pos += 2
		return props
	}
	p.list(func() {
		if p.peek().IsSymbol(")") { // trailing comma
			return
		}
		key := p.propertyItem()
		p.expectSymbol("=")
		props[key] = p.propertyItem()
	})
	return props
}

func (p *parser) propertyItem() string {
	sign := ""
	if p.symbol("-") {
		sign = "-"
	}
	switch t := p.peek(); t.Kind {
	case String, Word, Number, QuotedIdent:
		return sign + p.next().Text
	}
	p.mismatch("a property")
	return ""
}
