package meta

import (
	"regexp"
	"strings"
)

// DefaultPartition is the key of every default list partition. Servers do not
// agree on the types part of its text, so that the key alone identifies it.
const DefaultPartition = "default key"

const (
	listOpen  = "partitionKeys: ["
	listClose = "];"
	tuple     = "types: ["
)

var (
	defaultTuple = regexp.MustCompile(`^types: \[[^\]]*\]; keys: \[default key(, default key)*\];$`)
	// leader is U+2025, which very old servers print between two range bounds.
	leader = strings.NewReplacer("; \u2025"+tuple, "; .."+tuple)
	joint  = strings.NewReplacer("; , "+tuple, "; "+tuple)
)

// NormalizeRange turns the text of a partition's keys into a form that is equal
// for equal partitions, whatever the versions of the two clusters (doris-rpc.md
// 3.3.1, doris-binlogs.md 3.3):
//
//   - RANGE keeps its text, with two dots where very old servers print U+2025;
//   - LIST is reduced to its key tuples from both of its spellings,
//     "partitionKeys: [t1; t2; ]; " and "[t1; , t2; ]";
//   - the default list partition becomes DefaultPartition;
//   - "" stays: the table is not partitioned.
//
// It is meant for texts that servers print; other texts come back as they are,
// apart from blanks around them. NormalizeRange(NormalizeRange(s)) is
// NormalizeRange(s).
func NormalizeRange(s string) string {
	s = leader.Replace(strings.TrimSpace(s))
	tuples, ok := listTuples(s)
	if !ok {
		return s
	}
	tuples = joint.Replace(tuples)
	if defaultTuple.MatchString(tuples) {
		return DefaultPartition
	}
	return tuples
}

// listTuples takes the wrapper of either LIST spelling off. A RANGE ends with a
// parenthesis and is none of them.
func listTuples(s string) (string, bool) {
	if inner, ok := strings.CutPrefix(s, listOpen); ok {
		inner, ok = strings.CutSuffix(inner, listClose)
		return strings.TrimSpace(inner), ok && strings.HasPrefix(inner, tuple)
	}
	inner, ok := strings.CutPrefix(s, "[")
	if !ok || !strings.HasPrefix(inner, tuple) {
		return "", false
	}
	inner, ok = strings.CutSuffix(inner, "]")
	return strings.TrimSpace(inner), ok
}
