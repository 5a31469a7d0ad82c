package port

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// A node that is started again finds its port: no outgoing connection takes it.
func TestChosenPortsAreNotThoseOfOutgoingConnections(t *testing.T) {
	for range 20 {
		l, err := Listen("127.0.0.1", 0)
		require.NoError(t, err)
		defer l.Close()
		chosen := l.Addr().(*net.TCPAddr).Port
		require.GreaterOrEqual(t, chosen, lowest)
		require.Less(t, chosen, end)
		_, err = Listen("127.0.0.1", chosen)
		require.Error(t, err, "the one that is named, or none")
	}
}
