package binlog

import (
	"encoding/json"
	"fmt"
)

// decode turns the payload of a binlog of the given type into a T.
func decode[T any](t Type, data string) (T, error) {
	var payload T
	if data == "" {
		return payload, fmt.Errorf("%s binlog has no payload", t)
	}
	if err := json.Unmarshal([]byte(data), &payload); err != nil {
		return payload, fmt.Errorf("decode %s binlog: %w", t, err)
	}
	return payload, nil
}

// either returns the first value that is not zero: the newer or the older
// spelling of a field.
func either[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// eitherSlice returns the first slice that was present.
func eitherSlice[T any](a, b []T) []T {
	if a != nil {
		return a
	}
	return b
}
