package harness

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// sumSamples adds up the samples of one metric in Prometheus' text form, over
// all labels but those that are given, as name="value".
func sumSamples(r io.Reader, name string, labels ...string) (float64, error) {
	sum, found := 0.0, false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		rest, ok := strings.CutPrefix(line, name)
		if !ok || (rest != "" && rest[0] != '{' && rest[0] != ' ') {
			continue
		}
		if slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(line, l) }) {
			continue
		}
		fields := strings.Fields(line[strings.LastIndexByte(line, '}')+1:])
		if len(fields) == 0 {
			continue
		}
		value := fields[len(fields)-1]
		if !strings.Contains(line, "}") && len(fields) > 1 {
			value = fields[1]
		}
		sum += atof(value)
		found = true
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	if !found {
		return 0, fmt.Errorf("metrics: no sample of %s", name)
	}
	return sum, nil
}
