package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/job"
)

// createRequest is the body of /create_ccr (http-api.md 3.2). What the server
// fills in by itself (frontends, ids) is ignored, as are unknown keys.
type createRequest struct {
	Name             string         `json:"name"`
	Src              clusterRequest `json:"src"`
	Dest             clusterRequest `json:"dest"`
	SkipError        bool           `json:"skip_error"`
	AllowTableExists bool           `json:"allow_table_exists"`
	ReuseBinlogLabel bool           `json:"reuse_binlog_label"`
	// ReplicationNum: nil and -1 keep the source's.
	ReplicationNum *int            `json:"replication_num"`
	CommitOrder    job.CommitOrder `json:"commit_order"`
	job.TableFilter
	// ExceptTable is exclude_tables as a list with commas (http-api.md 3.2).
	ExceptTable string `json:"except_table"`
}

type clusterRequest struct {
	Host        string            `json:"host"`
	Port        port              `json:"port"`
	ThriftPort  port              `json:"thrift_port"`
	User        string            `json:"user"`
	Password    string            `json:"password"`
	Cluster     string            `json:"cluster"`
	Database    string            `json:"database"`
	Table       string            `json:"table"`
	HostMapping map[string]string `json:"host_mapping"`
	job.SideTLS
}

// port is written as a string in the interface; a number is accepted, too.
type port int

var errNotAPort = errors.New("json: a port is a number, or a string of digits")

// UnmarshalJSON implements json.Unmarshaler. An empty string is port 0, which
// validation refuses in its place.
func (p *port) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	if text == "" || text == "null" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		// Not shown: whoever mixes up lines may have put a password here.
		return errNotAPort
	}
	*p = port(n)
	return nil
}

// spec returns the validated spec, without passwords, UID and time.
func (r *createRequest) spec() (job.Spec, error) {
	s := job.Spec{
		Name:             r.Name,
		Source:           r.Src.cluster(),
		Destination:      r.Dest.cluster(),
		SkipError:        r.SkipError,
		AllowTableExists: r.AllowTableExists,
		ReuseBinlogLabel: r.ReuseBinlogLabel,
		CommitOrder:      r.CommitOrder,
		TableFilter:      r.TableFilter,
	}
	for name := range strings.SplitSeq(r.ExceptTable, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(s.Exclude, name) {
			s.Exclude = append(slices.Clone(s.Exclude), name)
		}
	}
	if err := s.Validate(); err != nil {
		return job.Spec{}, err
	}
	for side, mapping := range map[string]map[string]string{"src": r.Src.HostMapping, "dest": r.Dest.HostMapping} {
		if err := job.CheckHostMapping(mapping); err != nil {
			return job.Spec{}, fmt.Errorf("job is invalid: %s spec is invalid: %w", side, err)
		}
	}
	for side, c := range map[string]*job.Cluster{"src": &s.Source, "dest": &s.Destination} {
		var err error
		if c.SideTLS, err = c.Normalized(); err != nil {
			return job.Spec{}, fmt.Errorf("job is invalid: %s spec is invalid: %w", side, err)
		}
	}
	if err := job.CheckReplicationNum(r.ReplicationNum); err != nil {
		return job.Spec{}, fmt.Errorf("job is invalid: %w", err)
	}
	if n := r.ReplicationNum; n != nil {
		s.ReplicationNum = *n
	}
	return s, nil
}

func (r *clusterRequest) cluster() job.Cluster {
	c := job.Cluster{
		Host:       r.Host,
		Port:       int(r.Port),
		ThriftPort: int(r.ThriftPort),
		User:       r.User,
		Cluster:    r.Cluster,
		Database:   r.Database,
		Table:      r.Table,
	}
	c.MergeHostMapping(r.HostMapping)
	c.SideTLS = r.SideTLS
	return c
}
