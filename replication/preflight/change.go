package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

// errAnother: another cluster answers than the job's.
var errAnother = errors.New("another cluster")

// CheckChange tries a change of a running job at the clusters that it is about. A
// change that the job could not go on with is a *problem.Refusal.
func (j *Job) CheckChange(ctx context.Context, in job.ChangeCheck) (checked job.ChangeChecked, err error) {
	for _, side := range []struct {
		c         *pair.Cluster
		asked     bool
		needed    []string
		was       *job.Cluster
		frontends *[]meta.Frontend
	}{
		{j.Source, in.Source, sourcePrivileges, in.SourceWas, &checked.Source},
		{j.Destination, in.Destination, destinationPrivileges, in.DestinationWas, &checked.Destination},
	} {
		if !side.asked {
			continue
		}
		if err := checkLogin(ctx, side.c, side.needed); err != nil {
			return checked, err
		}
		if side.was == nil {
			continue
		}
		err := recognize(ctx, side.c, *side.was, in.Tables)
		if checked.Another = errors.Is(err, errAnother); err != nil {
			return checked, err
		}
		if *side.frontends, err = frontends(side.c, ctx); err != nil {
			return checked, err
		}
	}
	if in.Moved() {
		if err := j.checkApart(ctx); err != nil {
			return checked, err
		}
	}
	if in.Replicas {
		return checked, j.checkReplicationNum(ctx)
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

// checkApart is checkItself for a job that runs: what cannot be asked now speaks
// against nothing.
func (j *Job) checkApart(ctx context.Context) error {
	err := j.checkItself(ctx)
	var refusal *problem.Refusal
	if errors.As(err, &refusal) && refusal.Err == nil {
		return err
	}
	return nil
}

// recognize refuses a cluster that is another than the one that the job has worked
// with, as far as that can be told: by the id of the database, by those of tables, and,
// if it still answers at the address of before, by what is drawn at its birth.
func recognize(ctx context.Context, c *pair.Cluster, was job.Cluster, tables map[int64]job.Table) error {
	id, err := c.DatabaseID(ctx)
	switch {
	case errors.Is(err, fe.ErrDatabaseNotFound):
		return another(c, "it has no database %s", c.Spec.Database)
	case err != nil:
		return Refused(c, "look at the database", err)
	case was.DatabaseID != 0 && id != was.DatabaseID:
		return another(c, "its database %s has the id %d, the job's has %d", c.Spec.Database, id, was.DatabaseID)
	}
	if err := recognizeTables(ctx, c, tables); err != nil {
		return err
	}
	return recognizeBirth(ctx, c, was)
}

func another(c *pair.Cluster, format string, args ...any) error {
	address := net.JoinHostPort(c.Spec.Host, strconv.Itoa(c.Spec.Port))
	return &problem.Refusal{
		Text:   fmt.Sprintf("%s is another cluster than the %s of the job: %s", address, c.Side, fmt.Sprintf(format, args...)),
		Remedy: "name an address of the same cluster; a job for another cluster is created anew",
		Err:    errAnother,
	}
}

// recognizeTables asks for tables by their ids. Some may have been dropped or renamed
// lately, but not all.
func recognizeTables(ctx context.Context, c *pair.Cluster, tables map[int64]job.Table) error {
	names := map[int64]string{}
	for id, t := range tables {
		if c.Side != "source" {
			id = t.DestID
		}
		names[id] = t.Name
	}
	ids := make([]int64, 0, len(names))
	for id := range names {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	db, err := c.MetaByID(ctx, ids)
	if err != nil {
		return Refused(c, "look at the tables", err)
	}
	for id, t := range db.Tables {
		if strings.EqualFold(t.Name, names[id]) || c.Spec.Table != "" {
			return nil
		}
	}
	return another(c, "none of its tables has name and id of one of the job's, such as %s (%d)", names[ids[0]], ids[0])
}

// birthTimeout bounds the questions to an address that may be gone.
const birthTimeout = 5 * time.Second

// recognizeBirth compares with the cluster at the address of before. One that does not
// answer there tells nothing.
func recognizeBirth(ctx context.Context, c *pair.Cluster, was job.Cluster) error {
	if c.At == nil {
		return nil
	}
	token, backends, err := birth(ctx, c)
	if err != nil {
		return Refused(c, "read its token", err)
	}
	ctx, cancel := context.WithTimeout(ctx, birthTimeout)
	defer cancel()
	was.User = c.Spec.User // whose password is at hand
	before := c.At(was)
	defer before.Close()
	oldToken, oldBackends, err := birth(ctx, before)
	switch {
	case err != nil:
		return nil
	case token != oldToken:
		return another(c, "the one at %s has another token", net.JoinHostPort(was.Host, strconv.Itoa(was.Port)))
	case len(oldBackends) > 0 && !slices.ContainsFunc(backends, func(b meta.Backend) bool { return slices.Contains(oldBackends, b) }):
		return another(c, "it has none of the backends of the one at %s", net.JoinHostPort(was.Host, strconv.Itoa(was.Port)))
	}
	return nil
}

// birth is the token of a cluster, which is drawn when it is born, and its backends as it
// calls them itself: a cluster that was cloned from the metadata of another has the
// other's token.
func birth(ctx context.Context, c *pair.Cluster) (token string, backends []meta.Backend, err error) {
	if token, err = c.FE.MasterToken(ctx); err != nil {
		return "", nil, err
	}
	if backends, err = c.FE.Backends(ctx); err != nil {
		return "", nil, err
	}
	for i := range backends {
		backends[i].Alive = true // it may die between the two questions
	}
	return token, backends, nil
}
