package harness

import (
	"cmp"
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/doris-ccr/ccr/dorisim"
	"github.com/doris-ccr/ccr/dorisim/core"
)

// Pair is a source and a destination cluster, simulated in this process.
type Pair struct{ Source, Destination *Cluster }

// Cluster is a simulated cluster with what a client needs to know of it.
type Cluster struct {
	*dorisim.Cluster
	Password string
	private  string // prefix of the hosts that it advertises
}

// PairOptions shapes both clusters.
type PairOptions struct {
	FEs, BEs int // default 1
	// Realistic gives the clusters the delays of a real one (core.Realistic).
	Realistic bool
	Password  string // of root, on both sides
	// SourcePrivate and DestinationPrivate are prefixes of private hosts, names or
	// addresses, that the clusters advertise and on which nothing listens; ""
	// advertises where they listen. See Publish.
	SourcePrivate, DestinationPrivate string
	// Version of Doris that both imitate: "2.1", "3.0", "2024-11" or "", the newest.
	Version core.Version
	// LateFiling of binlogs on both sides; the default is what LateBinlogs says.
	LateFiling *core.LateFiling
	// TLS of the MySQL ports on both sides; nil: none.
	TLS *tls.Config
	// Seed of the moments at which binlogs are filed late; 0 is that of the run.
	Seed uint64
}

// LateBinlogs is the environment variable with the share of binlogs that the
// clusters file late, up to 100 ms: "30" percent, which is the default. "0": none.
const LateBinlogs = "CCR_E2E_LATE_BINLOGS"

func (o PairOptions) lateFiling() (core.LateFiling, error) {
	seed := o.Seed
	if seed == 0 {
		var err error
		if seed, err = Seed(); err != nil {
			return core.LateFiling{}, err
		}
	}
	if late := o.LateFiling; late != nil {
		return core.LateFiling{Percent: late.Percent, Max: late.Max, Seed: cmp.Or(late.Seed, seed)}, nil
	}
	text := os.Getenv(LateBinlogs)
	if text == "" {
		text = "30"
	}
	percent, err := strconv.Atoi(text)
	if err != nil || percent < 0 || percent > 100 {
		return core.LateFiling{}, fmt.Errorf("%s=%q is not a percentage", LateBinlogs, text)
	}
	return core.LateFiling{Percent: percent, Max: 100 * time.Millisecond, Seed: seed}, nil
}

// StartPair starts two clusters on loopback addresses.
func StartPair(ctx context.Context, o PairOptions) (*Pair, error) {
	source, err := startCluster(ctx, "source", o.SourcePrivate, o)
	if err != nil {
		return nil, err
	}
	destination, err := startCluster(ctx, "destination", o.DestinationPrivate, o)
	if err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return &Pair{Source: source, Destination: destination}, nil
}

func startCluster(ctx context.Context, name, private string, o PairOptions) (*Cluster, error) {
	late, err := o.lateFiling()
	if err != nil {
		return nil, err
	}
	cfg := dorisim.Config{LateFiling: late, Name: name, FEs: max(1, o.FEs), BEs: max(1, o.BEs), Profile: core.Instant, RootPassword: o.Password, Version: o.Version, AdvertisePrefix: private, TLS: o.TLS}
	if o.Realistic {
		cfg.Profile = core.Realistic
	}
	c, err := dorisim.Start(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("start simulated cluster %s: %w", name, err)
	}
	return &Cluster{Cluster: c, Password: o.Password, private: private}, nil
}

// Close stops both clusters.
func (p *Pair) Close() error { return errors.Join(p.Source.Close(), p.Destination.Close()) }

// AllFiled is an error while the cluster has binlogs that no reader sees yet: a
// job that has caught up has not met them.
func (c *Cluster) AllFiled() error {
	if n := c.Core().UnfiledBinlogs(); n > 0 {
		return fmt.Errorf("the source has %d binlogs that are not filed yet", n)
	}
	return nil
}

// CaughtUp is an error unless lag, a reply of get_lag for a job that follows the
// database, says that nothing is left of what the cluster has filed by now. A
// reply may be two seconds old: one of before the last statement says nothing
// about it.
func (c *Cluster) CaughtUp(lag map[string]any, database string) error {
	if n := Int(lag, "lag"); n != 0 {
		return fmt.Errorf("%d binlogs to go", n)
	}
	db, found := c.Core().Database(database)
	if !found {
		return nil
	}
	newest, status := c.Core().Lag(db.ID, -1, 0)
	// Old versions do not tell which binlog is the last.
	if last := Int(lag, "last_commit_seq"); status == core.ReadOK && last > 0 && last < newest.LastCommitSeq {
		return fmt.Errorf("the lag is of commit seq %d, the newest binlog is %d", last, newest.LastCommitSeq)
	}
	return nil
}

// Open connects to the first FE's MySQL port.
func (c *Cluster) Open(database string) (*sql.DB, error) {
	return OpenSQL(c.FE(0).MySQLAddr(), "root", c.Password, database)
}

// Port is the first FE's MySQL port.
func (c *Cluster) Port() string {
	_, port, _ := net.SplitHostPort(c.FE(0).MySQLAddr())
	return port
}

// Spec is the cluster as create_ccr wants it, ports as strings as the user
// documentation has them.
func (c *Cluster) Spec(database, table string) map[string]any {
	host, port, _ := net.SplitHostPort(c.FE(0).MySQLAddr())
	_, thrift, _ := net.SplitHostPort(c.FE(0).ThriftAddr())
	return map[string]any{"host": host, "port": port, "thrift_port": thrift,
		"user": "root", "password": c.Password, "database": database, "table": table}
}

// ThriftPort is the first FE's RPC port.
func (c *Cluster) ThriftPort() int {
	_, port, _ := net.SplitHostPort(c.FE(0).ThriftAddr())
	n, _ := strconv.Atoi(port)
	return n
}
