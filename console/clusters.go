package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/job"
)

// Cluster is one cluster as a worker process sees it, and the jobs that use it.
type Cluster struct {
	Name string
	// SeenThrough is the job whose addresses, mapping and account were used.
	SeenThrough string
	Seen        job.ClusterSeen
	Jobs        []ClusterJob
}

// ClusterJob is a job that uses a cluster.
type ClusterJob struct {
	Name, Side, Object, State string
	// PlaceKeptUntil is how long the source keeps the binlog that the job needs next, zero if that is not known.
	PlaceKeptUntil time.Time
}

// clustersData is what the page about clusters shows.
type clustersData struct {
	Clusters   []Cluster
	Unanswered []string
	At         time.Time
}

func (s *Console) clustersPage(v *visit) error {
	clusters, unanswered, err := s.Backend.Clusters(v.c)
	if err != nil {
		return v.failPage(http.StatusServiceUnavailable, err)
	}
	for i := range clusters {
		// Who would lose its place first comes first.
		slices.SortStableFunc(clusters[i].Jobs, func(a, b ClusterJob) int {
			switch {
			case a.PlaceKeptUntil.IsZero() != b.PlaceKeptUntil.IsZero():
				if a.PlaceKeptUntil.IsZero() {
					return 1
				}
				return -1
			case !a.PlaceKeptUntil.Equal(b.PlaceKeptUntil):
				return a.PlaceKeptUntil.Compare(b.PlaceKeptUntil)
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	return v.page(http.StatusOK, "clusters", v.t("Clusters"), "clusters", 0, clustersData{Clusters: clusters, Unanswered: unanswered, At: s.now()})
}
