package workflows

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// What of a running job an operator can change (job/change.go). A command only notes
// it; the step that is under way has ended by then, and the next one is given the new
// spec.

// updateClusters carries out update_credentials and update_hosts.
func (r *run) updateClusters(c job.ClusterChanges) error {
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
		if side.change != nil && (side.change.TLS != nil || side.change.TLSCA != nil) {
			r.tellTLS(side.name, side.now.SideTLS)
		}
		if side.change != nil && (side.change.Host != "" || side.change.Port != 0 || side.change.ThriftPort != 0) {
			r.event(levelInfo, "the %s is at %s from now on (port %d, thrift_port %d)", side.name, oneLine(side.now.Host, eventLimit), side.now.Port, side.now.ThriftPort)
		}
	}
	return nil
}

// tellTLS says how SQL goes to a side now.
func (r *run) tellTLS(side string, t job.SideTLS) {
	if t.TLS == "" {
		r.event(levelInfo, "SQL goes to the %s as doris-tls of the workers says from now on", side)
		return
	}
	r.event(levelInfo, "SQL goes to the %s with tls %s from now on", side, t.TLS)
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

// errOrderUnsettled refuses another commit order while it is not certain that all
// binlogs up to one are applied, and none beyond it. What is on the destination is
// told from its transactions, and each order has them tell it otherwise.
var errOrderUnsettled = errors.New("[normal] commit_order cannot change now: it is not certain up to where everything is applied; send it again when the job streams and is not stalled")

// updateOptions carries out update_options.
func (r *run) updateOptions(o job.UpdateOptions) error {
	if !r.version(changeRunningJob) {
		return errUnknownThen
	}
	var told []string
	if o.CommitOrder != "" && !o.CommitOrder.Same(r.spec.CommitOrder) {
		if !r.settledOrder() {
			return errOrderUnsettled
		}
		r.spec.CommitOrder = o.CommitOrder
		told = append(told, "commit_order is "+string(o.CommitOrder))
	}
	if n := o.ReplicationNum; n != nil {
		r.spec.ReplicationNum = *n
		replicas := count(int64(*n), "replica")
		if *n < 0 {
			replicas = "as many replicas as on the source"
		}
		told = append(told, "tables and partitions are made with "+replicas)
	}
	if len(told) > 0 {
		r.event(levelInfo, "%s from now on", strings.Join(told, ", and "))
	}
	return nil
}

// settledOrder tells whether the position alone says what is applied.
func (r *run) settledOrder() bool {
	beyond := r.p.AppliedBeyond
	return r.p.Unconfirmed.Since.IsZero() && (len(beyond) == 0 || slices.Max(beyond) <= r.p.Position.CommitSeq)
}

// tablesToRecognize is how many of the job's tables a cluster is recognized by.
const tablesToRecognize = 20

// changeInput is what checking a change of the job needs, without the change.
func (r *run) changeInput() job.ChangeCheck {
	in := job.ChangeCheck{Spec: r.spec, Tables: map[int64]job.Table{}}
	//workflowcheck:ignore sorted: always the same of them
	for _, id := range slices.Sorted(maps.Keys(r.p.Tables)) {
		if t := r.p.Tables[id]; t.DestID != 0 && !t.Gone {
			in.Tables[id] = t
		}
		if len(in.Tables) == tablesToRecognize {
			break
		}
	}
	return in
}
