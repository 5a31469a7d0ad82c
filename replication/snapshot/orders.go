package snapshot

import (
	"context"
	"errors"
	"fmt"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/replication/problem"
)

// ordersUnseen is how often a backup or restore is ordered without being seen
// among Doris' jobs before that counts as trouble. An answer that is lost once, or
// a frontend that restarts, is everyday.
const ordersUnseen = 3

// orders counts how often a job of Doris was ordered since it was last seen.
type orders struct {
	n    int
	last error // of the last order; nil: it was accepted
}

// seen notes that the job is there.
func (o *orders) seen() { *o = orders{} }

// given notes an order that may have been accepted. err is what is known of a
// lost answer.
func (o *orders) given(err error) { o.n, o.last = o.n+1, err }

// trouble returns an error when the job was ordered too often. What is sent with
// an order, in bytes, is a usual reason for its loss.
func (o *orders) trouble(what string, size int) error {
	if o.n < ordersUnseen {
		return nil
	}
	answer := "accepted"
	if o.last != nil {
		answer = o.last.Error()
	}
	text := fmt.Sprintf("%s was ordered %d times and never seen among the jobs; the last order: %s", what, o.n, answer)
	remedy := "look at the log of the master frontend for what became of it"
	if size > 0 {
		text += fmt.Sprintf(" (%s of metadata)", megabytes(size))
		remedy += "; if the message was too large: raise thrift_max_message_size in fe.conf of the destination, or replicate in several jobs with include_tables"
	}
	return problem.WithRemedy(errors.New(text), remedy)
}

func megabytes(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// occupied tells which restore of the destination's database is under way, "" if
// none is. Doris runs one a database; the snapshot's metadata, which can be large,
// is not sent before it would be taken.
func (r *restore) occupied(ctx context.Context) (string, error) {
	all, err := r.j.Destination.SQL.RestoreJobs(ctx, r.j.Spec.Destination.Database, "")
	if err != nil {
		return "", fmt.Errorf("look for restores of the destination's database: %w", err)
	}
	for _, other := range all {
		if other.State != sqlclient.JobFinished && other.State != sqlclient.JobCancelled {
			return fmt.Sprintf("restore %s is %s", other.Label, other.State), nil
		}
	}
	return "", nil
}
