package pair

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/doris-ccr/ccr/job"
)

// Metrics are the counters that replicating keeps, named and labelled as
// operators' dashboards expect (http-api.md 5.1).
type Metrics struct {
	errors         *prometheus.CounterVec
	feCalls        *prometheus.CounterVec
	feSeconds      *prometheus.HistogramVec
	beCalls        *prometheus.CounterVec
	beSeconds      *prometheus.HistogramVec
	sqlCalls       *prometheus.CounterVec
	sqlSeconds     *prometheus.HistogramVec
	commitSeq      *prometheus.GaugeVec
	binlogs        *prometheus.CounterVec
	binlogSeconds  *prometheus.HistogramVec
	Persists       *prometheus.CounterVec
	PersistSeconds *prometheus.HistogramVec
	HoldSeconds    *prometheus.CounterVec
	snapshotTasks  *prometheus.GaugeVec
	differences    *prometheus.GaugeVec

	mu   sync.Mutex
	used map[string]time.Time // by job: when its series were last written
}

// seriesAge is how long the series of a job stay that nobody writes any more:
// another worker has the job, or has ended it, and does not tell.
const seriesAge = time.Hour

// secondsBuckets run from 5 ms to 50 s, as the existing dashboard assumes.
var secondsBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 50}

// NewMetrics makes the metrics and registers them with r. A nil r registers
// them nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: secondsBuckets}, labels)
	}
	m := &Metrics{
		errors:         counter("ccr_error_total", "Errors that stopped a job: by their kind, the step that met them, and the job.", "error", "type", "name"),
		feCalls:        counter("ccr_fe_rpc_total", "Calls to frontends.", "method", "addr"),
		feSeconds:      histogram("ccr_fe_rpc_duration_seconds", "Duration of calls to frontends.", "method", "addr"),
		beCalls:        counter("ccr_be_rpc_total", "Calls to backends.", "method", "addr"),
		beSeconds:      histogram("ccr_be_rpc_duration_seconds", "Duration of calls to backends.", "method", "addr"),
		sqlCalls:       counter("ccr_sql_exec_total", "SQL statements.", "host", "db"),
		sqlSeconds:     histogram("ccr_sql_exec_duration_seconds", "Duration of SQL statements.", "host", "db"),
		commitSeq:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ccr_binlog_commit_seq", Help: "Commit seq up to which a job has applied its source's binlogs."}, []string{"name"}),
		binlogs:        counter("ccr_handle_binlog_total", "Binlogs handled.", "name"),
		binlogSeconds:  histogram("ccr_handle_binlog_duration_seconds", "Time from fetching a binlog to having applied it.", "name"),
		Persists:       counter("ccr_job_progress_persist_total", "Synchronous checkpoints of running shifts.", "name"),
		PersistSeconds: histogram("ccr_job_progress_persist_duration_seconds", "Duration of synchronous checkpoints.", "name"),
		differences:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ccr_job_differences", Help: "Things in which source and destination of a job differ although it has applied everything."}, []string{"name"}),
		HoldSeconds:    counter("ccr_verify_hold_seconds_total", "How long commits have waited so that a verification could read a partition.", "name"),
		snapshotTasks:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "ccr_job_snapshot_unfinished_tasks", Help: "Tablets that a running backup or restore has still to do."}, []string{"name", "step"}),
	}
	if r != nil {
		r.MustRegister(m)
	}
	return m
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.errors, m.feCalls, m.feSeconds, m.beCalls, m.beSeconds, m.sqlCalls, m.sqlSeconds,
		m.commitSeq, m.binlogs, m.binlogSeconds, m.Persists, m.PersistSeconds, m.snapshotTasks, m.differences, m.HoldSeconds}
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector. Jobs that are elsewhere by now are
// forgotten first.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	m.sweep(time.Now())
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

// use notes that a job's series are written here.
func (m *Metrics) use(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used == nil {
		m.used = map[string]time.Time{}
	}
	m.used[name] = time.Now()
}

func (m *Metrics) sweep(now time.Time) {
	m.mu.Lock()
	var old []string
	for name, at := range m.used {
		if now.Sub(at) > seriesAge {
			old = append(old, name)
		}
	}
	m.mu.Unlock()
	for _, name := range old {
		m.Forget(name)
	}
}

func (m *Metrics) observeFE(method, addr string, d time.Duration, _ error) {
	m.feCalls.WithLabelValues(method, addr).Inc()
	m.feSeconds.WithLabelValues(method, addr).Observe(d.Seconds())
}

func (m *Metrics) observeBE(method, addr string, d time.Duration, _ error) {
	m.beCalls.WithLabelValues(method, addr).Inc()
	m.beSeconds.WithLabelValues(method, addr).Observe(d.Seconds())
}

func (m *Metrics) observeSQL(host, db string, d time.Duration, _ error) {
	m.sqlCalls.WithLabelValues(host, db).Inc()
	m.sqlSeconds.WithLabelValues(host, db).Observe(d.Seconds())
}

// The values of the label step.
const (
	StepBackup  = "backup"
	StepRestore = "restore"
)

// SnapshotLeft notes how much a backup or restore has to do, from its
// UnfinishedTasks: tabletId=backendId, ... (doris-sql.md 4).
func (m *Metrics) SnapshotLeft(name, step, unfinished string) {
	left := 0
	if strings.TrimSpace(unfinished) != "" {
		left = strings.Count(unfinished, ",") + 1
	}
	m.use(name)
	m.snapshotTasks.WithLabelValues(name, step).Set(float64(left))
}

// SnapshotOver ends the series: the step is over, or another worker's.
func (m *Metrics) SnapshotOver(name, step string) { m.snapshotTasks.DeleteLabelValues(name, step) }

// Differing notes in how many things a job's two sides are known to differ.
func (m *Metrics) Differing(name string, n int) {
	m.use(name)
	m.differences.WithLabelValues(name).Set(float64(n))
}

// Held counts how long a commit has waited for a verification.
func (m *Metrics) Held(name string, waited time.Duration) {
	m.use(name)
	m.HoldSeconds.WithLabelValues(name).Add(waited.Seconds())
}

// Failed counts an error that stops a job.
func (m *Metrics) Failed(name, step string, kind job.Kind) {
	m.use(name)
	m.errors.WithLabelValues(string(kind), step, name).Inc()
}

// Reached shows the position of a running shift.
func (m *Metrics) Reached(name string, commitSeq int64) {
	m.use(name)
	m.commitSeq.WithLabelValues(name).Set(float64(commitSeq))
}

// Handled counts binlogs that were applied, and how long they took.
func (m *Metrics) Handled(name string, since time.Time) {
	m.binlogs.WithLabelValues(name).Inc()
	m.binlogSeconds.WithLabelValues(name).Observe(time.Since(since).Seconds())
}

// Forget removes the series of a job that ended here.
func (m *Metrics) Forget(name string) {
	m.mu.Lock()
	delete(m.used, name)
	m.mu.Unlock()
	of := prometheus.Labels{"name": name}
	for _, c := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		m.errors, m.commitSeq, m.binlogs, m.binlogSeconds, m.Persists, m.PersistSeconds, m.snapshotTasks,
		m.differences, m.HoldSeconds,
	} {
		c.DeletePartialMatch(of)
	}
}
