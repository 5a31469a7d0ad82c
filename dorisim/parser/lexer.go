// Package parser reads Doris' SQL dialect as far as a simulated FE needs it:
// a lexer for every statement, a splitter for several statements in one packet
// (doris-sql.md 1.3), and a parser for DDL and administration.
//
// It knows words, not meaning: whether a table exists or a property is known is
// for package ddl to say.
package parser

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a token.
type Kind int

const (
	EOF         Kind = iota
	Word             // bare identifier or keyword
	QuotedIdent      // `...`, Text without the backticks
	String           // '...' or "...", Text without quotes and escapes
	Number           // unsigned integer or decimal literal
	Symbol           // operator or punctuation
	Hint             // /*+ ... */, Text is what is between the markers
)

// Token is one token. Pos and End are byte offsets of its text in the source.
type Token struct {
	Kind Kind
	Text string
	Pos  int
	End  int
}

// Is tells whether the token is that keyword, in any case. A quoted identifier
// never is a keyword.
func (t Token) Is(keyword string) bool { return t.Kind == Word && strings.EqualFold(t.Text, keyword) }

// IsSymbol tells whether the token is that symbol.
func (t Token) IsSymbol(s string) bool { return t.Kind == Symbol && t.Text == s }

// SyntaxError is a text that is not a statement. Line counts from 1, Column
// (in bytes) from 0, as Doris prints them.
type SyntaxError struct {
	Message      string
	Line, Column int
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s(line %d, pos %d)", e.Message, e.Line, e.Column)
}

func syntaxError(src string, pos int, message string) *SyntaxError {
	if pos > len(src) {
		pos = len(src)
	}
	before := src[:pos]
	line := 1 + strings.Count(before, "\n")
	return &SyntaxError{Message: message, Line: line, Column: pos - (strings.LastIndexByte(before, '\n') + 1)}
}

// Lex returns the tokens of text without comments; the last one is EOF. Its
// error is a *SyntaxError: a string, quoted identifier or comment without end.
func Lex(text string) ([]Token, error) {
	l := lexer{src: text}
	tokens := make([]Token, 0, len(text)/5+1)
	for {
		t, err := l.next()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		if t.Kind == EOF {
			return tokens, nil
		}
	}
}

type lexer struct {
	src string
	pos int
}

func (l *lexer) next() (Token, error) {
	for {
		hint, skipped, err := l.skipBlank()
		if err != nil {
			return Token{}, err
		}
		if hint != nil {
			return *hint, nil
		}
		if !skipped {
			break
		}
	}
	start := l.pos
	if start >= len(l.src) {
		return Token{Kind: EOF, Pos: start, End: start}, nil
	}
	switch c := l.src[start]; {
	case c == '\'' || c == '"':
		return l.quotedString(c)
	case c == '`':
		return l.quotedIdent()
	case isDigit(c) || c == '.' && start+1 < len(l.src) && isDigit(l.src[start+1]) && !l.afterName():
		return l.number(), nil
	case isWordByte(c):
		return l.word(), nil
	default:
		return l.symbol(), nil
	}
}

// afterName tells whether a dot at the current position belongs to a qualified
// name, so that `t`.1a is not read as the number .1.
func (l *lexer) afterName() bool {
	if l.pos == 0 {
		return false
	}
	c := l.src[l.pos-1]
	return c == '`' || isWordByte(c)
}

// skipBlank skips one run of white space or one comment; a hint is a token.
func (l *lexer) skipBlank() (hint *Token, skipped bool, err error) {
	start := l.pos
	for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		l.pos++
	}
	rest := l.src[l.pos:]
	switch {
	case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#"):
		if end := strings.IndexByte(rest, '\n'); end >= 0 {
			l.pos += end + 1
		} else {
			l.pos = len(l.src)
		}
	case strings.HasPrefix(rest, "/*"):
		open := l.pos
		end := strings.Index(rest[2:], "*/")
		if end < 0 {
			return nil, false, syntaxError(l.src, open, "unterminated bracketed comment")
		}
		l.pos += 2 + end + 2
		if body := rest[2 : 2+end]; strings.HasPrefix(body, "+") {
			return &Token{Kind: Hint, Text: strings.TrimSpace(body[1:]), Pos: open, End: l.pos}, true, nil
		}
	}
	return nil, l.pos > start, nil
}

func (l *lexer) quotedString(quote byte) (Token, error) {
	start := l.pos
	var text strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		switch {
		case c == quote && l.pos+1 < len(l.src) && l.src[l.pos+1] == quote:
			text.WriteByte(quote)
			l.pos++
		case c == quote:
			l.pos++
			return Token{Kind: String, Text: text.String(), Pos: start, End: l.pos}, nil
		case c == '\\' && l.pos+1 < len(l.src):
			l.pos++
			text.WriteString(unescape(l.src[l.pos]))
		default:
			text.WriteByte(c)
		}
	}
	return Token{}, syntaxError(l.src, start, "unterminated string")
}

// unescape returns what a backslash and c stand for. \% and \_ keep their
// backslash: they mean something to LIKE.
func unescape(c byte) string {
	switch c {
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 'r':
		return "\r"
	case 'b':
		return "\b"
	case '0':
		return "\x00"
	case 'Z':
		return "\x1a"
	case '%', '_':
		return "\\" + string(c)
	}
	return string([]byte{c})
}

func (l *lexer) quotedIdent() (Token, error) {
	start := l.pos
	var text strings.Builder
	for l.pos++; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		if c != '`' {
			text.WriteByte(c)
			continue
		}
		if l.pos+1 < len(l.src) && l.src[l.pos+1] == '`' {
			text.WriteByte('`')
			l.pos++
			continue
		}
		l.pos++
		return Token{Kind: QuotedIdent, Text: text.String(), Pos: start, End: l.pos}, nil
	}
	return Token{}, syntaxError(l.src, start, "unterminated quoted identifier")
}

// number reads a literal; digits that go on as letters are a word (1day_t).
func (l *lexer) number() Token {
	start := l.pos
	l.digits()
	if l.pos < len(l.src) && l.src[l.pos] == '.' {
		l.pos++
		l.digits()
	}
	if end, ok := exponent(l.src, l.pos); ok {
		l.pos = end
	} else if l.pos < len(l.src) && isWordByte(l.src[l.pos]) && !strings.Contains(l.src[start:l.pos], ".") {
		l.pos = start
		return l.word()
	}
	return l.token(Number, start)
}

func (l *lexer) digits() {
	for l.pos < len(l.src) && isDigit(l.src[l.pos]) {
		l.pos++
	}
}

// exponent returns the end of an exponent that begins at pos and is not the
// beginning of a word.
func exponent(src string, pos int) (end int, ok bool) {
	if pos >= len(src) || src[pos] != 'e' && src[pos] != 'E' {
		return 0, false
	}
	pos++
	if pos < len(src) && (src[pos] == '+' || src[pos] == '-') {
		pos++
	}
	start := pos
	for pos < len(src) && isDigit(src[pos]) {
		pos++
	}
	return pos, pos > start && (pos == len(src) || !isWordByte(src[pos]))
}

func (l *lexer) word() Token {
	start := l.pos
	for l.pos < len(l.src) && isWordByte(l.src[l.pos]) {
		l.pos++
	}
	return l.token(Word, start)
}

// symbols of more than one character, the longest first.
var longSymbols = [...]string{"<=>", "<=", ">=", "<>", "!=", "||", "&&", ":=", "@@"}

func (l *lexer) symbol() Token {
	start := l.pos
	for _, s := range longSymbols {
		if strings.HasPrefix(l.src[start:], s) {
			l.pos += len(s)
			return l.token(Symbol, start)
		}
	}
	_, size := utf8.DecodeRuneInString(l.src[start:])
	l.pos += size
	return l.token(Symbol, start)
}

func (l *lexer) token(k Kind, start int) Token {
	return Token{Kind: k, Text: l.src[start:l.pos], Pos: start, End: l.pos}
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isWordByte accepts every byte of a multi-byte character: names may be
// unicode, and what is allowed in which name is not the lexer's business.
func isWordByte(c byte) bool {
	return c == '_' || c == '$' || isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
