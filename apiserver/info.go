package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
	"go.temporal.io/sdk/client"
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
		return send(c, http.StatusServiceUnavailable, failure(fmt.Errorf("temporal is not reachable: %w", err)))
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
// feature gates (http-api.md 4.2). They cannot be changed: test suites ask for
// them to decide what to run. Sorted by name.
var features = []struct {
	name  string
	value bool
}{
	{"feature_atomic_restore", true},
	{"feature_clean_table_and_partitions", false},
	{"feature_compressed_snapshot", true},
	{"feature_create_view_drop_exists", true},
	{"feature_filter_shadow_indexes_upsert", true},
	{"feature_filter_storage_medium", true},
	{"feature_idempotent_ddl", true},
	{"feature_override_replication_num", true},
	{"feature_pipeline_commit", true},
	{"feature_replace_not_matched_with_alias", true},
	{"feature_restore_replace_diff_schema", true},
	{"feature_reuse_running_backup_restore_job", true},
	{"feature_schema_change_partial_sync", true},
	{"feature_seperated_handles", true},
	{"feature_skip_check_async_mv_table", true},
	{"feature_skip_rollup_binlogs", false},
	{"feature_skip_waiting_txn_publish", true},
	{"feature_txn_insert", true},
}

// handleFeatures answers /features (http-api.md 3.16).
func (s *Server) handleFeatures(c echo.Context) error {
	reply := featuresReply{base: base{Success: true}}
	for _, f := range features {
		reply.Flags = append(reply.Flags, featureFlag{f.name, f.value, strconv.FormatBool(f.value)})
	}
	return send(c, http.StatusOK, reply)
}
