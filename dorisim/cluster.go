package dorisim

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/doris-ccr/ccr/dorisim/admin"
	"github.com/doris-ccr/ccr/dorisim/backup"
	"github.com/doris-ccr/ccr/dorisim/be"
	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/ddl"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Cluster is a running cluster. Its methods are safe for concurrent use.
type Cluster struct {
	cfg    Config
	core   *core.Core
	backup *backup.Manager
	ddl    *ddl.Executor
	faults *faults.Set
	admin  *admin.Server

	// mu guards the nodes, of which further ones can be started.
	mu        sync.RWMutex
	frontends []*Frontend
	backends  []*be.Backend
	runs      []*backendRun
}

// backendRun ends the fault delays of a backend that is killed.
type backendRun struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

func (r *backendRun) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ctx, r.cancel = context.WithCancel(context.Background())
}

func (r *backendRun) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancel()
}

func (r *backendRun) context() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ctx
}

// Start starts a cluster. It lives until Close; ctx bounds only the start.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start cluster %s: %w", cfg.Name, err)
	}
	c := &Cluster{cfg: cfg}
	c.faults = &faults.Set{Nodes: c.nodes}
	c.core = core.New(core.Config{
		Name: cfg.Name, Version: cfg.Version, Profile: cfg.Profile, FEConfig: cfg.FEConfig, Logger: cfg.Logger,
		Faults: c.faults, GCPeriod: cfg.GCPeriod,
	})
	if cfg.LateFiling != (core.LateFiling{}) {
		c.core.SetLateFiling(cfg.LateFiling)
	}
	c.core.Users.Set(core.User{Name: "root", Password: cfg.RootPassword, Admin: true})
	for _, u := range cfg.Users {
		c.core.Users.Set(u)
	}
	c.backup = backup.New(c.core)
	c.ddl = ddl.New(c.core, c.backup)
	c.core.Go(c.ddl.Schedule)
	if err := c.startNodes(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster %s: %w", cfg.Name, err), c.Close())
	}
	return c, nil
}

func (c *Cluster) startNodes(ctx context.Context) error {
	for range c.cfg.BEs {
		if _, err := c.addBackend(); err != nil {
			return err
		}
	}
	for range c.cfg.FEs {
		if err := c.newFrontend().join("FOLLOWER"); err != nil {
			return err
		}
	}
	if c.cfg.Admin {
		var err error
		if c.admin, err = admin.Start(c, c.cfg.Host, c.cfg.port(900)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// backendFault asks the rules for a backend's point, with and without the
// backend's index: "be.ingest_binlog" and "be.ingest_binlog@1". A point that
// ends in ".reply" lies after the effect.
func (c *Cluster) backendFault(ctx context.Context, index int, point string) error {
	strike := c.faults.Before
	if base, after := strings.CutSuffix(point, ".reply"); after {
		point, strike = base, c.faults.After
	}
	for _, name := range []string{point, fmt.Sprintf("%s@%d", point, index)} {
		if err := strike(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Close stops everything.
func (c *Cluster) Close() error {
	var err error
	if c.admin != nil {
		err = c.admin.Close()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, r := range c.runs {
		r.end()
	}
	for _, f := range c.frontends {
		f.kill()
	}
	c.backup.Close()
	c.core.Close()
	for _, b := range c.backends {
		b.Close()
	}
	return err
}

// Name of the cluster.
func (c *Cluster) Name() string { return c.cfg.Name }

// Core gives tests a look inside.
func (c *Cluster) Core() *core.Core { return c.core }

// FE returns the i-th frontend; 0 is master at first.
func (c *Cluster) FE(i int) *Frontend {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.frontends[i]
}

// BE returns the i-th backend.
func (c *Cluster) BE(i int) *be.Backend {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.backends[i]
}

// FEs counts the frontends that there have been.
func (c *Cluster) FEs() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.frontends)
}

// BEs counts the backends that there have been.
func (c *Cluster) BEs() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.backends)
}

// nodes counts frontends or backends for the fault rules.
func (c *Cluster) nodes(prefix string) int {
	if prefix == "fe." {
		return c.FEs()
	}
	return c.BEs()
}

func (c *Cluster) run(i int) *backendRun {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.runs[i]
}

// Faults are the cluster's fault rules (package faults). Points of backends may
// carry their index: "be.ingest_binlog@1".
func (c *Cluster) Faults() *faults.Set { return c.faults }

// AdminAddr is where the admin port listens, "" without one.
func (c *Cluster) AdminAddr() string {
	if c.admin == nil {
		return ""
	}
	return c.admin.Addr()
}

// HostMapping maps the advertised addresses to those that nodes listen on; nil
// when they are the same. Ports are the same on both sides.
func (c *Cluster) HostMapping() map[string]string {
	if c.cfg.AdvertisePrefix == "" {
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	mapping := map[string]string{}
	for i, f := range c.frontends {
		mapping[c.cfg.advertised(f.host, 1+i)] = f.host
	}
	for _, b := range c.backends {
		mapping[b.AdvertisedHost()] = b.Host()
	}
	return mapping
}

// DSN is the data source name of go-sql-driver/mysql for root at the first FE.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("root:%s@tcp(%s)/%s?interpolateParams=true", c.cfg.RootPassword, c.FE(0).MySQLAddr(), database)
}

// errNoNode is the error of an index out of range.
func errNoNode(kind string, i, n int) error {
	return fmt.Errorf("there is no %s %d, only 0 to %d", kind, i, n-1)
}

// KillBE ends a backend's process at once; its tablets stay on "disk".
func (c *Cluster) KillBE(i int) error {
	if i < 0 || i >= c.BEs() {
		return errNoNode("backend", i, c.BEs())
	}
	c.core.UpdateBackend(c.BE(i).ID(), func(info *core.BackendInfo) { info.Alive, info.LastSeen = false, c.core.Now() })
	c.run(i).end()
	c.BE(i).Kill()
	return nil
}

// RestartBE starts a killed backend on its old ports. What it missed is repaired
// from other replicas.
func (c *Cluster) RestartBE(i int) error {
	if i < 0 || i >= c.BEs() {
		return errNoNode("backend", i, c.BEs())
	}
	if c.BE(i).Alive() {
		return nil
	}
	c.run(i).begin()
	if err := c.BE(i).Restart(); err != nil {
		return fmt.Errorf("restart backend %d: %w", i, err)
	}
	c.core.UpdateBackend(c.BE(i).ID(), func(info *core.BackendInfo) { info.Alive, info.LastStart = true, c.core.Now() })
	c.core.BackendRestarted(c.BE(i).ID())
	return nil
}

// KillFE ends a frontend at once. If it was master, the next living frontend
// takes over; without one the cluster has no master until it is restarted.
func (c *Cluster) KillFE(i int) error {
	if i < 0 || i >= c.FEs() {
		return errNoNode("frontend", i, c.FEs())
	}
	c.FE(i).kill()
	if c.core.Master() != i {
		return nil
	}
	for n := 1; n < c.FEs(); n++ {
		if next := (i + n) % c.FEs(); c.FE(next).electable() {
			c.core.SetMaster(next)
			return nil
		}
	}
	c.core.LoseMasterMemory()
	return nil
}

// RestartFE starts a killed frontend on its old ports.
func (c *Cluster) RestartFE(i int) error {
	if i < 0 || i >= c.FEs() {
		return errNoNode("frontend", i, c.FEs())
	}
	if info, _ := c.core.Frontend(i); info.Absent {
		return fmt.Errorf("frontend %d is no member of the cluster; ALTER SYSTEM ADD FOLLOWER adds it", i)
	}
	if err := c.FE(i).start(); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if master := c.core.Master(); master >= 0 && !c.FE(master).Alive() && c.FE(i).electable() {
		c.core.SetMaster(i)
	}
	return nil
}

// SwitchMaster makes another frontend master; -1 leaves the cluster without one,
// as during an election.
func (c *Cluster) SwitchMaster(i int) error {
	if i < -1 || i >= c.FEs() {
		return errNoNode("frontend", i, c.FEs())
	}
	if i >= 0 && !c.FE(i).electable() {
		return fmt.Errorf("frontend %d is down, or an observer", i)
	}
	c.core.SetMaster(i)
	return nil
}

// CollectBinlogs forgets the binlogs of a database up to and including upTo; 0
// means all of them.
func (c *Cluster) CollectBinlogs(database string, upTo int64) error {
	c.core.RLock()
	db, ok := c.core.Database(database)
	c.core.RUnlock()
	if !ok {
		return fmt.Errorf("collect binlogs: unknown database %s", database)
	}
	if upTo <= 0 {
		upTo = math.MaxInt64
	}
	c.core.CollectBinlogs(db.ID, upTo)
	return nil
}

// Profile returns the delays in force.
func (c *Cluster) Profile() core.Profile { return c.core.Profile() }

// SetProfile changes the delays.
func (c *Cluster) SetProfile(p core.Profile) { c.core.SetProfile(p) }

// AdvanceClock moves the cluster's clock, for what waits for hours.
func (c *Cluster) AdvanceClock(d time.Duration) { c.core.AdvanceClock(d) }
