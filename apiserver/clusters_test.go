package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

// jobBetween makes a job between two clusters, named by one frontend each.
func jobBetween(source, destination, database string, change func(*fakeJob)) func(*fakeJob) {
	return func(j *fakeJob) {
		j.spec.Source = job.Cluster{Host: source, Port: 9030, ThriftPort: 9020, Database: database}
		j.spec.Destination = job.Cluster{Host: destination, Port: 9030, ThriftPort: 9020, Database: "copy"}
		if change != nil {
			change(j)
		}
	}
}

func askClusters(t *testing.T, s *Server, path string) (all Clusters) {
	t.Helper()
	rec := askBy(s, "GET", path, "")
	require.Equal(t, http.StatusOK, rec.Code, rec.Body.String())
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &all))
	return all
}

// Clusters are told apart by the addresses of all frontends that jobs know, and looked at
// once each, through a job that is well.
func TestClustersAreLookedAtOnce(t *testing.T) {
	f := newFake()
	f.add("a_stalled", jobBetween("fe1", "fe2", "sales", func(j *fakeJob) {
		j.status.Stalled, j.status.Problem = true, &job.Problem{Text: "x"}
	}))
	f.add("b", jobBetween("fe1", "fe2", "crm", nil))
	// It names another frontend of the source, and its destination has a table.
	f.add("c", jobBetween("fe1b", "fe3", "hr", func(j *fakeJob) {
		j.spec.Source.Frontends = []meta.Frontend{{Host: "fe1b", ThriftPort: 9020}, {Host: "fe1", ThriftPort: 9020}}
		j.spec.Source.Table, j.spec.Destination.Table = "t", "t"
		j.status.Running = false
	}))
	seen := func(name string, logs []job.LogOf) job.ClusterSeen {
		c := job.ClusterSeen{From: "worker1", At: time.Now().UTC(), Version: "3.0.4", Frontends: []job.FrontendSeen{{Host: name, Port: 9030, ThriftPort: 9020, Reached: true}}}
		for _, l := range logs {
			c.Logs = append(c.Logs, job.LogKept{LogOf: l, Enabled: true, TTLSeconds: 3600})
		}
		return c
	}
	f.onLook = func(w job.ClustersWanted) (job.ClustersSeen, error) {
		if w.Job == "c" {
			return job.ClustersSeen{}, errors.New("the look broke off")
		}
		return job.ClustersSeen{Source: seen("fe1", w.Source), Destination: seen("fe2", w.Destination)}, nil
	}
	s := newServer(t, f, nil)
	all := askClusters(t, s, "/api/v1/clusters")
	askClusters(t, s, "/api/v1/clusters")
	require.ElementsMatch(t, []job.ClustersWanted{
		{Job: "b", Source: []job.LogOf{{Database: "sales"}, {Database: "crm"}, {Database: "hr", Table: "t"}}}, {Job: "c"}, {Job: "c"},
	}, f.looks, "two looks for three clusters; at once again only what failed")

	require.Len(t, all.Clusters, 3)
	first := all.Clusters[0]
	require.Equal(t, "fe1:9030 b src 3.0.4 worker1", first.Name+" "+first.SeenThrough+" "+first.Side+" "+first.Version+" "+first.From)
	var users []string
	for _, j := range first.Jobs {
		users = append(users, j.Name+" "+j.Side+" "+j.Database+" "+j.State)
	}
	require.Equal(t, []string{"a_stalled src sales stalled", "b src crm running", "c src hr paused"}, users)
	require.Equal(t, "fe2:9030", all.Clusters[1].Name)
	require.Equal(t, "fe3:9030", all.Clusters[2].Name)
	require.Contains(t, all.Clusters[2].Errors[0], "look at the clusters of job c: the look broke off")
	require.Equal(t, []job.BackendSeen{}, all.Clusters[2].Backends, "never null")

	one := askClusters(t, s, "/jobs/b/clusters")
	require.Len(t, one.Clusters, 2)
	require.Equal(t, []ClusterJob{{Name: "b", Side: "dest", Database: "copy", State: "running"}}, one.Clusters[1].Jobs)
	requireProblem(t, askBy(s, "GET", "/jobs/nobody/clusters", ""), http.StatusNotFound, "job nobody not exist")

	f.with(func() { f.noWorker = true })
	s = newServer(t, f, nil)
	requireProblem(t, askBy(s, "GET", "/api/v1/clusters", ""), http.StatusServiceUnavailable, "no worker is running")
}

// How long a job may stand still comes from the binlog that it needs next.
func TestPlaceKeptUntil(t *testing.T) {
	now := time.Unix(1_700_000_000, 0).UTC()
	kept := job.LogKept{Enabled: true, TTLSeconds: 600}
	behind := job.Status{Lag: binlog.Lag{Binlogs: 3, NextTimestamp: now.Add(-9 * time.Minute).UnixMilli(), ObservedAt: now}}
	level := job.Status{Lag: binlog.Lag{ObservedAt: now}}
	require.Equal(t, now.Add(time.Minute), *placeKeptUntil(behind, kept, now))
	require.Equal(t, now.Add(10*time.Minute), *placeKeptUntil(level, kept, now))
	untimed := behind
	untimed.Lag.NextTimestamp = -1
	for name, until := range map[string]*time.Time{
		"nothing is known of the lag": placeKeptUntil(job.Status{}, kept, now),
		"the next has no time":        placeKeptUntil(untimed, kept, now),
		"nothing is recorded":         placeKeptUntil(level, job.LogKept{TTLSeconds: 600}, now),
		"not asked":                   placeKeptUntil(level, job.LogKept{Enabled: true, TTLSeconds: 600, Error: "x"}, now),
		"without a time to live":      placeKeptUntil(level, job.LogKept{Enabled: true}, now),
	} {
		require.Nil(t, until, name)
	}
}
