package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// JobList is every job with its status.
type JobList struct {
	Jobs []JobSummary `json:"jobs"`
}

// JobSummary is a job of a list: its status, or why there is none.
type JobSummary struct {
	Name   string  `json:"name"`
	Type   string  `json:"type"`
	Status *Status `json:"status"`
	Error  string  `json:"error"`
}

// Status is how a job is.
type Status struct {
	Name          string     `json:"name"`
	State         string     `json:"state"` // "running" or "paused"
	ProgressState string     `json:"progress_state"`
	CommitSeq     int64      `json:"commit_seq"`
	Phase         string     `json:"phase"`
	Doing         string     `json:"doing"`
	NextStep      string     `json:"next_step"`
	Stalled       bool       `json:"stalled"`
	LastError     *Problem   `json:"last_error"`
	Lag           *int64     `json:"lag"`
	LagSecs       *int64     `json:"lag_secs"`
	BehindSecs    *int64     `json:"behind_secs"` // nil of a server that does not tell
	LagObservedAt *time.Time `json:"lag_observed_at"`
	FullSyncs     int        `json:"full_syncs"`
	PartialSyncs  int        `json:"partial_syncs"`
	Differences   []struct {
		Table string    `json:"table"`
		Kind  string    `json:"kind"`
		Text  string    `json:"text"`
		Since time.Time `json:"since"`
	} `json:"differences"`
	// Copying is nil if no snapshot is under way, or nobody knows how far.
	Copying *struct {
		Tablets        int   `json:"tablets"`
		TabletsLeft    int   `json:"tablets_left"`
		AboutBytes     int64 `json:"about_bytes"`
		AboutBytesDone int64 `json:"about_bytes_done"`
	} `json:"copying"`
}

// StateWord is "running", "paused" or "stalled".
func (s *Status) StateWord() string {
	if s.Stalled {
		return "stalled"
	}
	return s.State
}

// Incremental tells whether the job follows all binlogs of its source, and no table has
// still to come.
func (s *Status) Incremental() bool {
	return s.ProgressState == "DBIncrementalSync" || s.ProgressState == "TableIncrementalSync"
}

// Problem is why a job cannot go on.
type Problem struct {
	Text       string    `json:"text"`
	Kind       string    `json:"kind"`
	CommitSeq  int64     `json:"commit_seq"`
	BinlogType string    `json:"binlog_type"`
	Binlog     string    `json:"binlog"`
	Since      time.Time `json:"since"`
	Tries      int       `json:"tries"`
	Remedy     string    `json:"remedy"`
}

// Job is what a job was asked to do, and how it is.
type Job struct {
	Name             string   `json:"name"`
	ID               string   `json:"id"`
	SyncType         string   `json:"sync_type"`
	Src              Cluster  `json:"src"`
	Dest             Cluster  `json:"dest"`
	AllowTableExists bool     `json:"allow_table_exists"`
	ReplicationNum   int      `json:"replication_num"`
	CommitOrder      string   `json:"commit_order"`
	IncludeTables    []string `json:"include_tables"`
	ExcludeTables    []string `json:"exclude_tables"`
	Extra            struct {
		ReuseBinlogLabel bool   `json:"reuse_binlog_label"`
		SkipBinlog       bool   `json:"skip_binlog"`
		SkipBy           string `json:"skip_by"`
		SkipCommitSeq    int64  `json:"skip_commit_seq"`
		SkipTable        string `json:"skip_table"`
	} `json:"extra"`
	State  string `json:"state"`
	Status Status `json:"status"`
}

// Cluster is one side of a job.
type Cluster struct {
	Host       string `json:"host"`
	Port       string `json:"port"`
	ThriftPort string `json:"thrift_port"`
	User       string `json:"user"`
	Database   string `json:"database"`
	Table      string `json:"table"`
	// JobTable is the name that a table job is for while its table is called otherwise.
	JobTable    string            `json:"job_table"`
	HostMapping map[string]string `json:"host_mapping"`
	// TLS and TLSCA are empty where a job has what its workers say.
	TLS   string `json:"tls"`
	TLSCA string `json:"tls_ca"`
}

// Object is the database, or the table with its database.
func (c *Cluster) Object() string {
	if c.Table == "" {
		return c.Database
	}
	return c.Database + "." + c.Table
}

// Progress is how far a job is.
type Progress struct {
	CommitSeq         int64            `json:"commit_seq"`
	PrevCommitSeq     int64            `json:"prev_commit_seq"`
	LastCommitSeq     int64            `json:"last_commit_seq"`
	TableMapping      map[int64]int64  `json:"table_mapping"`
	TableNameMapping  map[int64]string `json:"table_name_mapping"`
	TableCommitSeqMap map[int64]int64  `json:"table_commit_seq_map"`
	FullSyncStartAt   int64            `json:"full_sync_start_at"`
	FullSyncInfo      struct {
		Info string `json:"info"`
	} `json:"full_sync_info"`
	PartialSyncStartAt int64 `json:"partial_sync_start_at"`
	PartialSyncInfo    *struct {
		Table string `json:"table"`
		Info  string `json:"info"`
	} `json:"partial_sync_info"`
}

// Lag is how far a job is behind its source.
type Lag struct {
	Lag                 int64  `json:"lag"`
	FirstCommitSeq      int64  `json:"first_commit_seq"`
	LastCommitSeq       int64  `json:"last_commit_seq"`
	NextCommitSeq       int64  `json:"next_commit_seq"`
	NextBinlogTimestamp string `json:"next_binlog_timestamp"`
	TimeIntervalSecs    int64  `json:"time_interval_secs"`
	BehindSecs          *int64 `json:"behind_secs"` // nil of a server that does not tell
	ObservedAt          string `json:"observed_at"`
}

// Events are the last noteworthy things in the life of a job, oldest first.
type Events struct {
	Events []Event `json:"events"`
}

// Event is one of them.
type Event struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
}

// jobPath is the path of a job, or of something of it.
func jobPath(name, of string) string { return "/jobs/" + url.PathEscape(name) + of }

// Jobs lists all jobs.
func (c *Client) Jobs(ctx context.Context) (Reply[JobList], error) {
	return get[JobList](ctx, c, "/jobs")
}

// Job tells what a job was asked to do, and how it is.
func (c *Client) Job(ctx context.Context, name string) (Reply[Job], error) {
	return get[Job](ctx, c, jobPath(name, ""))
}

// Status tells how a job is.
func (c *Client) Status(ctx context.Context, name string) (Reply[Status], error) {
	return get[Status](ctx, c, jobPath(name, "/status"))
}

// Progress tells how far a job is.
func (c *Client) Progress(ctx context.Context, name string) (Reply[Progress], error) {
	return get[Progress](ctx, c, jobPath(name, "/progress"))
}

// Lag tells how far a job is behind, as it is just now.
func (c *Client) Lag(ctx context.Context, name string) (Reply[Lag], error) {
	return get[Lag](ctx, c, jobPath(name, "/lag"))
}

// Events tells what has happened to a job.
func (c *Client) Events(ctx context.Context, name string) (Reply[Events], error) {
	return get[Events](ctx, c, jobPath(name, "/events"))
}

// Create creates a job; body is that of create_ccr. It returns when the first checks have
// passed.
func (c *Client) Create(ctx context.Context, body any) error {
	_, err := c.do(ctx, http.MethodPost, "/jobs", roleAdmin, body)
	return err
}

// Delete ends a job. It returns when the name is free.
func (c *Client) Delete(ctx context.Context, name string) error {
	_, err := c.do(ctx, http.MethodDelete, jobPath(name, ""), roleAdmin, nil)
	return err
}

// Command has a job carry out a command without arguments: "pause", "resume", "desync",
// "sync" or "force_fullsync".
func (c *Client) Command(ctx context.Context, name, command string) error {
	_, err := c.do(ctx, http.MethodPost, jobPath(name, "/"+command), roleOperate, nil)
	return err
}

// Skip is the body of skip_binlog.
type Skip struct {
	By        string `json:"skip_by"`
	CommitSeq int64  `json:"skip_commit_seq,omitempty"`
	Table     string `json:"skip_table,omitempty"`
	TableID   int64  `json:"skip_table_id,omitempty"`
}

// SkipBinlog has a job pass over a binlog, or bring a snapshot instead.
func (c *Client) SkipBinlog(ctx context.Context, name string, skip Skip) error {
	_, err := c.do(ctx, http.MethodPost, jobPath(name, "/skip_binlog"), roleOperate, skip)
	return err
}

// Tables are the lists of patterns of a database job. One that is nil stays as it is; an
// empty one is cleared.
type Tables struct {
	Include *[]string `json:"include_tables,omitempty"`
	Exclude *[]string `json:"exclude_tables,omitempty"`
}

// UpdateTables changes which tables a job replicates.
func (c *Client) UpdateTables(ctx context.Context, name string, tables Tables) error {
	_, err := c.do(ctx, http.MethodPatch, jobPath(name, "/tables"), roleOperate, tables)
	return err
}

// HostMappings are changes of mappings; "" removes an entry.
type HostMappings struct {
	Source      map[string]string `json:"src_host_mapping,omitempty"`
	Destination map[string]string `json:"dest_host_mapping,omitempty"`
}

// MapHosts merges into the host mappings of a job.
func (c *Client) MapHosts(ctx context.Context, name string, mappings HostMappings) error {
	_, err := c.do(ctx, http.MethodPatch, jobPath(name, "/host_mapping"), roleAdmin, mappings)
	return err
}

// Account is a user of Doris with its password; what is nil stays as it is.
type Account struct {
	User     *string `json:"user,omitempty"`
	Password *string `json:"password,omitempty"`
}

// Credentials are the accounts of a job; a side that is nil stays as it is.
type Credentials struct {
	Source      *Account `json:"src,omitempty"`
	Destination *Account `json:"dest,omitempty"`
	// Force: the job is told without a worker that logs in first.
	Force bool `json:"force,omitempty"`
}

// UpdateCredentials gives a job other accounts. A worker logs in with them first.
func (c *Client) UpdateCredentials(ctx context.Context, name string, credentials Credentials) error {
	_, err := c.do(ctx, http.MethodPatch, jobPath(name, "/credentials"), roleAdmin, credentials)
	return err
}

// Address is where a frontend is reached; what is "" stays as it is.
type Address struct {
	Host       string `json:"host,omitempty"`
	Port       string `json:"port,omitempty"`
	ThriftPort string `json:"thrift_port,omitempty"`
	// TLS and TLSCA are those of create_ccr; nil stays.
	TLS   *string `json:"tls,omitempty"`
	TLSCA *string `json:"tls_ca,omitempty"`
}

// Addresses are other addresses of the same clusters; a side that is nil stays as it is.
type Addresses struct {
	Source      *Address `json:"src,omitempty"`
	Destination *Address `json:"dest,omitempty"`
	// Force: the job is told although nobody answers there.
	Force bool `json:"force,omitempty"`
}

// UpdateHosts has a job reach its clusters at other addresses. A worker looks first that
// they are the same clusters.
func (c *Client) UpdateHosts(ctx context.Context, name string, addresses Addresses) error {
	_, err := c.do(ctx, http.MethodPatch, jobPath(name, "/hosts"), roleAdmin, addresses)
	return err
}

// JobOptions are options that a running job can change; one that is nil stays as it is.
type JobOptions struct {
	ReplicationNum *int    `json:"replication_num,omitempty"`
	CommitOrder    *string `json:"commit_order,omitempty"`
}

// UpdateOptions changes options of a job.
func (c *Client) UpdateOptions(ctx context.Context, name string, options JobOptions) error {
	_, err := c.do(ctx, http.MethodPatch, jobPath(name, "/options"), roleAdmin, options)
	return err
}

// Version is the version of the server.
func (c *Client) Version(ctx context.Context) (string, error) {
	r, err := get[struct {
		Version string `json:"version"`
	}](ctx, c, "/version")
	return r.Value.Version, err
}

// JobNames are the names of all jobs, sorted. They cost less than Jobs.
func (c *Client) JobNames(ctx context.Context) ([]string, error) {
	var reply struct {
		Jobs []string `json:"jobs"`
	}
	err := c.Operate(ctx, "/list_jobs", roleRead, struct{}{}, &reply)
	return reply.Jobs, err
}
