package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// filledIn are keys of a side that the server fills in; clients may send them back
// (http-api.md 3.2).
var filledIn = []string{"is_master", "frontends", "db_id", "table_id"}

// passedOver tells of what a body of create_ccr has and nobody reads: a misspelt key
// mostly. The interface ignores it (http-api.md 1), so this is a warning.
func passedOver(body []byte) (warnings []string) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	var top map[string]json.RawMessage
	if decoder.Decode(&top) != nil {
		return nil
	}
	warn := func(prefix string, object map[string]json.RawMessage, known []string) {
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) }) {
				continue
			}
			text := fmt.Sprintf("the key %q is not known, and ignored", prefix+key)
			if near := job.Nearest(strings.ToLower(key), known); len(near) > 0 {
				text += ": did you mean " + strings.Join(near, " or ") + "?"
			}
			warnings = append(warnings, text)
		}
	}
	warn("", top, keysOf(reflect.TypeFor[createRequest]()))
	for _, side := range []string{"src", "dest"} {
		var cluster map[string]json.RawMessage
		if json.Unmarshal(top[side], &cluster) == nil {
			warn(side+".", cluster, append(keysOf(reflect.TypeFor[clusterRequest]()), filledIn...))
		}
	}
	if decoder.More() {
		warnings = append(warnings, "there is more than one JSON value: only the first is read")
	}
	return warnings
}

// keysOf are the keys of a struct in JSON.
func keysOf(t reflect.Type) (keys []string) {
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			keys = append(keys, name)
		}
	}
	return keys
}
