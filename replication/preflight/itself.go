package preflight

import (
	"context"
	"fmt"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// checkItself refuses a job whose source and destination are the same: its full
// sync would replace what it reads from.
func (j *Job) checkItself(ctx context.Context) error {
	src, dst := j.Spec.Source, j.Spec.Destination
	if src.Database != dst.Database || src.Table != dst.Table {
		return nil
	}
	same, err := j.oneCluster(ctx)
	if err != nil || !same {
		return err
	}
	what := "database " + src.Database
	if j.Spec.Type() == job.TableSync {
		what = fmt.Sprintf("table %s.%s", src.Database, src.Table)
	}
	return &problem.Refusal{
		Text:   fmt.Sprintf("src and dest are the same %s of the same cluster: the job would replace it by a copy of itself", what),
		Remedy: "correct dest.host, or give dest another database or table",
	}
}

// oneCluster tells whether both sides are the same cluster, by whatever addresses
// they are known: the token is drawn when a cluster is born. One that was cloned
// from the other's metadata has its token, but not its backends.
func (j *Job) oneCluster(ctx context.Context) (bool, error) {
	var tokens [2]string
	var backends [2]map[meta.Backend]bool
	for i, c := range []*pair.Cluster{j.Source, j.Destination} {
		var err error
		if tokens[i], err = c.FE.MasterToken(ctx); err != nil {
			return false, Refused(c, "read its token", err)
		}
		list, err := c.FE.Backends(ctx)
		if err != nil {
			return false, Refused(c, "list its backends", err)
		}
		backends[i] = map[meta.Backend]bool{}
		for _, b := range list {
			b.Alive = true // it may die between the two questions
			backends[i][b] = true
		}
	}
	if tokens[0] != tokens[1] || len(backends[0]) != len(backends[1]) {
		return false, nil
	}
	for b := range backends[0] {
		if !backends[1][b] {
			return false, nil
		}
	}
	return true, nil
}
