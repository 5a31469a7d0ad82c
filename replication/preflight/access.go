package preflight

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/problem"
)

const (
	// fewLabels and shortLabels are what a destination has to remember of finished
	// loads so that a job that dies over a busy night finds what it has applied.
	fewLabels   = 1000
	shortLabels = 3600 // seconds
)

// checkTransactions tries what tells a job which of its transactions are applied,
// and says which way will be used (architecture.md 4.2).
func (s *setup) checkTransactions(ctx context.Context) {
	const check = "destination: transactions"
	dst := s.j.Destination
	_, err := s.j.Transactions(ctx, job.LabelPrefix("check")+":")
	switch {
	case err == nil, errors.Is(err, sqlclient.ErrUnknownDatabase):
		s.add(check, job.CheckPass, "", "user %s may list them: SHOW TRANSACTION tells what is applied", dst.Spec.User)
		return
	case !problem.LacksPrivilege(err):
		s.failed(check, Refused(dst, "list transactions", err), "")
		return
	}
	id, err := dst.DatabaseID(ctx)
	if err == nil {
		_, err = dst.FE.WaitTxn(ctx, fe.TxnQuestion{DatabaseID: id, Label: job.LabelPrefix("check"), Within: pair.LabelWait})
	}
	if err != nil && !errors.Is(err, fe.ErrDatabaseNotFound) {
		s.failed(check, Refused(dst, "ask for transactions by label", err), "grant Admin_priv to the user "+dst.Spec.User)
		return
	}
	s.add(check, job.CheckPass, "", "user %s may not list them (SHOW TRANSACTION needs Admin_priv): they are asked for label by label", dst.Spec.User)
}

// checkMemory tells how long the destination remembers what was applied.
func (s *setup) checkMemory(ctx context.Context) {
	const check = "destination: label memory"
	dst := s.j.Destination
	m, err := dst.LabelMemory(ctx)
	remembers := fmt.Sprintf("%s = %d, %s = %d", pair.LabelNumber, m.Number, pair.LabelSeconds, m.Seconds)
	switch {
	case err != nil:
		s.failed(check, Refused(dst, "ask how long it remembers labels", err), "")
	case !m.Known:
		s.add(check, job.CheckPass, "", "user %s may not read the settings without Admin_priv: no more than the defaults is counted on (%s)", dst.Spec.User, remembers)
	case m.Number > 0 && m.Number < fewLabels || m.Seconds < shortLabels:
		s.add(check, job.CheckWarn, fmt.Sprintf(`ADMIN SET FRONTEND CONFIG ("%s" = "%d"); ADMIN SET FRONTEND CONFIG ("%s" = "%d"); on the destination's master, and the same in fe.conf`,
			pair.LabelNumber, pair.DefaultLabelNumber, pair.LabelSeconds, pair.DefaultLabelSeconds),
			"the destination soon forgets which loads it has (%s): the job reports more often, and after a crash tables may have to come by snapshots", remembers)
	default:
		s.add(check, job.CheckPass, "", "%s", remembers)
	}
}

// withoutBinlog are the changes that sources before 2.1.8 and 3.0.4 make without a
// binlog (doris-binlogs.md 2.2).
const withoutBinlog = "REPLACE TABLE, RECOVER, ALTER VIEW, inverted indexes, dropped rollups, MODIFY DISTRIBUTION"

// recordsAll tells whether a source of this version leaves a binlog for whatever
// changes a table. known is false if the version does not say: it is empty, or
// that of a build without one.
func recordsAll(version string) (all, known bool) {
	n := versionNumbers(version)
	switch {
	case n == nil || slices.Compare(n, []int{0, 0, 0}) == 0:
		return false, false
	case n[0] == 2 && n[1] == 1:
		return n[2] >= 8, true
	case n[0] == 3 && n[1] == 0:
		return n[2] >= 4, true
	}
	return n[0] >= 3, true
}

// laterSetting is a config of the frontend that came with the binlogs that older
// versions lack (doris-sql.md 7).
const laterSetting = "restore_reset_index_id"

// checkRecorded tells of changes of the source that no binlog tells of.
func (s *setup) checkRecorded(ctx context.Context, source *clusterFacts) {
	const check = "source: recorded changes"
	all, known := recordsAll(source.version)
	if !known {
		if _, all, _ = s.j.Source.SQL.FrontendConfig(ctx, laterSetting); all { // else it is not known either
			known = true
		}
	}
	version := "version " + source.version
	if source.version == "" {
		version = "a build without a version"
	}
	switch {
	case all:
		s.add(check, job.CheckPass, "", "%s records all that changes a table", version)
	case known:
		s.add(check, job.CheckWarn, "upgrade the source to 2.1.8, 3.0.4 or later",
			"%s leaves no binlog, or half of one, for %s: the job finds such a change when it looks for differences, minutes later, and brings the table by a snapshot", version, withoutBinlog)
	default:
		s.add(check, job.CheckWarn, "compare the source's version with 2.1.8 and 3.0.4 yourself",
			"%s may leave no binlog for %s: the job finds such a change when it looks for differences, minutes later, and brings the table by a snapshot", version, withoutBinlog)
	}
}
