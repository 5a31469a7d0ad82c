package worker

import (
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// The client asks a connection that has been silent for keepAliveTime whether
// it is still alive and gives it up after keepAliveTimeout. A server that lost
// its power says nothing; the SDK's 45 seconds would be longer than any job may
// stand still. The server allows a ping every 10 s.
const (
	keepAliveTime    = 15 * time.Second
	keepAliveTimeout = 5 * time.Second
)

// frontendsScheme names the list of frontends towards gRPC.
const frontendsScheme = "ccr-frontends"

// frontends turns the address that a person gave into what gRPC dials. A single
// address is left as it is, so that "dns:///temporal:7233" and the like work.
// Several, separated by commas, are used in turn; those that do not answer are
// left out until they do.
func frontends(address string) (target string, options []grpc.DialOption, err error) {
	if !strings.Contains(address, ",") {
		return strings.TrimSpace(address), nil, nil
	}
	var list []resolver.Endpoint
	for one := range strings.SplitSeq(address, ",") {
		one = strings.TrimSpace(one)
		host, _, err := net.SplitHostPort(one)
		if err != nil {
			return "", nil, fmt.Errorf("address %q of a Temporal frontend in %q: %w", one, address, err)
		}
		// With TLS each frontend has to prove its own name.
		list = append(list, resolver.Endpoint{Addresses: []resolver.Address{{Addr: one, ServerName: host}}})
	}
	fixed := manual.NewBuilderWithScheme(frontendsScheme)
	fixed.InitialState(resolver.State{Endpoints: list})
	return frontendsScheme + ":///temporal", []grpc.DialOption{grpc.WithResolvers(fixed)}, nil
}
