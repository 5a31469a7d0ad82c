package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

// inJSONWords says in the words of JSON what encoding/json says in those of Go. It keeps
// their beginning, which scripts may look for (http-api.md 1.1).
func inJSONWords(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	var path []string
	for _, part := range strings.Split(wrong.Field, ".") {
		if part != "" && !strings.ContainsFunc(part, unicode.IsUpper) { // else an embedded struct
			path = append(path, part)
		}
	}
	where := "the body"
	if len(path) > 0 {
		where = fmt.Sprintf("%q", strings.Join(path, "."))
	}
	return fmt.Errorf("json: cannot unmarshal %s into %s: it has to be %s", wrong.Value, where, kindInJSON(wrong.Type))
}

func kindInJSON(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Pointer:
		return kindInJSON(t.Elem())
	}
	return "a number"
}
