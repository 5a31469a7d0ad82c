// Package endpoint is where a process of Doris is reached.
package endpoint

import (
	"net"
	"strconv"
)

// Endpoint is an address of a frontend or backend as this process reaches it. The
// packages of the protocols have a name of their own for it, since each protocol
// has its own port.
type Endpoint struct {
	Host string
	Port int
}

// String returns host:port.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }
