package problem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
)

// knownRefusals are texts of Doris that say what a person has to do, if one knows Doris;
// the remedy is for those who do not. The first that an error contains counts.
// docs/troubleshooting.md has the same words.
var knownRefusals = []struct{ part, remedy string }{
	// A backup refused or cancelled (doris-sql.md 2.7, 4.2).
	{"with temp partitions", "on the source: set ignore_backup_tmp_partitions = true on its frontends, or drop the temporary partitions of the table in the text (SHOW TEMPORARY PARTITIONS FROM t); on the destination: drop them"},
	{"max_backup_tablets_per_job", "raise max_backup_tablets_per_job on the source's frontends, or replicate in several jobs with include_tables"},
	{"is not a OLAP table", "set ignore_backup_not_support_table_type = true on the source's frontends, or leave the table out with update_tables"},
	{"cooldowned remote data", "a table whose data is cooled down (storage_policy) cannot be backed up: leave it out with update_tables"},
	{"not supported by the cloud mode", "a cluster in storage-compute separated mode has no backup and restore: it cannot be replicated, delete the job"},
	{"Label format error", "create the job again under a shorter name without special characters, or raise label_regex_length in fe.conf of both clusters' frontends and restart them"},
	{"[TIMEOUT", "it takes longer than backup_job_default_timeout_ms: raise that on the frontends of both clusters, or replicate in several jobs with include_tables"},
	// A restore refused or cancelled (doris-sql.md 4.6, doris-rpc.md 3.12).
	{"is not NORMAL", remedyBusy},
	{"in atomic restore state", remedyBusy},
	{"has unfinished load job", "stop the other loads into the destination's table in the text"},
	{"Failed to find enough backend", "add backends to the destination, or have fewer replicas made: update_options with replication_num"},
	{"with the same name but a different type", "rename or drop what has that name on the destination"},
	{"Only support retore OLAP table", "rename or drop what has that name on the destination"},
	{"Only support restore OLAP table", "rename or drop what has that name on the destination"},
	{"type of local table should be same", "rename or drop what has that name on the destination"},
	{"different replication num", "drop the partition in the text on the destination: the snapshot brings it again"},
	{"with colocate group", `take the destination's table in the text out of its group: ALTER TABLE t SET ("colocate_with" = "")`},
	{"read backup meta failed", "the destination cannot read the source's metadata: upgrade it to the source's version or a later one"},
	// An ingest (doris-rpc.md 4.1, 4.3).
	{"binlog feature is not enabled", "set enable_feature_binlog = true in be.conf of the source's backends and restart them"},
	{"get binlog info failed", "no backend of the source has the rows of this binlog any more: job_skip_binlog with skip_by partialsync brings the table by a snapshot"},
	{"no enough space", "make room on the disks of the backend in the text"},
	{"file size is not equal", "the rows arrive damaged: look at the network between the clusters and at the disks of the source's backend"},
	{"md5 is not equal", "the rows arrive damaged: look at the network between the clusters and at the disks of the source's backend"},
	// A transaction (doris-rpc.md 3.7, 3.8).
	{"data size exceeds quota", "raise the quota of the destination's database (ALTER DATABASE d SET DATA QUOTA ...; SHOW DATA shows it), or make room"},
}

// remedyForRefusal finds the remedy for what Doris says, "" if there is none. A
// statement, which may contain anything, is not looked at.
func remedyForRefusal(err error) string {
	text := err.Error()
	var refused *sqlclient.Error
	if errors.As(err, &refused) {
		text = refused.Message
	}
	return RemedyForText(text)
}

// RemedyForText finds the remedy for a text of Doris.
func RemedyForText(text string) string {
	for _, t := range knownRefusals {
		if strings.Contains(text, t.part) {
			return t.remedy
		}
	}
	return ""
}

// The remedies of more than one error.
const (
	remedyBusy        = "wait until the schema change or restore of the destination's table in the text is over (SHOW ALTER TABLE COLUMN, SHOW RESTORE), or cancel it: CANCEL ALTER TABLE COLUMN FROM t; CANCEL RESTORE FROM d"
	remedyUnreachable = "check that the server runs and can be reached from here, and bring it back if it does not; if its public address has changed, tell the new one with update_host_mapping, or with update_hosts that of the frontend which the job names"
	remedyBackendDown = "bring the backend in the text back (SHOW BACKENDS shows which are not alive), or let the cluster make new replicas of what it had; if its address has changed, tell the new one with update_host_mapping"
	remedyFetch       = "check that the destination's backend can reach the source's at the address in the text, and bring that back if it is down (SHOW BACKENDS); if its address has changed, tell the new one with update_host_mapping"
	RemedySnapshot    = "if it does not go away: job_skip_binlog with skip_by partialsync or fullsync"
	RemedyNoTable     = "recover the table on the source, or create one of that name: the job goes on by itself; or delete the job"
)

// Remedy says what a person can do about an error, "" if there is nothing but
// to wait.
func Remedy(err error) string {
	var (
		refusal   *Refusal
		decided   *Remedied
		unmapped  *fe.UnmappedHostError
		transport *fe.TransportError
		network   *sqlclient.NetworkError
		metaErr   *metaError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal) && refusal.Remedy != "":
		return refusal.Remedy
	case errors.As(err, &decided):
		return decided.remedy
	case errors.As(err, &unmapped):
		return "add it to the host mapping with update_host_mapping"
	case errors.Is(err, fe.ErrAccessDenied), errors.Is(err, sqlclient.ErrAccessDenied):
		return "check the user's password and privileges on both clusters: update_credentials tells the job a new password, check_ccr names what is missing"
	case errors.Is(err, be.ErrBinlogDisabled):
		return "set enable_feature_binlog=true in be.conf of the destination's backends and restart them"
	case errors.Is(err, fe.ErrTooManyTxns):
		return "wait, or raise max_running_txn_num_per_db on the destination"
	}
	if remedy := remedyForRefusal(err); remedy != "" {
		return remedy
	}
	switch {
	case errors.Is(err, fe.ErrQuorum):
		return "bring the destination's backends back (SHOW BACKENDS): too few replicas of the tablet in the text can be written"
	case errors.Is(err, fe.ErrRestoring):
		return "wait until the restore on the destination is over (SHOW RESTORE), or cancel it: CANCEL RESTORE FROM d"
	case errors.Is(err, fe.ErrLocked):
		return "wait: another statement holds the destination's table; SHOW PROCESSLIST on the destination's master shows it"
	case errors.Is(err, fe.ErrDatabaseNotFound), errors.Is(err, sqlclient.ErrUnknownDatabase):
		return "the destination's database: force_fullsync creates it again; the source's: RECOVER DATABASE, or delete the job"
	case errors.Is(err, ErrBackendDown):
		return remedyBackendDown
	case errors.As(err, &transport), errors.As(err, &network):
		return remedyUnreachable
	case errors.Is(err, be.ErrHTTP):
		return remedyFetch
	case errors.As(err, &metaErr):
		return RemedySnapshot
	case errors.Is(err, fe.ErrIncomplete), errors.Is(err, sqlclient.ErrIncomplete), errors.Is(err, be.ErrIncomplete):
		return "look at the log of the server in the text: its answer lacks what it must have; it is asked again by itself"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "look at the load of both clusters: a server takes too long to answer"
	}
	return ""
}

// RemedyAt is the remedy for an error at a binlog that has none of its own.
func RemedyAt(seq int64, t binlog.Type) string {
	switch {
	case seq == 0 || t == binlog.TypeDummy:
		return ""
	case t == binlog.TypeUpsert:
		return RemedySnapshot
	}
	return fmt.Sprintf(`make the change on the destination by hand, then job_skip_binlog with {"skip_by":"silence","skip_commit_seq":%d}; or let a snapshot bring it: skip_by "partialsync" or "fullsync"`, seq)
}
