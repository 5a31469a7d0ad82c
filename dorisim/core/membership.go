package core

import (
	"net"
	"slices"
	"strconv"

	"github.com/doris-ccr/ccr/dorisim/be"
)

// NodeProcess is a process that runs, or could, and belongs to the cluster once
// ALTER SYSTEM ADD has named its address.
type NodeProcess struct {
	Host string
	// Port is the heartbeat port of a backend, the edit log port of a frontend.
	Port int
	// Join is called when it is added. A backend is given its new id and returns
	// what the cluster knows of it; a frontend starts to serve.
	JoinBackend  func(id int64) (BackendInfo, be.Tasks)
	JoinFrontend func(role string) error
	// Leave is called when a frontend is dropped: its process ends.
	Leave func()
}

// Offer makes a process known by its address.
func (c *Core) Offer(p NodeProcess) {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	c.nodes.offered = append(c.nodes.offered, p)
}

func (c *Core) offered(host string, port int, backend bool) (NodeProcess, bool) {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	for _, p := range c.nodes.offered {
		if p.Host == host && p.Port == port && (p.JoinBackend != nil) == backend {
			return p, true
		}
	}
	return NodeProcess{}, false
}

// backendAt finds a backend by host and heartbeat port.
func (c *Core) backendAt(host string, port int) (BackendInfo, bool) {
	for _, b := range c.Backends() {
		if b.Host == host && b.HeartbeatPort == port {
			return b, true
		}
	}
	return BackendInfo{}, false
}

// AlterAddBackend is ALTER SYSTEM ADD BACKEND "host:port". Where no process
// listens the backend is added dead.
func (c *Core) AlterAddBackend(address string) error {
	host, port, err := splitAddress(address)
	if err != nil {
		return err
	}
	if _, known := c.backendAt(host, port); known {
		return Errorf("Same backend already exists[%s]", address)
	}
	id := c.NextID()
	info, tasks := BackendInfo{ID: id, Host: host, HeartbeatPort: port}, be.Tasks(nil)
	if p, ok := c.offered(host, port, true); ok {
		info, tasks = p.JoinBackend(id)
	} else {
		tasks = be.New(be.Config{ID: id, Host: host}) // never started
	}
	c.NextJournal()
	c.AddBackend(info, tasks)
	c.scheduler.wake()
	return nil
}

// AlterDropBackend is ALTER SYSTEM DROPP BACKEND, by address or id: its
// replicas are gone at once.
func (c *Core) AlterDropBackend(which string) error {
	b, err := c.findBackend(which, "backend does not exists[%s]")
	if err != nil {
		return err
	}
	c.NextJournal()
	c.removeBackend(b.ID)
	return nil
}

// AlterDecommission is ALTER SYSTEM DECOMMISSION BACKEND, with cancel CANCEL
// DECOMMISSION BACKEND: the replicas move to other backends, then the backend is
// dropped.
func (c *Core) AlterDecommission(which []string, cancel bool) error {
	var ids []int64
	for _, w := range which {
		b, err := c.findBackend(w, "Backend does not exist[%s]")
		if err != nil {
			return err
		}
		ids = append(ids, b.ID)
	}
	if !cancel {
		if err := c.enoughWithout(ids); err != nil {
			return err
		}
	}
	c.NextJournal()
	for _, id := range ids {
		c.UpdateBackend(id, func(info *BackendInfo) { info.Decommissioned = !cancel })
	}
	c.scheduler.wake()
	return nil
}

// enoughWithout refuses a decommission that leaves fewer backends than some
// partition has replicas.
func (c *Core) enoughWithout(ids []int64) error {
	left := 0
	for _, b := range c.Backends() {
		if b.Alive && !b.Decommissioned && !slices.Contains(ids, b.ID) {
			left++
		}
	}
	c.RLock()
	defer c.RUnlock()
	for _, db := range c.Databases() {
		for _, t := range db.Tables {
			for _, p := range Partitions(t) {
				if want := max(p.ReplicaNum, 1); want > left {
					return Errorf("After decommission, partition %s of table %s.%s 's replication allocation { tag.location.default: %d } > available backend num %d on tag {\"location\" : \"default\"}, otherwise need to decrease the partition's replication num.",
						p.Name, db.Name, t.Name, want, left)
				}
			}
		}
	}
	return nil
}

// findBackend resolves "host:port" or an id.
func (c *Core) findBackend(which, unknown string) (BackendInfo, error) {
	if id, err := strconv.ParseInt(which, 10, 64); err == nil {
		for _, b := range c.Backends() {
			if b.ID == id {
				return b, nil
			}
		}
		return BackendInfo{}, Errorf(unknown, which)
	}
	host, port, err := splitAddress(which)
	if err != nil {
		return BackendInfo{}, err
	}
	b, ok := c.backendAt(host, port)
	if !ok {
		return BackendInfo{}, Errorf(unknown, which)
	}
	return b, nil
}

func (c *Core) removeBackend(id int64) {
	c.nodes.mu.Lock()
	c.nodes.backends = slices.DeleteFunc(slices.Clone(c.nodes.backends), func(n *backendNode) bool { return n.info.ID == id })
	c.nodes.mu.Unlock()
	c.scheduler.wake()
}

// AlterAddFrontend is ALTER SYSTEM ADD FOLLOWER or OBSERVER "host:port".
func (c *Core) AlterAddFrontend(role, address string) error {
	host, port, err := splitAddress(address)
	if err != nil {
		return err
	}
	for _, f := range c.Frontends() {
		if f.Host == host && f.EditLogPort == port {
			return Errorf("frontend already exists name: %s, role: %s, %s:%d", f.Name, f.Role, host, port)
		}
	}
	c.NextJournal()
	p, ok := c.offered(host, port, false)
	if !ok { // no process: added dead
		c.nodes.mu.Lock()
		defer c.nodes.mu.Unlock()
		c.nodes.lost = append(c.nodes.lost, FrontendInfo{Name: "fe_" + address, Host: host, EditLogPort: port, Role: role, Index: -1})
		return nil
	}
	if err := p.JoinFrontend(role); err != nil {
		return Errorf("add frontend %s: %v", address, err)
	}
	return nil
}

// AlterDropFrontend is ALTER SYSTEM DROP FOLLOWER or OBSERVER "host:port".
func (c *Core) AlterDropFrontend(role, address string) error {
	host, port, err := splitAddress(address)
	if err != nil {
		return err
	}
	for _, f := range c.Frontends() {
		if f.Host != host || f.EditLogPort != port {
			continue
		}
		switch {
		case f.IsMaster:
			return Errorf("can not drop current master node.")
		case f.Role != role:
			return Errorf("%s does not exist[%s]", role, address)
		}
		c.NextJournal()
		c.leaveFrontend(f)
		if p, ok := c.offered(host, port, false); ok && p.Leave != nil {
			p.Leave()
		}
		return nil
	}
	return Errorf("frontend does not exist[%s]", address)
}

func (c *Core) leaveFrontend(f FrontendInfo) {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	if f.Index >= 0 {
		c.nodes.frontends[f.Index].Absent = true
		return
	}
	c.nodes.lost = slices.DeleteFunc(c.nodes.lost, func(o FrontendInfo) bool { return o.Host == f.Host && o.EditLogPort == f.EditLogPort })
}

func splitAddress(address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	port, perr := strconv.Atoi(text)
	switch {
	case err != nil || perr != nil:
		return "", 0, Errorf("Invalid host port: %s", address)
	case host == "":
		return "", 0, Errorf("Host is null")
	case port <= 0 || port >= 65536:
		return "", 0, Errorf("Port is out of range: %d", port)
	}
	return host, port, nil
}
