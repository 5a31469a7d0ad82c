package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
	jobs "github.com/doris-ccr/ccr/job"
)

// contractMetrics are the names, kinds and labels of http-api.md 5.1. Dashboards
// of the existing tool rely on them.
var contractMetrics = map[string]struct {
	kind   dto.MetricType
	labels []string
}{
	"ccr_error_total":                           {dto.MetricType_COUNTER, []string{"error", "name", "type"}},
	"ccr_fe_rpc_total":                          {dto.MetricType_COUNTER, []string{"addr", "method"}},
	"ccr_fe_rpc_duration_seconds":               {dto.MetricType_HISTOGRAM, []string{"addr", "method"}},
	"ccr_be_rpc_total":                          {dto.MetricType_COUNTER, []string{"addr", "method"}},
	"ccr_be_rpc_duration_seconds":               {dto.MetricType_HISTOGRAM, []string{"addr", "method"}},
	"ccr_binlog_commit_seq":                     {dto.MetricType_GAUGE, []string{"name"}},
	"ccr_handle_binlog_total":                   {dto.MetricType_COUNTER, []string{"name"}},
	"ccr_handle_binlog_duration_seconds":        {dto.MetricType_HISTOGRAM, []string{"name"}},
	"ccr_job_running_total":                     {dto.MetricType_GAUGE, nil},
	"ccr_job_running_sync_state":                {dto.MetricType_GAUGE, []string{"name"}},
	"ccr_job_running_sub_sync_state":            {dto.MetricType_GAUGE, []string{"name"}},
	"ccr_job_running_lag_total":                 {dto.MetricType_GAUGE, []string{"name"}},
	"ccr_job_running_lag_seconds":               {dto.MetricType_GAUGE, []string{"name"}},
	"ccr_job_progress_persist_total":            {dto.MetricType_COUNTER, []string{"name"}},
	"ccr_job_progress_persist_duration_seconds": {dto.MetricType_HISTOGRAM, []string{"name"}},
	"ccr_sql_exec_total":                        {dto.MetricType_COUNTER, []string{"db", "host"}},
	"ccr_sql_exec_duration_seconds":             {dto.MetricType_HISTOGRAM, []string{"db", "host"}},
	"go_goroutines":                             {dto.MetricType_GAUGE, nil},
	"process_resident_memory_bytes":             {dto.MetricType_GAUGE, nil},
}

// scrape reads /metrics as Prometheus does.
func (e *env) scrape(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.ccr.API+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	return parser.TextToMetricFamilies(resp.Body)
}

// labelsOf are the label names of a family's series, all that any of them has.
func labelsOf(f *dto.MetricFamily) []string {
	var names []string
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			names = append(names, l.GetName())
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// usedMetrics are the metrics, with labels, of the queries in deploy/prometheus
// and deploy/grafana; deploy/check keeps the file true.
func usedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	root, err := harness.Root()
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(root, "deploy", "prometheus", "used-metrics.json"))
	require.NoError(t, err)
	var used map[string][]string
	require.NoError(t, json.Unmarshal(b, &used))
	require.NotEmpty(t, used)
	return used
}

// missingIn compares what queries use with what was served. Histograms are
// queried by their buckets.
func missingIn(used map[string][]string, served map[string][]string) error {
	for name, labels := range used {
		have, ok := served[name]
		if !ok {
			return fmt.Errorf("no metric %s", name)
		}
		for _, l := range labels {
			if !slices.Contains(have, l) {
				return fmt.Errorf("metric %s has no label %s, but %v", name, l, have)
			}
		}
	}
	return nil
}

// Every metric of the contract, and every one that an alert or a panel asks for,
// is served by a system that works, with its kind and labels.
func TestMetrics(t *testing.T) {
	t.Parallel()
	e := newEnv(t, harness.PairOptions{Realistic: true})
	e.exec("CREATE DATABASE shop", fmt.Sprintf(duplicateTable, "shop", "log"))
	e.enableBinlog("shop", "log")
	e.exec("INSERT INTO shop.log VALUES (1, 'a')")
	job := e.createJob("shop", "", "shop_copy", "")

	served := map[string][]string{}
	var families map[string]*dto.MetricFamily
	look := func(ctx context.Context) error {
		var err error
		if families, err = e.scrape(ctx); err != nil {
			return err
		}
		for name, f := range families {
			if f.GetType() == dto.MetricType_HISTOGRAM {
				served[name+"_bucket"] = append(labelsOf(f), "le")
			}
			served[name] = labelsOf(f)
		}
		return nil
	}
	// The progress of a snapshot is there while one is under way.
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		if err := look(ctx); err != nil {
			return err
		}
		return missingIn(map[string][]string{"ccr_job_snapshot_unfinished_tasks": {"name", "step"}}, served)
	}))
	e.awaitEqual(job, "shop", "shop_copy")
	e.exec("INSERT INTO shop.log VALUES (2, 'b')")
	e.awaitEqual(job, "shop", "shop_copy")

	// What is told of verifications is that of the last one.
	_, err := e.verification(job, jobs.VerifyRequest{})
	require.NoError(t, err)

	// A stalled job has errors, and a next binlog; the Temporal client meets errors
	// when somebody asks for a job that does not exist.
	e.refuseLoads()
	e.exec("INSERT INTO shop.log VALUES (3, 'c')")
	_, err = e.ccr.Status(e.ctx, "no_such_job")
	require.Error(t, err)
	require.NoError(t, harness.Await(e.ctx, catchUp, func(ctx context.Context) error {
		// Asking has the job look at its source; it does so by itself only now and then.
		if _, err := e.ccr.Call(ctx, "get_lag", map[string]any{"name": job}); err != nil {
			return err
		}
		if err := look(ctx); err != nil {
			return err
		}
		if err := missingIn(usedMetrics(t), served); err != nil {
			return err
		}
		for name := range contractMetrics { // an error is counted a little after its job is shown as stalled
			if families[name] == nil {
				return fmt.Errorf("there is no %s yet", name)
			}
		}
		for _, m := range families["ccr_job_stalled"].GetMetric() {
			if m.GetLabel()[0].GetValue() == job && m.GetGauge().GetValue() == 1 {
				return nil
			}
		}
		return fmt.Errorf("%s is not shown as stalled", job)
	}))
	for name, want := range contractMetrics {
		f := families[name]
		require.NotNil(t, f, name)
		require.Equal(t, want.kind, f.GetType(), name)
		require.Equal(t, want.labels, labelsOf(f), name)
		if want.kind == dto.MetricType_HISTOGRAM {
			buckets := f.GetMetric()[0].GetHistogram().GetBucket()
			require.InDelta(t, .005, buckets[0].GetUpperBound(), 0, name)
			require.InDelta(t, 50, buckets[len(buckets)-2].GetUpperBound(), 0, name) // the last is +Inf
		}
	}
	for _, m := range families["ccr_job_next_binlog_timestamp_seconds"].GetMetric() {
		require.WithinDuration(t, time.Now(), time.Unix(int64(m.GetGauge().GetValue()), 0), time.Hour)
	}
	for _, m := range families["ccr_workers"].GetMetric() {
		require.InDelta(t, 1, m.GetGauge().GetValue(), 0, m.GetLabel())
	}
}
