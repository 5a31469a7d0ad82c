package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/client"
	"github.com/doris-ccr/ccr/job"
)

// What is to be done about a job.
const (
	actCreate    = "create"
	actChange    = "change"
	actUnchanged = "unchanged"
	actDelete    = "delete"
	actRefuse    = "cannot change" // a running job in this way
)

// planned is what is to be done about one job, so that it is as a file says.
type planned struct {
	Job     string          `json:"job"`
	Action  string          `json:"action"`
	Changes []plannedChange `json:"changes,omitempty"`
	// steps do it, in order.
	steps []func(context.Context) error
}

// plannedChange is one difference between a job and its description.
type plannedChange struct {
	Key  string `json:"key"`
	From string `json:"from"`
	To   string `json:"to"`
	// Refused says why it cannot be done, and the way out.
	Refused string `json:"refused,omitempty"`
}

// planner compares descriptions with jobs.
type planner struct {
	asker *client.Client
	// credentials: passwords are sent, too, of jobs that exist. They cannot be compared.
	credentials bool
}

// plan finds out what is to be done about a job.
func (p *planner) plan(ctx context.Context, m *manifest) (*planned, error) {
	is, err := p.asker.Job(ctx, m.Name)
	if errors.Is(err, client.ErrNotFound) {
		return &planned{Job: m.Name, Action: actCreate, steps: []func(context.Context) error{
			func(ctx context.Context) error { return m.create(ctx, p.asker) },
		}}, nil
	}
	if err != nil {
		return nil, err
	}
	d := &planned{Job: m.Name, Action: actUnchanged}
	d.compareFixed(m, &is.Value)
	d.compareHosts(p.asker, m, &is.Value)
	d.compareAddresses(p.asker, m, &is.Value)
	d.compareTables(p.asker, m, &is.Value)
	d.compareOptions(p.asker, m, &is.Value)
	p.compareAccounts(d, m, &is.Value)
	d.comparePaused(p.asker, m, &is.Value)
	if len(d.Changes) > 0 {
		d.Action = actChange
	}
	if slices.ContainsFunc(d.Changes, func(c plannedChange) bool { return c.Refused != "" }) {
		d.Action, d.steps = actRefuse, nil
	}
	return d, nil
}

func (d *planned) change(key, from, to string, step func(context.Context) error) {
	d.Changes = append(d.Changes, plannedChange{Key: key, From: from, To: to})
	if step != nil {
		d.steps = append(d.steps, step)
	}
}

// fixed notes a difference in what a running job keeps for its life.
func (d *planned) fixed(key, from, to string) {
	if from != to {
		d.Changes = append(d.Changes, plannedChange{Key: key, From: from, To: to,
			Refused: fmt.Sprintf("a job keeps it for its life: put the old value back into the file, or ccr job delete %s and apply again, which begins with a full sync", d.Job)})
	}
}

func (d *planned) compareFixed(m *manifest, is *client.Job) {
	for _, side := range []struct {
		key  string
		want manifestSide
		is   client.Cluster
	}{{"src", m.Src, is.Src}, {"dest", m.Dest, is.Dest}} {
		d.fixed(side.key+".database", side.is.Database, side.want.Database)
		if side.want.Table != side.is.JobTable || side.is.JobTable == "" { // it may be called otherwise by now
			d.fixed(side.key+".table", side.is.Table, side.want.Table)
		}
	}
	if m.ReuseBinlogLabel != nil {
		d.fixed("reuse_binlog_label", strconv.FormatBool(is.Extra.ReuseBinlogLabel), strconv.FormatBool(*m.ReuseBinlogLabel))
	}
}

// follows tells whether the job will know its frontend at the address of the file once the
// mappings are those of the file.
func follows(is client.Cluster, want manifestSide) bool {
	if want.HostMapping == nil {
		return false
	}
	for private, public := range is.HostMapping {
		if public == is.Host && (*want.HostMapping)[private] == want.Host {
			return true
		}
	}
	return (*want.HostMapping)[is.Host] == want.Host
}

// number is a port as the API answers it: without zeros before it.
func number(port digits) string {
	n, err := strconv.Atoi(string(port))
	if err != nil {
		return string(port)
	}
	return strconv.Itoa(n)
}

// compareHosts makes the mappings those of the file, if it has any.
func (d *planned) compareHosts(asker *client.Client, m *manifest, is *client.Job) {
	var change client.HostMappings
	for _, side := range []struct {
		key  string
		want *map[string]string
		is   map[string]string
		into *map[string]string
	}{
		{"src.host_mapping", m.Src.HostMapping, is.Src.HostMapping, &change.Source},
		{"dest.host_mapping", m.Dest.HostMapping, is.Dest.HostMapping, &change.Destination},
	} {
		if side.want == nil {
			continue
		}
		want := maps.Clone(*side.want)
		maps.DeleteFunc(want, func(_, public string) bool { return public == "" }) // means "no mapping"
		if maps.Equal(want, side.is) {
			continue
		}
		update := map[string]string{}
		for private, public := range want {
			if side.is[private] != public {
				update[private] = public
			}
		}
		for private := range side.is {
			if _, stays := want[private]; !stays {
				update[private] = ""
			}
		}
		*side.into = update
		d.change(side.key, mappings(side.is), mappings(want), nil)
	}
	if change.Source != nil || change.Destination != nil {
		d.steps = append(d.steps, func(ctx context.Context) error { return asker.MapHosts(ctx, m.Name, change) })
	}
}

// compareAddresses makes the frontends those of the file.
func (d *planned) compareAddresses(asker *client.Client, m *manifest, is *client.Job) {
	var change client.Addresses
	for _, side := range []struct {
		key  string
		want manifestSide
		is   client.Cluster
		into **client.Address
	}{{"src", m.Src, is.Src, &change.Source}, {"dest", m.Dest, is.Dest, &change.Destination}} {
		from := net.JoinHostPort(side.is.Host, side.is.Port) + " thrift " + side.is.ThriftPort
		host, port, thrift := side.want.Host, number(side.want.Port), number(side.want.ThriftPort)
		same := host == side.is.Host || follows(side.is, side.want)
		same = same && port == side.is.Port && thrift == side.is.ThriftPort
		tls := d.compareTLS(side.key, side.want, side.is)
		if same && tls == nil {
			continue
		}
		*side.into = cmp.Or(tls, &client.Address{})
		if same {
			continue
		}
		(*side.into).Host, (*side.into).Port, (*side.into).ThriftPort = host, port, thrift
		d.change(side.key+" address", from, net.JoinHostPort(host, port)+" thrift "+thrift, nil)
	}
	if change.Source != nil || change.Destination != nil {
		d.steps = append(d.steps, func(ctx context.Context) error { return asker.UpdateHosts(ctx, m.Name, change) })
	}
}

// compareTLS is what makes the way of SQL to a side that of the file, nil if it is already.
func (d *planned) compareTLS(key string, want manifestSide, is client.Cluster) *client.Address {
	var change client.Address
	if want.TLS != nil && *want.TLS != is.TLS {
		change.TLS = want.TLS
		d.change(key+".tls", is.TLS, *want.TLS, nil)
	}
	if want.TLSCA != nil {
		// Whoever creates a job with remarks around the certificates has them taken away.
		normal, err := job.SideTLS{TLS: job.TLSVerifyCA, TLSCA: *want.TLSCA}.Normalized()
		if err != nil || normal.TLSCA != is.TLSCA {
			change.TLSCA = want.TLSCA
			from, to := job.SideTLS{TLS: is.TLS, TLSCA: is.TLSCA}, job.SideTLS{TLS: job.TLSVerifyCA, TLSCA: *want.TLSCA}
			d.change(key+".tls_ca", from.Names(), to.Names(), nil)
		}
	}
	if change == (client.Address{}) {
		return nil
	}
	return &change
}

// compareOptions makes the options that a running job can change those of the file.
func (d *planned) compareOptions(asker *client.Client, m *manifest, is *client.Job) {
	var change client.JobOptions
	if want := m.ReplicationNum; want != nil && *want != is.ReplicationNum {
		change.ReplicationNum = want
		d.change("replication_num", strconv.Itoa(is.ReplicationNum), strconv.Itoa(*want), nil)
	}
	if want := m.CommitOrder; want != nil && *want != "" && *want != is.CommitOrder {
		change.CommitOrder = want
		d.change("commit_order", is.CommitOrder, *want, nil)
	}
	if change != (client.JobOptions{}) {
		d.steps = append(d.steps, func(ctx context.Context) error { return asker.UpdateOptions(ctx, m.Name, change) })
	}
}

// compareTables makes the filter that of the file, if it has one.
func (d *planned) compareTables(asker *client.Client, m *manifest, is *client.Job) {
	var change client.Tables
	if want := m.IncludeTables; want != nil && !slices.Equal(*want, is.IncludeTables) {
		change.Include = want
		d.change("include_tables", texts(is.IncludeTables), texts(*want), nil)
	}
	if want := m.ExcludeTables; want != nil && !slices.Equal(*want, is.ExcludeTables) {
		change.Exclude = want
		d.change("exclude_tables", texts(is.ExcludeTables), texts(*want), nil)
	}
	if change != (client.Tables{}) {
		d.steps = append(d.steps, func(ctx context.Context) error { return asker.UpdateTables(ctx, m.Name, change) })
	}
}

func texts(list []string) string { return "[" + strings.Join(list, ", ") + "]" }

// compareAccounts changes users. A password is sent with a new user, or if it is asked for.
func (p *planner) compareAccounts(d *planned, m *manifest, is *client.Job) {
	var change client.Credentials
	for _, side := range []struct {
		key  string
		want manifestSide
		is   client.Cluster
		into **client.Account
	}{{"src", m.Src, is.Src, &change.Source}, {"dest", m.Dest, is.Dest, &change.Destination}} {
		switch {
		case side.want.User != side.is.User:
			d.change(side.key+".user", side.is.User, side.want.User, nil)
		case p.credentials:
			d.change(side.key+".password", "not shown", "as in the file", nil)
		default:
			continue
		}
		*side.into = &client.Account{User: &side.want.User, Password: &side.want.Password}
	}
	if change.Source != nil || change.Destination != nil {
		d.steps = append(d.steps, func(ctx context.Context) error { return p.asker.UpdateCredentials(ctx, m.Name, change) })
	}
}

func (d *planned) comparePaused(asker *client.Client, m *manifest, is *client.Job) {
	if m.Paused == nil || *m.Paused == (is.State == "paused") {
		return
	}
	command := "resume"
	if *m.Paused {
		command = "pause"
	}
	d.change("paused", strconv.FormatBool(!*m.Paused), strconv.FormatBool(*m.Paused), func(ctx context.Context) error {
		return asker.Command(ctx, m.Name, command)
	})
}

// prune plans to delete the jobs whose names begin with prefix and that no file describes.
func (p *planner) prune(ctx context.Context, prefix string, described []*manifest) (list []*planned, err error) {
	names, err := p.asker.JobNames(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		stays := slices.ContainsFunc(described, func(m *manifest) bool { return m.Name == name })
		if strings.HasPrefix(name, prefix) && !stays {
			list = append(list, &planned{Job: name, Action: actDelete, steps: []func(context.Context) error{
				func(ctx context.Context) error { return p.asker.Delete(ctx, name) },
			}})
		}
	}
	return list, nil
}
