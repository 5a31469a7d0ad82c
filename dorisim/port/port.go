// Package port opens the ports of nodes that can be killed and started again.
package port

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports that nobody has named lie below the range that systems take for outgoing
// connections (Linux: from 32768): while a node is down, one of those could take
// its port.
const (
	lowest = 20_000
	end    = 32_768
	tries  = 100
)

// Listen opens a TCP port; 0 chooses one that is free.
func Listen(host string, port int) (net.Listener, error) {
	if port == 0 {
		for range tries {
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(lowest+rand.IntN(end-lowest))))
			if err == nil {
				return l, nil
			}
		}
	}
	return net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}
