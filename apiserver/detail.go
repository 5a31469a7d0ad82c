package apiserver

import (
	"context"
	"errors"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/doris/meta"
	"github.com/doris-ccr/ccr/job"
)

// detailReply is null on a failure after the job was found (http-api.md 3.11).
type detailReply struct {
	base
	JobDetail *detailObject `json:"job_detail"`
}

type detailObject struct {
	Name             string          `json:"name"`
	ID               string          `json:"id"`
	SyncType         job.SyncType    `json:"sync_type"`
	Src              clusterDetail   `json:"src"`
	Dest             clusterDetail   `json:"dest"`
	State            int             `json:"state"`
	Extra            extraDetail     `json:"extra"`
	SkipError        bool            `json:"skip_error"`
	AllowTableExists bool            `json:"allow_table_exists"`
	ReplicationNum   int             `json:"replication_num"`
	CommitOrder      job.CommitOrder `json:"commit_order"`
	job.TableFilter
}

type frontendDetail struct {
	Host       string `json:"host"`
	Port       string `json:"port"`
	ThriftPort string `json:"thrift_port"`
	IsMaster   bool   `json:"is_master"`
}

type clusterDetail struct {
	frontendDetail
	Frontends   []frontendDetail `json:"frontends"`
	User        string           `json:"user"`
	Password    string           `json:"password"`
	PasswordKey string           `json:"password_key,omitempty"` // names the key that sealed it
	Cluster     string           `json:"cluster"`
	Database    string           `json:"database"`
	DatabaseID  int64            `json:"db_id"`
	Table       string           `json:"table"`
	TableID     int64            `json:"table_id"`
	// JobTable is the name that a table job is for, on the source, while its table is
	// called otherwise.
	JobTable    string            `json:"job_table,omitempty"`
	HostMapping map[string]string `json:"host_mapping,omitempty"`
	job.SideTLS
}

// extraDetail shows a pending job_skip_binlog beside an option of creation.
type extraDetail struct {
	ReuseBinlogLabel bool   `json:"reuse_binlog_label"`
	SkipBinlog       bool   `json:"skip_binlog"`
	SkipBy           string `json:"skip_by"`
	SkipCommitSeq    int64  `json:"skip_commit_seq"`
	SkipTable        string `json:"skip_table"`
	SkipTableID      int64  `json:"skip_table_id"`
}

// Values of job_detail's state.
const (
	stateRunning = 0
	statePaused  = 1
)

// handleJobDetail answers /job_detail.
func (s *Server) handleJobDetail(c echo.Context, request nameRequest) (any, error) {
	detail, err := question(s, c, "detail", request.Name, s.jobs.detail)
	if err != nil && !errors.Is(err, errUnknownJob) {
		return detailReply{base: failure(err)}, nil
	}
	return detailReply{base{Success: true}, detail}, err
}

func (j *jobs) detail(ctx context.Context, name string) (*detailObject, error) {
	var spec job.Spec
	if err := j.query(ctx, name, job.QueryDetail, &spec); err != nil {
		return nil, err
	}
	orders, err := j.orders(ctx, name)
	if err != nil {
		return nil, err
	}
	return newDetail(spec, orders), nil
}

// orders asks for what is small in a job's state: the whole may be megabytes.
func (j *jobs) orders(ctx context.Context, name string) (o job.Orders, _ error) {
	err := j.query(ctx, name, job.QueryOrders, &o)
	if isUnknownQuery(err) {
		var p job.Progress
		err = j.query(ctx, name, job.QueryProgress, &p)
		o = job.Orders{Paused: p.Paused, Skip: p.Skip, Position: p.Position}
	}
	if err != nil {
		return job.Orders{}, err
	}
	if step, found := j.pending(ctx, name); found && step.activity == job.ActivityStream {
		o.Position = newerPosition(o.Position, step.report.Position)
	}
	return o, nil
}

func newDetail(spec job.Spec, p job.Orders) *detailObject {
	d := &detailObject{
		Name:             spec.Name,
		ID:               spec.UID,
		SyncType:         spec.Type(),
		Src:              newClusterDetail(spec.Source),
		Dest:             newClusterDetail(spec.Destination),
		State:            stateRunning,
		Extra:            extraDetail{ReuseBinlogLabel: spec.ReuseBinlogLabel},
		SkipError:        spec.SkipError,
		AllowTableExists: spec.AllowTableExists,
		ReplicationNum:   spec.ReplicationNum,
		CommitOrder:      spec.CommitOrder,
		TableFilter:      spec.TableFilter,
	}
	if p.Paused {
		d.State = statePaused
	}
	if d.ReplicationNum == 0 {
		d.ReplicationNum = -1
	}
	if d.CommitOrder == "" {
		d.CommitOrder = job.CommitOrderGlobal
	}
	// A shift that has passed the binlog reports that at once. The workflow forgets the
	// order only when the shift ends.
	if skip := p.Skip; skip != nil && skip.SkipCommitSeq > p.Position.CommitSeq {
		d.Extra.SkipBinlog = true
		d.Extra.SkipBy, d.Extra.SkipCommitSeq = skip.SkipBy, skip.SkipCommitSeq
		d.Extra.SkipTable, d.Extra.SkipTableID = skip.SkipTable, skip.SkipTableID
	}
	return d
}

func newClusterDetail(c job.Cluster) clusterDetail {
	d := clusterDetail{
		frontendDetail: newFrontendDetail(meta.Frontend{Host: c.Host, Port: c.Port, ThriftPort: c.ThriftPort}),
		Frontends:      []frontendDetail{},
		User:           c.User,
		Password:       c.Password.String(), // masked
		PasswordKey:    c.PasswordKey,
		Cluster:        c.Cluster,
		Database:       c.Database,
		DatabaseID:     c.DatabaseID,
		Table:          c.Table,
		TableID:        c.TableID,
		JobTable:       c.JobTable,
		HostMapping:    c.HostMapping,
		SideTLS:        c.SideTLS,
	}
	for _, f := range c.Frontends {
		d.Frontends = append(d.Frontends, newFrontendDetail(f))
		if f.Host == c.Host && f.ThriftPort == c.ThriftPort {
			d.IsMaster = f.IsMaster
		}
	}
	return d
}

func newFrontendDetail(f meta.Frontend) frontendDetail {
	return frontendDetail{Host: f.Host, Port: strconv.Itoa(f.Port), ThriftPort: strconv.Itoa(f.ThriftPort), IsMaster: f.IsMaster}
}
