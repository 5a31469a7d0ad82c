package apiserver

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

// Numbers that nobody can ask for any more end, they do not go on as they were:
// neither those of a job that does not answer nor all of them.
func TestMetricsOfWhatDoesNotAnswerEnd(t *testing.T) {
	f := newFake()
	broken := func(j *fakeJob) {
		for range 10 {
			j.queriesFail = append(j.queriesFail, errors.New("broken"))
		}
	}
	silent := f.add("silent", nil)
	f.add("well", nil)
	s := newServer(t, f, nil)
	g := newJobGauges(s.jobs, s.overview)
	registry := prometheus.NewRegistry()
	registry.MustRegister(g)
	jobsSeen := func() (names []string) {
		families, _ := registry.Gather() // an error while jobs cannot be listed
		for _, family := range families {
			if family.GetName() == "ccr_job_stalled" {
				for _, m := range family.GetMetric() {
					names = append(names, m.GetLabel()[0].GetValue())
				}
			}
		}
		return names
	}
	age := func(by time.Duration) { // as if so much time had passed
		g.read, g.overview.read, g.overview.list.read = g.read.Add(-by), g.overview.read.Add(-by), g.overview.list.read.Add(-by)
		for name, s := range g.seen {
			g.seen[name] = sighting{s.status, s.at.Add(-by)}
		}
	}
	require.Equal(t, []string{"silent", "well"}, jobsSeen())
	f.with(func() { broken(silent) })
	age(gaugesKeep / 2)
	require.Equal(t, []string{"silent", "well"}, jobsSeen(), "it may have been busy")
	age(gaugesKeep)
	require.Equal(t, []string{"well"}, jobsSeen())

	f.with(func() { f.down = serviceerror.NewUnavailable("gone") })
	age(gaugesKeep / 2)
	require.Equal(t, []string{"well"}, jobsSeen())
	age(gaugesKeep)
	require.Empty(t, jobsSeen())

	rec := askBy(newServer(t, f, nil), "GET", "/metrics", "")
	require.NotContains(t, rec.Body.String(), "ccr_job_running_total 0", "nobody knows")
}
