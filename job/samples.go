package job

import "time"

// QuerySamples asks the workflow of a worker process how jobs that stream in it have been during the
// last hour. Processes of before 0.4 do not know it.
const QuerySamples = "samples"

const (
	// SampleEvery is how often a process notes how its jobs are, SamplesKept how many notes it keeps: an
	// hour of them. They are in memory only: what was before the process began is not known.
	SampleEvery = 15 * time.Second
	SamplesKept = 240
)

// SamplesWanted is the argument of QuerySamples.
type SamplesWanted struct {
	Jobs []string `json:"jobs,omitempty"`
	// Points is how many points the last hour is to have, SamplesKept at most.
	Points int `json:"points"`
}

// SamplesKnown is the answer, by name of the job. Jobs that the process knows nothing of are left out.
type SamplesKnown map[string]Samples

// Samples are the last hour of a job, the oldest first; the last point ends now. -1 is unknown.
type Samples struct {
	// Lag and Behind are the greatest in the time of each point: binlogs, and seconds.
	Lag    []int64 `json:"lag"`
	Behind []int64 `json:"behind"`
	// Applied is Position.Applied at its end.
	Applied []int64 `json:"applied"`
}

// NewSamples are samples of which nothing is known.
func NewSamples(points int) Samples {
	unknown := func() []int64 {
		list := make([]int64, points)
		for i := range list {
			list[i] = -1
		}
		return list
	}
	return Samples{Lag: unknown(), Behind: unknown(), Applied: unknown()}
}

// Merge takes over what another process knows, in which the job has streamed at other times.
func (s Samples) Merge(other Samples) {
	for _, lists := range [][2][]int64{{s.Lag, other.Lag}, {s.Behind, other.Behind}, {s.Applied, other.Applied}} {
		for i := range min(len(lists[0]), len(lists[1])) {
			lists[0][i] = max(lists[0][i], lists[1][i])
		}
	}
}
