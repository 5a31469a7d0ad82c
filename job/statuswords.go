package job

import "time"

// StatusWords are the answer of /job_status in the query job_status: the same keys with
// the same values, as the workflow knows them.
type StatusWords struct {
	Name          string        `json:"name"`
	State         string        `json:"state"`
	ProgressState string        `json:"progress_state"`
	CommitSeq     int64         `json:"commit_seq"`
	Phase         Phase         `json:"phase"`
	Doing         string        `json:"doing,omitempty"`
	NextStep      string        `json:"next_step"`
	Stalled       bool          `json:"stalled"`
	LastError     *ProblemWords `json:"last_error,omitempty"`
	// Lag and LagSecs are null until the source has been asked.
	Lag           *int64     `json:"lag"`
	LagSecs       *int64     `json:"lag_secs"`
	LagObservedAt *time.Time `json:"lag_observed_at,omitempty"`
	FullSyncs     int        `json:"full_syncs"`
	PartialSyncs  int        `json:"partial_syncs"`
}

// ProblemWords are what a person needs to get a stalled job going again.
type ProblemWords struct {
	Text       string    `json:"text"`
	Kind       Kind      `json:"kind"`
	CommitSeq  int64     `json:"commit_seq,omitempty"`
	BinlogType string    `json:"binlog_type,omitempty"`
	Binlog     string    `json:"binlog,omitempty"`
	Since      time.Time `json:"since"`
	Tries      int       `json:"tries"`
	Remedy     string    `json:"remedy,omitempty"`
}

// Words returns the status in the words of /job_status.
func (s Status) Words() StatusWords {
	w := StatusWords{
		Name:          s.Name,
		State:         s.StateWord(),
		ProgressState: s.ProgressState.String(),
		CommitSeq:     s.Position.CommitSeq,
		Phase:         s.Phase,
		Doing:         s.Doing,
		NextStep:      s.Advice(),
		Stalled:       s.Stalled,
		LastError:     s.Problem.Words(s.Position.CommitSeq),
		FullSyncs:     s.FullSyncs,
		PartialSyncs:  s.PartialSyncs,
	}
	if at := s.Lag.ObservedAt; !at.IsZero() {
		binlogs, seconds := s.Lag.Binlogs, s.Lag.Seconds()
		w.Lag, w.LagSecs, w.LagObservedAt = &binlogs, &seconds, &at
	}
	return w
}

// Words returns the problem of a job at a position; nil for none.
func (p *Problem) Words(position int64) *ProblemWords {
	if p == nil {
		return nil
	}
	w := &ProblemWords{Text: p.Text, Kind: p.Kind, Since: p.Since, Tries: p.Tries, Remedy: p.Remedy}
	if p.At(position) {
		w.CommitSeq, w.BinlogType, w.Binlog = p.CommitSeq, p.BinlogType.String(), p.Describe(position)
	}
	return w
}

// StatusAnswer is the answer of the query job_status: what API servers read, and the
// same in the words of /job_status, for people. As there, Words are within status; at
// the top progress_state is a number, which API servers of earlier releases read.
type StatusAnswer struct {
	Status
	Words StatusWords `json:"status"`
}
