package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Check makes the first-run checks in the order of doris-sql.md 2.5 and
// resolves ids and frontends. It changes nothing before all of them have passed;
// then it creates the destination database if that is missing. A check that
// fails is a *Refusal.
func (j *Job) Check(ctx context.Context) (job.Checked, error) {
	spec := j.Spec
	for _, c := range []*pair.Cluster{j.Source, j.Destination} {
		if err := checkFeature(c, ctx, j.Connector); err != nil {
			return job.Checked{}, err
		}
	}
	var err error
	if spec.Source.Frontends, err = frontends(j.Source, ctx); err != nil {
		return job.Checked{}, err
	}
	if spec.Destination.Frontends, err = frontends(j.Destination, ctx); err != nil {
		return job.Checked{}, err
	}
	if err := j.checkPrivileges(ctx); err != nil {
		return job.Checked{}, err
	}
	if err := j.checkSource(ctx, &spec.Source, spec.Type()); err != nil {
		return job.Checked{}, err
	}
	if err := j.checkItself(ctx); err != nil {
		return job.Checked{}, err
	}
	if err := j.checkReplicationNum(ctx); err != nil {
		return job.Checked{}, err
	}
	if err := j.checkDestination(ctx, &spec); err != nil {
		return job.Checked{}, err
	}
	return job.Checked{Spec: spec}, nil
}

// checkFeature makes sure that the frontend and every living backend keep
// binlogs. It goes over all four ports of a cluster, so that wrong ones show.
func checkFeature(c *pair.Cluster, ctx context.Context, conn *pair.Connector) error {
	value, _, err := c.SQL.FrontendConfig(ctx, featureBinlog)
	// Only administrators may ask. What the switch does shows in the properties
	// of the source's database and tables.
	denied := problem.LacksPrivilege(err)
	if err != nil && !denied {
		return Refused(c, "ask frontend for "+featureBinlog, err)
	}
	if !denied && !pair.IsTrue(value) {
		return problem.Refusef("Fe %s enable_feature_binlog=false, please set it true in fe.conf", net.JoinHostPort(c.Spec.Host, strconv.Itoa(c.Spec.Port)))
	}
	backends, err := c.Backends(ctx)
	if err != nil {
		return Refused(c, "work with its backends", err)
	}
	var off []string
	for _, b := range backends {
		if !b.Alive {
			continue
		}
		on, err := sqlclient.BackendBinlogEnabled(ctx, conn.HTTP, b.Host, b.HTTPPort)
		if err != nil {
			return Refused(c, fmt.Sprintf("ask backend %s for %s", b.Host, featureBinlog), err)
		}
		if !on {
			off = append(off, net.JoinHostPort(b.Host, strconv.Itoa(b.HTTPPort)))
		}
	}
	if len(off) > 0 {
		return problem.Refusef("Be: %v enable_feature_binlog=false, please set it true in be.conf", off)
	}
	return nil
}

const featureBinlog = "enable_feature_binlog"

// Refused turns an error met while checking into a refusal that names the side.
// Only the end of the caller's own time is not the user's mistake.
func Refused(c *pair.Cluster, doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var refusal *problem.Refusal
	if errors.As(err, &refusal) {
		return err
	}
	err = fmt.Errorf("%s cluster %s: cannot %s: %w", c.Side, net.JoinHostPort(c.Spec.Host, strconv.Itoa(c.Spec.Port)), doing, err)
	return &problem.Refusal{Text: err.Error(), Remedy: c.SetupRemedy(err), Err: err}
}

// frontends lists the cluster's frontends with public hosts.
func frontends(c *pair.Cluster, ctx context.Context) ([]meta.Frontend, error) {
	list, _, err := listFrontends(c, ctx)
	return list, err
}

// listFrontends is frontends. told is false if the cluster refuses to list them:
// the list then has those that are known without.
func listFrontends(c *pair.Cluster, ctx context.Context) (list []meta.Frontend, told bool, err error) {
	list, err = c.SQL.Frontends(ctx)
	if problem.LacksPrivilege(err) {
		list, err = knownFrontends(c, ctx)
		return list, false, err
	}
	if err != nil {
		return nil, true, Refused(c, "list frontends", err)
	}
	for i := range list {
		private := list[i].Host
		if list[i].Host, err = fe.MapHost(c.Spec.HostMapping, private); err != nil {
			return nil, true, Refused(c, "list frontends", err)
		}
		if list[i].Host != private {
			list[i].Private = private
		}
	}
	return list, true, nil
}

// knownFrontends are the frontend that the job names, the master as the others
// name it, and those that were known before. Only administrators may list all
// (doris-sql.md 2.14).
func knownFrontends(c *pair.Cluster, ctx context.Context) ([]meta.Frontend, error) {
	if _, err := c.FE.MasterToken(ctx); err != nil { // the one question that needs no privilege
		return nil, Refused(c, "find the master", err)
	}
	known := []meta.Frontend{{Host: c.Spec.Host, Port: c.Spec.Port, ThriftPort: c.Spec.ThriftPort}}
	same := func(f meta.Frontend) func(meta.Frontend) bool {
		return func(other meta.Frontend) bool { return f.Host == other.Host && f.ThriftPort == other.ThriftPort }
	}
	for _, f := range c.Spec.Frontends {
		if !slices.ContainsFunc(known, same(f)) {
			f.IsMaster = false
			known = append(known, f)
		}
	}
	if c.Master == nil {
		return known, nil
	}
	master := c.Master()
	f := meta.Frontend{Host: master.Host, Port: c.Spec.Port, ThriftPort: master.Port}
	i := slices.IndexFunc(known, same(f))
	if i < 0 {
		i, known = len(known), append(known, f) // frontends of a cluster have the same query port, as a rule
	}
	known[i].IsMaster = true
	return known, nil
}

func (j *Job) checkSource(ctx context.Context, src *job.Cluster, t job.SyncType) error {
	exists, err := j.Source.SQL.DatabaseExists(ctx, src.Database)
	if err != nil {
		return Refused(j.Source, "look for the database", err)
	}
	if !exists {
		return problem.Refusef("src database %s not exists", src.Database)
	}
	if t == job.DatabaseSync {
		text, err := j.Source.SQL.CreateDatabaseText(ctx, src.Database)
		if err != nil {
			return Refused(j.Source, "look at the database", err)
		}
		if !strings.Contains(text, pair.BinlogEnabled) {
			return problem.Refusef("src database %s not enable binlog", src.Database)
		}
	}
	if src.DatabaseID, err = j.Source.DatabaseID(ctx); err != nil {
		return Refused(j.Source, "look at the database", err)
	}
	if t == job.DatabaseSync {
		return nil
	}
	return j.checkSourceTable(ctx, src)
}

const (
	lightChanges = `"light_schema_change" = "true"`
)

func (j *Job) checkSourceTable(ctx context.Context, src *job.Cluster) error {
	exists, err := j.Source.SQL.TableExists(ctx, src.Database, src.Table)
	if err != nil {
		return Refused(j.Source, "look for the table", err)
	}
	if !exists {
		return problem.Refusef("src table %s.%s not exists", src.Database, src.Table)
	}
	text, err := j.Source.SQL.CreateTableText(ctx, src.Database, src.Table)
	if err != nil {
		return Refused(j.Source, "look at the table", err)
	}
	var missing []string
	for _, property := range []string{pair.BinlogEnabled, lightChanges} {
		if !strings.Contains(text, property) {
			missing = append(missing, property)
		}
	}
	if len(missing) > 0 {
		return problem.Refusef("src table %s.%s only support property: %s", src.Database, src.Table, strings.Join(missing, ", "))
	}
	table, err := j.Source.TableByName(ctx, src.Table)
	if err != nil {
		return Refused(j.Source, "look at the table", err)
	}
	if table == nil {
		return problem.Refusef("src table %s.%s not exists as a table that can be replicated", src.Database, src.Table)
	}
	src.TableID = table.ID
	return nil
}

// checkReplicationNum refuses more replicas than the destination has backends
// for (http-api.md 3.2).
func (j *Job) checkReplicationNum(ctx context.Context) error {
	if j.Spec.ReplicationNum <= 0 {
		return nil
	}
	backends, err := j.Destination.Backends(ctx)
	if err != nil {
		return Refused(j.Destination, "work with its backends", err)
	}
	alive := 0
	for _, b := range backends {
		if b.Alive {
			alive++
		}
	}
	if j.Spec.ReplicationNum > alive {
		return problem.Refusef("replication_num %d is more than the destination's %d available backends", j.Spec.ReplicationNum, alive)
	}
	return nil
}
