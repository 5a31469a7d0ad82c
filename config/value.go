package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// The types of settings. Flags, environment and file all go through Set, so a
// value is read the same way wherever it comes from.

type stringValue struct {
	p    *string
	kind string // what help calls the value
}

func (v stringValue) Set(s string) error { *v.p = s; return nil }
func (v stringValue) String() string     { return *v.p }
func (v stringValue) Type() string       { return v.kind }

type intValue struct{ p *int }

func (v intValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", s)
	}
	*v.p = n
	return nil
}
func (v intValue) String() string { return strconv.Itoa(*v.p) }
func (v intValue) Type() string   { return "number" }

type durationValue struct{ p *time.Duration }

func (v durationValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 500ms, 30s or 10m", s)
	}
	*v.p = d
	return nil
}
func (v durationValue) String() string { return v.p.String() }
func (v durationValue) Type() string   { return "duration" }

type boolValue struct{ p *bool }

func (v boolValue) Set(s string) error {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", s)
	}
	*v.p = b
	return nil
}
func (v boolValue) String() string { return strconv.FormatBool(*v.p) }
func (v boolValue) Type() string   { return "bool" }

// IsBoolFlag lets the flag stand without a value.
func (v boolValue) IsBoolFlag() bool { return true }

// choiceValue accepts the listed words, and others as other names of them.
type choiceValue struct {
	p      *string
	words  []string
	others map[string]string
}

func (v choiceValue) Set(s string) error {
	s = strings.ToLower(s)
	if word, ok := v.others[s]; ok {
		s = word
	}
	if s == "" && *v.p == "" {
		return nil // one that need not be given
	}
	if !slices.Contains(v.words, s) {
		return fmt.Errorf("%q is not one of %s", s, strings.Join(v.words, ", "))
	}
	*v.p = s
	return nil
}
func (v choiceValue) String() string { return *v.p }
func (v choiceValue) Type() string   { return strings.Join(v.words, "|") }

// portValue is the port of an address that is another setting.
type portValue struct{ address *string }

func (v portValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is not a port number", s)
	}
	host, _, err := net.SplitHostPort(*v.address)
	if err != nil {
		return fmt.Errorf("the address %q has no place for a port: %w", *v.address, err)
	}
	*v.address = net.JoinHostPort(host, s)
	return nil
}

func (v portValue) String() string {
	_, port, _ := net.SplitHostPort(*v.address)
	return port
}
func (v portValue) Type() string { return "number" }

var _ = []pflag.Value{stringValue{}, intValue{}, durationValue{}, boolValue{}, choiceValue{}, portValue{}}
