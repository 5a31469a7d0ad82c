package apiserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// commandHandler answers an endpoint whose request is just a name and whose
// reply is the base shape: pause, resume, desync, sync (http-api.md 3.4-3.8).
func (s *Server) commandHandler(signal string) echo.HandlerFunc {
	return func(c echo.Context) error {
		var request nameRequest
		if err := decode(c, &request); err != nil {
			return fail(c, err)
		}
		if request.Name == "" {
			return fail(c, errNameEmpty)
		}
		return s.command(c, request.Name, signal, job.Command{}, unknownJob)
	}
}

// handleForceFullSync answers /force_fullsync (http-api.md 3.13).
func (s *Server) handleForceFullSync(c echo.Context) error {
	var request nameRequest
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errors.New("job name is empty"))
	}
	return s.command(c, request.Name, job.SignalForceFullSync, job.Command{}, unknownJob)
}

// handleSkipBinlog answers /job_skip_binlog (http-api.md 3.15). A request whose
// way is not given in full is refused: nothing is guessed.
func (s *Server) handleSkipBinlog(c echo.Context) error {
	var request struct {
		nameRequest
		job.SkipBinlog
	}
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errNameEmpty)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.commandTimeout)
	defer cancel()
	open, err := s.jobs.open(ctx, request.Name)
	if err != nil {
		return fail(c, err)
	}
	if !open {
		return fail(c, unknownJob(request.Name))
	}
	if err := request.SkipBinlog.Normalize(); err != nil {
		return fail(c, err)
	}
	return s.command(c, request.Name, job.SignalSkipBinlog, job.Command{SkipBinlog: request.SkipBinlog}, unknownJob)
}

// handleHostMapping answers /update_host_mapping and its other name
// (http-api.md 3.14).
func (s *Server) handleHostMapping(c echo.Context) error {
	var request struct {
		nameRequest
		job.HostMappings
	}
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errNameEmpty)
	}
	if len(request.Source) == 0 && len(request.Destination) == 0 {
		return fail(c, job.ErrHostMappingEmpty)
	}
	unknown := func(name string) error { return fmt.Errorf("[normal] job not exist: %s", name) }
	return s.command(c, request.Name, job.SignalUpdateHostMapping, job.Command{HostMappings: request.HostMappings}, unknown)
}

// handleDelete answers /delete (http-api.md 3.6). The name is free again when
// it has answered.
func (s *Server) handleDelete(c echo.Context) error {
	var request nameRequest
	if err := decode(c, &request); err != nil {
		return fail(c, err)
	}
	if request.Name == "" {
		return fail(c, errNameEmpty)
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), deleteTimeout)
	defer cancel()
	err := s.jobs.remove(ctx, request.Name, job.Command{By: by(c)}, s.commandTimeout)
	s.logCommand(c, request.Name, job.SignalDelete, err)
	if err != nil {
		return fail(c, describe(err, request.Name))
	}
	s.list.note(request.Name, false)
	return ok(c)
}

// command sends cmd and answers with its outcome. unknown words the error for a
// job that does not exist.
func (s *Server) command(c echo.Context, name, signal string, cmd job.Command, unknown func(string) error) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.commandTimeout)
	defer cancel()
	cmd.By = by(c)
	err := s.jobs.command(ctx, name, signal, cmd)
	s.logCommand(c, name, signal, err)
	if errors.Is(err, errUnknownJob) {
		err = unknown(name)
	}
	if err != nil {
		return fail(c, err)
	}
	return ok(c)
}

func (s *Server) logCommand(c echo.Context, name, command string, err error) {
	log := s.log.With("job", name, "command", command, "by", by(c))
	if err != nil {
		log.Warn("command failed", "error", err)
		return
	}
	log.Info("command carried out")
}
