package sql

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// clusterID is what SHOW FRONTENDS prints; real clusters draw it at birth.
const clusterID = 1523145

// systemDatabases exist in every cluster, without content.
var systemDatabases = []string{"__internal_schema", informationSchema, "mysql"}

// showDatabases lists all databases by name.
func (s *session) showDatabases() *listing {
	l := newListing("Database")
	names := slices.Clone(systemDatabases)
	account := s.account()
	if !account.Sees("__internal_schema") {
		names = names[1:]
	}
	s.server.core.RLock()
	for _, db := range s.databases() {
		if !slices.Contains(names, db.Name) && account.Sees(db.Name) {
			names = append(names, db.Name)
		}
	}
	s.server.core.RUnlock()
	slices.Sort(names)
	for _, name := range names {
		l.add(name)
	}
	return l
}

// showFrontends is doris-sql.md 2.2.
func (s *session) showFrontends() *listing {
	l := newListing("Name", "Host", "EditLogPort", "HttpPort", "QueryPort", "RpcPort", "ArrowFlightSqlPort", "Role", "IsMaster",
		"ClusterId", "Join", "Alive", "ReplayedJournalId", "LastStartTime", "LastHeartbeat", "IsHelper", "ErrMsg", "Version", "CurrentConnected")
	now := s.server.core.Now()
	for _, f := range s.server.core.Frontends() {
		connected := "No"
		if f.Index == s.server.cfg.Frontend {
			connected = "Yes"
		}
		l.add(f.Name, f.Host, f.EditLogPort, f.HTTPPort, f.QueryPort, f.RPCPort, -1, f.Role, f.IsMaster,
			clusterID, true, f.Alive, s.server.core.LastJournal(), f.LastStart, now, true, "", s.server.cfg.Version, connected)
	}
	return l
}

// showBackends is doris-sql.md 2.2.
func (s *session) showBackends() *listing {
	l := newListing("BackendId", "Host", "HeartbeatPort", "BePort", "HttpPort", "BrpcPort", "ArrowFlightSqlPort", "LastStartTime",
		"LastHeartbeat", "Alive", "SystemDecommissioned", "TabletNum", "DataUsedCapacity", "TrashUsedCapacity", "AvailCapacity",
		"TotalCapacity", "UsedPct", "MaxDiskUsedPct", "RemoteUsedCapacity", "Tag", "ErrMsg", "Version", "Status",
		"HeartbeatFailureCounter", "NodeRole", "CpuCores", "Memory")
	now := s.server.core.Now()
	tablets, used := s.tabletsByBackend()
	for _, b := range s.server.core.Backends() {
		heartbeat, failures, message := now, 0, ""
		if !b.Alive {
			heartbeat, failures, message = b.LastStart, 1, "java.net.ConnectException: Connection refused"
		}
		status := fmt.Sprintf(`{"lastSuccessReportTabletsTime":"%s","lastStreamLoadTime":-1,"isQueryDisabled":false,"isLoadDisabled":false,`+
			`"isActive":true,"currentFragmentNum":0,"lastFragmentUpdateTime":0}`, heartbeat.Local().Format(time.DateTime))
		l.add(b.ID, b.Host, b.HeartbeatPort, b.BePort, b.HTTPPort, b.BrpcPort, -1, b.LastStart,
			heartbeat, b.Alive, b.Decommissioned, tablets[b.ID], core.SizeText(used[b.ID]), "0.000 ", "900.000 GB",
			"1.000 TB", "10.00 %", "10.00 %", "0.000 ", `{"location" : "default"}`, message, s.server.cfg.Version, status,
			failures, "mix", 16, "62.80 GB")
	}
	return l
}

// tabletsByBackend counts the tablets of each backend and their bytes.
func (s *session) tabletsByBackend() (count map[int64]int, bytes map[int64]int64) {
	count, bytes = map[int64]int{}, map[int64]int64{}
	s.server.core.RLock()
	defer s.server.core.RUnlock()
	for _, db := range s.databases() {
		for _, t := range db.Tables {
			for _, p := range core.Partitions(t) {
				for _, tablets := range p.Tablets {
					for _, tablet := range tablets {
						for _, r := range tablet.Replicas {
							count[r.BackendID]++
							bytes[r.BackendID] += s.server.core.ReplicaStats(tablet.ID, r).Bytes
						}
					}
				}
			}
		}
	}
	return count, bytes
}

// showFrontendConfig lists the FE configuration by key; the tool reads the first
// row (doris-sql.md 2.5).
func (s *session) showFrontendConfig() *listing {
	l := newListing("Key", "Value", "Type", "IsMutable", "MasterOnly", "Comment")
	items := s.server.core.FEConfigItems()
	items["enable_feature_binlog"] = cmp.Or(items["enable_feature_binlog"], "false")
	items["force_enable_feature_binlog"] = cmp.Or(items["force_enable_feature_binlog"], "false")
	for item, prefix := range prefixedConfig {
		if value, ok := items[item]; ok {
			delete(items, item)
			items[prefix+item] = value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(items)) {
		value := items[key]
		kind, mutable := configType(value), true
		if strings.HasSuffix(key, "enable_feature_binlog") {
			mutable = false
		}
		if key == "enable_restore_snapshot_rpc_compression" {
			mutable = false
		}
		l.add(key, value, kind, mutable, masterOnly[key], "")
	}
	return l
}

// prefixedConfig are the items whose keys are shown, and matched, with a prefix
// (doris-sql.md 2.5).
var prefixedConfig = map[string]string{"enable_feature_binlog": "experimental_"}

// masterOnly are items that only the master looks at.
var masterOnly = map[string]bool{"max_backup_restore_job_num_per_db": true}

func configType(value string) string {
	switch {
	case value == "true" || value == "false":
		return "boolean"
	case isNumber(value):
		return "int"
	}
	return "String"
}

// showBackendConfig lists what the simulator's backends let one know.
func (s *session) showBackendConfig() *listing {
	l := newListing("BackendId", "Key", "Value", "Type", "IsMutable")
	for _, b := range s.server.core.Backends() {
		l.add(b.ID, "enable_feature_binlog", "true", "bool", false)
	}
	return l
}

// showProcesses lists the sessions of this frontend.
func (s *session) showProcesses() *listing {
	l := newListing("CurrentConnected", "Id", "User", "Host", "LoginTime", "Catalog", "Db", "Command", "Time", "State", "QueryId", "Info", "FE", "CloudCluster")
	type row struct {
		id             uint32
		host, user, db string
		at             time.Time
	}
	var rows []row
	s.server.mu.Lock()
	for c, other := range s.server.conns {
		rows = append(rows, row{id: other.id, host: c.RemoteAddr().String(), user: other.user, db: other.db, at: other.started})
	}
	s.server.mu.Unlock()
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.id, b.id) })
	now := time.Now()
	for _, r := range rows {
		connected, command := "No", "Sleep"
		if r.id == s.id {
			connected, command = "Yes", "Query"
		}
		l.add(connected, int64(r.id), r.user, r.host, r.at, internalCatalog, r.db, command, int64(now.Sub(r.at).Seconds()), "OK", "", "", "", null)
	}
	return l
}
