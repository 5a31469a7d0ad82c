package core

import (
	"time"
)

// Coordinator is who began a transaction: a frontend, or, for loads and for the
// transactions of external clients, a backend. Host is then the address of the
// client's socket, and ID the backend's, 0 if the client named none
// (doris-rpc.md 3.7).
type Coordinator struct {
	Backend bool
	ID      int64
	Host    string
}

// String is how SHOW TRANSACTION prints it.
func (c Coordinator) String() string {
	if c.Backend {
		return "BE: " + c.Host
	}
	return "FE: " + c.Host
}

// AbortLostCoordinators aborts the PREPARE transactions of backends that have
// been dead for too long: of those that named the backend, and of those that
// named none and come from its host.
func (c *Core) AbortLostCoordinators() {
	if c.FEConfig("enable_abort_txn_by_checking_coordinator_be") != "true" {
		return
	}
	patience := time.Duration(c.feConfigInt("abort_txn_after_lost_heartbeat_time_second", 300)) * time.Second
	for _, b := range c.Backends() {
		if !b.Alive && c.Now().Sub(b.LastSeen) >= patience {
			c.abortCoordinated("coordinate BE is down", func(by Coordinator) bool {
				return by.Host == b.Host && (by.ID == 0 || by.ID == b.ID)
			})
		}
	}
}

// BackendRestarted aborts what a backend had begun before it restarted.
func (c *Core) BackendRestarted(id int64) {
	c.abortCoordinated("coordinate BE restart", func(by Coordinator) bool { return by.ID == id })
}

func (c *Core) abortCoordinated(reason string, concerns func(Coordinator) bool) {
	c.txns.mu.Lock()
	defer c.txns.mu.Unlock()
	for _, d := range c.txns.dbs {
		for _, t := range d.running {
			if t.State == TxnPrepare && t.Coordinator.Backend && concerns(t.Coordinator) {
				c.abortLocked(d, t, reason)
			}
		}
	}
}
