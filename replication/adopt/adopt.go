package adopt

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/preflight"
	"github.com/doris-ccr/ccr/replication/problem"
)

// Taken is what Adopt found out.
type Taken struct {
	// Spec has ids and frontends resolved, as after the first-run checks.
	Spec job.Spec
	// Position is where to go on: the position that was given, or further if the
	// destination has transactions of the other tool beyond it.
	Position job.Position
	// Adopted counts those transactions, RolledBack the ones it left open.
	Adopted, RolledBack int
	// Views are the names of the source database's views.
	Views []string
	// Lost is set when the source has already dropped binlogs after Position: the
	// job would begin with a full sync.
	Lost bool
	// Crowded is set when the destination database has so many transactions that
	// it may have forgotten some of the other tool's.
	Crowded bool
}

// Adopt prepares a job that another tool has followed up to position, by the
// labels of doris-binlogs.md 5.1. It makes the first-run checks, but the
// destination has to exist, and ids that the spec carries have to be those of
// today. That tool stores its position late, so the destination is asked what it
// has committed beyond; in commit order everything before the newest is applied.
//
// With change, transactions that the tool left open are rolled back, and those
// not visible yet are awaited; without it nothing is changed anywhere. A check
// that fails is a *Refusal.
func (j *Job) Adopt(ctx context.Context, position job.Position, change bool) (Taken, error) {
	out := Taken{Position: position}
	var err error
	if out.Spec, err = j.checkAdopted(ctx); err != nil {
		return out, err
	}
	j.Spec = out.Spec
	j.Source.Spec, j.Destination.Spec = out.Spec.Source, out.Spec.Destination
	if err := j.adoptTransactions(ctx, &out, change); err != nil {
		return out, err
	}
	if out.Views, err = j.Source.SQL.Views(ctx, out.Spec.Source.Database); err != nil {
		return out, preflight.Refused(j.Source, "list views", err)
	}
	got, err := j.Source.FE.Binlogs(ctx, j.BinlogRequest(out.Position.CommitSeq, 1))
	if err != nil {
		return out, preflight.Refused(j.Source, "read binlogs", err)
	}
	out.Lost = got.Status == status.BinlogTooOldCommitSeq
	return out, nil
}

// checkAdopted is Check for a job whose destination has to be there already.
func (j *Job) checkAdopted(ctx context.Context) (job.Spec, error) {
	was := j.Spec
	exists, err := j.Destination.SQL.DatabaseExists(ctx, was.Destination.Database)
	if err != nil {
		return was, preflight.Refused(j.Destination, "look for the database", err)
	}
	if !exists {
		return was, problem.Refusef("dest database %s not exists: there is nothing to go on with, create the job anew", was.Destination.Database)
	}
	// What is asked for by name must be found even if the ids are of yesterday.
	j.Source.Spec.DatabaseID, j.Destination.Spec.DatabaseID = 0, 0
	checked, err := preflight.New(j.Job).Check(ctx)
	if err != nil {
		return was, err
	}
	for _, id := range []struct {
		what       string
		was, found int64
	}{
		{"src database " + was.Source.Database, was.Source.DatabaseID, checked.Spec.Source.DatabaseID},
		{"dest database " + was.Destination.Database, was.Destination.DatabaseID, checked.Spec.Destination.DatabaseID},
		{"src table " + was.Source.Table, was.Source.TableID, checked.Spec.Source.TableID},
	} {
		if id.was != 0 && id.was != id.found {
			return was, problem.Refusef("%s has the id %d, but the job followed the id %d: it was dropped and created again, create the job anew", id.what, id.found, id.was)
		}
	}
	return checked.Spec, nil
}

// adoptTransactions looks for the other tool's transactions on the destination.
func (j *Job) adoptTransactions(ctx context.Context, out *Taken, change bool) error {
	if j.Spec.ReuseBinlogLabel {
		return nil // the labels are the source's: begin tells, one by one
	}
	all, err := j.Transactions(ctx, "")
	if problem.LacksPrivilege(err) {
		return &problem.Refusal{Text: err.Error(), Err: err, Remedy: fmt.Sprintf(
			"grant Admin_priv to the user %s of the destination for the time of the takeover: the other tool's transactions can be found in no other way", j.Destination.Spec.User)}
	}
	if err != nil {
		return preflight.Refused(j.Destination, "list transactions", err)
	}
	memory, err := j.Destination.LabelMemory(ctx)
	if err != nil {
		return preflight.Refused(j.Destination, "ask how long it remembers transactions", err)
	}
	out.Crowded = memory.Crowded(len(all))
	stored := out.Position.CommitSeq
	var unpublished []int64
	for _, tx := range all {
		seq, ours := j.seqOfLabel(tx.Label)
		if !ours {
			continue
		}
		switch tx.Status {
		case sqlclient.TxnPrepare, sqlclient.TxnPrecommitted:
			if change {
				if err := j.Rollback(ctx, tx.ID, "the job goes on in ccr"); err != nil && !errors.Is(err, problem.ErrStuck) {
					return preflight.Refused(j.Destination, "roll back what the other tool left open", err)
				}
			}
			out.RolledBack++
		case sqlclient.TxnCommitted, sqlclient.TxnVisible:
			if tx.Status == sqlclient.TxnCommitted {
				unpublished = append(unpublished, tx.ID)
			}
			if seq > stored {
				out.Adopted++
			}
			if seq > out.Position.CommitSeq {
				out.Position.CommitSeq, out.Position.TxnID = seq, tx.ID
			}
		}
	}
	if !change {
		return nil
	}
	return j.awaitTransactions(ctx, unpublished)
}

// awaitTransactions waits until the transactions can be read: the fence before a
// later DDL only knows transactions of ours.
func (j *Job) awaitTransactions(ctx context.Context, ids []int64) error {
	for _, id := range ids {
		for delay := pair.FirstDelay / 4; ; delay = min(2*delay, pair.MaxDelay/4) {
			tx, err := j.Destination.SQL.TransactionByID(ctx, j.Spec.Destination.Database, id)
			if errors.Is(err, sqlclient.ErrNotExist) || err == nil && tx.Status != sqlclient.TxnCommitted {
				break
			}
			if err != nil {
				return preflight.Refused(j.Destination, "look at a transaction of the other tool", err)
			}
			if !pair.Sleep(ctx, delay) {
				return fmt.Errorf("wait until transaction %d of the other tool is visible: %w", id, ctx.Err())
			}
		}
	}
	return nil
}

// seqOfLabel reads the commit seq out of a label that the other tool gave to a
// transaction of this job: ccrj-<hex>:db_sync:<src db>:<dest db>:<seq>, and with
// <db>_<table> on both sides for a table job.
func (j *Job) seqOfLabel(label string) (seq int64, ours bool) {
	if !strings.HasPrefix(label, job.LabelPrefix("")) {
		return 0, false
	}
	parts := strings.Split(label, ":")
	if len(parts) != 5 || parts[1] != j.Spec.Type().String() {
		return 0, false
	}
	if parts[2] != labelObject(j.Spec.Source) || parts[3] != labelObject(j.Spec.Destination) {
		return 0, false
	}
	seq, err := strconv.ParseInt(parts[4], 10, 64)
	return seq, err == nil && seq > 0
}

func labelObject(c job.Cluster) string {
	id := strconv.FormatInt(c.DatabaseID, 10)
	if c.Table != "" {
		id += "_" + strconv.FormatInt(c.TableID, 10)
	}
	return id
}
