// Package dorisim runs a simulated Doris cluster in this process: frontends and
// backends that speak Doris' wire protocols on loopback addresses (architecture.md 7).
//
// Programs that link it must be built with CGO_ENABLED=0 and -tags gms_pure_go.
package dorisim

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// Config of a cluster. The zero value is one FE and one BE on 127.0.0.1 with
// ports chosen by the kernel, the instant profile, and root without password.
type Config struct {
	Name     string
	FEs, BEs int
	// Host is the address to listen on, within 127.0.0.0/8; default 127.0.0.1.
	// With Spread every FE and BE listens on an address of its own, counted up
	// from Host.
	Host   string
	Spread bool
	// AllowAnyHost permits a Host that other machines reach: for containers on a
	// network of their own. Nothing protects a simulated cluster.
	AllowAnyHost bool
	// PortBase makes ports predictable: FE i has PortBase+10i (MySQL), +1
	// (Thrift), +2 (HTTP); BE i has PortBase+500+10i (Thrift), +1 (HTTP); the
	// admin port is PortBase+900. 0: the kernel chooses.
	PortBase int
	// AdvertisePrefix, e.g. "10.66.0.", makes the cluster advertise private
	// addresses on which nothing listens: prefix+(1+i) for FE i, prefix+(101+i)
	// for BE i. Clients then need HostMapping.
	AdvertisePrefix string

	Profile core.Profile
	Version core.Version
	// RootPassword and further accounts. All accounts may do everything, unless
	// Admin is not set.
	RootPassword string
	Users        []core.User

	// TLS is what the MySQL ports of FEs with enable_ssl speak to clients that ask for
	// it; nil: they speak none (doris-sql.md 1.2).
	TLS *tls.Config

	FEConfig     map[string]string
	BEProperties map[string]string
	// Framed FEs are of the THREADED_SELECTOR flavour; Disabled names Thrift
	// methods they do not have (doris-rpc.md 1.1).
	Framed   bool
	Disabled []string
	// Admin opens the admin HTTP port.
	Admin bool

	// SegmentRows bounds the rows of a segment; 0: 65,536. Loads of several
	// segments behave differently in places (doris-rpc.md 4.1).
	SegmentRows int
	// GCPeriod of binlogs, default 15 s; negative: on demand only.
	GCPeriod time.Duration
	// LateFiling lets readers see binlogs late and out of order; the zero value
	// files them at once.
	LateFiling core.LateFiling
	// RetryPause of backends between tries of an HTTP step; default 1 s, with the
	// instant profile 20 ms.
	RetryPause time.Duration
	Logger     *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" {
		c.Name = "dorisim"
	}
	c.FEs, c.BEs = max(c.FEs, 1), max(c.BEs, 1)
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(c.Host)
	if err != nil || !addr.Is4() || addr.IsUnspecified() || !addr.IsLoopback() && !c.AllowAnyHost {
		return c, fmt.Errorf("host %q is not an address in 127.0.0.0/8 (or give --allow-any-host)", c.Host)
	}
	if c.PortBase < 0 || c.PortBase > 65535-1000 {
		return c, fmt.Errorf("port base %d leaves no room for ports", c.PortBase)
	}
	if c.Profile.Name == "" {
		c.Profile = core.Instant
	}
	if c.RetryPause == 0 {
		c.RetryPause = time.Second
		if c.Profile.Name == core.Instant.Name {
			c.RetryPause = 20 * time.Millisecond
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// listenHost is the address of the n-th node of the cluster.
func (c Config) listenHost(n int) string {
	addr := netip.MustParseAddr(c.Host) // checked by withDefaults
	if c.Spread {
		for range n {
			addr = addr.Next()
		}
	}
	return addr.String()
}

// advertised is the address that the cluster tells others; number is 1+i for
// FEs and 101+i for BEs.
func (c Config) advertised(listen string, number int) string {
	if c.AdvertisePrefix == "" {
		return listen
	}
	return fmt.Sprintf("%s%d", c.AdvertisePrefix, number)
}

// port is PortBase+offset, or 0 for "any".
func (c Config) port(offset int) int {
	if c.PortBase == 0 {
		return 0
	}
	return c.PortBase + offset
}
