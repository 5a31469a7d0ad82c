package preflight

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
)

// account is a cluster that answers to a login.
type account struct {
	pairtest.Script
	refuse error // SQL
	grants []sqlclient.Row
}

func (a *account) Query(context.Context, string) ([]sqlclient.Row, error) { return a.grants, a.refuse }

// change is a job between two such clusters.
func change(t *testing.T) (j *Job, source, destination *account) {
	source, destination = &account{}, &account{}
	return New(&pair.Job{
		Spec:        *pairtest.DatabaseSpec(),
		Source:      &pair.Cluster{Side: "source", Spec: job.Cluster{Host: "fe1", Port: 9030, User: "ccr", Database: "d"}, FE: source, SQL: source},
		Destination: &pair.Cluster{Side: "destination", Spec: job.Cluster{Host: "fe2", Port: 9030, User: "ccr", Database: "d"}, FE: destination, SQL: destination},
	}), source, destination
}

// refusedChange is why a change is refused, "" if it is not.
func refusedChange(t *testing.T, j *Job, in job.ChangeCheck) string {
	t.Helper()
	_, err := j.CheckChange(t.Context(), in)
	if err == nil {
		return ""
	}
	var refusal *problem.Refusal
	require.ErrorAs(t, err, &refusal)
	return refusal.Error()
}

// A login is tried where it changes, and nowhere else; what is refused says what to do.
func TestCheckChangeTriesTheLogin(t *testing.T) {
	j, source, destination := change(t)
	destination.refuse = errors.New("nobody asked for the destination")
	of := job.ChangeCheck{Source: true}
	require.Empty(t, refusedChange(t, j, of))

	source.refuse = &sqlclient.Error{Code: problem.LoginRefused, Message: "Access denied for user 'ccr'@'10.0.0.1' (using password: YES)"}
	require.Regexp(t, `^source cluster fe1:9030: .*Access denied.* \(correct src.user and src.password\)$`, refusedChange(t, j, of))

	source.refuse, source.MetaErr = nil, fe.ErrAccessDenied // Thrift has a check of its own
	require.Contains(t, refusedChange(t, j, of), "correct src.user and src.password")
	source.MetaErr = fe.ErrDatabaseNotFound
	require.Empty(t, refusedChange(t, j, of), "that is another trouble than the login")

	j, _, destination = change(t)
	destination.grants = []sqlclient.Row{{"DatabasePrivs": "internal.d: Select_priv,Load_priv,Alter_priv,Create_priv"}}
	require.Contains(t, refusedChange(t, j, job.ChangeCheck{Destination: true}), "user ccr lacks Drop_priv on database d (GRANT DROP_PRIV ON internal.`d`.* TO \"ccr\")")
}

// twin is a cluster at another address: what it was born with, and what it has.
type twin struct {
	account
	token    string
	backends []meta.Backend
	gone     error
}

func (c *twin) MasterToken(context.Context) (string, error) { return c.token, c.gone }
func (c *twin) Backends(context.Context) ([]meta.Backend, error) {
	return slices.Clone(c.backends), c.gone
}
func (c *twin) Frontends(context.Context) ([]meta.Frontend, error) {
	return []meta.Frontend{{Host: "fe9", Port: 9030, ThriftPort: 9020, IsMaster: true}}, nil
}
func (c *twin) at(spec job.Cluster, was *twin) *pair.Cluster {
	return &pair.Cluster{Side: "source", Spec: spec, FE: c, SQL: c, At: func(at job.Cluster) *pair.Cluster {
		return &pair.Cluster{Side: "source", Spec: at, FE: was, SQL: was}
	}}
}

// Another address of the job's own cluster is accepted, with its frontends. Another
// cluster is told by whatever can be told.
func TestCheckChangeRecognizesTheCluster(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(now, before *twin)
		another string
		refused string
	}{
		"the same":                           {func(_, _ *twin) {}, "", ""},
		"the same, gone from where it was":   {func(_, was *twin) { was.gone = errors.New("connection refused") }, "", ""},
		"the same, some tables were dropped": {func(now, _ *twin) { delete(now.TableMeta, 10) }, "", ""},
		"the same, a backend was added":      {func(now, _ *twin) { now.backends = append(now.backends, meta.Backend{ID: 2, Host: "be2"}) }, "", ""},
		"a database of another id":           {func(now, _ *twin) { now.ID = 8 }, "its database d has the id 8, the job's has 7", ""},
		"no such database":                   {func(now, _ *twin) { now.MetaErr = fe.ErrDatabaseNotFound }, "it has no database d", ""},
		"ids of tables with other names":     {func(now, _ *twin) { now.TableMeta[10].Name, now.TableMeta[11].Name = "x", "y" }, "none of its tables has name and id", ""},
		"none of the tables":                 {func(now, _ *twin) { now.TableMeta = nil }, "none of its tables has name and id of one of the job's, such as orders (10)", ""},
		"a twin, made by the same script":    {func(now, _ *twin) { now.token = "its own" }, "the one at fe1:9030 has another token", ""},
		"a clone of the metadata":            {func(now, _ *twin) { now.backends = []meta.Backend{{ID: 1, Host: "clone"}} }, "it has none of the backends of the one at fe1:9030", ""},
		"it does not answer":                 {func(now, _ *twin) { now.refuse = errors.New("no route to host") }, "", "no route to host"},
	} {
		t.Run(name, func(t *testing.T) {
			made := func() *twin {
				tables := map[int64]*meta.Table{10: {ID: 10, Name: "orders"}, 11: {ID: 11, Name: "users"}}
				return &twin{account: account{Script: pairtest.Script{ID: 7, TableMeta: tables}}, token: "token", backends: []meta.Backend{{ID: 1, Host: "be1", Alive: true}}}
			}
			now, before := made(), made()
			before.backends[0].Alive = false // it died in between
			c.change(now, before)
			was := job.Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "ccr", Database: "d", DatabaseID: 7}
			spec := was
			spec.Host = "fe9"
			j, _, _ := change(t)
			j.Source = now.at(spec, before)
			checked, err := j.CheckChange(t.Context(), job.ChangeCheck{
				Source: true, SourceWas: &was, Tables: map[int64]job.Table{10: {Name: "orders", DestID: 20}, 11: {Name: "users", DestID: 21}},
			})
			require.Equal(t, c.another != "", checked.Another, "%v", err)
			switch want := c.another + c.refused; want {
			case "":
				require.NoError(t, err)
				require.Equal(t, []meta.Frontend{{Host: "fe9", Port: 9030, ThriftPort: 9020, IsMaster: true}}, checked.Source)
			default:
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// A move may not lead a job to its own other side.
func TestCheckChangeKeepsTheSidesApart(t *testing.T) {
	j, _, _ := change(t)
	tables := map[int64]*meta.Table{10: {ID: 10, Name: "orders"}}
	now := &twin{account: account{Script: pairtest.Script{TableMeta: tables}}, token: "token"}
	j.Source = now.at(job.Cluster{Host: "fe9", User: "ccr", Database: "d"}, now)
	j.Spec.Source.Database, j.Spec.Destination.Database = "d", "d"
	was := job.Cluster{Host: "fe1", Database: "d"}
	in := job.ChangeCheck{Source: true, SourceWas: &was}
	require.Contains(t, refusedChange(t, j, in), "src and dest are the same database d of the same cluster")
	j.Destination.FE = &twin{gone: errors.New("it is down")}
	require.Empty(t, refusedChange(t, j, in), "what cannot be asked speaks against nothing")
}
