package apiserver

import (
	"context"
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// handleCommand answers an endpoint whose request is just a name and whose
// reply is the base shape: pause, resume, desync, sync, force_fullsync
// (http-api.md 3.4-3.8, 3.13).
func (s *Server) handleCommand(signal string) func(echo.Context, nameRequest) (any, error) {
	return func(c echo.Context, request nameRequest) (any, error) {
		return nil, s.carryOut(c, request.Name, signal, job.Command{})
	}
}

// skipRequest is the request of /job_skip_binlog.
type skipRequest struct {
	nameRequest
	job.SkipBinlog
}

// handleSkipBinlog answers /job_skip_binlog (http-api.md 3.15). A request whose
// way is not given in full is refused: nothing is guessed.
func (s *Server) handleSkipBinlog(c echo.Context, request skipRequest) (any, error) {
	return nil, s.skipBinlog(c, request.Name, request.SkipBinlog)
}

// skipBinlog sends a skip_binlog that is complete, to a job that exists.
func (s *Server) skipBinlog(c echo.Context, name string, skip job.SkipBinlog) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	open, err := s.jobs.open(ctx, name)
	if err != nil {
		return err
	}
	if !open {
		return errUnknownJob
	}
	if err := skip.Normalize(); err != nil {
		return classify(errInvalid, err)
	}
	return s.carryOut(c, name, job.SignalSkipBinlog, job.Command{SkipBinlog: skip})
}

// hostMappingRequest is the request of /update_host_mapping.
type hostMappingRequest struct {
	nameRequest
	job.HostMappings
}

// handleHostMapping answers /update_host_mapping and its other name
// (http-api.md 3.14).
func (s *Server) handleHostMapping(c echo.Context, request hostMappingRequest) (any, error) {
	return nil, s.mapHosts(c, request.Name, request.HostMappings)
}

// failHostMapping words the error of handleHostMapping.
func failHostMapping(c echo.Context, name string, err error) error {
	if errors.Is(err, errUnknownJob) {
		err = fmt.Errorf("[normal] job not exist: %s", name)
	}
	return fail(c, err)
}

// mapHosts merges mappings into those of a job.
func (s *Server) mapHosts(c echo.Context, name string, mappings job.HostMappings) error {
	if len(mappings.Source) == 0 && len(mappings.Destination) == 0 {
		return classify(errInvalid, job.ErrHostMappingEmpty)
	}
	for _, mapping := range []map[string]string{mappings.Source, mappings.Destination} {
		if err := job.CheckHostMapping(mapping); err != nil {
			return classify(errInvalid, err)
		}
	}
	return s.carryOut(c, name, job.SignalUpdateHostMapping, job.Command{HostMappings: mappings})
}

// handleDelete answers /delete (http-api.md 3.6). The name is free again when
// it has answered.
func (s *Server) handleDelete(c echo.Context, request nameRequest) (any, error) {
	return nil, s.deleteJob(c, request.Name)
}

// deleteJob deletes a job and waits until its name is free.
func (s *Server) deleteJob(c echo.Context, name string) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), deleteTimeout)
	defer cancel()
	err := s.jobs.remove(ctx, name, job.Command{By: by(c)})
	s.logOutcome(c, name, job.SignalDelete, err)
	if err == nil {
		s.list.deleted(name)
		s.endVerifications(ctx, name)
	}
	return err
}

// carryOut sends cmd and waits for its outcome. Both forms of the interface
// command jobs by it.
func (s *Server) carryOut(c echo.Context, name, signal string, cmd job.Command) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	cmd.By = by(c)
	err := s.jobs.command(ctx, name, signal, cmd, s.commandTimeout)
	s.logOutcome(c, name, signal, err)
	return err
}

// logOutcome logs a command to a job. What a job has carried out or refused is an event of
// it, and the worker logs that: here it is told for debugging only.
func (s *Server) logOutcome(c echo.Context, name, command string, err error) {
	log := s.log.With("job", name, "command", command, "by", by(c))
	switch {
	case err == nil:
		log.Debug("command carried out")
	case errors.As(err, new(*refusedError)):
		log.Debug("command refused", "error", err)
	default:
		log.Warn("command failed", "error", err)
	}
}

// logCommand logs a command that is no job's, but a verification's or this server's.
func (s *Server) logCommand(c echo.Context, name, command string, err error) {
	log := s.log.With("job", name, "command", command, "by", by(c))
	if err != nil {
		log.Warn("command failed", "error", err)
		return
	}
	log.Info("command carried out")
}
