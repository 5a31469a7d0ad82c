package console

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

func TestSparkline(t *testing.T) {
	require.Empty(t, newSparkline(nil).Path)
	require.Empty(t, newSparkline([]int64{-1, -1}).Path)
	require.Equal(t, "M50.0 1.0h-5", newSparkline([]int64{-1, 7, -1}).Path, "one sample is a short line")
	require.Equal(t, "M5.0 1.0h-5", newSparkline([]int64{7}).Path)
	l := newSparkline([]int64{0, 10, -1, 5})
	require.Equal(t, int64(10), l.Most)
	require.Equal(t, "M0.0 19.0h.01L33.3 1.0M100.0 10.0h.01", l.Path)
	require.Equal(t, "M0.0 19.0h.01L100.0 19.0", newSparkline([]int64{0, 0}).Path, "nothing to do lies at the bottom")
}

func TestLoadRates(t *testing.T) {
	applied := job.NewSamples(job.SamplesKept).Applied
	applied[1], applied[2], applied[4] = 100, 130, 131
	rates, perMinute := loadRates(applied)
	require.Equal(t, []float64{-1, -1, 2, -1, -1}, rates[:5])
	require.Equal(t, int64(120), perMinute[2])
	rates, _ = loadRates([]int64{5, 3})
	require.Equal(t, []float64{-1, -1}, rates, "a job that was created anew")
}

func TestPicturesOfTheLastHour(t *testing.T) {
	f := &fakeBackend{jobs: []Job{makeJob("b", nil), makeJob("a", stalled)}}
	b := newSite(t, f, false)
	require.NotContains(t, b.get("/"), "<path d=\"M0")
	require.NotContains(t, b.get("/console/job?name=a"), "<figure")
	f.samples = func(points int) job.Samples {
		s := job.NewSamples(points)
		s.Lag[0], s.Lag[points-1] = 0, 9
		return s
	}
	require.Equal(t, 2, strings.Count(b.get("/"), `aria-label="lag of the last hour, at most 9"`))
	require.Equal(t, []string{"a", "b"}, f.sampled)
	page := b.get("/console/job?name=a")
	require.Equal(t, 3, strings.Count(page, "<figure"))
	require.Contains(t, page, `data-values="[0,-1`)
}
