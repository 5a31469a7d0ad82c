package status

import "strings"

// maxText bounds the text of a refusal, in bytes. Some have the whole statement in them, and the
// text goes into the state of a job and into each of its events.
const maxText = 8 << 10

// maxTexts bounds the texts of one refusal; mostly there is one.
const maxTexts = 10

// Readable is a text of a server as it may be told on: valid UTF-8, since Temporal takes no other
// error from a worker and the job would learn nothing at all, and not longer than a person reads.
func Readable(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// ReadableAll is Readable of the texts of one refusal: the first of them, if there are many.
func ReadableAll(texts []string) []string {
	texts = texts[:min(len(texts), maxTexts)]
	readable := make([]string, len(texts))
	for i, text := range texts {
		readable[i] = Readable(text)
	}
	return readable
}
