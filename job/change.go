package job

import (
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/meta"
)

// What of a running job can be changed: how it logs in, where its clusters are, and
// two of the options that it was created with.

// The signals that change a running job; the endpoints have the same names.
const (
	SignalUpdateCredentials = "update_credentials"
)

// ClusterChanges is the payload of update_credentials. A side that is absent stays as
// it is.
type ClusterChanges struct {
	Src  *ClusterChange `json:"src,omitempty"`
	Dest *ClusterChange `json:"dest,omitempty"`
}

// ClusterChange is what changes of one side. What is absent stays.
type ClusterChange struct {
	User string `json:"user,omitempty"`
	// Password is sealed; the empty one is that of an account without a password.
	Password *Sealed `json:"password,omitempty"`
}

// The refusals of changes that no state of a job makes possible.
var (
	ErrNoCredentials = errors.New("[normal] neither src nor dest has a user or a password")
	// ErrNotSealed is the refusal of a password in clear text. By then it is in the
	// history of the job's workflow.
	ErrNotSealed = errors.New(`the password is not sealed: "ccr seal" seals it, as update_credentials of the HTTP API does. This one is in the job's history now: give the account another`)
)

// CheckCredentials refuses a payload of update_credentials that says nothing, or a
// password in clear text.
func (c *ClusterChanges) CheckCredentials() error {
	something := false
	for _, side := range []struct {
		name   string
		change *ClusterChange
	}{{"src", c.Src}, {"dest", c.Dest}} {
		change := side.change
		if change == nil {
			continue
		}
		if p := change.Password; p != nil && *p != "" && p.KeyID() == "" {
			return fmt.Errorf("%s: %w", side.name, ErrNotSealed)
		}
		something = something || change.User != "" || change.Password != nil
	}
	if !something {
		return ErrNoCredentials
	}
	return nil
}

// Change applies the changes to both sides.
func (s *Spec) Change(c ClusterChanges) {
	s.Source.change(c.Src)
	s.Destination.change(c.Dest)
}

func (c *Cluster) change(to *ClusterChange) {
	if to == nil {
		return
	}
	if to.User != "" {
		c.User = to.User
	}
	if to.Password != nil {
		c.Password = *to.Password
	}
}

// QueryChangeInput asks a job for what checking a change of it needs: a ChangeCheck
// without the change.
const QueryChangeInput = "change_input"

// ChangeCheck is the input of the workflow CheckChange.
type ChangeCheck struct {
	// Spec is the job's with the change in it; its passwords are sealed.
	Spec Spec `json:"spec"`
	// Source and Destination say which sides the change is about.
	Source      bool `json:"source,omitempty"`
	Destination bool `json:"destination,omitempty"`
}

// ChangeChecked is what the workflow CheckChange has found.
type ChangeChecked struct {
	// Refused says why the job could not go on, "" if nothing speaks against the change.
	Refused string `json:"refused,omitempty"`
	// Source and Destination are the frontends of the sides that the change is about,
	// nil if they were not asked for.
	Source      []meta.Frontend `json:"source,omitempty"`
	Destination []meta.Frontend `json:"destination,omitempty"`
}

// WorkflowTypeCheckChange is the short workflow that tries a change of a job at the
// clusters, so that an API server need not know how to talk to Doris.
const WorkflowTypeCheckChange = "CheckChange"

// ActivityCheckChange is its only step.
const ActivityCheckChange = "CheckChange"
