package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

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
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.jobs.try)
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

// handleFeatures answers /features (http-api.md 3.16): what this product does,
// in the words of the existing tool's feature gates. Test suites ask for them to
// decide what to run. Sorted by name.
func (s *Server) handleFeatures(c echo.Context) error {
	now, defaults := s.features, job.DefaultFeatures()
	reply := featuresReply{base: base{Success: true}}
	for i, f := range now.Switches() {
		reply.Flags = append(reply.Flags, featureFlag{"feature_" + f.Name, *f.Value, strconv.FormatBool(*defaults.Switches()[i].Value)})
	}
	for _, f := range job.FixedFeatures() {
		reply.Flags = append(reply.Flags, featureFlag{"feature_" + f.Name, f.Value, strconv.FormatBool(f.Value)})
	}
	slices.SortFunc(reply.Flags, func(a, b featureFlag) int { return strings.Compare(a.Feature, b.Feature) })
	return send(c, http.StatusOK, reply)
}
