package preflight

import (
	"context"
	"errors"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
)

// CheckChange tries a change of a running job at the clusters that it is about. A
// change that the job could not go on with is a *problem.Refusal.
func (j *Job) CheckChange(ctx context.Context, in job.ChangeCheck) (checked job.ChangeChecked, err error) {
	for _, side := range []struct {
		asked  bool
		c      *pair.Cluster
		needed []string
	}{{in.Source, j.Source, sourcePrivileges}, {in.Destination, j.Destination, destinationPrivileges}} {
		if !side.asked {
			continue
		}
		if err := checkLogin(ctx, side.c, side.needed); err != nil {
			return job.ChangeChecked{}, err
		}
	}
	return checked, nil
}

// checkLogin logs in at a cluster in both of its protocols, and looks whether the
// account may do what the job does there.
func checkLogin(ctx context.Context, c *pair.Cluster, needed []string) error {
	if err := privileged(ctx, c, needed); err != nil {
		return err
	}
	if _, err := c.DatabaseID(ctx); err != nil && !errors.Is(err, fe.ErrDatabaseNotFound) {
		return Refused(c, "look at the database", err)
	}
	return nil
}
