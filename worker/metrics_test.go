package worker

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestMetricsOfTheSDKReachPrometheus(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	h, err := newMetricsHandler(registry)
	require.NoError(t, err)
	base := h.WithTags(map[string]string{"namespace": "default"})
	base.Counter("temporal_request").Inc(2)
	// The same metric with more tags, as the SDK does it.
	base.WithTags(map[string]string{"operation": "Poll"}).Counter("temporal_request").Inc(3)
	base.WithTags(map[string]string{"operation": "Poll"}).Counter("temporal_request").Inc(4)
	base.Gauge("temporal_num_pollers").Update(5)
	base.Timer("temporal_request_latency").Record(1500 * time.Millisecond)

	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP temporal_request_total Temporal SDK metric temporal_request.
# TYPE temporal_request_total counter
temporal_request_total{namespace="default"} 2
temporal_request_total{namespace="default",operation="Poll"} 7
# HELP temporal_num_pollers Temporal SDK metric temporal_num_pollers.
# TYPE temporal_num_pollers gauge
temporal_num_pollers{namespace="default"} 5
`), "temporal_request_total", "temporal_num_pollers"))
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 3)
	require.Equal(t, "temporal_request_latency_seconds", families[1].GetName())
	require.InDelta(t, 1.5, families[1].GetMetric()[0].GetHistogram().GetSampleSum(), 1e-9)
}

func TestMetricsMayBeUsedByManyAtOnce(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	h, err := newMetricsHandler(registry)
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				h.WithTags(map[string]string{"a": "b"}).Counter("c").Inc(1)
				_, _ = registry.Gather()
			}
		})
	}
	all.Wait()
	require.InDelta(t, 800, testutil.ToFloat64(vector(h.(*metricsHandler).store, "c_total", map[string]string{"a": "b"}, func([]string) *prometheus.CounterVec { return nil })), 0)
}
