package ddl

import (
	"errors"
	"regexp"
	"slices"

	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/problem"
)

// passing matches refusals that say nothing about the statement: it is tried
// again until the destination can, or a person has given it what it lacks. A
// snapshot would be refused likewise.
var passing = regexp.MustCompile(`(?i)not (?:the )?master|NOT_MASTER|state.* is not NORMAL|in atomic restore state|waiting to be completed` +
	`|is not ready|not alive|available backend|enough backend|failed to find|no backend|capacity|quota|out of memory|memory limit|disk` +
	`|create partition|failed to create|try again|retry|interrupted|RpcException|denied|get lock|LoadLock`)

// passes tells whether a refusal may pass by itself, or needs a person who gives
// the destination what it lacks: privileges, backends, space, the database.
func passes(err error) bool {
	var refused *sqlclient.Error
	if !errors.As(err, &refused) {
		return true
	}
	kind, _ := problem.Classify(err)
	return kind == job.KindRPC || errors.Is(err, sqlclient.ErrAccessDenied) || errors.Is(err, sqlclient.ErrUnknownDatabase) ||
		passing.MatchString(refused.Message)
}

// byItsNature are the types that no snapshot of one object can stand for: a
// removal, and an exchange of two tables.
var byItsNature = []binlog.Type{binlog.TypeDropTable, binlog.TypeReplaceTable, binlog.TypeAlterDatabaseProperty}

// unlessRefused answers the refusal of a statement by a snapshot of the object
// that the statement was for: a job does not stand still because the destination
// reads a text in another way than the source did. So it does where no statement
// could be made of the binlog. The event has the statement and the answer.
func (a *application) unlessRefused(result job.ApplyResult, err error) (job.ApplyResult, error) {
	var refused *sqlclient.Error
	var unmade *problem.Remedied
	kind, _ := problem.Classify(err)
	isRefused := errors.As(err, &refused) && !passes(err)
	isUnmade := errors.As(err, &unmade) && kind == job.KindNormal
	if !isRefused && !isUnmade || slices.Contains(byItsNature, a.rec.Type) {
		return result, err
	}
	instead, insteadErr := a.snapshotInstead(err)
	var want *problem.WantSnapshot
	switch {
	case errors.As(insteadErr, &want):
		instead = job.ApplyResult{Wanted: &want.Wanted}
	case insteadErr != nil:
		return result, insteadErr
	case instead.Wanted == nil && instead.Summary == "":
		return result, err // there is no such object
	}
	if isRefused {
		instead.Refused = refused.Error()
	} else {
		instead.Conflict = err.Error()
	}
	return instead, nil
}

// snapshotInstead brings the object that the binlog is about. An external table
// has no rows that a snapshot could hold.
func (a *application) snapshotInstead(why error) (job.ApplyResult, error) {
	if a.rec.Type == binlog.TypeCreateTable {
		create, err := binlog.DecodeCreateTable(a.rec.Data)
		switch name := create.TableName; {
		case err != nil || isExternal(create.SQL):
			return job.ApplyResult{}, err
		case isView(create.TableType, create.SQL):
			return wantView(create.TableID, name, why), nil
		default:
			return a.snapshotOf(create.TableID, name, false, "table %s: %v", name, why)
		}
	}
	if len(a.rec.TableIDs) == 0 || a.p.Tables[a.rec.TableIDs[0]].External {
		return job.ApplyResult{}, nil
	}
	id := a.rec.TableIDs[0]
	if known := a.p.Tables[id]; known.View {
		return wantView(id, known.Name, why), nil
	}
	return a.replaceTable(id, "%s at commit seq %d: %v", a.rec.Type, a.rec.CommitSeq, why)
}
