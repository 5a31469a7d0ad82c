package conformance

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The columns of every SHOW statement of doris-sql.md 2.2, 2.3, 2.8 to 2.13, 3.1
// and 5.6, in order: clients read some of them by position.
func TestShowColumns(t *testing.T) {
	s := source(t)
	db := s.rangedTable()
	s.db.SetMaxOpenConns(1)
	s.exec("USE `%s`", db)
	s.exec("CREATE VIEW v AS SELECT k FROM t")
	s.exec("CREATE MATERIALIZED VIEW mv AS SELECT k FROM t")
	s.waitState("FINISHED", "SHOW ALTER TABLE ROLLUP FROM `%s`", db)
	s.exec("ALTER TABLE t ADD TEMPORARY PARTITION tp VALUES [('50'), ('60'))")
	s.exec("INSERT INTO t VALUES (1, 1)")
	tablet := s.query("SHOW TABLETS FROM t")[0]["TabletId"]
	id := s.tableMeta(db, "t").GetID()
	dbID := s.meta(db).GetID()
	partitionID := s.query("SHOW PARTITIONS FROM t")[0]["PartitionId"]
	indexID := s.query("SHOW PROC '/dbs/%d/%d/partitions/%s'", dbID, id, partitionID)[0]["IndexId"]

	const (
		partitions = "PartitionId, PartitionName, VisibleVersion, VisibleVersionTime, State, PartitionKey, Range, DistributionKey, Buckets, ReplicationNum, " +
			"StorageMedium, CooldownTime, RemoteStoragePolicy, LastConsistencyCheckTime, DataSize, IsInMemory, ReplicaAllocation, IsMutable, SyncWithBaseTables, UnsyncTables, CommittedVersion, RowCount"
		replicas = "TabletId, ReplicaId, BackendId, SchemaHash, Version, LstSuccessVersion, LstFailedVersion, LstFailedTime, LocalDataSize, RemoteDataSize, RowCount, State, " +
			"LstConsistencyCheckTime, CheckVersion, VisibleVersionCount, VersionCount, QueryHits, PathHash, Path, MetaUrl, CompactionStatus, CooldownReplicaId, CooldownMetaId"
		indexes = "Table, Non_unique, Key_name, Seq_in_index, Column_name, Collation, Cardinality, Sub_part, Packed, Null, Index_type, Comment, Properties"
		view    = "View, Create View, character_set_client, collation_connection"
		restore = "JobId, Label, Timestamp, DbName, State, AllowLoad, ReplicationNum, ReplicaAllocation, ReserveReplica, ReserveDynamicPartitionEnable, RestoreObjs, CreateTime, " +
			"MetaPreparedTime, SnapshotFinishedTime, DownloadFinishedTime, FinishedTime, UnfinishedTasks, Progress, TaskErrMsg, Status, Timeout"
		frontends = "Name, Host, EditLogPort, HttpPort, QueryPort, RpcPort, ArrowFlightSqlPort, Role, IsMaster, ClusterId, Join, Alive, ReplayedJournalId, LastStartTime, LastHeartbeat, IsHelper, ErrMsg, Version, CurrentConnected"
		config    = "Key, Value, Type, IsMutable, MasterOnly, Comment"
	)
	for statement, want := range map[string]string{
		"SHOW FRONTENDS":                              frontends,
		"select * from frontends()":                   frontends,
		"show backends":                               "BackendId, Host, HeartbeatPort, BePort, HttpPort, BrpcPort, ArrowFlightSqlPort, LastStartTime, LastHeartbeat, Alive, SystemDecommissioned, TabletNum, DataUsedCapacity, TrashUsedCapacity, AvailCapacity, TotalCapacity, UsedPct, MaxDiskUsedPct, RemoteUsedCapacity, Tag, ErrMsg, Version, Status, HeartbeatFailureCounter, NodeRole, CpuCores, Memory",
		"show proc '/dbs/'":                           "DbId, DbName, TableNum, Size, Quota, LastConsistencyCheckTime, ReplicaCount, ReplicaQuota, RunningTransactionNum, TransactionQuota, LastUpdateTime",
		"show proc '/dbs/$db/'":                       "TableId, TableName, IndexNum, PartitionColumnName, PartitionNum, State, Type, LastConsistencyCheckTime, ReplicaCount, VisibleVersion, VisibleVersionTime, RunningTransactionNum, LastUpdateTime",
		`show proc "/dbs/$db/$t/partitions"`:          partitions,
		"show proc '/dbs/$db/$t/partitions/$p'":       "IndexId, IndexName, State, LastConsistencyCheckTime",
		"show proc '/dbs/$db/$t/partitions/$p/$i'":    replicas,
		`SHOW PROC "/dbs/$db/$t/indexes"`:             "Table, IndexId, NonUnique, KeyName, SeqInIndex, ColumnName, Collation, Cardinality, SubPart, Packed, Null, IndexType, Comment, Properties",
		"show table $t":                               "DbName, TableName, DbId",
		"SHOW DATABASES LIKE '$name'":                 "Database",
		"SHOW TABLES FROM `$name` LIKE 't'":           "Tables_in_$name",
		"SHOW FULL TABLES":                            "Tables_in_$name, Table_type, Storage_format, Inverted_index_storage_format",
		"SHOW VIEWS":                                  "Tables_in_$name",
		"SHOW CREATE DATABASE `$name`":                "Database, Create Database",
		"SHOW CREATE TABLE t":                         "Table, Create Table",
		"SHOW CREATE TABLE v":                         view,
		"SHOW CREATE VIEW v":                          view,
		"SHOW CREATE MATERIALIZED VIEW mv ON t":       "TableName, ViewName, CreateStmt",
		"SHOW VIEW FROM t":                            "View, Create View",
		"SHOW COLUMNS FROM `t` WHERE Field = 'k'":     "Field, Type, Null, Key, Default, Extra",
		"SHOW FULL COLUMNS FROM t":                    "Field, Type, Collation, Null, Key, Default, Extra, Privileges, Comment",
		"DESC t":                                      "Field, Type, Null, Key, Default, Extra",
		"DESC `$name`.t ALL":                          "IndexName, IndexKeysType, Field, Type, InternalType, Null, Key, Default, Extra, Visible, DefineExpr, WhereClause",
		"SHOW PARTITIONS FROM t":                      partitions,
		"SHOW TEMPORARY PARTITIONS FROM t":            partitions,
		"SHOW TABLETS FROM t":                         replicas,
		"SHOW TABLET $tablet":                         "DbName, TableName, PartitionName, IndexName, DbId, TableId, PartitionId, IndexId, IsSync, Order, QueryHits, DetailCmd",
		"SHOW ALTER TABLE COLUMN":                     "JobId, TableName, CreateTime, FinishTime, IndexName, IndexId, OriginIndexId, SchemaVersion, TransactionId, State, Msg, Progress, Timeout",
		"SHOW ALTER TABLE ROLLUP":                     "JobId, TableName, CreateTime, FinishTime, BaseIndexName, RollupIndexName, RollupId, TransactionId, State, Msg, Progress, Timeout",
		"SHOW BUILD INDEX FROM `$name`":               "JobId, TableName, PartitionName, AlterInvertedIndexes, CreateTime, FinishTime, TransactionId, State, Msg, Progress",
		"SHOW INDEXES FROM t":                         indexes,
		"show index from t":                           indexes,
		"SHOW VARIABLES LIKE 'version_comment'":       "Variable_name, Value, Default_Value, Changed",
		"SHOW FRONTEND CONFIG LIKE 'x'":               config,
		"ADMIN SHOW FRONTEND CONFIG LIKE '%feature%'": config,
		"SHOW BACKUP":                                 "JobId, SnapshotName, DbName, State, BackupObjs, CreateTime, SnapshotFinishedTime, UploadFinishedTime, FinishedTime, UnfinishedTasks, Progress, TaskErrMsg, Status, Timeout",
		"SHOW RESTORE":                                restore,
		"SHOW BRIEF RESTORE":                          strings.NewReplacer("RestoreObjs, ", "", "Progress, TaskErrMsg, ", "").Replace(restore),
		"SHOW SNAPSHOT ON `__keep_on_local__`":        "Snapshot, Timestamp, Status",
		"SHOW TRANSACTION WHERE status = 'visible'":   "TransactionId, Label, Coordinator, TransactionStatus, LoadJobSourceType, PrepareTime, PreCommitTime, CommitTime, PublishTime, FinishTime, Reason, ErrorReplicasCount, ListenerId, TimeoutMs, ErrMsg",
		"SHOW RESOURCES WHERE NAME = 'x'":             "Name, ResourceType, Item, Value",
		"SHOW STORAGE POLICY":                         "PolicyName, Id, Version, Type, StorageResource, CooldownDatetime, CooldownTtl",
		"SHOW FULL FUNCTIONS LIKE 'f'":                "Signature, Return Type, Function Type, Intermediate Type, Properties",
		"SHOW REPOSITORIES":                           "RepoId, RepoName, CreateTime, IsReadOnly, Location, Broker, Type, ErrMsg",
	} {
		names := strings.NewReplacer("$db", itoa(dbID), "$tablet", tablet, "$t", itoa(id), "$p", partitionID, "$i", indexID, "$name", db)
		statement, want = names.Replace(statement), names.Replace(want)
		require.Equal(t, strings.Split(want, ", "), s.columns(statement), statement)
	}
	show, restoreColumns := s.columns("SHOW RESTORE"), fmt.Sprint
	require.Equal(t, "State RestoreObjs", restoreColumns(show[4]+" "+show[10]), "positions that suites rely on")
}
