package core

import (
	"slices"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/be"
)

// BackendInfo is what SHOW BACKENDS and getBackendMeta tell. Host is the
// advertised address.
type BackendInfo struct {
	ID                                        int64
	Host                                      string
	HeartbeatPort, BePort, HTTPPort, BrpcPort int
	Alive                                     bool
	// Decommissioned backends get no new replicas and lose those they have.
	Decommissioned bool
	// LastSeen is when a dead backend was last heard of.
	LastStart, LastSeen time.Time
}

// FrontendInfo is what SHOW FRONTENDS tells. Host is the advertised address.
type FrontendInfo struct {
	Name                                      string
	Host                                      string
	EditLogPort, HTTPPort, QueryPort, RPCPort int
	Alive, IsMaster                           bool
	LastStart                                 time.Time
	// Index is the frontend's, for good: others may be dropped.
	Index int
	Role  string // FOLLOWER or OBSERVER

	// Absent frontends are no members: not yet, or not any more.
	Absent bool
}

// nodes is the registry of frontends and backends.
type nodes struct {
	mu        sync.RWMutex
	backends  []*backendNode
	frontends []FrontendInfo
	master    int
	// lost are frontends that were added where no process is.
	lost    []FrontendInfo
	offered []NodeProcess
}

type backendNode struct {
	info  BackendInfo
	tasks be.Tasks
}

// AddBackend registers a backend; its ID must be unique.
func (c *Core) AddBackend(info BackendInfo, tasks be.Tasks) {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	c.nodes.backends = append(c.nodes.backends, &backendNode{info: info, tasks: tasks})
}

// UpdateBackend changes what is known about a backend, e.g. whether it is alive.
func (c *Core) UpdateBackend(id int64, change func(*BackendInfo)) {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	for _, n := range c.nodes.backends {
		if n.info.ID == id {
			change(&n.info)
		}
	}
}

// Backends returns all backends in order of registration, dead ones included.
func (c *Core) Backends() []BackendInfo {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	list := make([]BackendInfo, len(c.nodes.backends))
	for i, n := range c.nodes.backends {
		list[i] = n.info
	}
	return list
}

// Backend returns the task interface of a backend, alive or not.
func (c *Core) Backend(id int64) (be.Tasks, bool) {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	for _, n := range c.nodes.backends {
		if n.info.ID == id {
			return n.tasks, true
		}
	}
	return nil, false
}

// backendAlive tells whether the backend is up.
func (c *Core) backendAlive(id int64) bool {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	return slices.ContainsFunc(c.nodes.backends, func(n *backendNode) bool { return n.info.ID == id && n.info.Alive })
}

// AddFrontend registers a frontend and returns its index. The first is master.
func (c *Core) AddFrontend(info FrontendInfo) int {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	info.Index = len(c.nodes.frontends)
	if info.Role == "" {
		info.Role = "FOLLOWER"
	}
	c.nodes.frontends = append(c.nodes.frontends, info)
	return info.Index
}

// UpdateFrontend changes what is known about a frontend.
func (c *Core) UpdateFrontend(index int, change func(*FrontendInfo)) {
	c.nodes.mu.Lock()
	defer c.nodes.mu.Unlock()
	change(&c.nodes.frontends[index])
}

// Frontends returns the frontends of the cluster; IsMaster is set on the master,
// unless an election is running.
func (c *Core) Frontends() []FrontendInfo {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	list := slices.Clone(c.nodes.frontends)
	for i := range list {
		list[i].IsMaster = i == c.nodes.master
	}
	return append(slices.DeleteFunc(list, func(f FrontendInfo) bool { return f.Absent }), c.nodes.lost...)
}

// Frontend returns a frontend by its index, also one that is absent.
func (c *Core) Frontend(index int) (FrontendInfo, bool) {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	if index < 0 || index >= len(c.nodes.frontends) {
		return FrontendInfo{}, false
	}
	return c.nodes.frontends[index], true
}

// Master returns the index of the master, -1 while there is none.
func (c *Core) Master() int {
	c.nodes.mu.RLock()
	defer c.nodes.mu.RUnlock()
	return c.nodes.master
}

// SetMaster makes another frontend master (-1: none, an election runs). What
// only the old master's memory held is lost when the master really changes.
func (c *Core) SetMaster(index int) {
	c.nodes.mu.Lock()
	changed := c.nodes.master != index
	c.nodes.master = index
	c.nodes.mu.Unlock()
	if changed {
		c.LoseMasterMemory()
	}
}

// LoseMasterMemory forgets what is not journaled: PREPARE transactions
// (doris-rpc.md 3.7) and binlog locks (3.6). The next master has its lists from
// the journal, complete and in order.
func (c *Core) LoseMasterMemory() {
	c.losePrepared()
	c.FileBinlogs()
	c.binlogs.loseLocks()
}
