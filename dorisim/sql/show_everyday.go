package sql

import (
	"context"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/catalog"
)

// showEveryday has the statements that people type to look around. What the
// simulator has not, such as routine loads, is an empty list.
func (s *session) showEveryday(ctx context.Context, c *cursor, word string) (*sqltypes.Result, error) {
	var l *listing
	switch {
	case word == "REPLICA":
		return s.showReplica(ctx, c)
	case word == "PARTITION":
		return s.showPartitionID(c)
	case word == "CATALOGS":
		l = newListing("CatalogId", "CatalogName", "Type", "IsCurrent", "CreateTime", "LastUpdateTime", "Comment")
		l.add(0, internalCatalog, internalCatalog, "yes", "UNRECORDED", null, "Doris internal catalog")
		return s.filter(ctx, c, l, "CatalogName", true)
	case word == "ROLES":
		l = newListing("Name", "Comment", "Users", "GlobalPrivs", "CatalogPrivs", "DatabasePrivs", "TablePrivs", "ResourcePrivs")
		l.add("admin", "", "'"+rootUser+"'@'%'", "Admin_priv", null, null, null, null)
		l.add("operator", "", "", "Node_priv,Admin_priv", null, null, null, null)
		return s.filter(ctx, c, l, "Name", true)
	case word == "DYNAMIC" && c.keyword("PARTITION", "TABLES"):
		return s.showDynamicTables(ctx, c)
	case word == "LOAD":
		l = newListing("JobId", "Label", "State", "Progress", "Type", "EtlInfo", "TaskInfo", "ErrorMsg", "CreateTime", "EtlStartTime", "EtlFinishTime",
			"LoadStartTime", "LoadFinishTime", "URL", "JobDetails", "TransactionId", "ErrorTablets", "User", "Comment")
	case word == "ROUTINE" && c.keyword("LOAD"):
		l = newListing("Id", "Name", "CreateTime", "PauseTime", "EndTime", "DbName", "TableName", "IsMultiTable", "State", "DataSourceType",
			"CurrentTaskNum", "JobProperties", "DataSourceProperties", "CustomProperties", "Statistic", "Progress", "Lag", "ReasonOfStateChanged",
			"ErrorLogUrls", "OtherMsg", "User", "Comment")
	case word == "STREAM" && c.keyword("LOAD"):
		l = newListing("Label", "Db", "Table", "ClientIp", "Status", "Message", "Url", "TotalRows", "LoadedRows", "FilteredRows", "UnselectedRows",
			"LoadBytes", "StartTime", "FinishTime", "User", "Comment")
	default:
		c.pos = 0
		return nil, c.mismatch()
	}
	if _, err := s.fromDatabase(c); err != nil {
		return nil, err
	}
	return s.filter(ctx, c, l, "Label", true)
}

// showDynamicTables is SHOW DYNAMIC PARTITION TABLES [FROM db].
func (s *session) showDynamicTables(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	database, err := s.fromDatabase(c)
	if err != nil {
		return nil, err
	}
	l := newListing("TableName", "Enable", "TimeUnit", "Start", "End", "Prefix", "Buckets", "ReplicationNum", "ReplicaAllocation", "StartOf",
		"LastUpdateTime", "LastSchedulerTime", "State", "LastCreatePartitionMsg", "LastDropPartitionMsg", "ReservedHistoryPeriods")
	s.server.core.RLock()
	db, ok := s.server.core.Database(database)
	if ok {
		for _, t := range sortedTables(db) {
			if t.Properties["dynamic_partition.enable"] != "" && s.seesTable(db.Name, t.Name) {
				addDynamic(l, t)
			}
		}
	}
	s.server.core.RUnlock()
	return s.filter(ctx, c, l, "TableName", true)
}

func addDynamic(l *listing, t *catalog.Table) {
	p := func(key string) string { return t.Properties["dynamic_partition."+key] }
	_, replicas, _ := strings.Cut(p("replication_allocation"), ": ")
	startOf := any(null)
	switch p("time_unit") {
	case "WEEK":
		startOf = "day of week: " + p("start_day_of_week")
	case "MONTH":
		startOf = p("start_day_of_month") + "st"
	}
	l.add(t.Name, p("enable"), p("time_unit"), p("start"), p("end"), p("prefix"), p("buckets"), replicas, p("replication_allocation"), startOf,
		t.Created, t.Created, "NORMAL", null, null, p("reserved_history_periods"))
}
