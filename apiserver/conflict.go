package apiserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/doris-ccr/ccr/job"
)

// others is what the other jobs say about where they write to.
type others struct {
	// same are the jobs that may write to a table of the job in question.
	same []job.Spec
	// silent are the jobs that did not answer.
	silent []string
}

// otherJobs asks every other job whether it writes to the tables that spec does.
// Two jobs on one table would each overwrite what the other has applied, and both
// would say that they are fine.
func (s *Server) otherJobs(ctx context.Context, spec *job.Spec) (others, error) {
	names, err := s.list.into(ctx, spec.Destination.Database)
	if err != nil {
		return others{}, fmt.Errorf("list the other jobs: %w", err)
	}
	answers := make([]error, len(names))
	specs := make([]job.Spec, len(names))
	var g errgroup.Group
	g.SetLimit(questionsAtOnce)
	for i, name := range names {
		g.Go(func() error {
			one, cancel := context.WithTimeout(ctx, s.jobs.try)
			defer cancel()
			answers[i] = s.jobs.query(one, name, job.QueryDetail, &specs[i])
			return nil
		})
	}
	_ = g.Wait() // none of the functions fails
	var found others
	for i, name := range names {
		switch {
		case name == spec.Name, errors.Is(answers[i], errUnknownJob):
		case answers[i] != nil:
			found.silent = append(found.silent, name)
		case sharesTables(spec, &specs[i]):
			found.same = append(found.same, specs[i])
		}
	}
	return found, nil
}

// questionsAtOnce bounds the queries that one request has under way.
const questionsAtOnce = 16

const (
	remedyOtherJob  = "choose another destination, or delete the other job first"
	remedySilentJob = "look at these jobs (job_status, the Temporal Web UI): get them going, or delete them"
)

// refuseShared refuses a job whose tables another job writes to, or may write to.
func (s *Server) refuseShared(ctx context.Context, spec *job.Spec) error {
	found, err := s.otherJobs(ctx, spec)
	switch {
	case err != nil:
		return fmt.Errorf("whether another job writes to the same tables is not known: %w", err)
	case len(found.same) > 0:
		return classify(errInvalid, fmt.Errorf("[normal] %s (%s)", writesToSame(spec, namesOf(found.same)), remedyOtherJob))
	case len(found.silent) > 0:
		return classify(errUndecided, fmt.Errorf("[normal] %s (%s)", writesSomewhere(found.silent), remedySilentJob))
	}
	return nil
}

// older are the names of the jobs with the same tables that were created before
// spec's. One of two jobs is always the older one.
func (o *others) older(spec *job.Spec) []string {
	var list []job.Spec
	for _, other := range o.same {
		if c := other.CreatedAt.Compare(spec.CreatedAt); c < 0 || c == 0 && other.UID < spec.UID {
			list = append(list, other)
		}
	}
	return namesOf(list)
}

func namesOf(specs []job.Spec) []string {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	return names
}

func writesToSame(spec *job.Spec, names []string) string {
	return fmt.Sprintf("these jobs write to %s on the same cluster: %s", object(spec.Destination), strings.Join(names, ", "))
}

func writesSomewhere(names []string) string {
	return "these jobs do not tell where they write to: " + strings.Join(names, ", ")
}

// checkOtherJobs is refuseShared as a line of check_ccr.
func (s *Server) checkOtherJobs(ctx context.Context, spec *job.Spec) job.CheckResult {
	r := job.CheckResult{Check: "other jobs", Status: job.CheckPass, Detail: "none writes to the same destination"}
	found, err := s.otherJobs(ctx, spec)
	switch {
	case err != nil:
		r.Status, r.Detail = job.CheckWarn, err.Error()
	case len(found.same) > 0:
		r.Status, r.Detail, r.Remedy = job.CheckFail, writesToSame(spec, namesOf(found.same)), remedyOtherJob
	case len(found.silent) > 0:
		r.Status, r.Detail, r.Remedy = job.CheckFail, writesSomewhere(found.silent), remedySilentJob
	}
	return r
}

// sharesTables tells whether two jobs may write to one table: they know the
// destination's cluster by a common frontend, and a name exists that both would
// write to.
func sharesTables(a, b *job.Spec) bool {
	return a.Destination.Database == b.Destination.Database && sameCluster(&a.Destination, &b.Destination) && sharesNames(a, b)
}

// sharesNames compares names of the destination. A database job's tables have the
// source's names there.
func sharesNames(a, b *job.Spec) bool {
	x, y := a.Destination.Table, b.Destination.Table
	switch {
	case x != "" && y != "":
		return x == y
	case x != "":
		return b.Selects(x)
	case y != "":
		return a.Selects(y)
	}
	return a.Overlaps(b.TableFilter)
}

// sameCluster tells whether both name a common frontend, by an address that
// clients use or that the cluster itself uses. Ports tell clusters on one host
// apart.
func sameCluster(a, b *job.Cluster) bool {
	known := map[string]bool{}
	for _, address := range addresses(a) {
		known[address] = true
	}
	for _, address := range addresses(b) {
		if known[address] {
			return true
		}
	}
	return false
}

func addresses(c *job.Cluster) []string {
	list := []string{fmt.Sprintf("%s:%d", c.Host, c.ThriftPort)}
	for _, f := range c.Frontends {
		list = append(list, fmt.Sprintf("%s:%d", f.Host, f.ThriftPort))
	}
	return list
}
