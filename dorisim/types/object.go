package types

import (
	"encoding/json"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
)

// Objects are values of BITMAP, HLL and AGG_STATE as canonical text, so that equal
// ones are equal texts. A BITMAP is its members in order, "1,2,30". A HLL is the
// hashes of what it has seen, sorted: it counts exactly what Doris estimates. An
// AGG_STATE is a JSON array of the function's name and what it has gathered.

// BitmapOf is the canonical text of a set of numbers.
func BitmapOf(members []uint64) string {
	sorted := slices.Clone(members)
	slices.Sort(sorted)
	texts := make([]string, 0, len(sorted))
	for _, n := range slices.Compact(sorted) {
		texts = append(texts, strconv.FormatUint(n, 10))
	}
	return strings.Join(texts, ",")
}

// BitmapMembers reads a list of numbers; ok is false for any other text.
func BitmapMembers(text string) (members []uint64, ok bool) {
	if strings.TrimSpace(text) == "" {
		return nil, true
	}
	for item := range strings.SplitSeq(text, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(item), 10, 64)
		if err != nil {
			return nil, false
		}
		members = append(members, n)
	}
	return members, true
}

// ObjectUnion merges two BITMAPs, or two HLLs.
func ObjectUnion(a, b string) string { return unionTokens(a, b) }

// ObjectCount is the number of members of a BITMAP or HLL.
func ObjectCount(text string) int64 {
	if text == "" {
		return 0
	}
	return int64(strings.Count(text, ",") + 1)
}

// HLLOf is the HLL of one value.
func HLLOf(value string) string { return "h" + strconv.FormatUint(Hash(value), 16) }

// Hash is a 64-bit hash of a text.
func Hash(value string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(value)) // never fails
	return h.Sum64()
}

// AggStateOf is the state of an aggregate function that has seen one row; ok is
// false for functions that the simulator does not know.
func AggStateOf(function string, args []Value) (state string, ok bool) {
	s := aggState{Function: strings.ToLower(function)}
	arity := 1
	switch s.Function {
	case "max_by", "min_by":
		arity = 2
	case "sum", "min", "max", "avg", "count", "group_concat":
	default:
		return "", false
	}
	if len(args) < arity {
		return "", false
	}
	if last := args[arity-1]; last != nil {
		row := make([]string, arity)
		for i := range row {
			row[i] = "\x00" // NULL
			if args[i] != nil {
				row[i] = Format(args[i], Type{Kind: Double})
			}
		}
		s.Rows = [][]string{row}
	}
	return s.text(), true
}

// aggState gathers the rows that a function has seen; those of max, min, max_by and
// min_by only the one that counts.
type aggState struct {
	Function string     `json:"f"`
	Rows     [][]string `json:"r"`
}

func (s aggState) text() string {
	s.reduce()
	out, _ := json.Marshal(s) // texts only
	return string(out)
}

// reduce keeps what decides the result, in an order that does not depend on that of
// the merges.
func (s *aggState) reduce() {
	byLast := func(a, b []string) int { return compareMixed(a[len(a)-1], b[len(b)-1]) }
	slices.SortFunc(s.Rows, func(a, b []string) int {
		if c := byLast(a, b); c != 0 {
			return c
		}
		return slices.Compare(a, b)
	})
	if len(s.Rows) == 0 {
		return
	}
	switch s.Function {
	case "max", "max_by":
		s.Rows = s.Rows[len(s.Rows)-1:]
	case "min", "min_by":
		s.Rows = s.Rows[:1]
	}
}

// compareMixed orders numbers by magnitude, other texts by bytes.
func compareMixed(a, b string) int {
	x, errX := number(a)
	y, errY := number(b)
	if errX == nil && errY == nil {
		return x.Cmp(y)
	}
	return strings.Compare(a, b)
}

func readState(text string) (aggState, bool) {
	var s aggState
	return s, json.Unmarshal([]byte(text), &s) == nil && s.Function != ""
}

// AggStateMerge merges two states of one function; texts that are none are put
// one behind the other.
func AggStateMerge(a, b string) string {
	x, okX := readState(a)
	y, okY := readState(b)
	if !okX || !okY || x.Function != y.Function {
		return concatTokens(a, b)
	}
	x.Rows = append(x.Rows, y.Rows...)
	return x.text()
}

// AggStateResult is what the function gives for a state, nil for NULL. Numbers are
// texts.
func AggStateResult(text string) Value {
	s, ok := readState(text)
	if !ok {
		return nil
	}
	if s.Function == "count" {
		return strconv.Itoa(len(s.Rows))
	}
	if len(s.Rows) == 0 {
		return nil
	}
	switch s.Function {
	case "max", "min", "max_by", "min_by":
		return nullText(s.Rows[0][0])
	case "group_concat":
		items := make([]string, len(s.Rows))
		for i, row := range s.Rows {
			items[i] = row[0]
		}
		return strings.Join(items, ", ")
	}
	total := 0.0
	for _, row := range s.Rows {
		n, err := strconv.ParseFloat(row[0], 64)
		if err != nil {
			return nil
		}
		total += n
	}
	if s.Function == "avg" {
		total /= float64(len(s.Rows))
	}
	return Format(total, Type{Kind: Double})
}

func nullText(text string) Value {
	if text == "\x00" {
		return nil
	}
	return text
}
