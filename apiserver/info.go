package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// handleVersion answers /version: the one JSON reply without success.
func (s *Server) handleVersion(c echo.Context) error {
	return send(c, http.StatusOK, struct {
		Version string `json:"version"`
	}{s.version})
}

// handleHealth answers /healthz: 200 if Temporal is reachable, else 503. It is
// for load balancers and container health checks, not part of the old interface.
func (s *Server) handleHealth(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.commandTimeout)
	defer cancel()
	if _, err := s.jobs.client.CheckHealth(ctx, &client.CheckHealthRequest{}); err != nil {
		return send(c, http.StatusServiceUnavailable, failure(fmt.Errorf("%w: %w", errTemporalDown, err)))
	}
	return ok(c)
}

type featuresReply struct {
	base
	Flags []featureFlag `json:"flags"`
}

type featureFlag struct {
	Feature string `json:"feature"`
	Value   bool   `json:"value"`
	Default string `json:"default"` // a string, as clients know it
}

// features says what this product does, in the words of the existing tool's
// feature gates (http-api.md 4.2): test suites ask for them to decide what to
// run. Most cannot be changed; the others have their default here. Sorted by
// name.
var features = []struct {
	name  string
	value bool
	// setting is where a switch that can be changed is found.
	setting func(job.Features) bool
}{
	{name: "feature_atomic_restore", value: true},
	{name: "feature_clean_table_and_partitions", value: false, setting: func(f job.Features) bool { return f.CleanTableAndPartitions }},
	{name: "feature_compressed_snapshot", value: true},
	{name: "feature_create_view_drop_exists", value: true},
	{name: "feature_filter_shadow_indexes_upsert", value: true},
	{name: "feature_filter_storage_medium", value: true},
	{name: "feature_idempotent_ddl", value: true},
	{name: "feature_override_replication_num", value: true},
	{name: "feature_pipeline_commit", value: true},
	{name: "feature_replace_not_matched_with_alias", value: true},
	{name: "feature_restore_replace_diff_schema", value: true},
	{name: "feature_reuse_running_backup_restore_job", value: true},
	{name: "feature_schema_change_partial_sync", value: true},
	{name: "feature_seperated_handles", value: true},
	{name: "feature_skip_check_async_mv_table", value: true},
	{name: "feature_skip_rollup_binlogs", value: false},
	{name: "feature_skip_waiting_txn_publish", value: true},
	{name: "feature_txn_insert", value: true},
}

// handleFeatures answers /features (http-api.md 3.16).
func (s *Server) handleFeatures(c echo.Context) error {
	reply := featuresReply{base: base{Success: true}}
	for _, f := range features {
		value := f.value
		if f.setting != nil {
			value = f.setting(s.features)
		}
		reply.Flags = append(reply.Flags, featureFlag{f.name, value, strconv.FormatBool(f.value)})
	}
	return send(c, http.StatusOK, reply)
}
