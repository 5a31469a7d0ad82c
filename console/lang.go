package console

import (
	"fmt"
	"net/http"
	"strings"
)

// lang is a language of the console. What Doris and Temporal say is English in both.
type lang string

const (
	english lang = "en"
	chinese lang = "zh-CN"
)

func (l lang) known() bool { return l == english || l == chinese }

// languageOf is the language that the person has chosen, else the first of the browser's that we have.
func languageOf(r *http.Request) lang {
	if chosen, err := r.Cookie(languageCookie); err == nil && lang(chosen.Value).known() {
		return lang(chosen.Value)
	}
	// Browsers send their languages in the order of preference.
	for _, wanted := range strings.Split(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(wanted), ";")
		switch primary, _, _ := strings.Cut(strings.ToLower(tag), "-"); primary {
		case "zh":
			return chinese
		case "en":
			return english
		}
	}
	return english
}

// text is a text of the console. The English one is its name.
func (l lang) text(text string, args ...any) string {
	if l == chinese {
		if translated, ok := chineseTexts[text]; ok {
			text = translated
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
