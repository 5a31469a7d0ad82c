package problem_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/be"
	"github.com/doris-ccr/ccr/doris/binlog"
	"github.com/doris-ccr/ccr/doris/fe"
	"github.com/doris-ccr/ccr/doris/sqlclient"
	"github.com/doris-ccr/ccr/doris/status"
	"github.com/doris-ccr/ccr/replication/pair"
	"github.com/doris-ccr/ccr/replication/pairtest"
	"github.com/doris-ccr/ccr/replication/problem"
	"github.com/doris-ccr/ccr/replication/stream"
)

func feRefusal(text string) error {
	return fmt.Errorf("commit: %w", &fe.StatusError{Code: status.InternalError, Messages: []string{text}})
}

func beRefusal(code status.Code, text string) error {
	return fmt.Errorf("ingest: %w", &be.StatusError{Code: code, Messages: []string{text}})
}

// Every text at which a job can stand has its way out. The texts are Doris', as
// the reference documents have them.
func TestRemedies(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		// BACKUP (doris-sql.md 2.7, 4.2).
		{pairtest.SQLRefusal("Do not support backup table t with temp partitions"), "ignore_backup_tmp_partitions = true"},
		{pairtest.SQLRefusal("Table 't' is not a OLAP table"), "ignore_backup_not_support_table_type"},
		{pairtest.SQLRefusal("BACKUP and RESTORE are not supported by the cloud mode yet"), "cannot be replicated"},
		{problem.MetaErrorf("the num involved tablets 9 exceeds the limit 5, which might cause the FE OOM, change config `max_backup_tablets_per_job` to change this limitation"), "raise max_backup_tablets_per_job"},
		{problem.MetaErrorf("backup x was cancelled: [COMMON_ERROR, msg: make snapshot failed, currently not support backup tablet with cooldowned remote data]"), "storage_policy"},
		{problem.MetaErrorf("backup x was cancelled: [TIMEOUT, msg: ]"), "backup_job_default_timeout_ms"},
		{pairtest.SQLRefusal("Label format error. regex: ^x$, label: y"), "shorter name"},
		// RESTORE (doris-sql.md 4.6, doris-rpc.md 3.12).
		{problem.MetaErrorf("[COMMON_ERROR, msg: Table t's state is not NORMAL: SCHEMA_CHANGE]"), "SHOW ALTER TABLE COLUMN"},
		{problem.MetaErrorf("[COMMON_ERROR, msg: Do not support restoring table with temp partitions]"), "on the destination: drop them"},
		{problem.MetaErrorf("[COMMON_ERROR, msg: Table t's has unfinished load job]"), "stop the other loads"},
		{problem.MetaErrorf("Only support retore OLAP table: t"), "rename or drop"},
		{problem.MetaErrorf("The local table x with the same name but a different type of backup meta."), "rename or drop"},
		{problem.MetaErrorf("The type of local table should be same as type of remote table: t"), "rename or drop"},
		{problem.MetaErrorf("Partition p in table t has different replication num '1' with partition in repository, which is 3"), "drop the partition"},
		{problem.MetaErrorf("Not support to restore to local table t with colocate group."), "colocate_with"},
		{problem.MetaErrorf("Failed to find enough backend, please check the replication num,replication tag and storage medium."), "replication_num"},
		{feRefusal("read backup meta failed"), "upgrade"},
		// Ingests (doris-rpc.md 4.1, 4.3).
		{beRefusal(status.RuntimeError, "enable feature binlog is false"), "be.conf of the destination"},
		{beRefusal(status.HTTPError, "(10.0.0.1)[HTTP_ERROR]connection refused"), "can reach the source's at the address"},
		{beRefusal(status.HTTPError, "(10.0.0.1)[HTTP_ERROR]500 binlog feature is not enabled."), "be.conf of the source"},
		{beRefusal(status.HTTPError, "(10.0.0.1)[HTTP_ERROR]404 get binlog info failed, binlog_version=7"), "partialsync"},
		{beRefusal(status.InternalError, "no enough space"), "make room"},
		{beRefusal(status.RuntimeError, "download file md5 is not equal, local=1, remote=2"), "disks"},
		{beRefusal(status.RuntimeError, "downloaded index file size is not equal, local=1, remote=2"), "disks"},
		{problem.ErrBackendDown, "bring the backend in the text back"},
		// Transactions and what else frontends refuse (doris-rpc.md 3).
		{feRefusal("current running txns on db 1 is 1000, larger than limit 1000"), "max_running_txn_num_per_db"},
		{feRefusal("Database[d] data size exceeds quota[10.000 MB]"), "SET DATA QUOTA"},
		{feRefusal("Failed to commit txn 1, cause tablet 2 succ replica num 1 < load required replica num 2."), "SHOW BACKENDS"},
		{feRefusal("Table t is in restore process. Can not load into it"), "SHOW RESTORE"},
		{feRefusal("get tableList write lock timeout, tableList=(t)"), "wait"},
		{feRefusal("errCode = 2, detailMessage = unknown database, database=d"), "force_fullsync creates it again"},
		{pairtest.SQLRefusal("Unknown database 'd'"), "force_fullsync creates it again"},
		{&fe.StatusError{Code: status.NotAuthorized, Messages: []string{"Access denied"}}, "password and privileges"},
		{&sqlclient.Error{Code: 1227, Message: "Access denied; you need ADMIN"}, "check_ccr names what is missing"},
		// Answers that do not come, or not as they should.
		{pairtest.LostReply(), "update_host_mapping"},
		{&sqlclient.NetworkError{Err: context.DeadlineExceeded}, "can be reached"},
		{&fe.UnmappedHostError{Host: "10.0.0.1"}, "update_host_mapping"},
		{fmt.Errorf("x: %w", fe.ErrIncomplete), "asked again by itself"},
		{fmt.Errorf("x: %w", sqlclient.ErrIncomplete), "asked again by itself"},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), "load of both clusters"},
		{os.ErrDeadlineExceeded, "load of both clusters"},
		// ccr's own decisions.
		{problem.MetaErrorf("table record not found, table: t"), "partialsync"},
		{stream.ErrTxnInsertOff, "feature_txn_insert"},
		{pair.Recording("", "source database d", "ALTER DATABASE d ...").Err, "goes on by itself"},
	} {
		require.Contains(t, problem.Remedy(tt.err), tt.want, "%v", tt.err)
	}
	require.Empty(t, problem.Remedy(nil))
	require.Empty(t, problem.Remedy(context.Canceled), "nothing is wrong")
}

// A statement that was refused may contain anything: only the answer counts.
func TestRemedyIsNotReadFromAStatement(t *testing.T) {
	err := &sqlclient.Error{Code: 1105, Message: "Duplicate column name 'x'", Statement: "ALTER TABLE `data quota` ADD COLUMN x INT COMMENT 'is not a OLAP table'"}
	require.Empty(t, problem.Remedy(err))
}

// An error at a binlog always has a remedy: the text of last_error alone must
// tell an operator what to order.
func TestProblemsAtBinlogsHaveRemedies(t *testing.T) {
	other := fmt.Errorf("the RENAME_COLUMN record at commit seq 7 has no new name")
	require.Contains(t, problem.Of(other, 7, binlog.TypeRenameColumn).Remedy, `"skip_commit_seq":7`)
	require.Contains(t, problem.Of(pairtest.SQLRefusal("Duplicate column name 'x'"), 7, binlog.TypeAlterJob).Remedy, `"skip_commit_seq":7`)
	require.Contains(t, problem.Of(beRefusal(status.TabletMissing, "tablet 1 not found"), 7, binlog.TypeUpsert).Remedy, "partialsync")
	require.NotContains(t, problem.Of(other, 7, binlog.TypeUpsert).Remedy, "silence", "rows are not to be lost")
	require.Contains(t, problem.Of(pairtest.SQLRefusal("Do not support backup table t with temp partitions"), 7, binlog.TypeAlterJob).Remedy, "tmp_partitions")
}
