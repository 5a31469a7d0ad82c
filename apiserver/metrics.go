package apiserver

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/doris-ccr/ccr/job"
)

const (
	// gaugesTimeout bounds one refresh; Prometheus gives up after 10 s.
	gaugesTimeout = 8 * time.Second
	// gaugesKeep is how long the last numbers of a job that does not answer are shown.
	// Then a diagram has a gap, and not a line that says that nothing changes.
	gaugesKeep = time.Minute
)

// jobGauges shows the jobs of the whole installation (ccr_job_running_*). They
// are asked for when somebody scrapes, as those of /view are.
type jobGauges struct {
	jobs     *jobs
	overview *overview
	perJob   []jobGauge
	total    *prometheus.Desc
	workers  *prometheus.Desc

	mu      sync.Mutex // guards the fields below
	count   int
	pollers map[string]int // by task queue
	seen    map[string]sighting
	read    time.Time
}

// sighting is the last status of a job, and when it was read.
type sighting struct {
	status job.Status
	at     time.Time
}

// jobGauge is one number of each job. A value of NaN is not known and is left
// out.
type jobGauge struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(job.Status) float64
}

func newJobGauges(j *jobs, o *overview) *jobGauges {
	g := &jobGauges{
		jobs: j, overview: o,
		total:   prometheus.NewDesc("ccr_job_running_total", "Jobs that exist.", nil, nil),
		workers: prometheus.NewDesc("ccr_workers", "Workers that poll a task queue.", []string{"task_queue"}, nil),
	}
	add := func(name, help string, kind prometheus.ValueType, value func(job.Status) float64) {
		g.perJob = append(g.perJob, jobGauge{prometheus.NewDesc(name, help, []string{"name"}, nil), kind, value})
	}
	gauge := func(name, help string, value func(job.Status) float64) { add(name, help, prometheus.GaugeValue, value) }
	gauge("ccr_job_running_sync_state", "State of a job, as the sync_state of job_progress.",
		func(s job.Status) float64 { return float64(s.ProgressState) })
	gauge("ccr_job_running_sub_sync_state", "Step of a job, as the sub_sync_state of job_progress.",
		func(s job.Status) float64 { return float64(subState(s.Phase)) })
	gauge("ccr_job_running_lag_total", "Binlogs of the source that a job has not consumed yet.",
		func(s job.Status) float64 { return observed(s, s.Lag.Binlogs) })
	gauge("ccr_job_running_lag_seconds", "Age of the next binlog against the source's newest.",
		func(s job.Status) float64 { return observed(s, s.Lag.Seconds()) })
	gauge("ccr_job_behind_seconds", "How long ago the next binlog to apply was written, 0 when there is none: what a job's destination lacks. Absent while it is not known.",
		func(s job.Status) float64 {
			age, known := behind(s)
			if !known {
				return math.NaN()
			}
			return age.Seconds()
		})
	gauge("ccr_job_stalled", "1 while a job cannot go on (job_status says why), else 0.",
		func(s job.Status) float64 { return truth(s.Stalled) })
	gauge("ccr_job_paused", "1 while a job is paused, else 0.",
		func(s job.Status) float64 { return truth(!s.Running) })
	gauge("ccr_job_position_commit_seq", "Commit seq up to which a job has applied its source's binlogs.",
		func(s job.Status) float64 { return float64(s.Position.CommitSeq) })
	gauge("ccr_job_oldest_binlog_commit_seq", "Commit seq of the oldest binlog that the source still has.",
		func(s job.Status) float64 { return known(s.Lag.FirstCommitSeq, 1) })
	gauge("ccr_job_oldest_binlog_timestamp_seconds", "When the oldest binlog that the source still has was written, in unix time.",
		func(s job.Status) float64 { return known(s.Lag.FirstTimestamp, 1000) })
	gauge("ccr_job_next_binlog_timestamp_seconds", "When the next binlog to apply was written, in unix time. Absent when there is none.",
		func(s job.Status) float64 {
			if s.Lag.Binlogs == 0 {
				return math.NaN()
			}
			return known(s.Lag.NextTimestamp, 1000)
		})
	add("ccr_job_full_syncs_total", "Full syncs of a job since it was created, its first included (job_progress says why the last began).",
		prometheus.CounterValue, func(s job.Status) float64 { return float64(s.FullSyncs) })
	add("ccr_job_partial_syncs_total", "Partial syncs of a job since it was created (job_progress says why the last began).",
		prometheus.CounterValue, func(s job.Status) float64 { return float64(s.PartialSyncs) })
	g.perJob = append(g.perJob, verifyGauges()...)
	return g
}

// verifyGauges tell of the last verification of each job that had one.
func verifyGauges() (gauges []jobGauge) {
	add := func(name, help string, labels prometheus.Labels, value func(job.Verified) float64) {
		gauges = append(gauges, jobGauge{prometheus.NewDesc(name, help, []string{"name"}, labels), prometheus.GaugeValue, func(s job.Status) float64 {
			if s.Verified == nil {
				return math.NaN()
			}
			return value(*s.Verified)
		}})
	}
	for result, count := range map[job.VerifyOutcome]func(job.Verified) int{
		job.VerifyEqual:         func(v job.Verified) int { return v.Equal },
		job.VerifyDifferent:     func(v job.Verified) int { return v.Different },
		job.VerifyRepaired:      func(v job.Verified) int { return v.Repaired },
		job.VerifyBusy:          func(v job.Verified) int { return v.Busy },
		job.VerifyNotComparable: func(v job.Verified) int { return v.Skipped },
	} {
		add("ccr_verify_tables", "Tables of a job by what its last verification found.", prometheus.Labels{"result": string(result)},
			func(v job.Verified) float64 { return float64(count(v)) })
	}
	add("ccr_verify_tables_still_different", "Tables of a job that a verification, the last or an earlier one, has found to differ, and none has found equal since.", nil,
		func(v job.Verified) float64 { return float64(v.CountDifferent()) })
	add("ccr_verify_bytes_read", "About how many bytes the last verification of a job read on both clusters together, as they are stored.", nil,
		func(v job.Verified) float64 { return known(v.BytesRead, 1) })
	add("ccr_verify_rows_read", "Rows that the last verification of a job read on both clusters together, as far as Doris tells.", nil,
		func(v job.Verified) float64 { return float64(v.RowsRead) })
	add("ccr_verify_duration_seconds", "How long the last verification of a job took, pauses included.", nil,
		func(v job.Verified) float64 { return float64(v.Seconds) })
	add("ccr_verify_last_timestamp_seconds", "When the last verification of a job ended, in unix time.", nil,
		func(v job.Verified) float64 { return known(v.At.Unix(), 1) })
	add("ccr_verify_last_equal_timestamp_seconds", "When a verification last found all tables of a job equal, in unix time. Absent if none has.", nil,
		func(v job.Verified) float64 { return known(v.EqualAt.Unix(), 1) })
	return gauges
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// observed is a number of the lag. Until the source has been asked it is not
// known, and no zero.
func observed(s job.Status, n int64) float64 {
	if s.Lag.ObservedAt.IsZero() {
		return math.NaN()
	}
	return float64(n)
}

// known is a number in its unit; servers tell what they do not know as 0 or -1.
func known(n, unit int64) float64 {
	if n <= 0 {
		return math.NaN()
	}
	return float64(n) / float64(unit)
}

// Describe implements prometheus.Collector.
func (g *jobGauges) Describe(ch chan<- *prometheus.Desc) {
	ch <- g.total
	ch <- g.workers
	for _, m := range g.perJob {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector. A job that does not answer in time keeps
// its last values, but not for ever. While the jobs cannot even be listed, the same
// holds for all of them.
func (g *jobGauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.refresh(); err != nil {
		ch <- prometheus.NewInvalidMetric(g.total, err)
	}
	if !g.holds(g.read) {
		return
	}
	ch <- prometheus.MustNewConstMetric(g.total, prometheus.GaugeValue, float64(g.count))
	for queue, n := range g.pollers {
		ch <- prometheus.MustNewConstMetric(g.workers, prometheus.GaugeValue, float64(n), queue)
	}
	for name, s := range g.seen {
		for _, m := range g.perJob {
			if v := m.value(s.status); !math.IsNaN(v) {
				ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, name)
			}
		}
	}
}

// holds tells whether what was read at that time is young enough to be shown.
func (g *jobGauges) holds(at time.Time) bool { return time.Since(at) < gaugesKeep }

func (g *jobGauges) refresh() error {
	ctx, cancel := context.WithTimeout(context.Background(), gaugesTimeout)
	defer cancel()
	g.countWorkers(ctx) // first: without workers, jobs use up the time and do not answer
	rows, err := g.overview.all(ctx)
	if err != nil {
		return err
	}
	seen := make(map[string]sighting, len(rows))
	for _, r := range rows {
		if r.err == nil {
			seen[r.name] = sighting{r.status, time.Now()}
		} else if last, known := g.seen[r.name]; known && g.holds(last.at) {
			seen[r.name] = last
		}
	}
	g.count, g.seen, g.read = len(rows), seen, time.Now()
	return nil
}

// countWorkers asks who polls the task queues. What cannot be asked keeps its
// last number.
func (g *jobGauges) countWorkers(ctx context.Context) {
	pollers := map[string]int{}
	for queue, kind := range map[string]enumspb.TaskQueueType{
		job.TaskQueue: enumspb.TASK_QUEUE_TYPE_WORKFLOW, job.StreamTaskQueue: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
		job.VerifyTaskQueue: enumspb.TASK_QUEUE_TYPE_ACTIVITY,
	} {
		n, err := g.jobs.pollers(ctx, queue, kind)
		if err != nil {
			n = g.pollers[queue]
		}
		pollers[queue] = n
	}
	g.pollers = pollers
}
