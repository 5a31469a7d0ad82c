// Package ahead looks at the binlogs that a job has still to handle, and tells what it
// would do with each. It changes nothing, and asks the source only.
package ahead

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/ddl"
	"github.com/doris-ccr/ccr/replication/pair"
)

// Job looks ahead for a job.
type Job struct{ *pair.Job }

// New returns what looks ahead for j.
func New(j *pair.Job) *Job { return &Job{Job: j} }

// look is one look. p becomes what it would be after each binlog.
type look struct {
	j *Job
	p job.Progress
	// full: everything is brought anew before the binlogs that follow.
	full bool
}

// DescribeBinlogs tells what the source has recorded after a commit seq. What cannot be
// found out is in the result.
func (j *Job) DescribeBinlogs(ctx context.Context, in job.StepInput, wanted job.BinlogsWanted) job.BinlogsAhead {
	seen := job.BinlogsAhead{At: time.Now().UTC(), After: wanted.After, Binlogs: []job.BinlogSeen{}}
	l := &look{j: j, p: in.Progress}
	l.p.Tables, l.p.ShadowIndexes = maps.Clone(l.p.Tables), maps.Clone(l.p.ShadowIndexes)
	if l.p.Tables == nil {
		l.p.Tables = map[int64]job.Table{}
	}
	size := pair.NewBatchSize(min(max(wanted.Limit, 1), job.MaxBinlogsWanted))
	most := int(size.Most)
	req := j.BinlogRequest(wanted.After, 0)
	for len(seen.Binlogs) < most {
		size.Ask(&req)
		got, err := j.Source.FE.Binlogs(ctx, req)
		switch {
		case errors.Is(err, fe.ErrBinlogNotFound):
			return seen // nothing is recorded yet
		case err != nil && size.Less(req.Limit, err):
			continue
		case err != nil:
			seen.Error = fmt.Sprintf("read the binlogs of the source after commit seq %d: %v", req.PrevCommitSeq, err)
			return seen
		case len(got.Binlogs) == 0:
			return seen
		}
		for _, rec := range got.Binlogs {
			req.PrevCommitSeq = rec.CommitSeq
			if rec.Type == binlog.TypeDummy {
				if rec.CommitSeq > l.p.GapTo {
					seen.LostTo, l.full = rec.CommitSeq, true
				}
				continue
			}
			if len(seen.Binlogs) < most {
				seen.Binlogs = append(seen.Binlogs, l.describe(ctx, rec))
			}
		}
	}
	return seen
}

func (l *look) name(id int64) string { return l.p.Tables[id].Name }

func (l *look) describe(ctx context.Context, rec binlog.Record) job.BinlogSeen {
	seen := job.BinlogSeen{CommitSeq: rec.CommitSeq, Bytes: len(rec.Data), Summary: masked(rec.SummaryWith(l.name))}
	if rec.Timestamp > 0 {
		seen.CommittedAt = time.UnixMilli(rec.Timestamp).UTC()
	}
	inner, err := rec.Unwrap()
	seen.Type = inner.Type.String()
	for _, id := range inner.Tables() {
		seen.Tables = append(seen.Tables, job.BinlogTable{ID: id, Name: l.name(id)})
	}
	seen.Record, seen.Cut = shown(inner.Data)
	if err != nil {
		seen.Effect = "the record cannot be read: " + err.Error()
		return seen
	}
	l.judge(ctx, inner, &seen)
	seen.Effect = masked(seen.Effect)
	return seen
}

// judge tells what the job would do.
func (l *look) judge(ctx context.Context, rec binlog.Record, seen *job.BinlogSeen) {
	action, err := pair.ClassifyBinlog(rec, &l.j.Spec, &l.p)
	_, beyond := slices.BinarySearch(l.p.AppliedBeyond, rec.CommitSeq)
	pass := func(why string) { seen.PassedOver, seen.Effect = true, "passed over: "+why }
	switch {
	case err != nil:
		seen.Effect = err.Error()
	case beyond:
		pass("the job is done with it already")
	case l.full:
		pass("a snapshot of everything comes before it, and contains it")
	case action == pair.ActionSkip:
		pass("an operator has ordered so")
	case action == pair.ActionPass && pair.Contained(rec, &l.j.Spec, &l.p):
		pass("a snapshot of the table contains it")
	case action == pair.ActionPass && (rec.Type == binlog.TypeCreateTable || rec.Type == binlog.TypeDropTable):
		pass("the job's filter leaves the table out")
	case action == pair.ActionPass:
		pass("it means nothing to a destination")
	case action == pair.ActionGap:
		seen.Effect = "binlogs were switched off or on: all tables are compared, and what differs comes by snapshots"
	case action == pair.ActionApply:
		l.load(rec, seen)
	default:
		l.change(ctx, rec, seen)
	}
}

// load tells of an UPSERT.
func (l *look) load(rec binlog.Record, seen *job.BinlogSeen) {
	u, err := binlog.DecodeUpsert(rec.Data)
	if err != nil {
		seen.Effect = err.Error()
		return
	}
	seen.SubTransactions = len(u.SubTxnIDs)
	records, err := pair.RecordsOf(&u, rec.CommitSeq, &l.j.Spec, &l.p)
	switch {
	case err != nil:
		seen.Effect = err.Error()
		return
	case len(records) == 0:
		seen.PassedOver, seen.Effect = true, "passed over: snapshots contain all that it has loaded, or it is for temporary partitions"
		return
	}
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(records)) {
		name := l.name(id)
		switch known := l.p.Tables[id]; {
		case name == "" && l.j.Spec.Type() == job.DatabaseSync:
			parts = append(parts, fmt.Sprintf("table id %d, which the job does not have (it comes by a snapshot, unless the filter leaves it out or the source has dropped it)", id))
			continue
		case known.Unconfirmed:
			parts = append(parts, fmt.Sprintf("table %s, which comes by a snapshot", name))
			continue
		case name == "":
			name = l.j.Spec.Source.Table
		}
		parts = append(parts, fmt.Sprintf("table %s (%s)", name, partitions(records[id].PartitionRecords)))
	}
	seen.Effect = "copies the rows of a load, in one transaction: " + strings.Join(parts, "; ")
}

// maxPartitions bounds the partitions that a sentence names.
const maxPartitions = 10

func partitions(records []binlog.PartitionRecord) string {
	var list []string
	for i, r := range records {
		if i == maxPartitions {
			list = append(list, fmt.Sprintf("and %d more", len(records)-i))
			break
		}
		list = append(list, fmt.Sprintf("partition id %d version %d", r.PartitionID, r.Version))
	}
	return strings.Join(list, ", ")
}

// change tells of what is no UPSERT.
func (l *look) change(ctx context.Context, rec binlog.Record, seen *job.BinlogSeen) {
	will, err := ddl.New(l.j.Job).Foresee(ctx, rec, &l.p)
	for _, statement := range will.Statements {
		text, _ := cut(masked(statement))
		seen.Statements = append(seen.Statements, text)
	}
	result := will.Result
	switch {
	case err != nil:
		seen.Effect = "what it would do cannot be told now: " + err.Error()
		return
	case will.Unseen:
		seen.Effect = "a statement that is made of the record and of what the destination has then"
	case result.Problem != nil:
		seen.Effect = "the job cannot handle it, and would stop: " + result.Problem.Text
	case result.Wanted != nil:
		seen.Effect = l.snapshot(result.Wanted)
	case len(will.Statements) > 0:
		seen.Effect = "runs on the destination what is below"
	default:
		seen.PassedOver, seen.Effect = true, "passed over: "+result.Summary
	}
	l.p.Apply(result.Tables)
	if result.SetShadowIndexes {
		l.p.ShadowIndexes = result.ShadowIndexes
	}
}

// snapshot tells of a snapshot, which contains all binlogs of today.
func (l *look) snapshot(wanted *job.SnapshotWanted) string {
	part := wanted.Partial
	if part == nil {
		l.full = true
		return "copies everything that the job covers again: " + wanted.Reason
	}
	if len(part.Partitions) == 0 {
		t := l.p.Tables[part.TableID]
		t.Name, t.CommitSeq, t.Unconfirmed = part.Table, math.MaxInt64, false
		l.p.Tables[part.TableID] = t
		return fmt.Sprintf("copies table %s again, by a snapshot: %s", part.Table, wanted.Reason)
	}
	return fmt.Sprintf("copies partitions %s of table %s again, by a snapshot: %s", strings.Join(part.Partitions, ", "), part.Table, wanted.Reason)
}
