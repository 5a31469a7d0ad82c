package apiserver

import (
	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// handleUpdateTables answers /update_tables: it changes which tables a database
// job replicates. The reply does not wait for the snapshots of tables that are
// included now.
func (s *Server) handleUpdateTables(c echo.Context) error {
	var request struct {
		nameRequest
		job.UpdateTables
	}
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errNameEmpty)
	}
	if _, err := request.Filter(job.TableFilter{}); err != nil {
		return fail(c, err)
	}
	return s.command(c, request.Name, job.SignalUpdateTables, job.Command{UpdateTables: request.UpdateTables}, unknownJob)
}
