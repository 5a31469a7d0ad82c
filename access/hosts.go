package access

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Hosts are the names under which a server that asks for no tokens lets itself be
// asked. Whoever can point a name of theirs at this server makes a browser take
// their page for one of the server's own (DNS rebinding); the browser sends that
// name along, and that is what gives it away. Nobody can do so with an IP address
// or with localhost, so these are always right.
type Hosts struct{ names map[string]bool }

// NewHosts takes the names that are right beside IP addresses and localhost. A
// name may be an address, host:port, as in the setting listen.
func NewHosts(names ...string) Hosts {
	h := Hosts{names: map[string]bool{}}
	for _, name := range names {
		if name = hostOf(name); name != "" {
			h.names[name] = true
		}
	}
	return h
}

// ForeignHostError: the request was sent to a name that is not the server's.
type ForeignHostError struct{ Host string }

// Error says which name, and what to do.
func (e *ForeignHostError) Error() string {
	return fmt.Sprintf("refused: the name %q is not known to be this server's; use an IP address or localhost, or name it with --allowed-hosts", e.Host)
}

// Check returns a *ForeignHostError for a request to a name that is not one of
// these. A request without any, which only HTTP/1.0 permits and no browser sends,
// is right.
func (h Hosts) Check(r *http.Request) error {
	name := hostOf(r.Host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || h.names[name] {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	return &ForeignHostError{Host: r.Host}
}

// Protect lets only requests through to next that Check accepts.
func (h Hosts) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.Check(r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostOf is a host as it is compared: without port, brackets and last dot, in
// lower case.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
