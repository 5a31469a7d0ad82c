package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// chaosNodes is what the batch knows of a cluster's backends, which its programs
// add and decommission.
type chaosNodes struct {
	mu      sync.Mutex
	cluster *harness.Cluster
	known   []string // addresses of all that are, or were, members
	started int
}

// mostBackends bounds how many processes are started for a cluster, beside the
// two that it begins with.
const mostBackends = 3

// backendsComeAndGo adds a backend to one of the clusters and decommissions
// another: its replicas move. The cluster keeps two that stay.
func backendsComeAndGo(ctx context.Context, p *program) error {
	nodes, side := &p.process.source, "source"
	if p.once(2) {
		nodes, side = &p.process.destination, "destination"
	}
	done, err := nodes.replace(ctx, p.IntN(1<<20))
	p.note(fmt.Sprintf("-- on the %s: %s", side, done))
	return err
}

// replace adds a backend and decommissions one of the others, unless one is still
// on its way out. It tells what it has done.
func (n *chaosNodes) replace(ctx context.Context, pick int) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	db, err := n.cluster.Open("")
	if err != nil {
		return "", err
	}
	defer db.Close()
	members, err := backendAddresses(ctx, db)
	if err != nil {
		return "", err
	}
	if len(members) > 2 {
		return "another backend is still leaving", nil
	}
	for _, address := range members {
		if !contains(n.known, address) {
			n.known = append(n.known, address)
		}
	}
	added, err := n.outsider(members)
	if err != nil || added == "" {
		return "no process left", err
	}
	leaving := members[pick%len(members)]
	if _, err := db.ExecContext(ctx, fmt.Sprintf(`ALTER SYSTEM ADD BACKEND "%s"`, added)); err != nil {
		return "", fmt.Errorf("add backend %s: %w", added, err)
	}
	if _, err := db.ExecContext(ctx, fmt.Sprintf(`ALTER SYSTEM DECOMMISSION BACKEND "%s"`, leaving)); err != nil {
		return "", fmt.Errorf("decommission backend %s: %w", leaving, err)
	}
	return fmt.Sprintf("backend %s is added, %s decommissioned", added, leaving), nil
}

// outsider is the address of a process that is no member, "" if there is none and
// enough have been started.
func (n *chaosNodes) outsider(members []string) (string, error) {
	for _, address := range n.known {
		if !contains(members, address) {
			return address, nil
		}
	}
	if n.started >= mostBackends {
		return "", nil
	}
	n.started++
	_, address, err := n.cluster.StartBE()
	if err != nil {
		return "", fmt.Errorf("start a backend: %w", err)
	}
	return address, nil
}

func backendAddresses(ctx context.Context, db *sql.DB) ([]string, error) {
	hosts, err := column(ctx, db, "SHOW BACKENDS", "Host")
	if err != nil {
		return nil, err
	}
	ports, err := column(ctx, db, "SHOW BACKENDS", "HeartbeatPort")
	if err != nil || len(ports) != len(hosts) {
		return nil, fmt.Errorf("%d hosts, %d ports of backends: %w", len(hosts), len(ports), err)
	}
	for i := range hosts {
		hosts[i] += ":" + ports[i]
	}
	return hosts, nil
}
