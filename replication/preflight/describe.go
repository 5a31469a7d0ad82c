package preflight

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// What SHOW CREATE does not print has these values (doris-binlogs.md 1.1).
const (
	defaultTTL = 86400
	noBound    = 1<<63 - 1
)

// askTimeout bounds what a cluster is asked in a look at it.
const askTimeout = 5 * time.Second

// loadLimits are settings of a frontend that a destination's loads meet.
var loadLimits = []string{"max_running_txn_num_per_db", pair.LabelNumber, pair.LabelSeconds}

// DescribeClusters looks at both clusters through the addresses, mappings and accounts of
// the job. It changes nothing. What cannot be found out is told in the answer.
func (j *Job) DescribeClusters(ctx context.Context, wanted job.ClustersWanted) (seen job.ClustersSeen) {
	var g errgroup.Group
	g.Go(func() error {
		seen.Source = describe(ctx, j.Source, wanted.Source)
		return nil
	})
	g.Go(func() error {
		seen.Destination = describe(ctx, j.Destination, wanted.Destination)
		return nil
	})
	_ = g.Wait() // none of the functions fails
	return seen
}

// description is a look at one cluster.
type description struct {
	c    *pair.Cluster
	seen job.ClusterSeen
}

func describe(ctx context.Context, c *pair.Cluster, logs []job.LogOf) job.ClusterSeen {
	d := &description{c: c, seen: job.ClusterSeen{
		At: time.Now().UTC(), Frontends: []job.FrontendSeen{}, Backends: []job.BackendSeen{}, Logs: []job.LogKept{},
	}}
	d.seen.From, _ = os.Hostname() // without a name it is told without one
	d.ask(ctx, logs)
	d.reach(ctx)
	return d.seen
}

// ask asks the cluster, for as long as leaves time to look what can be reached.
func (d *description) ask(ctx context.Context, logs []job.LogOf) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	rows, err := d.c.SQL.Query(ctx, "SHOW VARIABLES LIKE 'version_comment'")
	if err != nil {
		d.failed(Refused(d.c, "ask for the version", err))
		d.addFrontends(append([]meta.Frontend{d.named()}, d.c.Spec.Frontends...))
		return
	}
	if len(rows) > 0 {
		d.seen.Version = versionOf(rows[0].Get("Value"))
	}
	d.frontends(ctx)
	d.backends(ctx)
	d.limits(ctx)
	for _, log := range logs[:min(len(logs), job.MaxLogsWanted)] {
		d.seen.Logs = append(d.seen.Logs, keptLog(ctx, d.c, log))
	}
}

func (d *description) failed(err error) {
	text := err.Error()
	if remedy := problem.Remedy(err); remedy != "" {
		text += " (" + remedy + ")"
	}
	if !slices.Contains(d.seen.Errors, text) {
		d.seen.Errors = append(d.seen.Errors, text)
	}
}

// frontends lists the frontends as the cluster does, or those that are known to an account
// that may not list them.
func (d *description) frontends(ctx context.Context) {
	rows, err := d.c.SQL.Query(ctx, "SHOW FRONTENDS")
	if err != nil {
		if !problem.LacksPrivilege(err) {
			d.failed(Refused(d.c, "list frontends", err))
		}
		d.knownFrontends(ctx)
		return
	}
	for _, row := range rows {
		alive := row.Bool("Alive")
		f := job.FrontendSeen{
			Port: int(row.Int("QueryPort")), ThriftPort: int(row.Int("RpcPort")), IsMaster: row.Bool("IsMaster"),
			Role: row.Get("Role"), Version: row.Get("Version"), Alive: &alive,
		}
		f.Host, f.Private, f.Error = d.public(row.Get("Host"))
		d.seen.Frontends = append(d.seen.Frontends, f)
	}
}

func (d *description) knownFrontends(ctx context.Context) {
	list, err := knownFrontends(d.c, ctx)
	if err != nil {
		d.failed(err)
		list = []meta.Frontend{d.named()}
	}
	d.addFrontends(list)
}

// named is the frontend that the job names.
func (d *description) named() meta.Frontend {
	return meta.Frontend{Host: d.c.Spec.Host, Port: d.c.Spec.Port, ThriftPort: d.c.Spec.ThriftPort}
}

// addFrontends adds frontends that the job knows.
func (d *description) addFrontends(list []meta.Frontend) {
	d.seen.FrontendsUntold = true
	for _, f := range list {
		same := func(g job.FrontendSeen) bool { return g.Host == f.Host && g.ThriftPort == f.ThriftPort }
		if !slices.ContainsFunc(d.seen.Frontends, same) {
			d.seen.Frontends = append(d.seen.Frontends, job.FrontendSeen{
				Host: f.Host, Private: f.Private, Port: f.Port, ThriftPort: f.ThriftPort, IsMaster: f.IsMaster,
			})
		}
	}
}

// public is the address of a host through the mapping; without an entry it is the host's
// own, which nobody outside of the cluster may be able to use.
func (d *description) public(private string) (host, ownName, failure string) {
	host, err := fe.MapHost(d.c.Spec.HostMapping, private)
	switch {
	case err != nil:
		return private, "", err.Error()
	case host != private:
		return host, private, ""
	}
	return host, "", ""
}

func (d *description) backends(ctx context.Context) {
	list, err := d.c.FE.Backends(ctx)
	if err != nil {
		d.failed(Refused(d.c, "list backends", err))
		return
	}
	versions := map[int64]string{}
	if rows, err := d.c.SQL.Query(ctx, "SHOW BACKENDS"); err == nil { // many accounts may not
		for _, row := range rows {
			versions[row.Int("BackendId")] = row.Get("Version")
		}
	}
	for _, b := range list {
		one := job.BackendSeen{ID: b.ID, Port: b.Port, HTTPPort: b.HTTPPort, Alive: b.Alive, Version: versions[b.ID]}
		one.Host, one.Private, one.Error = d.public(b.Host)
		d.seen.Backends = append(d.seen.Backends, one)
	}
	slices.SortFunc(d.seen.Backends, func(x, y job.BackendSeen) int { return int(x.ID - y.ID) })
}

// reach tries to connect to what a worker has to reach: both ports of frontends, the HTTP
// port of a source's backends, and both ports of a destination's.
func (d *description) reach(ctx context.Context) {
	port := func(host string, n int) string { return net.JoinHostPort(host, strconv.Itoa(n)) }
	portsOfFrontend := func(f job.FrontendSeen) []string { return []string{port(f.Host, f.Port), port(f.Host, f.ThriftPort)} }
	portsOfBackend := func(b job.BackendSeen) []string {
		if d.c.Side == "destination" { // nobody but its own cluster calls a source's be_port
			return []string{port(b.Host, b.HTTPPort), port(b.Host, b.Port)}
		}
		return []string{port(b.Host, b.HTTPPort)}
	}
	var all []string
	for _, f := range d.seen.Frontends {
		all = append(all, portsOfFrontend(f)...)
	}
	for _, b := range d.seen.Backends {
		all = append(all, portsOfBackend(b)...)
	}
	silent := unreachable(ctx, all)
	tell := func(ports []string, reached *bool, failure *string) {
		*reached = true
		for _, p := range ports {
			if slices.Contains(silent, p) {
				*reached = false
				if *failure == "" {
					*failure = fmt.Sprintf("%s does not reach %s", asker(), p)
				}
			}
		}
	}
	for i := range d.seen.Frontends {
		f := &d.seen.Frontends[i]
		tell(portsOfFrontend(*f), &f.Reached, &f.Error)
	}
	for i := range d.seen.Backends {
		b := &d.seen.Backends[i]
		tell(portsOfBackend(*b), &b.Reached, &b.Error)
	}
}

// limits reads the settings that bound loads, as far as the account may.
func (d *description) limits(ctx context.Context) {
	for _, name := range loadLimits {
		value, known, err := d.c.SQL.FrontendConfig(ctx, name)
		if err != nil {
			if !problem.LacksPrivilege(err) {
				d.failed(Refused(d.c, "read "+name, err))
			}
			return
		}
		if known {
			if d.seen.Limits == nil {
				d.seen.Limits = map[string]string{}
			}
			d.seen.Limits[name] = value
		}
	}
}

// keptLog reads how long the binlogs of a database or table are kept.
func keptLog(ctx context.Context, c *pair.Cluster, of job.LogOf) job.LogKept {
	kept := job.LogKept{LogOf: of}
	var (
		text string
		err  error
		name = sqlclient.Quote(of.Database)
	)
	if of.Table == "" {
		text, err = c.SQL.CreateDatabaseText(ctx, of.Database)
	} else {
		name = sqlclient.Name(of.Database, of.Table)
		text, err = c.SQL.CreateTableText(ctx, of.Database, of.Table)
	}
	if err != nil {
		kept.Error = Refused(c, "read the properties of "+name, err).Error()
		return kept
	}
	number := func(key string, otherwise int64) int64 {
		if n, err := strconv.ParseInt(property(text, key), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	bound := func(key string) int64 {
		if n := number(key, noBound); n != noBound {
			return n
		}
		return 0
	}
	kept.Enabled = property(text, "binlog.enable") == "true"
	kept.TTLSeconds = number("binlog.ttl_seconds", defaultTTL)
	kept.MaxBytes, kept.MaxBinlogs = bound("binlog.max_bytes"), bound("binlog.max_history_nums")
	return kept
}
