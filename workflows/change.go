package workflows

import (
	"fmt"

	"github.com/doris-ccr/ccr/job"
)

// What of a running job an operator can change (job/change.go). A command only notes
// it; the step that is under way has ended by then, and the next one is given the new
// spec.

// updateCredentials carries out update_credentials.
func (r *run) updateCredentials(c job.ClusterChanges) error {
	if !r.version(changeRunningJob) {
		return errUnknownThen
	}
	r.spec.Change(c)
	for _, side := range []struct {
		name   string
		now    job.Cluster
		change *job.ClusterChange
	}{{"source", r.spec.Source, c.Src}, {"destination", r.spec.Destination, c.Dest}} {
		if login := loginText(side.now, side.change); login != "" {
			r.event(levelInfo, "logging in at the %s as %s from now on", side.name, login)
		}
	}
	return nil
}

// loginText says how the job logs in now at a side, "" if nothing has changed there.
func loginText(now job.Cluster, change *job.ClusterChange) string {
	switch {
	case change == nil || change.User == "" && change.Password == nil:
		return ""
	case change.Password == nil:
		return oneLine(now.User, eventLimit) + ", with the password of before"
	case now.Password == "":
		return oneLine(now.User, eventLimit) + ", without a password"
	}
	return fmt.Sprintf("%s, with a new password (sealed with the key %s)", oneLine(now.User, eventLimit), now.Password.KeyID())
}

// changeInput is what checking a change of the job needs, without the change.
func (r *run) changeInput() job.ChangeCheck { return job.ChangeCheck{Spec: r.spec} }
