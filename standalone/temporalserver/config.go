package temporalserver

import (
	"net"
	"strconv"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"

	"github.com/doris-ccr/ccr/job"
)

// taskWorkers is how many tasks of a queue are worked on at once.
const taskWorkers = 64

// cachedRuns is how many workflow runs the server keeps in memory.
const cachedRuns = 4000

const (
	storeName   = sqliteplugin.PluginName
	clusterName = "active"
)

// searchAttributes are registered with the namespace when it is created, so
// that the first job can start at once.
func searchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		job.SearchAttributeSyncType:            enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		job.SearchAttributeSyncState:           enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		job.SearchAttributeJobState:            enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		job.SearchAttributeSourceDatabase:      enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		job.SearchAttributeDestinationDatabase: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
	}
}

// dynamicConfig holds the settings of architecture.md 3. Everything stays correct
// without them, only slower.
func dynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// Each activity waits for a poll of the transfer queue: 20 polls a
		// second, the default, hide 50 ms in every step (temporal-measured.md 1.1).
		dynamicconfig.MakeKey("history.transferProcessorMaxPollRPS"):   10000,
		dynamicconfig.MakeKey("history.visibilityProcessorMaxPollRPS"): 1000,
		dynamicconfig.MakeKey("history.timerProcessorMaxPollRPS"):      1000,
		// One file takes one write at a time: 512 goroutines for each queue only wait, and
		// each collection of garbage looks at their stacks. Nothing is replicated.
		dynamicconfig.MakeKey("history.transferProcessorSchedulerWorkerCount"):               taskWorkers,
		dynamicconfig.MakeKey("history.timerProcessorSchedulerWorkerCount"):                  taskWorkers,
		dynamicconfig.MakeKey("history.visibilityProcessorSchedulerWorkerCount"):             taskWorkers,
		dynamicconfig.MakeKey("history.ReplicationProcessorSchedulerWorkerCount"):            1,
		dynamicconfig.MakeKey("history.ReplicationLowPriorityProcessorSchedulerWorkerCount"): 1,
		// One machine, some thousand jobs: the defaults are for a cluster, 256 MB of events.
		dynamicconfig.MakeKey("history.eventsHostLevelCacheMaxSizeBytes"): 32 << 20,
		dynamicconfig.MakeKey("history.hostLevelCacheMaxSize"):            cachedRuns,
		// A cancel is pushed to the worker instead of waiting for a heartbeat
		// (temporal-measured.md 1.2): pause takes milliseconds.
		dynamicconfig.MakeKey("frontend.WorkerCommandsEnabled"):           true,
		dynamicconfig.MakeKey("system.enableCancelActivityWorkerCommand"): true,
		dynamicconfig.MakeKey("frontend.namespaceRPS.visibility"):         100,
		// A dead machine's open polls swallow retries until its connection is
		// found dead (temporal-measured.md 5): sooner than the heartbeat timeout.
		dynamicconfig.MakeKey("frontend.keepAliveTime"):    5 * time.Second,
		dynamicconfig.MakeKey("frontend.keepAliveTimeout"): 3 * time.Second,
	}
}

func serverConfig(opts Options, p ports) *config.Config {
	sqlCfg := &config.SQL{PluginName: sqliteplugin.PluginName, DatabaseName: opts.Path}
	if opts.Path == "" {
		// The name keeps the memory databases of several servers in one process apart.
		sqlCfg.DatabaseName = "ccr-" + strconv.Itoa(p.frontend)
		sqlCfg.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
	} else {
		// WAL for speed, synchronous FULL because the progress of every job is
		// in this file: a power cut must not take back what was acknowledged.
		sqlCfg.ConnectAttributes = map[string]string{"mode": "rwc", "journal_mode": "WAL", "synchronous": "2"}
	}
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: p.host},
		},
		Persistence: config.Persistence{
			DefaultStore: storeName, VisibilityStore: storeName, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{storeName: {SQL: sqlCfg}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: p.frontendAddress()},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services: map[string]config.Service{
			string(primitives.FrontendService): p.service(p.frontend),
			string(primitives.HistoryService):  p.service(p.history),
			string(primitives.MatchingService): p.service(p.matching),
			string(primitives.WorkerService):   p.service(p.worker),
		},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
		PublicClient: config.PublicClient{HostPort: p.frontendAddress()},
	}
}

// service has no HTTP API: the Web UI asks over gRPC, and browsers could be made to
// ask it.
func (p ports) service(grpc int) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: grpc, BindOnIP: p.host}}
}

// staticHosts replaces the membership protocol: there is one host.
func (p ports) staticHosts() map[primitives.ServiceName]static.Hosts {
	one := func(port int) static.Hosts {
		return static.SingleLocalHost(net.JoinHostPort(p.host, strconv.Itoa(port)))
	}
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: one(p.frontend),
		primitives.HistoryService:  one(p.history),
		primitives.MatchingService: one(p.matching),
		primitives.WorkerService:   one(p.worker),
	}
}
