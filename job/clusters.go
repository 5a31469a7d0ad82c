package job

import "time"

// WorkflowTypeClusters is the short workflow that looks at the two clusters of a job as
// they are now, so that an API server need not know how to talk to Doris. Its input is
// a ClustersWanted, its result a ClustersSeen. Names are part of the interface.
const (
	WorkflowTypeClusters     = "DescribeClusters"
	ClustersWorkflowIDPrefix = "ccr-clusters-"
	ActivityDescribeClusters = "DescribeClusters"
)

// MaxLogsWanted bounds the logs that one look asks a cluster for.
const MaxLogsWanted = 200

// ClustersWanted says through which job to look: its addresses, mappings and accounts
// are used.
type ClustersWanted struct {
	Job string `json:"job"`
	// Source and Destination are databases and tables of each side whose logs of
	// binlogs are of interest, MaxLogsWanted at most.
	Source      []LogOf `json:"src,omitempty"`
	Destination []LogOf `json:"dest,omitempty"`
}

// LogOf names a log of binlogs: that of a database, or of one of its tables.
type LogOf struct {
	Database string `json:"database"`
	Table    string `json:"table,omitempty"`
}

// LogOfJob is the log that a job with this source follows.
func LogOfJob(c Cluster) LogOf { return LogOf{Database: c.Database, Table: c.Table} }

// ClustersSeen is what a worker process sees of both clusters of a job.
type ClustersSeen struct {
	Source      ClusterSeen `json:"src"`
	Destination ClusterSeen `json:"dest"`
}

// ClusterSeen is what a worker process sees of a cluster.
type ClusterSeen struct {
	// From is the machine that has looked, and At when.
	From string    `json:"from"`
	At   time.Time `json:"at"`
	// Version of Doris, "" if the cluster does not tell.
	Version   string         `json:"version,omitempty"`
	Frontends []FrontendSeen `json:"frontends"`
	// FrontendsUntold: the account may not list the frontends; they are those that the
	// job knows.
	FrontendsUntold bool          `json:"frontends_untold,omitempty"`
	Backends        []BackendSeen `json:"backends"`
	Logs            []LogKept     `json:"logs"`
	// Limits are settings of the frontend that bound loads, by name; absent where the
	// account may not read them.
	Limits map[string]string `json:"limits,omitempty"`
	// Errors say what could not be found out.
	Errors []string `json:"errors,omitempty"`
}

// FrontendSeen is a frontend. Host is its address through the job's host mapping,
// Private what the cluster itself calls it if that differs.
type FrontendSeen struct {
	Host       string `json:"host"`
	Private    string `json:"private,omitempty"`
	Port       int    `json:"port"`
	ThriftPort int    `json:"thrift_port"`
	IsMaster   bool   `json:"is_master"`
	Role       string `json:"role,omitempty"`
	Version    string `json:"version,omitempty"`
	// Alive is what the cluster says, nil if it does not; Reached whether the worker's
	// machine can connect to both ports.
	Alive   *bool  `json:"alive,omitempty"`
	Reached bool   `json:"reached"`
	Error   string `json:"error,omitempty"`
}

// BackendSeen is a backend. What it has in common with FrontendSeen means the same.
type BackendSeen struct {
	ID       int64  `json:"id"`
	Host     string `json:"host"`
	Private  string `json:"private,omitempty"`
	Port     int    `json:"port"`
	HTTPPort int    `json:"http_port"`
	Version  string `json:"version,omitempty"`
	Alive    bool   `json:"alive"`
	Reached  bool   `json:"reached"`
	Error    string `json:"error,omitempty"`
}

// LogKept is how long a cluster keeps the binlogs of a database or table.
type LogKept struct {
	LogOf
	Enabled    bool  `json:"enabled"`
	TTLSeconds int64 `json:"ttl_seconds"`
	// MaxBytes and MaxBinlogs are further bounds, 0 if there are none.
	MaxBytes   int64  `json:"max_bytes,omitempty"`
	MaxBinlogs int64  `json:"max_binlogs,omitempty"`
	Error      string `json:"error,omitempty"`
}
