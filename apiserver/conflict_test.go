package apiserver

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

func writer(host, database, table string, filter job.TableFilter, frontends ...string) job.Spec {
	s := job.Spec{Destination: job.Cluster{Host: host, ThriftPort: 9020, Database: database, Table: table}, TableFilter: filter}
	s.Source.Table = table
	for _, f := range frontends {
		s.Destination.Frontends = append(s.Destination.Frontends, meta.Frontend{Host: f, ThriftPort: 9020})
	}
	return s
}

func TestJobsThatShareTables(t *testing.T) {
	everything := job.TableFilter{}
	only := func(names ...string) job.TableFilter { return job.TableFilter{Include: names} }
	for _, c := range []struct {
		name string
		a, b job.Spec
		want bool
	}{
		{"two databases", writer("fe", "d", "", everything), writer("fe", "e", "", everything), false},
		{"one database", writer("fe", "d", "", everything), writer("fe", "d", "", everything), true},
		{"two clusters", writer("fe", "d", "", everything), writer("fe9", "d", "", everything), false},
		{"another frontend of one cluster", writer("fe", "d", "", everything, "fe", "fe2"), writer("fe2", "d", "", everything), true},
		{"a table of the database", writer("fe", "d", "", everything), writer("fe", "d", "t", everything), true},
		{"a table that is left out", writer("fe", "d", "", job.TableFilter{Exclude: []string{"t*"}}), writer("fe", "d", "t", everything), false},
		{"two tables", writer("fe", "d", "t", everything), writer("fe", "d", "u", everything), false},
		{"one table", writer("fe", "d", "t", everything), writer("fe", "d", "t", everything), true},
		{"other tables", writer("fe", "d", "", only("a")), writer("fe", "d", "", only("b")), false},
		{"a common table", writer("fe", "d", "", only("a", "b")), writer("fe", "d", "", only("b")), true},
	} {
		require.Equal(t, c.want, sharesTables(&c.a, &c.b), c.name)
		require.Equal(t, c.want, sharesTables(&c.b, &c.a), c.name)
	}
}

// createdBefore makes a job that writes where minimal's would.
func createdBefore(f *fakeTemporal, name string, change func(*fakeJob)) *fakeJob {
	return f.add(name, func(j *fakeJob) {
		j.spec = job.Spec{
			Name: name, CreatedAt: time.Now().Add(-time.Hour),
			Destination: job.Cluster{Host: "fe2", ThriftPort: 9020, Database: "db_b"},
		}
		if change != nil {
			change(j)
		}
	})
}

func TestCreateRefusesTablesOfAnotherJob(t *testing.T) {
	f := newFake()
	createdBefore(f, "first", nil)
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/create_ccr", minimal).Body.String(), "these jobs write to db_b on the same cluster: first")
	require.Empty(t, f.started, "nothing is begun")

	f = newFake()
	createdBefore(f, "first", func(j *fakeJob) { j.spec.Include = []string{"a"} })
	s = newServer(t, f, nil)
	f.add("second", func(j *fakeJob) {
		j.spec = writer("fe2", "db_b", "", job.TableFilter{Include: []string{"b"}})
		j.spec.Name = "second"
	})
	require.Contains(t, ask(s, "/update_tables", `{"name":"second","include_tables":["a","b"]}`).Body.String(), "same cluster: first")
	require.Empty(t, f.jobs[job.WorkflowID("second")].signals)
}

// A job that does not answer may write to the same tables.
func TestCreateAsksEveryJob(t *testing.T) {
	f := newFake()
	createdBefore(f, "mute", func(j *fakeJob) {
		j.queriesFail = []error{errors.New("workflow task failed"), errors.New("workflow task failed")}
	})
	s := newServer(t, f, nil)
	require.Contains(t, ask(s, "/create_ccr", minimal).Body.String(), "these jobs do not tell where they write to: mute")
	require.Equal(t, http.StatusServiceUnavailable, askBy(s, "POST", "/jobs", minimal).Code)
	require.Empty(t, f.started)

	// One that is known to write elsewhere is not asked.
	f = newFake()
	s = newServer(t, f, nil)
	elsewhere := strings.NewReplacer("ccr_test", "elsewhere", "db_b", "db_c").Replace(minimal)
	require.Contains(t, ask(s, "/create_ccr", elsewhere).Body.String(), `"success":true`)
	f.with(func() { f.jobs[job.WorkflowID("elsewhere")].silent = 100 })
	require.Contains(t, ask(s, "/create_ccr", minimal).Body.String(), `"success":true`)
}

// Of two jobs that are created at the same time, under different names of one
// cluster, the one that began later goes.
func TestCreateGivesWay(t *testing.T) {
	f := newFake()
	s := newServer(t, f, nil)
	f.with(func() {
		f.onStart = func(j *fakeJob) {
			j.status.Checked = true
			j.spec.Destination.Frontends = []meta.Frontend{{Host: "other", ThriftPort: 9020}}
			f.jobs[job.WorkflowID("first")] = &fakeJob{
				spec:   job.Spec{Name: "first", CreatedAt: j.spec.CreatedAt.Add(-time.Second), Destination: job.Cluster{Host: "other", ThriftPort: 9020, Database: "db_b"}},
				status: job.Status{Name: "first", Running: true, Checked: true},
			}
			j.onSignal = func(j *fakeJob, signal string, _ job.Command) { j.closed = j.closed || signal == job.SignalDelete }
		}
	})
	require.Contains(t, ask(s, "/create_ccr", minimal).Body.String(), "same cluster: first")
	require.True(t, f.jobs[job.WorkflowID("ccr_test")].closed, "it is deleted")

	// The older job stays.
	f.with(func() {
		f.onStart = func(j *fakeJob) {
			j.status.Checked = true
			f.jobs[job.WorkflowID("first")].spec.CreatedAt = j.spec.CreatedAt.Add(time.Second)
			j.spec.Destination.Frontends = []meta.Frontend{{Host: "other", ThriftPort: 9020}}
		}
	})
	require.Equal(t, `{"success":true}`, strings.TrimSpace(ask(s, "/create_ccr", minimal).Body.String()))
}
