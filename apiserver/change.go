package apiserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// What changes a running job is tried at the clusters first, by a worker, as a new job
// is. The job itself only takes over what it is told.

// credentialsRequest is the request of /update_credentials.
type credentialsRequest struct {
	nameRequest
	credentialsChange
}

// credentialsChange are new logins; a side, user or password that is absent stays.
type credentialsChange struct {
	Src  *loginRequest `json:"src"`
	Dest *loginRequest `json:"dest"`
	// Force has the job told without the logins being tried.
	Force bool `json:"force"`
}

type loginRequest struct {
	User     string  `json:"user"`
	Password *string `json:"password"` // "" is that of an account without a password
}

// handleUpdateCredentials answers /update_credentials.
func (s *Server) handleUpdateCredentials(c echo.Context, request credentialsRequest) (any, error) {
	return nil, s.updateCredentials(c, request.Name, request.credentialsChange)
}

// updateCredentials has a job log in otherwise, once the logins have been tried.
func (s *Server) updateCredentials(c echo.Context, name string, request credentialsChange) error {
	changes, err := s.sealed(request)
	if err != nil {
		return err
	}
	if !request.Force {
		check := func(check *job.ChangeCheck) {
			check.Spec.Change(changes)
			check.Source, check.Destination = changes.Src != nil, changes.Dest != nil
		}
		if _, err := s.tryChange(c, name, job.SignalUpdateCredentials, check); err != nil {
			return err
		}
	}
	return s.carryOut(c, name, job.SignalUpdateCredentials, job.Command{ClusterChanges: changes})
}

// sealed is the request as the job gets it: the passwords are sealed.
func (s *Server) sealed(request credentialsChange) (job.ClusterChanges, error) {
	var changes job.ClusterChanges
	for _, side := range []struct {
		name  string
		asked *loginRequest
		to    **job.ClusterChange
	}{{"src", request.Src, &changes.Src}, {"dest", request.Dest, &changes.Dest}} {
		if side.asked == nil || side.asked.User == "" && side.asked.Password == nil {
			continue
		}
		change := &job.ClusterChange{User: side.asked.User}
		if plain := side.asked.Password; plain != nil {
			password, err := s.keyring.Seal(*plain)
			if err != nil {
				return changes, fmt.Errorf("%s: %w", side.name, err)
			}
			change.Password = &password
		}
		*side.to = change
	}
	return changes, classify(errInvalid, changes.CheckCredentials())
}

// hostsRequest is the request of /update_hosts.
type hostsRequest struct {
	nameRequest
	hostsChange
}

// hostsChange are other addresses of the same clusters; what is absent stays.
type hostsChange struct {
	Src  *addressRequest `json:"src"`
	Dest *addressRequest `json:"dest"`
	// Force has the job told although the clusters cannot be asked, but not if others
	// answer there.
	Force bool `json:"force"`
}

type addressRequest struct {
	Host       string `json:"host"`
	Port       port   `json:"port"`
	ThriftPort port   `json:"thrift_port"`
	// TLS and TLSCA are those of create_ccr; "" is what the workers' process says.
	TLS   *string `json:"tls"`
	TLSCA *string `json:"tls_ca"`
}

func (a *addressRequest) change() *job.ClusterChange {
	if a == nil || *a == (addressRequest{}) {
		return nil
	}
	return &job.ClusterChange{Host: a.Host, Port: int(a.Port), ThriftPort: int(a.ThriftPort), TLS: a.TLS, TLSCA: a.TLSCA}
}

// handleUpdateHosts answers /update_hosts.
func (s *Server) handleUpdateHosts(c echo.Context, request hostsRequest) (any, error) {
	return nil, s.updateHosts(c, request.Name, request.hostsChange)
}

// updateHosts has a job reach its clusters at other addresses, once it is known that they
// are the same clusters.
func (s *Server) updateHosts(c echo.Context, name string, request hostsChange) error {
	changes := job.ClusterChanges{Src: request.Src.change(), Dest: request.Dest.change()}
	if err := changes.CheckHosts(); err != nil {
		return classify(errInvalid, err)
	}
	if err := changes.NormalizeTLS(); err != nil {
		return classify(errInvalid, err)
	}
	var spec job.Spec
	checked, err := s.tryChange(c, name, job.SignalUpdateHosts, func(check *job.ChangeCheck) {
		source, destination := check.Spec.Source, check.Spec.Destination
		source.Password, destination.Password = "", ""
		if changes.Src != nil {
			check.Source, check.SourceWas = true, &source
		}
		if changes.Dest != nil {
			check.Destination, check.DestinationWas = true, &destination
		}
		check.Spec.Change(changes)
		spec = check.Spec
	})
	if err != nil && (!request.Force || checked.Another || spec.Name == "") {
		return err
	}
	if changes.Src != nil {
		changes.Src.Frontends = checked.Source
	}
	if changes.Dest != nil {
		changes.Dest.Frontends = checked.Destination
		spec.Destination.Frontends = checked.Destination
		if err := s.refuseSharedWith(c, &spec); err != nil {
			s.logCommand(c, name, job.SignalUpdateHosts, err)
			return err
		}
	}
	return s.carryOut(c, name, job.SignalUpdateHosts, job.Command{ClusterChanges: changes})
}

// refuseSharedWith is refuseShared for as long as a caller may wait.
func (s *Server) refuseSharedWith(c echo.Context, spec *job.Spec) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	return s.refuseShared(ctx, spec)
}

// optionsRequest is the request of /update_options.
type optionsRequest struct {
	nameRequest
	job.UpdateOptions
}

// handleUpdateOptions answers /update_options.
func (s *Server) handleUpdateOptions(c echo.Context, request optionsRequest) (any, error) {
	return nil, s.updateOptions(c, request.Name, request.UpdateOptions)
}

// updateOptions changes options of a job. More replicas than the destination has
// backends for are refused, as at its creation.
func (s *Server) updateOptions(c echo.Context, name string, options job.UpdateOptions) error {
	if err := options.CheckOptions(); err != nil {
		return classify(errInvalid, err)
	}
	if n := options.ReplicationNum; n != nil && *n > 0 {
		_, err := s.tryChange(c, name, job.SignalUpdateOptions, func(check *job.ChangeCheck) {
			check.Spec.ReplicationNum = *n
			check.Destination, check.Replicas = true, true
		})
		if err != nil {
			return err
		}
	}
	return s.carryOut(c, name, job.SignalUpdateOptions, job.Command{UpdateOptions: options})
}

// remedyUntried follows the reason why a change is refused.
const remedyUntried = `nothing is changed; with "force": true the job is told all the same`

// tryChange has a worker try what a job is to be told, at the clusters that it is about.
// change puts it into what is to be checked.
func (s *Server) tryChange(c echo.Context, name, signal string, change func(*job.ChangeCheck)) (job.ChangeChecked, error) {
	ctx, cancel := context.WithTimeout(c.Request().Context(), s.createTimeout)
	defer cancel()
	checked, err := s.tried(ctx, name, change)
	if err != nil {
		s.logCommand(c, name, signal, err)
	}
	return checked, err
}

func (s *Server) tried(ctx context.Context, name string, change func(*job.ChangeCheck)) (checked job.ChangeChecked, err error) {
	if !job.NameAllowed(name) {
		return checked, errUnknownJob
	}
	var check job.ChangeCheck
	if err := s.jobs.query(ctx, name, job.QueryChangeInput, &check); err != nil {
		return checked, err
	}
	change(&check)
	if !check.Moved() {
		check.Tables = nil // nobody needs them
	}
	checked, err = s.checkChange(ctx, check)
	then := remedyUntried
	if checked.Another || check.Replicas {
		then = "nothing is changed"
	}
	switch {
	case err != nil:
		return checked, classify(errUndecided, fmt.Errorf("whether the job could go on is not known: %w (%s)", err, then))
	case checked.Refused != "":
		return checked, classify(errInvalid, fmt.Errorf("[normal] the job could not go on: %s (%s)", checked.Refused, then))
	}
	return checked, nil
}

// checkChange runs the workflow that tries a change.
func (s *Server) checkChange(ctx context.Context, check job.ChangeCheck) (checked job.ChangeChecked, _ error) {
	w := shortWorkflow{job.WorkflowTypeCheckChange, changeWorkflowIDPrefix, "try a change of job " + check.Spec.Name, changeTimeout}
	if err := s.jobs.run(ctx, w, check, &checked); err != nil {
		return checked, s.unchecked(ctx, err)
	}
	return checked, nil
}

// unchecked says why checks have brought nothing.
func (s *Server) unchecked(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, errNoWorker), errors.Is(err, errTemporalDown), errors.Is(err, errOldWorkers):
		return fmt.Errorf("nothing is checked: %w", err)
	case timedOut(err) && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("the checks did not end: a cluster has not answered within %s", s.createTimeout)
	}
	return fmt.Errorf("the checks did not end: %w", err)
}

const (
	changeWorkflowIDPrefix = job.CheckWorkflowIDPrefix + "change-"
	// changeTimeout bounds the workflow of a check whose caller has gone.
	changeTimeout = time.Minute
)
