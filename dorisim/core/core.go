// Package core is the brain of a simulated Doris cluster that all its FEs
// share: the catalog and its lock, ids and the journal, binlog lists, the
// registry of frontends and backends, transactions and their publication.
//
// In real Doris the master's memory and the replicated journal play this part.
// What only the master's memory holds (PREPARE transactions, binlog locks) is
// lost by LoseMasterMemory.
package core

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/doris-ccr/ccr/dorisim/catalog"
	"github.com/doris-ccr/ccr/dorisim/faults"
)

// Version says which generation of Doris is imitated (doris-binlogs.md,
// conventions). Only VersionNew is complete. VersionM24 is the frontend whose
// answers are recorded (doris-sql.md 9): master of November 2024.
type Version string

const (
	VersionNew Version = "new"
	VersionM24 Version = "2024-11"
	Version30  Version = "3.0"
	Version21  Version = "2.1"
)

// Release is the release that is imitated: the last one of its branch without
// what the next branch brought (doris-rpc.md 9).
func (v Version) Release() (major, minor, patch int) {
	switch v {
	case Version21:
		return 2, 1, 7
	case Version30:
		return 3, 0, 3
	case VersionM24:
		return 0, 0, 0 // a build without a version
	}
	return 3, 1, 0
}

// Profile is how long things take.
type Profile struct {
	Name string
	// RPC is added to every Thrift call of the FE; Begin, Commit to those calls.
	RPC, Begin, Commit time.Duration
	// Ingest is how long a backend needs for one tablet of one transaction.
	Ingest time.Duration
	// Publish lies between COMMITTED and VISIBLE; those of different
	// transactions overlap.
	Publish time.Duration
	// BackupTick, RestoreTick and AlterTick lie between two states of a job.
	BackupTick, RestoreTick, AlterTick time.Duration
	// Clone is how long copying a replica takes.
	Clone time.Duration
}

// The profiles: Instant is for tests, Realistic, with the delays of a small
// healthy cluster, for benchmarks. Treat them as constants.
var (
	Instant   = Profile{Name: "instant", BackupTick: 2 * time.Millisecond, RestoreTick: 2 * time.Millisecond, AlterTick: 2 * time.Millisecond}
	Realistic = Profile{
		Name: "realistic", Begin: 2 * time.Millisecond, Ingest: 8 * time.Millisecond,
		Commit: 3 * time.Millisecond, Publish: 20 * time.Millisecond,
		BackupTick: 100 * time.Millisecond, RestoreTick: 100 * time.Millisecond, AlterTick: 100 * time.Millisecond,
		Clone: 500 * time.Millisecond,
	}
)

// ProfileByName returns Instant ("" or "instant") or Realistic.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "", "instant":
		return Instant, nil
	case "realistic":
		return Realistic, nil
	}
	return Profile{}, fmt.Errorf("unknown profile %q, there are instant and realistic", name)
}

// Config of a Core. The zero value is usable.
type Config struct {
	Name    string
	Version Version // default VersionNew
	Profile Profile
	// FEConfig overrides FE configuration items.
	FEConfig map[string]string
	// MetaVersion is printed into job_info; default 141, of 2024-11 140.
	MetaVersion int
	Token       string // cluster token; default a random UUID
	Logger      *slog.Logger
	Faults      *faults.Set
	// Now is the clock; default time.Now.
	Now func() time.Time
	// GCPeriod between two passes of the binlog collector; default 15 s
	// (doris-binlogs.md 1.6). Negative: only on demand.
	GCPeriod time.Duration
	// RepairPeriod between two passes of the replica repair; default 50 ms.
	RepairPeriod time.Duration
}

// Core is the state that all FEs of a cluster share.
type Core struct {
	cfg    Config
	log    *slog.Logger
	faults *faults.Set
	now    func() time.Time

	profile atomic.Pointer[Profile]

	debugPoints DebugPoints
	ids         atomic.Int64
	txnIDs      atomic.Int64
	journal     atomic.Int64
	skew        atomic.Int64 // nanoseconds added to the clock
	feConfig    struct {
		sync.RWMutex
		m map[string]string
	}
	// Users are the accounts of the cluster.
	Users *Users
	// Workloads are its workload groups.
	Workloads WorkloadGroups
	// Calls of clients.
	Calls Calls

	// mu is the metadata lock. Order of locks: mu, txns.mu, binlogs.mu, nodes.mu.
	mu          sync.RWMutex
	databases   map[int64]*catalog.Database
	databaseIDs map[string]int64
	tableHomes  sync.Map // table id -> tableHome
	tablets     map[int64]TabletHome
	placed      int // round robin of replica placement
	bin         recycleBin

	nodes    nodes
	binlogs  binlogStore
	txns     txnStore
	repairer repairQueue
	// scheduler moves replicas between backends.
	scheduler replicaScheduler

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// First values: real clusters have thousands of ids and journal entries before
// the first user table (doris-binlogs.md 1.2).
const (
	firstID      = 10001
	firstJournal = 5001
	firstTxn     = 1001
)

// New makes an empty cluster and starts its background work, which Close ends.
func New(cfg Config) *Core {
	if cfg.Version == "" {
		cfg.Version = VersionNew
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MetaVersion == 0 {
		cfg.MetaVersion = 141
		if cfg.Version == VersionM24 {
			cfg.MetaVersion = 140
		}
	}
	if cfg.Token == "" {
		cfg.Token = newToken()
	}
	if cfg.Profile.Name == "" {
		cfg.Profile = Instant
	}
	if cfg.GCPeriod == 0 {
		cfg.GCPeriod = 15 * time.Second
	}
	if cfg.RepairPeriod <= 0 {
		cfg.RepairPeriod = 50 * time.Millisecond
	}
	c := &Core{
		cfg: cfg, log: cfg.Logger, faults: cfg.Faults, now: cfg.Now,
		databases: map[int64]*catalog.Database{}, databaseIDs: map[string]int64{},
		tablets: map[int64]TabletHome{}, Users: newUsers(),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.ids.Store(firstID - 1)
	c.journal.Store(firstJournal - 1)
	c.txnIDs.Store(firstTxn - 1)
	c.SetProfile(cfg.Profile)
	c.feConfig.m = defaultFEConfig()
	if cfg.Version != VersionNew {
		// They came later: a row of SHOW FRONTEND CONFIG tells clients of the feature.
		if cfg.Version != VersionM24 {
			delete(c.feConfig.m, "enable_restore_snapshot_rpc_compression")
		} else {
			delete(c.feConfig.m, "restore_reset_index_id")
		}
		delete(c.feConfig.m, "ignore_backup_tmp_partitions")
	}
	maps.Copy(c.feConfig.m, cfg.FEConfig)
	c.binlogs.init(cfg.Version)
	c.txns.init()
	c.repairer.init()
	c.background()
	return c
}

// Close ends the background work. Transactions that are committed and not
// visible stay so.
func (c *Core) Close() {
	c.cancel()
	c.wg.Wait()
}

func (c *Core) background() {
	if c.cfg.GCPeriod > 0 {
		c.every(c.cfg.GCPeriod, func() { c.CollectExpiredBinlogs() })
	}
	c.wg.Go(c.fileLate)
	c.every(time.Second, c.abortTimedOut)
	c.every(time.Second, c.AbortLostCoordinators)
	c.every(time.Second, c.eraseExpired)
	c.every(c.cfg.RepairPeriod, c.scheduleReplicas)
	c.every(c.cfg.RepairPeriod, c.repairReplicas)
}

// Go runs background work of the cluster; Close cancels its context and waits
// for it.
func (c *Core) Go(f func(ctx context.Context)) { c.wg.Go(func() { f(c.ctx) }) }

// every runs f again and again until Close.
func (c *Core) every(period time.Duration, f func()) {
	c.wg.Go(func() {
		ticker := time.NewTicker(period)
		defer ticker.Stop()
		for {
			select {
			case <-c.ctx.Done():
				return
			case <-ticker.C:
				f()
			}
		}
	})
}

// Lock takes the metadata lock for changing.
func (c *Core) Lock() { c.mu.Lock() }

// Unlock releases Lock.
func (c *Core) Unlock() { c.mu.Unlock() }

// RLock takes the metadata lock for reading.
func (c *Core) RLock() { c.mu.RLock() }

// RUnlock releases RLock.
func (c *Core) RUnlock() { c.mu.RUnlock() }

// NextID returns a fresh id for a database, table, partition, index, tablet,
// replica or job. It needs no lock.
func (c *Core) NextID() int64 { return c.ids.Add(1) }

// NextJournal consumes a journal id without writing a binlog. A caller whose
// id must be ordered with metadata changes holds the lock.
func (c *Core) NextJournal() int64 { return c.journal.Add(1) }

// LastJournal returns the newest journal id.
func (c *Core) LastJournal() int64 { return c.journal.Load() }

// Profile returns the delays in force.
func (c *Core) Profile() Profile { return *c.profile.Load() }

// SetProfile changes the delays while the cluster runs.
func (c *Core) SetProfile(p Profile) { c.profile.Store(&p) }

// Now is the cluster's clock.
func (c *Core) Now() time.Time { return c.now().Add(time.Duration(c.skew.Load())) }

// AdvanceClock moves the cluster's clock forward, for tests of time limits.
func (c *Core) AdvanceClock(d time.Duration) { c.skew.Add(int64(d)) }

// Name of the cluster.
func (c *Core) Name() string { return c.cfg.Name }

// Version returns the imitated generation.
func (c *Core) Version() Version { return c.cfg.Version }

// MetaVersion is the FE metadata version printed into snapshots.
func (c *Core) MetaVersion() int { return c.cfg.MetaVersion }

// newToken makes a token in the form of a random UUID (doris-rpc.md 3.1).
func newToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it crashes the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Token is the cluster token that BEs demand (doris-rpc.md 3.1).
func (c *Core) Token() string { return c.cfg.Token }

// Faults returns the cluster's fault points; nil when there are none.
func (c *Core) Faults() *faults.Set { return c.faults }

// Logger returns the cluster's logger.
func (c *Core) Logger() *slog.Logger { return c.log }

func defaultFEConfig() map[string]string {
	return map[string]string{
		"enable_feature_binlog":                            "true",
		"enable_debug_points":                              "false",
		"enable_restore_snapshot_rpc_compression":          "true",
		"restore_reset_index_id":                           "false",
		"max_running_txn_num_per_db":                       "1000",
		"streaming_label_keep_max_second":                  "43200",
		"label_num_threshold":                              "2000",
		"label_keep_max_second":                            "259200",
		"transaction_clean_interval_second":                "30",
		"enable_abort_txn_by_checking_coordinator_be":      "true",
		"abort_txn_after_lost_heartbeat_time_second":       "300",
		"label_regex_length":                               "128",
		"stream_load_default_timeout_second":               "259200",
		"try_commit_lock_timeout_seconds":                  "5",
		"commit_timeout_second":                            "30",
		"max_backup_restore_job_num_per_db":                "10",
		"backup_job_default_timeout_ms":                    "86400000",
		"max_backup_tablets_per_job":                       "300000",
		"ignore_backup_not_support_table_type":             "false",
		"enable_recycle_binlog_immediately":                "false",
		"thrift_max_message_size":                          "104857600",
		"catalog_trash_expire_second":                      "86400",
		"drop_backend_after_decommission":                  "true",
		"default_replication_num":                          "1",
		"dynamic_partition_check_interval_seconds":         "600",
		"dynamic_partition_enable":                         "true",
		"ignore_backup_tmp_partitions":                     "false",
		"ignore_unsupported_properties_in_synchronous_job": "false",
	}
}

// FEConfig returns an FE configuration item, "" when there is no such item.
func (c *Core) FEConfig(key string) string {
	c.feConfig.RLock()
	defer c.feConfig.RUnlock()
	return c.feConfig.m[key]
}

// FEConfigItems returns all FE configuration items.
func (c *Core) FEConfigItems() map[string]string {
	c.feConfig.RLock()
	defer c.feConfig.RUnlock()
	return maps.Clone(c.feConfig.m)
}

// SetFEConfig changes an FE configuration item at run time.
func (c *Core) SetFEConfig(key, value string) {
	c.feConfig.Lock()
	defer c.feConfig.Unlock()
	c.feConfig.m[key] = value
}

// feConfigInt reads a numeric item; an unreadable one counts as fallback.
func (c *Core) feConfigInt(key string, fallback int) int {
	if n, err := strconv.Atoi(c.FEConfig(key)); err == nil {
		return n
	}
	return fallback
}
