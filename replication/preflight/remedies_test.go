package preflight

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// A new job has nothing to which update_host_mapping could be said: the remedies
// name the keys of its request.
func TestRemediesOfANewJob(t *testing.T) {
	source := &pair.Cluster{Side: "source", Spec: job.Cluster{Host: "fe1", Port: 9030, User: "ccr"}}
	destination := &pair.Cluster{Side: "destination", Spec: job.Cluster{Host: "fe2", Port: 9030, User: "ccr"}}
	for _, tt := range []struct {
		c    *pair.Cluster
		err  error
		want string
	}{
		{source, pairtest.LostReply(), "correct src.host, port and thrift_port"},
		{destination, &sqlclient.NetworkError{Err: context.DeadlineExceeded}, "correct dest.host"},
		{destination, &fe.UnmappedHostError{Host: "10.0.0.1"}, "dest.host_mapping"},
		{source, &sqlclient.Error{Code: problem.LoginRefused, Message: "Access denied for user 'ccr'"}, "correct src.user and src.password"},
		{source, &fe.StatusError{Code: status.NotAuthorized, Messages: []string{"Access denied"}}, "correct src.user and src.password"},
		{source, &sqlclient.Error{Code: 1227, Message: "Access denied; you need ADMIN"}, "grant the privilege to the user ccr"},
	} {
		got := Refused(tt.c, "ask", tt.err)
		require.Contains(t, problem.Remedy(got), tt.want)
		require.NotContains(t, problem.Remedy(got), "update_host_mapping")
		require.Contains(t, got.Error(), "("+problem.Remedy(got)+")", "create_ccr answers with one text")
	}
}
