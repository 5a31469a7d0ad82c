package pair

import (
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/problem"
)

// SetupRemedy is the remedy for an error that a new job meets: there is nothing
// yet to which update_host_mapping and the like could be said.
func (c *Cluster) SetupRemedy(err error) string {
	var (
		unmapped  *fe.UnmappedHostError
		transport *fe.TransportError
		network   *sqlclient.NetworkError
	)
	side := "src"
	if c.Side != "source" {
		side = "dest"
	}
	switch {
	case errors.As(err, &unmapped):
		return fmt.Sprintf("name its public address in %s.host_mapping", side)
	case problem.LacksPrivilege(err):
		return "grant the privilege to the user " + c.Spec.User
	case errors.Is(err, fe.ErrAccessDenied), errors.Is(err, sqlclient.ErrAccessDenied):
		return fmt.Sprintf("correct %s.user and %s.password", side, side)
	case errors.As(err, &transport), errors.As(err, &network):
		return fmt.Sprintf("start the server, open the firewall, or correct %s.host, port and thrift_port; with a host mapping, its public address", side)
	}
	return problem.Remedy(err)
}
