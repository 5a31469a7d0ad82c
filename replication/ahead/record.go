package ahead

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/doris-ccr/ccr/job"
)

// maxParsed bounds what is put in form: a longer record is shown as it begins.
const maxParsed = 4 << 20

// secretWords are parts of the names of secrets.
const secretWords = "passw|secret|token|credential|access_?key|private_?key|account_?key"

// Frontends do not mask the properties of what they print into a binlog: the definition of
// an external table has its password.
var (
	jsonText  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	secretKey = regexp.MustCompile("(?i)" + secretWords)
	secretSet = regexp.MustCompile("(?i)([\"'`]?[\\w.-]*(?:" + secretWords + ")[\\w.-]*[\"'`]?\\s*[=:]\\s*)(?:\"(?:[^\"\\\\]|\\\\.)*\"?|'(?:[^'\\\\]|\\\\.)*'?)")
	identify  = regexp.MustCompile(`(?i)(\bIDENTIFIED\s+BY\s+(?:PASSWORD\s+)?)(?:"[^"]*"?|'[^']*'?)`)
)

// masked is a text without the values of secrets.
func masked(text string) string {
	text = secretSet.ReplaceAllString(text, `${1}"`+job.Mask+`"`)
	return identify.ReplaceAllString(text, `${1}"`+job.Mask+`"`)
}

// shown is a record for people: in lines, secrets masked, and not more than may be shown.
func shown(data string) (text string, isCut bool) {
	var lines bytes.Buffer
	if len(data) > maxParsed || json.Indent(&lines, []byte(data), "", "  ") != nil {
		text, isCut = cut(data)
		return masked(text), isCut
	}
	return cut(maskJSON(lines.String()))
}

// maskJSON masks secrets in the texts of a JSON document, and under keys that name one.
func maskJSON(document string) string {
	var b strings.Builder
	last, secret := 0, false
	for _, at := range jsonText.FindAllStringIndex(document, -1) {
		b.WriteString(document[last:at[0]])
		last = at[1]
		quoted := document[at[0]:at[1]]
		isKey := strings.HasPrefix(strings.TrimLeft(document[at[1]:], " "), ":")
		var text string
		switch err := json.Unmarshal([]byte(quoted), &text); {
		case err != nil:
			b.WriteString(quoted)
		case isKey:
			secret = secretKey.MatchString(text)
			b.WriteString(quoted)
		case secret:
			b.WriteString(`"` + job.Mask + `"`)
			secret = false
		default:
			b.WriteString(encoded(masked(text)))
		}
	}
	b.WriteString(document[last:])
	return b.String()
}

// encoded is a JSON text that people can read: "<" is "<".
func encoded(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func cut(text string) (string, bool) {
	if len(text) <= job.MaxRecordShown {
		return text, false
	}
	end := job.MaxRecordShown
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end], true
}
