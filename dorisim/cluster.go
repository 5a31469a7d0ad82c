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
	cfg       Config
	core      *core.Core
	backup    *backup.Manager
	ddl       *ddl.Executor
	faults    *faults.Set
	frontends []*Frontend
	backends  []*be.Backend
	runs      []*backendRun
	admin     *admin.Server
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
	c := &Cluster{cfg: cfg, faults: &faults.Set{}}
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
	for i := range c.cfg.BEs {
		if err := c.startBackend(i); err != nil {
			return err
		}
	}
	for i := range c.cfg.FEs {
		host := c.cfg.listenHost(i)
		f := &Frontend{
			cluster: c, index: i, host: host, log: c.cfg.Logger.With("frontend", i),
			mysql: c.cfg.port(10 * i), thrift: c.cfg.port(10*i + 1), web: c.cfg.port(10*i + 2),
		}
		c.core.AddFrontend(core.FrontendInfo{Name: fmt.Sprintf("fe_%s_%d", c.cfg.Name, i), Host: c.cfg.advertised(host, 1+i), EditLogPort: 9010})
		if err := f.start(); err != nil {
			return err
		}
		c.frontends = append(c.frontends, f)
	}
	if c.cfg.Admin {
		var err error
		if c.admin, err = admin.Start(c, c.cfg.Host, c.cfg.port(900)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (c *Cluster) startBackend(i int) error {
	run := &backendRun{}
	run.begin()
	c.runs = append(c.runs, run)
	host := c.cfg.listenHost(c.cfg.FEs + i)
	advertised := c.cfg.advertised(host, 101+i)
	id := c.core.NextID()
	b := be.New(be.Config{
		ID: id, Host: host, AdvertisedHost: advertised, ThriftPort: c.cfg.port(500 + 10*i), HTTPPort: c.cfg.port(501 + 10*i),
		StorageRoot: fmt.Sprintf("/dorisim/%s/be%d/storage", c.cfg.Name, i), Token: c.core.Token,
		Logger: c.cfg.Logger, IngestDelay: func() time.Duration { return c.core.Profile().Ingest },
		Faults: func(point string) error { return c.backendFault(run.context(), i, point) }, Properties: c.cfg.BEProperties,
		RetryPause: c.cfg.RetryPause, SegmentRows: c.cfg.SegmentRows, Now: c.core.Now,
	})
	if err := b.Start(); err != nil {
		return err
	}
	c.backends = append(c.backends, b)
	c.core.AddBackend(core.BackendInfo{
		ID: id, Host: advertised, HeartbeatPort: 9050, BePort: b.BePort(), HTTPPort: b.HTTPPort(), BrpcPort: 8060,
		Alive: true, LastStart: c.core.Now(),
	}, b)
	return nil
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
	for _, r := range c.runs {
		r.end()
	}
	if c.admin != nil {
		err = c.admin.Close()
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
func (c *Cluster) FE(i int) *Frontend { return c.frontends[i] }

// BE returns the i-th backend.
func (c *Cluster) BE(i int) *be.Backend { return c.backends[i] }

// FEs counts the frontends.
func (c *Cluster) FEs() int { return len(c.frontends) }

// BEs counts the backends.
func (c *Cluster) BEs() int { return len(c.backends) }

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
	return fmt.Sprintf("root:%s@tcp(%s)/%s?interpolateParams=true", c.cfg.RootPassword, c.frontends[0].MySQLAddr(), database)
}

// errNoNode is the error of an index out of range.
func errNoNode(kind string, i, n int) error {
	return fmt.Errorf("there is no %s %d, only 0 to %d", kind, i, n-1)
}

// KillBE ends a backend's process at once; its tablets stay on "disk".
func (c *Cluster) KillBE(i int) error {
	if i < 0 || i >= len(c.backends) {
		return errNoNode("backend", i, len(c.backends))
	}
	c.core.UpdateBackend(c.backends[i].ID(), func(info *core.BackendInfo) { info.Alive, info.LastSeen = false, c.core.Now() })
	c.runs[i].end()
	c.backends[i].Kill()
	return nil
}

// RestartBE starts a killed backend on its old ports. What it missed is repaired
// from other replicas.
func (c *Cluster) RestartBE(i int) error {
	if i < 0 || i >= len(c.backends) {
		return errNoNode("backend", i, len(c.backends))
	}
	if c.backends[i].Alive() {
		return nil
	}
	c.runs[i].begin()
	if err := c.backends[i].Restart(); err != nil {
		return fmt.Errorf("restart backend %d: %w", i, err)
	}
	c.core.UpdateBackend(c.backends[i].ID(), func(info *core.BackendInfo) { info.Alive, info.LastStart = true, c.core.Now() })
	c.core.BackendRestarted(c.backends[i].ID())
	return nil
}

// KillFE ends a frontend at once. If it was master, the next living frontend
// takes over; without one the cluster has no master until it is restarted.
func (c *Cluster) KillFE(i int) error {
	if i < 0 || i >= len(c.frontends) {
		return errNoNode("frontend", i, len(c.frontends))
	}
	c.frontends[i].kill()
	if c.core.Master() != i {
		return nil
	}
	for n := 1; n < len(c.frontends); n++ {
		if next := (i + n) % len(c.frontends); c.frontends[next].Alive() {
			c.core.SetMaster(next)
			return nil
		}
	}
	c.core.LoseMasterMemory()
	return nil
}

// RestartFE starts a killed frontend on its old ports.
func (c *Cluster) RestartFE(i int) error {
	if i < 0 || i >= len(c.frontends) {
		return errNoNode("frontend", i, len(c.frontends))
	}
	if err := c.frontends[i].start(); err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if master := c.core.Master(); master >= 0 && !c.frontends[master].Alive() {
		c.core.SetMaster(i)
	}
	return nil
}

// SwitchMaster makes another frontend master; -1 leaves the cluster without one,
// as during an election.
func (c *Cluster) SwitchMaster(i int) error {
	if i < -1 || i >= len(c.frontends) {
		return errNoNode("frontend", i, len(c.frontends))
	}
	if i >= 0 && !c.frontends[i].Alive() {
		return fmt.Errorf("frontend %d is down", i)
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
