package apiserver

import (
	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// tablesRequest is the request of /update_tables.
type tablesRequest struct {
	nameRequest
	job.UpdateTables
}

// handleUpdateTables answers /update_tables: it changes which tables a database
// job replicates. The reply does not wait for the snapshots of tables that are
// included now.
func (s *Server) handleUpdateTables(c echo.Context, request tablesRequest) (any, error) {
	return nil, s.updateTables(c, request.Name, request.UpdateTables)
}

// updateTables sends an update_tables that can be read as patterns.
func (s *Server) updateTables(c echo.Context, name string, update job.UpdateTables) error {
	if _, err := update.Filter(job.TableFilter{}); err != nil {
		return classify(errInvalid, err)
	}
	if err := s.refuseTables(c, name, update); err != nil {
		return err
	}
	return s.carryOut(c, name, job.SignalUpdateTables, job.Command{UpdateTables: update})
}

// refuseTables refuses lists that select tables which another job writes to. A
// list that only the job itself can refuse is left to it.
func (s *Server) refuseTables(c echo.Context, name string, update job.UpdateTables) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	var spec job.Spec
	if err := s.jobs.query(ctx, name, job.QueryDetail, &spec); err != nil {
		return err
	}
	if spec.Type() == job.TableSync {
		return nil
	}
	var err error
	if spec.TableFilter, err = update.Filter(spec.TableFilter); err != nil {
		return classify(errInvalid, err)
	}
	return s.refuseShared(ctx, &spec)
}
