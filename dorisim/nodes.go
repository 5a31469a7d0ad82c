package dorisim

import (
	"fmt"
	"time"

	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// First heartbeat and edit log ports. Nothing listens there; with the host they
// are the address by which ALTER SYSTEM names a node.
const (
	firstHeartbeatPort = 9050
	firstEditLogPort   = 9010
)

// addBackend starts a backend that belongs to the cluster.
func (c *Cluster) addBackend() (int, error) {
	i, address, err := c.startBackend()
	if err != nil {
		return 0, err
	}
	if err := c.core.AlterAddBackend(address); err != nil {
		return 0, fmt.Errorf("add backend %d: %w", i, err)
	}
	return i, nil
}

// StartBE starts the process of a further backend and returns its index and the
// address, host and heartbeat port, by which ALTER SYSTEM ADD BACKEND makes it a
// member of the cluster.
func (c *Cluster) StartBE() (index int, address string, err error) {
	index, address, err = c.startBackend()
	if err != nil {
		return 0, "", fmt.Errorf("start a backend: %w", err)
	}
	return index, address, nil
}

func (c *Cluster) startBackend() (int, string, error) {
	run := &backendRun{}
	run.begin()
	c.mu.Lock()
	i := len(c.backends)
	host := c.cfg.listenHost(c.cfg.FEs + i)
	advertised := c.cfg.advertised(host, 101+i)
	b := be.New(be.Config{
		Host: host, AdvertisedHost: advertised, ThriftPort: c.cfg.port(500 + 10*i), HTTPPort: c.cfg.port(501 + 10*i),
		StorageRoot: fmt.Sprintf("/dorisim/%s/be%d/storage", c.cfg.Name, i), Token: c.core.Token,
		Logger: c.cfg.Logger, IngestDelay: func() time.Duration { return c.core.Profile().Ingest },
		Faults: func(point string) error { return c.backendFault(run.context(), i, point) }, Properties: c.cfg.BEProperties,
		RetryPause: c.cfg.RetryPause, SegmentRows: c.cfg.SegmentRows, Now: c.core.Now,
	})
	c.runs, c.backends = append(c.runs, run), append(c.backends, b)
	c.mu.Unlock()
	if err := b.Start(); err != nil {
		return 0, "", err
	}
	port := firstHeartbeatPort + i
	c.core.Offer(core.NodeProcess{Host: advertised, Port: port, JoinBackend: func(id int64) (core.BackendInfo, be.Tasks) {
		b.Register(id)
		return core.BackendInfo{
			ID: id, Host: advertised, HeartbeatPort: port, BePort: b.BePort(), HTTPPort: b.HTTPPort(), BrpcPort: 8060,
			Alive: b.Alive(), LastStart: c.core.Now(),
		}, b
	}})
	return i, fmt.Sprintf("%s:%d", advertised, port), nil
}

// StartFE prepares a further frontend and returns its index and the address,
// host and edit log port, by which ALTER SYSTEM ADD FOLLOWER or OBSERVER makes
// it a member of the cluster. It listens from then on.
func (c *Cluster) StartFE() (index int, address string) {
	f := c.newFrontend()
	c.core.Offer(core.NodeProcess{Host: f.advertised(), Port: f.editLogPort(), JoinFrontend: f.join, Leave: f.kill})
	return f.index, fmt.Sprintf("%s:%d", f.advertised(), f.editLogPort())
}

func (c *Cluster) newFrontend() *Frontend {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.frontends)
	n := i
	if i >= c.cfg.FEs {
		n += c.cfg.BEs // the addresses between belong to the first backends
	}
	f := &Frontend{
		cluster: c, index: i, host: c.cfg.listenHost(n), log: c.cfg.Logger.With("frontend", i),
		mysql: c.cfg.port(10 * i), thrift: c.cfg.port(10*i + 1), web: c.cfg.port(10*i + 2),
	}
	c.frontends = append(c.frontends, f)
	c.core.AddFrontend(core.FrontendInfo{
		Name: fmt.Sprintf("fe_%s_%d", c.cfg.Name, i), Host: f.advertised(), EditLogPort: f.editLogPort(), Absent: true,
	})
	return f
}

// join makes the frontend a member of the cluster and starts it.
func (f *Frontend) join(role string) error {
	f.cluster.core.UpdateFrontend(f.index, func(info *core.FrontendInfo) { info.Absent, info.Role = false, role })
	return f.start()
}

func (f *Frontend) advertised() string { return f.cluster.cfg.advertised(f.host, 1+f.index) }
func (f *Frontend) editLogPort() int   { return firstEditLogPort + f.index }

// electable tells whether the frontend can be master: it runs, and is no
// observer.
func (f *Frontend) electable() bool {
	info, _ := f.cluster.core.Frontend(f.index)
	return f.Alive() && info.Role == "FOLLOWER"
}
