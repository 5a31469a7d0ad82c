package worker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// sdkBuckets cover what the SDK times, from a cached query (ms) to a long poll
// (a minute), in seconds.
var sdkBuckets = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60}

// metricsHandler gives the SDK's metrics to Prometheus under the names of the
// Temporal documentation: counters end in _total, timers in _seconds.
type metricsHandler struct {
	store *metricStore
	tags  map[string]string
}

func newMetricsHandler(r prometheus.Registerer) (client.MetricsHandler, error) {
	store := &metricStore{vectors: map[string]prometheus.Collector{}}
	if err := r.Register(store); err != nil {
		return nil, fmt.Errorf("register the metrics of the Temporal SDK: %w", err)
	}
	return &metricsHandler{store: store}, nil
}

// WithTags implements client.MetricsHandler.
func (h *metricsHandler) WithTags(tags map[string]string) client.MetricsHandler {
	all := maps.Clone(h.tags)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, tags)
	return &metricsHandler{store: h.store, tags: all}
}

// Counter implements client.MetricsHandler.
func (h *metricsHandler) Counter(name string) client.MetricsCounter {
	opts := prometheus.CounterOpts{Name: metricName(name, "_total"), Help: help(name)}
	v := vector(h.store, opts.Name, h.tags, func(labels []string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(opts, labels)
	})
	return counter{v.With(h.tags)}
}

// Gauge implements client.MetricsHandler.
func (h *metricsHandler) Gauge(name string) client.MetricsGauge {
	opts := prometheus.GaugeOpts{Name: metricName(name, ""), Help: help(name)}
	v := vector(h.store, opts.Name, h.tags, func(labels []string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(opts, labels)
	})
	return gauge{v.With(h.tags)}
}

// Timer implements client.MetricsHandler.
func (h *metricsHandler) Timer(name string) client.MetricsTimer {
	opts := prometheus.HistogramOpts{Name: metricName(name, "_seconds"), Help: help(name), Buckets: sdkBuckets}
	v := vector(h.store, opts.Name, h.tags, func(labels []string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(opts, labels)
	})
	return timer{v.With(h.tags)}
}

type counter struct{ prometheus.Counter }

func (c counter) Inc(n int64) { c.Add(float64(n)) }

type gauge struct{ prometheus.Gauge }

func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }

// metricStore holds one vector for each metric and set of label names: the SDK
// uses one metric with several sets. It describes nothing in advance
// (an "unchecked" collector), which is how Prometheus allows that.
type metricStore struct {
	mu      sync.RWMutex // guards vectors
	vectors map[string]prometheus.Collector
}

// Describe implements prometheus.Collector.
func (s *metricStore) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (s *metricStore) Collect(out chan<- prometheus.Metric) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, v := range s.vectors {
		v.Collect(out)
	}
}

// vector finds or makes the vector of a metric with the label names of tags.
func vector[V prometheus.Collector](s *metricStore, name string, tags map[string]string, make func([]string) V) V {
	labels := slices.Sorted(maps.Keys(tags))
	key := name + "," + strings.Join(labels, ",")
	s.mu.RLock()
	found, ok := s.vectors[key]
	s.mu.RUnlock()
	if v, is := found.(V); ok && is {
		return v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, is := s.vectors[key].(V); is {
		return v
	}
	v := make(labels)
	s.vectors[key] = v
	return v
}

func metricName(name, suffix string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.TrimSuffix(name, suffix)) + suffix
}

func help(name string) string { return "Temporal SDK metric " + name + "." }
