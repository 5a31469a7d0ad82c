package apiserver

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

// clustersAtOnce bounds the looks of one request that are under way.
const clustersAtOnce = 4

// Sides of a job, as its keys call them.
const (
	sideSource      = "src"
	sideDestination = "dest"
)

// Clusters is the answer of GET /api/v1/clusters and of GET /jobs/{name}/clusters: the
// clusters that jobs are between, as a worker process sees them at this moment through
// the addresses, host mappings and accounts of a job. The console shows the same; it has
// it from Server.Clusters and Server.JobClusters.
type Clusters struct {
	Clusters []Cluster `json:"clusters"`
	// Unanswered are jobs that did not tell which clusters they are between.
	Unanswered []string `json:"unanswered,omitempty"`
}

// Cluster is one cluster and the jobs that use it. Two jobs use the same cluster if they
// know a frontend of the same address.
type Cluster struct {
	// Name is the frontend that a job names, host and query port.
	Name string `json:"name"`
	// SeenThrough is the job whose mapping and account were used, and Side which of its
	// sides the cluster is: "src" or "dest".
	SeenThrough string `json:"seen_through"`
	Side        string `json:"side"`
	job.ClusterSeen
	Jobs []ClusterJob `json:"jobs"`
}

// ClusterJob is a job that uses a cluster.
type ClusterJob struct {
	Name     string `json:"name"`
	Side     string `json:"side"`
	Database string `json:"database"`
	Table    string `json:"table,omitempty"`
	// State is "running", "paused" or "stalled".
	State string `json:"state"`
	// PlaceKeptUntil is how long the source keeps the binlog that the job needs next, by
	// its time to live: a job that stands still for longer has to begin with a full sync.
	// Absent on the destination's side, and where it is not known.
	PlaceKeptUntil *time.Time `json:"place_kept_until,omitempty"`
}

// getClusters answers GET /api/v1/clusters.
func (s *Server) getClusters(c echo.Context) error {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	all, err := s.Clusters(ctx)
	if err != nil {
		return failResource(c, "", err)
	}
	return sendResource(c, http.StatusOK, jsonType, all)
}

// getJobClusters answers GET /jobs/{name}/clusters.
func (s *Server) getJobClusters(c echo.Context, name string) (any, error) {
	ctx, cancel := s.answerContext(c)
	defer cancel()
	return s.JobClusters(ctx, name)
}

// Clusters looks at all clusters that jobs are between, each through one of its jobs. What
// it has seen is shown again for 15 s. An error means that nothing is known; what is not
// known of one cluster is in its Errors.
func (s *Server) Clusters(ctx context.Context) (Clusters, error) {
	rows, err := s.overview.all(ctx)
	if err != nil {
		return Clusters{}, err
	}
	return s.lookAt(ctx, rows)
}

// JobClusters looks at the source and the destination of a job, in this order.
func (s *Server) JobClusters(ctx context.Context, name string) (Clusters, error) {
	r := s.overview.ask(ctx, name)
	if r.err != nil {
		return Clusters{}, r.err
	}
	return s.lookAt(ctx, []overviewRow{r})
}

// lookAt looks at the clusters that the jobs of rows are between.
func (s *Server) lookAt(ctx context.Context, rows []overviewRow) (Clusters, error) {
	all := Clusters{Clusters: []Cluster{}}
	var unanswered error
	for _, r := range rows {
		if r.err != nil && !errors.Is(r.err, errUnknownJob) {
			all.Unanswered = append(all.Unanswered, r.name)
			unanswered = r.err
		}
	}
	groups := groupClusters(rows)
	if len(groups) == 0 && unanswered != nil {
		return Clusters{}, unanswered
	}
	looks := chooseLooks(groups)
	var g errgroup.Group
	g.SetLimit(clustersAtOnce)
	for _, l := range looks {
		g.Go(func() error {
			seen, err := s.clustersSeen(ctx, l.wanted())
			l.show(seen, err)
			if errors.Is(err, errNoWorker) || errors.Is(err, errTemporalDown) || errors.Is(err, errOldWorkers) {
				return err // nobody can look anywhere
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Clusters{}, err
	}
	for _, group := range groups {
		all.Clusters = append(all.Clusters, group.cluster())
	}
	return all, nil
}

// clusterGroup is what several jobs know of one cluster.
type clusterGroup struct {
	members []clusterMember
	// through is the member that was looked through, nil before.
	through *clusterMember
	seen    job.ClusterSeen
}

// clusterMember is a side of a job.
type clusterMember struct {
	row  *overviewRow
	side string
}

func (m clusterMember) spec() job.Cluster {
	if m.side == sideSource {
		return m.row.spec.Source
	}
	return m.row.spec.Destination
}

// groupClusters finds out which sides of jobs are the same cluster, in the order of jobs.
func groupClusters(rows []overviewRow) []*clusterGroup {
	var groups []*clusterGroup
	at := map[string]*clusterGroup{} // by address of a frontend
	for i := range rows {
		if rows[i].err != nil {
			continue
		}
		for _, side := range []string{sideSource, sideDestination} {
			m := clusterMember{&rows[i], side}
			addresses := frontendAddresses(m.spec())
			into := &clusterGroup{}
			for _, a := range addresses {
				if known := at[a]; known != nil && known != into {
					// Another job may have known only one of the two.
					known.members = append(known.members, into.members...)
					groups = slices.DeleteFunc(groups, func(g *clusterGroup) bool { return g == into })
					for address, g := range at {
						if g == into {
							at[address] = known
						}
					}
					into = known
				}
			}
			if len(into.members) == 0 {
				groups = append(groups, into)
			}
			into.members = append(into.members, m)
			for _, a := range addresses {
				at[a] = into
			}
		}
	}
	return groups
}

// frontendAddresses are the Thrift addresses of the frontends that a job knows.
func frontendAddresses(c job.Cluster) []string {
	all := []string{net.JoinHostPort(c.Host, strconv.Itoa(c.ThriftPort))}
	for _, f := range c.Frontends {
		all = append(all, net.JoinHostPort(f.Host, strconv.Itoa(f.ThriftPort)))
	}
	return all
}

// clusterLook is one look, which shows up to two clusters.
type clusterLook struct {
	row                 *overviewRow
	source, destination *clusterGroup // nil for one that another look shows
}

// chooseLooks finds few jobs through which all clusters can be seen.
func chooseLooks(groups []*clusterGroup) (looks []*clusterLook) {
	of := map[string]*clusterLook{} // by job
	for _, g := range groups {
		// Through a job that is well more can be seen than through others; and one look
		// shows two clusters.
		best := slices.MinFunc(g.members, func(x, y clusterMember) int {
			return cmp.Or(cmp.Compare(rank(x, of), rank(y, of)), cmp.Compare(x.row.name, y.row.name))
		})
		l := of[best.row.name]
		if l == nil {
			l = &clusterLook{row: best.row}
			of[best.row.name] = l
			looks = append(looks, l)
		}
		g.through = &best
		if best.side == sideSource {
			l.source = g
		} else {
			l.destination = g
		}
	}
	return looks
}

func rank(m clusterMember, chosen map[string]*clusterLook) int {
	switch {
	case m.row.status.Problem != nil:
		return 2
	case chosen[m.row.name] == nil:
		return 1
	}
	return 0
}

func (l *clusterLook) wanted() job.ClustersWanted {
	return job.ClustersWanted{Job: l.row.name, Source: l.source.logs(), Destination: l.destination.logs()}
}

// logs are the logs that jobs follow on the cluster.
func (g *clusterGroup) logs() (logs []job.LogOf) {
	if g == nil {
		return nil
	}
	for _, m := range g.members {
		if log := job.LogOfJob(m.spec()); m.side == sideSource && !slices.Contains(logs, log) && len(logs) < job.MaxLogsWanted {
			logs = append(logs, log)
		}
	}
	return logs
}

func (l *clusterLook) show(seen job.ClustersSeen, err error) {
	if err != nil {
		failed := job.ClusterSeen{At: time.Now().UTC(), Errors: []string{err.Error()}}
		seen = job.ClustersSeen{Source: failed, Destination: failed}
	}
	if l.source != nil {
		l.source.seen = seen.Source
	}
	if l.destination != nil {
		l.destination.seen = seen.Destination
	}
}

// cluster is the answer about a cluster that was looked at.
func (g *clusterGroup) cluster() Cluster {
	spec := g.through.spec()
	c := Cluster{
		Name:        net.JoinHostPort(spec.Host, strconv.Itoa(spec.Port)),
		SeenThrough: g.through.row.name, Side: g.through.side,
		ClusterSeen: g.seen, Jobs: []ClusterJob{},
	}
	// Never null.
	c.Frontends = append([]job.FrontendSeen{}, c.Frontends...)
	c.Backends = append([]job.BackendSeen{}, c.Backends...)
	c.Logs = append([]job.LogKept{}, c.Logs...)
	for _, m := range g.members {
		c.Jobs = append(c.Jobs, g.job(m))
	}
	return c
}

func (g *clusterGroup) job(m clusterMember) ClusterJob {
	spec := m.spec()
	j := ClusterJob{Name: m.row.name, Side: m.side, Database: spec.Database, Table: spec.Table, State: m.row.status.StateWord()}
	if m.row.status.Stalled {
		j.State = "stalled"
	}
	if m.side != sideSource {
		return j
	}
	for _, kept := range g.seen.Logs {
		if kept.LogOf == job.LogOfJob(spec) {
			j.PlaceKeptUntil = placeKeptUntil(m.row.status, kept, g.seen.At)
		}
	}
	return j
}

// placeKeptUntil is until when the binlog that a job needs next is kept, nil if that is
// not known. The next binlog of a job that has applied all is one of the future.
func placeKeptUntil(s job.Status, kept job.LogKept, now time.Time) *time.Time {
	if kept.Error != "" || !kept.Enabled || kept.TTLSeconds <= 0 || s.Lag.ObservedAt.IsZero() {
		return nil
	}
	next := now
	if s.Lag.Binlogs > 0 {
		if s.Lag.NextTimestamp <= 0 {
			return nil
		}
		next = time.UnixMilli(s.Lag.NextTimestamp)
	}
	// More seconds than a Duration holds are as good as for ever.
	until := next.Add(time.Duration(min(kept.TTLSeconds, 1e9)) * time.Second).UTC()
	return &until
}
