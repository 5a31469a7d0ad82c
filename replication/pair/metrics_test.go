package pair

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

// seriesOf returns the names of the metrics that have series of a job.
func seriesOf(t *testing.T, r *prometheus.Registry, name string) (found []string) {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "name" && l.GetValue() == name {
					found = append(found, f.GetName())
				}
			}
		}
	}
	return found
}

// A job that ended leaves no series behind, and neither does one that another
// worker has had for long: names of jobs come and go for years.
func TestSeriesOfJobsVanish(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r)
	for _, name := range []string{"ended", "elsewhere", "here"} {
		m.Failed(name, "stream", job.KindFE)
		m.Reached(name, 7)
		m.Handled(name, time.Now())
		m.Persists.WithLabelValues(name).Inc()
		m.PersistSeconds.WithLabelValues(name).Observe(1)
		m.SnapshotLeft(name, StepBackup, "1=2")
		m.Differing(name, 1)
		m.Held(name, time.Second)
	}
	require.Len(t, seriesOf(t, r, "ended"), 9)

	m.Forget("ended")
	require.Empty(t, seriesOf(t, r, "ended"))
	require.Len(t, seriesOf(t, r, "elsewhere"), 9)

	m.used["elsewhere"] = time.Now().Add(-2 * seriesAge)
	require.Empty(t, seriesOf(t, r, "elsewhere"))
	require.Len(t, seriesOf(t, r, "here"), 9)
}
