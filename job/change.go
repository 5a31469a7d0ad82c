package job

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/meta"
)

// What of a running job can be changed: how it logs in, where its clusters are, and
// two of the options that it was created with.

// The signals that change a running job; the endpoints have the same names.
const (
	SignalUpdateCredentials = "update_credentials"
	SignalUpdateHosts       = "update_hosts"
	SignalUpdateOptions     = "update_options"
)

// ClusterChanges is the payload of update_credentials and of update_hosts. A side that
// is absent stays as it is.
type ClusterChanges struct {
	Src  *ClusterChange `json:"src,omitempty"`
	Dest *ClusterChange `json:"dest,omitempty"`
}

// ClusterChange is what changes of one side. What is absent stays.
type ClusterChange struct {
	User string `json:"user,omitempty"`
	// Password is sealed; the empty one is that of an account without a password.
	Password *Sealed `json:"password,omitempty"`

	// Host, Port and ThriftPort are another address of the same cluster.
	Host       string `json:"host,omitempty"`
	Port       int    `json:"port,omitempty"`
	ThriftPort int    `json:"thrift_port,omitempty"`
	// Frontends are those of the cluster, as they are reached now. Without them they
	// become known as they name each other.
	Frontends []meta.Frontend `json:"frontends,omitempty"`
	// TLS and TLSCA are how SQL goes there (SideTLS); "" is what the process says. A mode
	// that uses no authority forgets the one of before.
	TLS   *string `json:"tls,omitempty"`
	TLSCA *string `json:"tls_ca,omitempty"`
}

// tls is how SQL goes to a side after the change.
func (c *ClusterChange) tls(is SideTLS) SideTLS {
	if c.TLS != nil {
		is.TLS = *c.TLS
		if is.TLS != TLSVerifyCA && is.TLS != TLSVerifyFull {
			is.TLSCA = ""
		}
	}
	if c.TLSCA != nil {
		is.TLSCA = *c.TLSCA
	}
	return is
}

// ChangesTLS tells whether a change is about how SQL goes to a side.
func (c *ClusterChanges) ChangesTLS() bool {
	for _, side := range c.sides() {
		if side.ClusterChange != nil && (side.TLS != nil || side.TLSCA != nil) {
			return true
		}
	}
	return false
}

func (c *ClusterChange) logsIn() bool { return c != nil && (c.User != "" || c.Password != nil) }

func (c *ClusterChange) moves() bool {
	return c != nil && (c.Host != "" || c.Port != 0 || c.ThriftPort != 0 || len(c.Frontends) > 0 || c.TLS != nil || c.TLSCA != nil)
}

// The refusals of changes that no state of a job makes possible.
var (
	ErrNoCredentials = errors.New("[normal] neither src nor dest has a user or a password")
	// ErrNotSealed is the refusal of a password in clear text. By then it is in the
	// history of the job's workflow.
	ErrNotSealed  = errors.New(`the password is not sealed: "ccr seal" seals it, as update_credentials of the HTTP API does. This one is in the job's history now: give the account another`)
	ErrNoHosts    = errors.New("[normal] neither src nor dest has a host, port, thrift_port, tls or tls_ca")
	ErrNoOptions  = errors.New("[normal] neither replication_num nor commit_order is given")
	errHostsThere = errors.New("[normal] host, port, thrift_port, tls and tls_ca are changed by update_hosts")
	errLoginThere = errors.New("[normal] user and password are changed by update_credentials")
)

// CheckCredentials refuses a payload of update_credentials that says nothing, or a
// password in clear text.
func (c *ClusterChanges) CheckCredentials() error {
	for _, side := range c.sides() {
		if side.moves() {
			return fmt.Errorf("%s: %w", side.name, errHostsThere)
		}
		if side.ClusterChange == nil {
			continue
		}
		if p := side.Password; p != nil && *p != "" && p.KeyID() == "" {
			return fmt.Errorf("%s: %w", side.name, ErrNotSealed)
		}
	}
	if !c.Src.logsIn() && !c.Dest.logsIn() {
		return ErrNoCredentials
	}
	return nil
}

// CheckHosts refuses a payload of update_hosts that says nothing, or what is no address.
func (c *ClusterChanges) CheckHosts() error {
	for _, side := range c.sides() {
		if side.logsIn() {
			return fmt.Errorf("%s: %w", side.name, errLoginThere)
		}
		if !side.moves() {
			continue
		}
		if side.Host != "" && !isAddress(side.Host) {
			return fmt.Errorf("[normal] %s: host %q is no address: a host name or an IP address, without port", side.name, side.Host)
		}
		if err := side.checkTLS(); err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
		for _, p := range []struct {
			name string
			port int
		}{{"port", side.Port}, {"thrift_port", side.ThriftPort}} {
			if p.port < 0 || p.port > 65535 {
				return fmt.Errorf("[normal] %s: %s is invalid: %d", side.name, p.name, p.port)
			}
		}
	}
	if !c.Src.moves() && !c.Dest.moves() {
		return ErrNoHosts
	}
	return nil
}

// NormalizeTLS leaves nothing but certificates in the authorities, and refuses what is none.
func (c *ClusterChanges) NormalizeTLS() error {
	for _, side := range c.sides() {
		if side.ClusterChange == nil || side.TLSCA == nil {
			continue
		}
		normal, err := side.tls(SideTLS{TLS: TLSVerifyCA}).Normalized()
		if err != nil {
			return fmt.Errorf("%s: %w", side.name, err)
		}
		side.TLSCA = &normal.TLSCA
	}
	return nil
}

// checkTLS refuses what no job could have. An authority alone is for a job that has a mode.
func (c *ClusterChange) checkTLS() error {
	return c.tls(SideTLS{TLS: TLSVerifyCA}).check()
}

type namedChange struct {
	name string
	*ClusterChange
}

func (c *ClusterChanges) sides() []namedChange {
	return []namedChange{{"src", c.Src}, {"dest", c.Dest}}
}

// Change applies the changes to both sides.
func (s *Spec) Change(c ClusterChanges) {
	s.Source.change(c.Src)
	s.Destination.change(c.Dest)
}

func (c *Cluster) change(to *ClusterChange) {
	if to.logsIn() {
		c.User = cmp.Or(to.User, c.User)
		if to.Password != nil {
			c.Password = *to.Password
		}
	}
	if to.moves() {
		c.Host, c.Port, c.ThriftPort = cmp.Or(to.Host, c.Host), cmp.Or(to.Port, c.Port), cmp.Or(to.ThriftPort, c.ThriftPort)
		c.Frontends = slices.Clone(to.Frontends) // those of before may be gone
		c.SideTLS = to.tls(c.SideTLS)
	}
}

// UpdateOptions is the payload of update_options. What is absent stays.
type UpdateOptions struct {
	// ReplicationNum is as in Spec, -1 that of the source; nil stays.
	ReplicationNum *int        `json:"replication_num,omitempty"`
	CommitOrder    CommitOrder `json:"commit_order,omitempty"`
}

// CheckOptions refuses what create_ccr refuses, and a payload that says nothing.
func (o *UpdateOptions) CheckOptions() error {
	if o.ReplicationNum == nil && o.CommitOrder == "" {
		return ErrNoOptions
	}
	if err := CheckReplicationNum(o.ReplicationNum); err != nil {
		return err
	}
	return o.CommitOrder.check()
}

// CheckReplicationNum refuses a number of replicas that there cannot be.
func CheckReplicationNum(n *int) error {
	if n != nil && (*n == 0 || *n < -1) {
		return fmt.Errorf("[normal] replication_num %d is neither -1 nor more than 0", *n)
	}
	return nil
}

func (o CommitOrder) check() error {
	switch o {
	case "", CommitOrderGlobal, CommitOrderPerTable:
		return nil
	}
	return fmt.Errorf("[normal] commit_order %q is neither %q nor %q", o, CommitOrderGlobal, CommitOrderPerTable)
}

// Same tells whether both mean the same order.
func (o CommitOrder) Same(other CommitOrder) bool {
	return cmp.Or(o, CommitOrderGlobal) == cmp.Or(other, CommitOrderGlobal)
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
	// SourceWas and DestinationWas are sides as they were before another address was
	// given, nil if none was.
	SourceWas      *Cluster `json:"source_was,omitempty"`
	DestinationWas *Cluster `json:"destination_was,omitempty"`
	// Replicas: the destination needs backends for Spec.ReplicationNum.
	Replicas bool `json:"replicas,omitempty"`
	// Tables are some of the job's tables, by which a cluster is recognized.
	Tables map[int64]Table `json:"tables,omitempty"`
}

// Moved tells whether a side is to have another address.
func (c *ChangeCheck) Moved() bool { return c.SourceWas != nil || c.DestinationWas != nil }

// ChangeChecked is what the workflow CheckChange has found.
type ChangeChecked struct {
	// Refused says why the job could not go on, "" if nothing speaks against the change.
	Refused string `json:"refused,omitempty"`
	// Another is set if another cluster answers at the new address, for certain.
	Another bool `json:"another,omitempty"`
	// Source and Destination are the frontends of the sides that have another address.
	Source      []meta.Frontend `json:"source,omitempty"`
	Destination []meta.Frontend `json:"destination,omitempty"`
}

// WorkflowTypeCheckChange is the short workflow that tries a change of a job at the
// clusters, so that an API server need not know how to talk to Doris.
const WorkflowTypeCheckChange = "CheckChange"

// ActivityCheckChange is its only step.
const ActivityCheckChange = "CheckChange"
