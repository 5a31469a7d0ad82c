package parser

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLex(t *testing.T) {
	tests := []struct {
		text string
		want []Token
	}{
		{"select 1", []Token{{Kind: Word, Text: "select"}, {Kind: Number, Text: "1"}}},
		{"`a``b`.c", []Token{{Kind: QuotedIdent, Text: "a`b"}, {Kind: Symbol, Text: "."}, {Kind: Word, Text: "c"}}},
		{`'it''s' "a\"b" 'x\ny' '\%'`, []Token{
			{Kind: String, Text: "it's"}, {Kind: String, Text: `a"b`}, {Kind: String, Text: "x\ny"}, {Kind: String, Text: `\%`}}},
		{"1.5 .5 1e3 2day 1.e", []Token{
			{Kind: Number, Text: "1.5"}, {Kind: Number, Text: ".5"}, {Kind: Number, Text: "1e3"}, {Kind: Word, Text: "2day"},
			{Kind: Number, Text: "1."}, {Kind: Word, Text: "e"}}},
		{"a -- c\n b # d\n c /* ; */ d", []Token{
			{Kind: Word, Text: "a"}, {Kind: Word, Text: "b"}, {Kind: Word, Text: "c"}, {Kind: Word, Text: "d"}}},
		{"/*+ SET_VAR(a = 1) */ x", []Token{{Kind: Hint, Text: "SET_VAR(a = 1)"}, {Kind: Word, Text: "x"}}},
		{"a<=b<>@@c", []Token{{Kind: Word, Text: "a"}, {Kind: Symbol, Text: "<="}, {Kind: Word, Text: "b"},
			{Kind: Symbol, Text: "<>"}, {Kind: Symbol, Text: "@@"}, {Kind: Word, Text: "c"}}},
		{"größe", []Token{{Kind: Word, Text: "größe"}}},
		{"t.1a", []Token{{Kind: Word, Text: "t"}, {Kind: Symbol, Text: "."}, {Kind: Word, Text: "1a"}}},
	}
	for _, tt := range tests {
		tokens, err := Lex(tt.text)
		require.NoError(t, err, tt.text)
		require.Equal(t, EOF, tokens[len(tokens)-1].Kind)
		for i := range tokens {
			tokens[i].Pos, tokens[i].End = 0, 0
		}
		require.Equal(t, tt.want, tokens[:len(tokens)-1], tt.text)
	}
}

func TestLexErrors(t *testing.T) {
	for text, want := range map[string]string{
		"select 'a":     "unterminated string(line 1, pos 7)",
		"select\n `a":   "unterminated quoted identifier(line 2, pos 1)",
		"/* never ends": "unterminated bracketed comment(line 1, pos 0)",
	} {
		_, err := Lex(text)
		require.EqualError(t, err, want)
	}
}

func TestSplit(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{"", nil},
		{" ; ;", nil},
		{"-- nothing\n;", nil},
		{"select 1", []string{"select 1"}},
		{"begin; insert into t values (';', \"a;\"); commit;", []string{"begin", `insert into t values (';', "a;")`, "commit"}},
		{"set a = 1 /* ; */; select `;`", []string{"set a = 1 /* ; */", "select `;`"}},
		{"select 1; select 'x", []string{"select 1", "select 'x"}},
		{"select /*+ h */ 1;\n-- end", []string{"select /*+ h */ 1"}},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, Split(tt.text), tt.text)
	}
}

func FuzzLex(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := Lex(text)
		if err == nil {
			end := 0
			for _, tok := range tokens {
				require.GreaterOrEqual(t, tok.Pos, end)
				require.GreaterOrEqual(t, tok.End, tok.Pos)
				require.LessOrEqual(t, tok.End, len(text))
				end = tok.End
			}
		}
		for _, s := range Split(text) {
			require.Contains(t, text, s)
			require.NotEmpty(t, strings.TrimSpace(s))
		}
	})
}
