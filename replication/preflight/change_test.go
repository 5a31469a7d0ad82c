package preflight

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// account is a cluster that answers to a login.
type account struct {
	pairtest.Script
	refuse error // SQL
	grants []sqlclient.Row
}

func (a *account) Query(context.Context, string) ([]sqlclient.Row, error) { return a.grants, a.refuse }

// change is a job between two such clusters.
func change(t *testing.T) (j *Job, source, destination *account) {
	source, destination = &account{}, &account{}
	return New(&pair.Job{
		Spec:        *pairtest.DatabaseSpec(),
		Source:      &pair.Cluster{Side: "source", Spec: job.Cluster{Host: "fe1", Port: 9030, User: "ccr", Database: "d"}, FE: source, SQL: source},
		Destination: &pair.Cluster{Side: "destination", Spec: job.Cluster{Host: "fe2", Port: 9030, User: "ccr", Database: "d"}, FE: destination, SQL: destination},
	}), source, destination
}

// refusedChange is why a change is refused, "" if it is not.
func refusedChange(t *testing.T, j *Job, in job.ChangeCheck) string {
	t.Helper()
	_, err := j.CheckChange(t.Context(), in)
	if err == nil {
		return ""
	}
	var refusal *problem.Refusal
	require.ErrorAs(t, err, &refusal)
	return refusal.Error()
}

// A login is tried where it changes, and nowhere else; what is refused says what to do.
func TestCheckChangeTriesTheLogin(t *testing.T) {
	j, source, destination := change(t)
	destination.refuse = errors.New("nobody asked for the destination")
	of := job.ChangeCheck{Source: true}
	require.Empty(t, refusedChange(t, j, of))

	source.refuse = &sqlclient.Error{Code: problem.LoginRefused, Message: "Access denied for user 'ccr'@'10.0.0.1' (using password: YES)"}
	require.Regexp(t, `^source cluster fe1:9030: .*Access denied.* \(correct src.user and src.password\)$`, refusedChange(t, j, of))

	source.refuse, source.MetaErr = nil, fe.ErrAccessDenied // Thrift has a check of its own
	require.Contains(t, refusedChange(t, j, of), "correct src.user and src.password")
	source.MetaErr = fe.ErrDatabaseNotFound
	require.Empty(t, refusedChange(t, j, of), "that is another trouble than the login")

	j, _, destination = change(t)
	destination.grants = []sqlclient.Row{{"DatabasePrivs": "internal.d: Select_priv,Load_priv,Alter_priv,Create_priv"}}
	require.Contains(t, refusedChange(t, j, job.ChangeCheck{Destination: true}), "user ccr lacks Drop_priv on database d (GRANT DROP_PRIV ON internal.`d`.* TO \"ccr\")")
}
