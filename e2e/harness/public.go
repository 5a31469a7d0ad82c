package harness

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Public makes the nodes of a cluster reachable at public addresses, as a
// gateway does: node by node an address of its own, the ports stay. It can be
// closed while the cluster runs, which then has other public addresses, or none.
type Public struct {
	cluster   *Cluster
	hosts     map[string]string // by private host
	first     string            // of the first FE
	listeners []net.Listener
	wait      sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[net.Conn]bool
}

// Publish opens the public addresses of a cluster that advertises private ones
// (PairOptions.SourcePrivate, DestinationPrivate). They are chosen at random
// within 127.0.0.0/8.
func (c *Cluster) Publish() (*Public, error) {
	var err error
	for range 20 {
		p := &Public{cluster: c, hosts: map[string]string{}, open: map[net.Conn]bool{}}
		if err = p.listen(fmt.Sprintf("127.%d.%d.", 16+rand.IntN(200), rand.IntN(250))); err == nil {
			return p, nil
		}
		p.Close()
	}
	return nil, fmt.Errorf("publish the nodes of %s: %w", c.Name(), err)
}

func (p *Public) listen(prefix string) error {
	for i := range p.cluster.FEs() {
		public := prefix + strconv.Itoa(1+i)
		p.hosts[p.cluster.private+strconv.Itoa(1+i)] = public
		f := p.cluster.FE(i)
		if err := errors.Join(p.forward(public, f.MySQLAddr()), p.forward(public, f.ThriftAddr())); err != nil {
			return err
		}
		if i == 0 {
			p.first = public
		}
	}
	for i := range p.cluster.BEs() {
		public := prefix + strconv.Itoa(101+i)
		p.hosts[p.cluster.private+strconv.Itoa(101+i)] = public
		b := p.cluster.BE(i)
		for _, port := range []int{b.BePort(), b.HTTPPort()} {
			if err := p.forward(public, net.JoinHostPort(b.Host(), strconv.Itoa(port))); err != nil {
				return err
			}
		}
	}
	return nil
}

// forward listens on the public host at the port of a node and passes
// everything on.
func (p *Public) forward(public, node string) error {
	_, port, err := net.SplitHostPort(node)
	if err != nil {
		return fmt.Errorf("forward to %s: %w", node, err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(public, port))
	if err != nil {
		return fmt.Errorf("forward to %s: %w", node, err)
	}
	p.listeners = append(p.listeners, l)
	p.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wait.Go(func() { p.pass(conn, node) })
		}
	})
	return nil
}

func (p *Public) pass(client net.Conn, node string) {
	server, err := net.Dial("tcp", node)
	if err != nil {
		_ = client.Close()
		return
	}
	if !p.keep(client, server) {
		return
	}
	p.wait.Go(func() {
		_, _ = io.Copy(server, client) // ends with either connection
		p.drop(client, server)
	})
	_, _ = io.Copy(client, server)
	p.drop(client, server)
}

// keep notes connections so that Close ends them; false after Close.
func (p *Public) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
		} else {
			p.open[c] = true
		}
	}
	return !p.closed
}

func (p *Public) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
}

// Close ends the public addresses and every connection through them.
func (p *Public) Close() {
	for _, l := range p.listeners {
		_ = l.Close()
	}
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// HostMapping maps the private hosts to these public ones.
func (p *Public) HostMapping() map[string]string { return p.hosts }

// Spec is Cluster.Spec at the first FE's public address, with the host mapping.
func (p *Public) Spec(database, table string) map[string]any {
	spec := p.cluster.Spec(database, table)
	spec["host"] = p.first
	spec["host_mapping"] = p.hosts
	return spec
}
