package problem_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err       error
		kind      job.Kind
		retryable bool
	}{
		{problem.Refusef("no"), job.KindNormal, false},
		{fmt.Errorf("x: %w", problem.MetaErrorf("y")), job.KindMeta, true},
		{fmt.Errorf("x: %w", pairtest.LostReply()), job.KindRPC, true},
		{&fe.UnmappedHostError{Host: "10.0.0.1"}, job.KindNormal, false},
		{&fe.StatusError{Code: status.NotAuthorized, Messages: []string{"Access denied"}}, job.KindFE, false},
		{&fe.StatusError{Code: status.InternalError}, job.KindFE, true},
		{pairtest.SQLRefusal("x"), job.KindDB, true},
		{&sqlclient.NetworkError{Err: context.DeadlineExceeded}, job.KindRPC, true},
		{problem.ErrBackendDown, job.KindBE, true},
		{problem.WithRemedy(problem.MetaErrorf("y"), "do z"), job.KindMeta, false},
	} {
		kind, retryable := problem.Classify(c.err)
		require.Equal(t, c.kind, kind, "%v", c.err)
		require.Equal(t, c.retryable, retryable, "%v", c.err)
	}
	require.Equal(t, "do z", problem.Remedy(fmt.Errorf("x: %w", problem.WithRemedy(problem.MetaErrorf("y"), "do z"))))
	require.Contains(t, problem.Remedy(&fe.UnmappedHostError{Host: "10.0.0.1"}), "update_host_mapping")
}
