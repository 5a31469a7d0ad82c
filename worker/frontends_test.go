package worker

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

func TestFrontends(t *testing.T) {
	for _, one := range []string{"127.0.0.1:7233", " temporal:7233 ", "dns:///temporal:7233"} {
		target, options, err := frontends(one)
		require.NoError(t, err)
		require.Contains(t, one, target)
		require.NotContains(t, target, " ")
		require.Empty(t, options)
	}
	_, options, err := frontends("a:7233, b:7233")
	require.NoError(t, err)
	require.NotEmpty(t, options)
	for _, bad := range []string{"a:7233,", "a,b:7233", ","} {
		_, _, err := frontends(bad)
		require.ErrorContains(t, err, "of a Temporal frontend in", bad)
	}
}

// A list of frontends works as long as one of them does, in whatever place.
func TestDialLeavesOutFrontendsThatAreDown(t *testing.T) {
	up, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, workflowservice.UnimplementedWorkflowServiceServer{})
	go func() { _ = server.Serve(up) }()
	t.Cleanup(server.Stop)
	down, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, down.Close())

	for _, address := range []string{
		down.Addr().String() + "," + up.Addr().String(),
		up.Addr().String() + ", " + down.Addr().String(),
	} {
		c, err := Dial(t.Context(), DialOptions{Address: address})
		require.NoError(t, err, address)
		c.Close()
	}
}
