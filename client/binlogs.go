package client

import (
	"context"
	"fmt"
	"time"
)

// BinlogsAhead are the binlogs that a job has still to handle.
type BinlogsAhead struct {
	Binlogs []Binlog `json:"binlogs"`
	// LostTo: the source has dropped the binlogs up to here, 0 if it has not.
	LostTo int64 `json:"lost_to"`
	// Error is why no more is known.
	Error string `json:"error"`
}

// Binlog is a binlog, and what the job would do with it.
type Binlog struct {
	CommitSeq   int64      `json:"commit_seq"`
	Type        string     `json:"type"`
	CommittedAt *time.Time `json:"committed_at"`
	Summary     string     `json:"summary"`
	PassedOver  bool       `json:"passed_over"`
	Effect      string     `json:"effect"`
	Statements  []string   `json:"statements"`
	Bytes       int        `json:"bytes"`
	Record      string     `json:"record"`
	Cut         bool       `json:"cut"`
}

// Binlogs tells which binlogs a job has still to handle, from a commit seq on; 0: from the
// one at which it stands.
func (c *Client) Binlogs(ctx context.Context, name string, commitSeq int64, limit int) (Reply[BinlogsAhead], error) {
	return get[BinlogsAhead](ctx, c, jobPath(name, "/binlogs")+fmt.Sprintf("?limit=%d&commit_seq=%d", limit, commitSeq))
}
