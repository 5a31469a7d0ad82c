package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/status"
)

func TestMasterToken(t *testing.T) {
	s, other := source(t), destination(t)
	ask := func(s *side, password string) *frontendservice.TGetMasterTokenResult_ {
		result, err := s.fe.GetMasterToken(ctx, &frontendservice.TGetMasterTokenRequest{Cluster: new(""), User: new(user), Password: &password})
		require.NoError(t, err)
		return result
	}
	first := ask(s, password)
	requireOK(t, first.Status)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`, first.GetToken())
	require.Equal(t, first.GetToken(), ask(s, password).GetToken(), "stable")
	require.NotEqual(t, first.GetToken(), ask(other, password).GetToken(), "each cluster has its own")

	refused := ask(s, "wrong")
	requireStatus(t, status.TStatusCode_NOT_AUTHORIZED, "Access denied for user '"+user+"@127.0.0.1' (using password: YES)", refused.Status)
	require.Nil(t, refused.Token)
	requireStatus(t, status.TStatusCode_NOT_AUTHORIZED, "(using password: YES)", ask(s, "").Status)
}
