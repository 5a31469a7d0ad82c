// Package job holds the words that every part of ccr shares: what a replication
// job is asked to do (Spec), how far it is (Progress), what it tells (Status,
// Lag, Event), the commands it takes and the steps it is made of.
//
// The package does no I/O and knows neither Temporal nor Doris' protocols. All
// its types are plain data that survive a round trip through JSON, because they
// are the payloads of the workflow.
package job

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doris-ccr/ccr/doris/meta"
)

// Sealed is a secret encrypted by package secret. It is the only form in which
// a password enters a workflow. Its textual form is masked, so that it cannot
// reach a log or a reply by accident; JSON carries the sealed bytes.
type Sealed string

// Mask stands where a secret would be shown.
const Mask = "******"

// String implements fmt.Stringer: it never shows the sealed bytes.
func (s Sealed) String() string {
	if s == "" {
		return ""
	}
	return Mask
}

// KeyID names the key that sealed the secret: the first hex digits of its
// SHA-256, nothing of the key itself. Empty for what is not sealed.
func (s Sealed) KeyID() string {
	parts := strings.Split(string(s), ":") // package secret has the form
	if len(parts) != 3 {
		return ""
	}
	return parts[1]
}

// GoString implements fmt.GoStringer for %#v.
func (s Sealed) GoString() string { return fmt.Sprintf("job.Sealed(%q)", s.String()) }

// SyncType says whether a job follows a database or one table.
type SyncType int

// The numbers are those of job_detail's sync_type (http-api.md 3.11).
const (
	DatabaseSync SyncType = 0
	TableSync    SyncType = 1
)

// String returns the word used in labels and search attributes: "db_sync" or
// "table_sync" (doris-binlogs.md 5.1).
func (t SyncType) String() string {
	if t == TableSync {
		return "table_sync"
	}
	return "db_sync"
}

// CommitOrder says in which order transactions may become visible on the
// destination (architecture.md 4).
type CommitOrder string

const (
	// CommitOrderGlobal commits in the source's commit-seq order. The default.
	CommitOrderGlobal CommitOrder = "global"
	// CommitOrderPerTable orders transactions of one table only; independent
	// tables do not wait for each other.
	CommitOrderPerTable CommitOrder = "per_table"
)

// Spec is what a job was asked to do. It is part of the workflow's input; only
// what commands change (change.go, host mappings, the table filter), resolved ids
// and known frontends change during a job's life.
type Spec struct {
	// Name is unique among running jobs; part of snapshot names.
	Name string `json:"name"`
	// UID is made at creation, 16 hex digits. It ties transaction labels to
	// this incarnation of the name.
	UID string `json:"uid"`
	// Source and Destination are the two clusters.
	Source      Cluster `json:"src"`
	Destination Cluster `json:"dest"`

	SkipError        bool `json:"skip_error,omitempty"`
	AllowTableExists bool `json:"allow_table_exists,omitempty"`
	ReuseBinlogLabel bool `json:"reuse_binlog_label,omitempty"`
	// ReplicationNum overrides the replica count on the destination; 0 or -1
	// keeps the source's.
	ReplicationNum int         `json:"replication_num,omitempty"`
	CommitOrder    CommitOrder `json:"commit_order,omitempty"`
	// TableFilter selects the tables of a database job; update_tables changes it.
	TableFilter
	CreatedAt time.Time `json:"created_at"`
}

// Type tells a table job from a database job: a table job names its table.
func (s *Spec) Type() SyncType {
	if s.Source.Table != "" {
		return TableSync
	}
	return DatabaseSync
}

// Cluster is one side of a job.
type Cluster struct {
	// Host is an FE as the worker reaches it (a public address if the cluster
	// needs a host mapping).
	Host       string `json:"host"`
	Port       int    `json:"port"`
	ThriftPort int    `json:"thrift_port"`
	User       string `json:"user"`
	Password   Sealed `json:"password,omitempty"`
	// PasswordKey is Password.KeyID in the answer of the query job_detail, where
	// Password itself is masked; empty everywhere else.
	PasswordKey string `json:"password_key,omitempty"`
	// Cluster is a leftover of the interface; kept for job_detail.
	Cluster  string `json:"cluster,omitempty"`
	Database string `json:"database"`
	Table    string `json:"table,omitempty"`
	// JobTable is the name that a table job is for, on the source, while its table
	// is called otherwise; empty: Table is.
	JobTable string `json:"job_table,omitempty"`
	// HostMapping maps private to public addresses (http-api.md 3.14).
	HostMapping map[string]string `json:"host_mapping,omitempty"`
	SideTLS

	// Resolved by CheckJob.
	DatabaseID int64           `json:"db_id,omitempty"`
	TableID    int64           `json:"table_id,omitempty"`
	Frontends  []meta.Frontend `json:"frontends,omitempty"`
}

// NameOfJob is the name of the table that a table job is for: whatever has it is
// what the job replicates.
func (c *Cluster) NameOfJob() string {
	if c.JobTable != "" {
		return c.JobTable
	}
	return c.Table
}

// Call notes what the followed table is called from now on. The name that the job
// is for stays.
func (c *Cluster) Call(name string) {
	job := c.NameOfJob()
	c.Table, c.JobTable = name, job
	if name == job {
		c.JobTable = ""
	}
}

// MergeHostMapping applies update to the mapping as update_host_mapping does:
// keys not named stay, an empty public address removes the private one. What was
// reached at a public address that changes is reached at the new one.
func (c *Cluster) MergeHostMapping(update map[string]string) {
	if len(update) == 0 {
		return
	}
	merged := maps.Clone(c.HostMapping)
	if merged == nil {
		merged = map[string]string{}
	}
	//workflowcheck:ignore a copy: order does not matter
	for private, public := range update {
		if public == "" {
			delete(merged, private)
		} else {
			merged[private] = public
		}
	}
	c.move(merged)
	if len(merged) == 0 {
		merged = nil
	}
	c.HostMapping = merged
}

// move follows the frontends to their new public addresses: those that the
// cluster has told, and the one that the job was created with.
func (c *Cluster) move(to map[string]string) {
	own := c.privateHost()
	c.Frontends = slices.Clone(c.Frontends)
	for i := range c.Frontends {
		f := &c.Frontends[i]
		private := f.Private
		if private == "" {
			private = f.Host // of before there was a mapping
		}
		if public := to[private]; public != "" {
			f.Host, f.Private = public, private
		}
	}
	if public := to[own]; public != "" {
		c.Host = public
	}
}

// privateHost is what the cluster itself calls the frontend that the job was
// created with, Host if that is not known.
func (c *Cluster) privateHost() string {
	for _, f := range c.Frontends {
		if f.Host == c.Host && f.ThriftPort == c.ThriftPort && f.Private != "" {
			return f.Private
		}
	}
	//workflowcheck:ignore sorted: the first of several is always the same
	for _, private := range slices.Sorted(maps.Keys(c.HostMapping)) {
		if c.HostMapping[private] == c.Host {
			return private
		}
	}
	return c.Host
}

// Validation errors carry the texts of http-api.md 3.2; scripts look for them.
var (
	ErrNameEmpty    = errors.New("[normal] name is empty")
	ErrSyncMismatch = errors.New("[normal] src/dest are not both db or table sync")
)

// Validate checks the fields in the order of http-api.md 3.2. The error's text
// is what create_ccr answers.
func (s *Spec) Validate() error {
	if s.Name == "" {
		return fmt.Errorf("job is invalid: %w", ErrNameEmpty)
	}
	if len(s.Name) > MaxNameLength {
		return fmt.Errorf("job is invalid: [normal] name is longer than %d bytes", MaxNameLength)
	}
	if !nameRule.MatchString(s.Name) {
		return fmt.Errorf("job is invalid: [normal] name %q may only contain letters A-Z a-z, digits, '-', '_', '.' and ':' (it becomes part of Doris labels)", s.Name)
	}
	if err := s.Source.validate(); err != nil {
		return fmt.Errorf("job is invalid: src spec is invalid: %w", err)
	}
	if err := s.Destination.validate(); err != nil {
		return fmt.Errorf("job is invalid: dest spec is invalid: %w", err)
	}
	if (s.Source.Table == "") != (s.Destination.Table == "") {
		return fmt.Errorf("job is invalid: %w", ErrSyncMismatch)
	}
	if s.Source.Table != "" && !s.Everything() {
		return fmt.Errorf("job is invalid: %w", ErrFilterOfTableJob)
	}
	if err := s.validate(); err != nil {
		return fmt.Errorf("job is invalid: %w", err)
	}
	if err := s.CommitOrder.check(); err != nil {
		return fmt.Errorf("job is invalid: %w", err)
	}
	return nil
}

// MaxNameLength bounds a job's name, in bytes. Snapshot names are made from it
// by SnapshotName, which shortens what Doris' label limit would refuse.
const MaxNameLength = 200

// nameRule is what Doris allows in labels (doris-sql.md 1.5), plus the dot,
// which SnapshotName replaces.
var nameRule = regexp.MustCompile(`^[-_A-Za-z0-9.:]+$`)

// NameAllowed tells whether a job may have this name.
func NameAllowed(name string) bool {
	return len(name) <= MaxNameLength && nameRule.MatchString(name)
}

func (c *Cluster) validate() error {
	switch {
	case c.Host == "":
		return errors.New("[normal] host is empty")
	case c.Port < 1 || c.Port > 65535:
		return fmt.Errorf("[normal] port is invalid: %s", portText(c.Port))
	case c.ThriftPort < 1 || c.ThriftPort > 65535:
		return fmt.Errorf("[normal] thrift_port is invalid: %s", portText(c.ThriftPort))
	case c.User == "":
		return errors.New("[normal] user is empty")
	case c.Database == "":
		return errors.New("[normal] database is empty")
	}
	return c.check()
}

// portText shows a port that is out of range; one that was not given shows as
// nothing, which is the text of http-api.md 3.2.
func portText(port int) string {
	if port == 0 {
		return ""
	}
	return strconv.Itoa(port)
}
