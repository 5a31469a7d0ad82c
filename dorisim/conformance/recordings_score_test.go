package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// differenceFiles hold what differs and stays: of the Thrift calls, of SQL.
var differenceFiles = []string{"differences.rpc.json", "differences.sql.json"}

// keptDifference is a row of one of differenceFiles: an entry of a recording that
// dorisim answers differently, and why.
type keptDifference struct {
	File   string `json:"file"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
	// Reads tells that a CCR client reads what differs: there may be none.
	Reads bool `json:"client_reads,omitempty"`
}

// scoreOfRecordings counts the entries of a file that agree.
type scoreOfRecordings struct {
	t      *testing.T
	file   string
	kept   map[string]string
	agree  int
	differ []string
}

func newScore(t *testing.T, file string) *scoreOfRecordings {
	t.Helper()
	s := &scoreOfRecordings{t: t, file: file, kept: map[string]string{}}
	for _, name := range differenceFiles {
		for _, d := range readRecording[[]keptDifference](t, name) {
			if d.Reason == "" || d.Reads {
				t.Errorf("%s: %s of %s needs a reason, and may not be read by a CCR client", name, d.Name, d.File)
			}
			if d.File == file {
				s.kept[d.Name] = d.Reason
			}
		}
	}
	return s
}

// add notes one entry; an unexpected difference and one that has gone fail the
// test.
func (s *scoreOfRecordings) add(name string, differences []string) {
	s.t.Helper()
	reason, kept := s.kept[name]
	delete(s.kept, name)
	switch {
	case len(differences) == 0 && kept:
		s.t.Errorf("%s agrees now: take out its row", name)
	case len(differences) > 0 && kept:
		s.differ = append(s.differ, fmt.Sprintf("%s (%s)", name, reason))
	case len(differences) > 0:
		s.differ = append(s.differ, name)
		s.t.Errorf("%s: %s:\n\t%s", s.file, name, strings.Join(differences, "\n\t"))
	default:
		s.agree++
	}
}

// finish prints the score and wants every kept difference to have been met.
func (s *scoreOfRecordings) finish() {
	s.t.Helper()
	for name := range s.kept {
		s.t.Errorf("a row names %s, which is not in %s", name, s.file)
	}
	total := s.agree + len(s.differ)
	fmt.Printf("%s: %d of %d entries agree\n", s.file, s.agree, total)
	for _, d := range s.differ {
		fmt.Printf("\tdiffers: %s\n", d)
	}
}
