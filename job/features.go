package job

// Features are switches that change what jobs do, in the words of the existing
// tool's feature gates (http-api.md 4.2). They are settings of a process, not of
// a job; see Switches for what each does.
type Features struct {
	AtomicRestore              bool
	CleanTableAndPartitions    bool
	CompressedSnapshot         bool
	CreateViewDropExists       bool
	FilterStorageMedium        bool
	OverrideReplicationNum     bool
	PipelineCommit             bool
	ReplaceNotMatchedWithAlias bool
	RestoreReplaceDiffSchema   bool
	SchemaChangePartialSync    bool
	SkipRollupBinlogs          bool
	SkipWaitingTxnPublish      bool
	TxnInsert                  bool
}

// DefaultFeatures are the defaults of the existing tool's newest versions.
func DefaultFeatures() Features {
	return Features{
		AtomicRestore: true, CompressedSnapshot: true, CreateViewDropExists: true, FilterStorageMedium: true,
		OverrideReplicationNum: true, PipelineCommit: true, ReplaceNotMatchedWithAlias: true,
		RestoreReplaceDiffSchema: true, SchemaChangePartialSync: true, SkipWaitingTxnPublish: true, TxnInsert: true,
	}
}

// FeatureSwitch is one of the switches. Its name lacks the prefix "feature_".
type FeatureSwitch struct {
	Name  string
	Usage string
	Value *bool
}

// Switches lists the switches that can be changed, by name.
func (f *Features) Switches() []FeatureSwitch {
	return []FeatureSwitch{
		{"atomic_restore", "A full sync restores beside the existing tables and swaps at the end, so that they stay readable; off, Doris restores into them.", &f.AtomicRestore},
		// Off by default: the tables may belong to somebody else.
		{"clean_table_and_partitions", "A full sync removes from the destination what the source does not have: of a database job all other tables and views of the destination database, whoever made them; of every job other partitions of its tables. RECOVER finds them for a day.", &f.CleanTableAndPartitions},
		{"compressed_snapshot", "Ask the source for compressed snapshot metadata.", &f.CompressedSnapshot},
		{"create_view_drop_exists", "Drop a view of the same name before one is created; off, such a view stalls the job.", &f.CreateViewDropExists},
		{"filter_storage_medium", "Create tables without the source's storage_medium; off, the destination needs such disks.", &f.FilterStorageMedium},
		{"override_replication_num", "Follow the replication_num of create_ccr; off, it is ignored and the source's replicas are kept.", &f.OverrideReplicationNum},
		{"pipeline_commit", "Have several transactions of a job under way; off, one after the other.", &f.PipelineCommit},
		{"replace_not_matched_with_alias", "When a full sync meets a table of another schema that Doris does not replace itself, restore under another name and swap; off, drop the table first.", &f.ReplaceNotMatchedWithAlias},
		{"restore_replace_diff_schema", "Let Doris itself replace tables of another schema in a full sync, where it can.", &f.RestoreReplaceDiffSchema},
		{"schema_change_partial_sync", "Bring the one table by a snapshot after a heavy schema change or a new rollup; off, every one leads to a full sync.", &f.SchemaChangePartialSync},
		{"skip_rollup_binlogs", "Do without the rollups and synchronous materialized views that the source makes; the next snapshot of their table has them all the same.", &f.SkipRollupBinlogs},
		{"skip_waiting_txn_publish", "Commit without waiting until the rows are visible; off, each commit waits.", &f.SkipWaitingTxnPublish},
		{"txn_insert", "Follow transactions over several statements (BEGIN to COMMIT); off, one stalls the job.", &f.TxnInsert},
	}
}

// FixedFeature is a feature gate of the existing tool that cannot be changed
// here.
type FixedFeature struct {
	Name  string // without "feature_"
	Value bool
	Why   string
}

// FixedFeatures lists them by name.
func FixedFeatures() []FixedFeature {
	return []FixedFeature{
		{"filter_shadow_indexes_upsert", true, "Without it every load during a schema change would need a snapshot."},
		{"idempotent_ddl", true, "Whatever may have been done already is looked at before it is done again: exactly once rests on it."},
		{"reuse_running_backup_restore_job", true, "A step that is started again goes on with its own backup or restore: no job may need two."},
		{"seperated_handles", true, "Every type of binlog has a handler of its own."},
		{"skip_check_async_mv_table", true, "No call is made for it: the metadata that is read anyway tells asynchronous materialized views."},
	}
}
