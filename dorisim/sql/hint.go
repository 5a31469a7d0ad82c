package sql

import (
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// heedHints sets what SET_VAR hints say, for one statement; other hints, and
// variables that the simulator does not have, are passed over. restore undoes it.
func (s *session) heedHints(hints []string) (restore func(), err error) {
	before := maps.Clone(s.vars)
	restore = func() { s.vars = before }
	for _, hint := range hints {
		c, err := newCursor(hint)
		if err != nil {
			continue
		}
		for !c.end() {
			if !c.keyword("SET_VAR") || !c.symbol("(") {
				c.next()
				continue
			}
			if err := s.heedVariables(c); err != nil {
				restore()
				return nil, err
			}
		}
	}
	return restore, nil
}

// heedVariables reads a = b, ... up to the parenthesis.
func (s *session) heedVariables(c *cursor) error {
	for !c.end() && !c.symbol(")") {
		name := strings.ToLower(c.next().Text)
		if !c.symbol("=") {
			continue
		}
		value := c.next().Text
		if value == "-" {
			value += c.next().Text
		}
		if _, known := defaultVariables[name]; !known {
			continue
		}
		checked, err := checkedVariable(name, value)
		if err != nil || slices.Contains(dataVolumes, name) && checked != value { // units are for SET
			return core.Errorf("Can not set session variable '%s' = '%s'", name, value)
		}
		s.vars[name] = checked
	}
	return nil
}
