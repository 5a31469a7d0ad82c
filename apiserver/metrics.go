package apiserver

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

const (
	// gaugesMaxAge is how old the gauges of jobs may be; the existing tool
	// refreshes its own every 10 s (http-api.md 5.1).
	gaugesMaxAge = 10 * time.Second
	// gaugesTimeout bounds one refresh; Prometheus gives up after 10 s.
	gaugesTimeout = 8 * time.Second
	// gaugesCost is the time between refreshes per job, so that scraping many
	// jobs costs a bounded number of queries a second.
	gaugesCost = 50 * time.Millisecond
	// gaugesConcurrency bounds the queries in flight.
	gaugesConcurrency = 8
)

// jobGauges shows the jobs of the whole installation (ccr_job_running_*). They
// are asked for when somebody scrapes, and not more often than gaugesMaxAge.
type jobGauges struct {
	jobs *jobs
	list *jobList

	total, syncState, subSyncState, lag, lagSeconds, stalled, fullSyncs, partialSyncs *prometheus.Desc

	mu     sync.Mutex
	count  int
	seen   map[string]job.Status
	read   time.Time
	maxAge time.Duration
}

func newJobGauges(j *jobs, l *jobList) *jobGauges {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &jobGauges{
		jobs: j, list: l,
		total:        desc("ccr_job_running_total", "Jobs that exist."),
		syncState:    desc("ccr_job_running_sync_state", "State of a job, as the sync_state of job_progress.", "name"),
		subSyncState: desc("ccr_job_running_sub_sync_state", "Step of a job, as the sub_sync_state of job_progress.", "name"),
		lag:          desc("ccr_job_running_lag_total", "Binlogs of the source that a job has not consumed yet.", "name"),
		lagSeconds:   desc("ccr_job_running_lag_seconds", "Age of the next binlog against the source's newest.", "name"),
		stalled:      desc("ccr_job_stalled", "1 while a job cannot go on (job_status says why), else 0.", "name"),
		fullSyncs:    desc("ccr_job_full_syncs_total", "Full syncs of a job since it was created, its first included (job_progress says why the last began).", "name"),
		partialSyncs: desc("ccr_job_partial_syncs_total", "Partial syncs of a job since it was created (job_progress says why the last began).", "name"),
	}
}

// Describe implements prometheus.Collector.
func (g *jobGauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{g.total, g.syncState, g.subSyncState, g.lag, g.lagSeconds, g.stalled, g.fullSyncs, g.partialSyncs} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. Jobs that do not answer in time keep
// their last values.
func (g *jobGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if time.Since(g.read) >= max(g.maxAge, gaugesMaxAge) {
		if err := g.refresh(); err != nil {
			ch <- prometheus.NewInvalidMetric(g.total, err)
		}
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(g.total, float64(g.count))
	for name, s := range g.seen {
		gauge(g.syncState, float64(s.ProgressState), name)
		gauge(g.subSyncState, float64(subState(s.Phase)), name)
		gauge(g.lag, float64(s.Lag.Binlogs), name)
		gauge(g.lagSeconds, float64(s.Lag.Seconds()), name)
		stalled := 0.0
		if s.Stalled {
			stalled = 1
		}
		gauge(g.stalled, stalled, name)
		ch <- prometheus.MustNewConstMetric(g.fullSyncs, prometheus.CounterValue, float64(s.FullSyncs), name)
		ch <- prometheus.MustNewConstMetric(g.partialSyncs, prometheus.CounterValue, float64(s.PartialSyncs), name)
	}
}

func (g *jobGauges) refresh() error {
	ctx, cancel := context.WithTimeout(context.Background(), gaugesTimeout)
	defer cancel()
	names, err := g.list.all(ctx)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	seen := make(map[string]job.Status, len(names))
	var group errgroup.Group
	group.SetLimit(gaugesConcurrency)
	for _, name := range names {
		group.Go(func() error {
			s, err := g.jobs.status(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				seen[name] = s
			} else if last, known := g.seen[name]; known {
				seen[name] = last
			}
			return nil
		})
	}
	_ = group.Wait() // no function above fails
	g.count, g.seen, g.read = len(names), seen, time.Now()
	g.maxAge = time.Duration(len(names)) * gaugesCost
	return nil
}
