package apiserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// binlogsOptions are what /job_binlogs takes beside the name.
type binlogsOptions struct {
	// Limit is how many are wanted: 1 if it is left out, job.MaxBinlogsWanted at most.
	Limit int `json:"limit"`
	// CommitSeq is the first that is wanted; 0: the one at which the job stands, or else
	// the next.
	CommitSeq int64 `json:"commit_seq"`
}

// binlogsRequest is the request of /job_binlogs.
type binlogsRequest struct {
	nameRequest
	binlogsOptions
}

type binlogsReply struct {
	base
	job.BinlogsAhead
}

// handleJobBinlogs answers /job_binlogs.
func (s *Server) handleJobBinlogs(c echo.Context, request binlogsRequest) (any, error) {
	seen, err := s.binlogsAhead(c, request.Name, request.binlogsOptions)
	return binlogsReply{base{Success: true}, seen}, err
}

// getBinlogs answers GET /jobs/{name}/binlogs.
func (s *Server) getBinlogs(c echo.Context, name string) (any, error) {
	var o binlogsOptions
	var err error
	if text := c.QueryParam("limit"); text != "" {
		if o.Limit, err = strconv.Atoi(text); err != nil {
			return nil, classify(errInvalid, fmt.Errorf("[normal] limit is %q: it has to be a number", text))
		}
	}
	if text := c.QueryParam("commit_seq"); text != "" {
		if o.CommitSeq, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, classify(errInvalid, fmt.Errorf("[normal] commit_seq is %q: it has to be a number", text))
		}
	}
	return s.binlogsAhead(c, name, o)
}

// binlogsAhead looks at the binlogs that a job has still to handle. An error means that
// nothing is known.
func (s *Server) binlogsAhead(c echo.Context, name string, o binlogsOptions) (job.BinlogsAhead, error) {
	if o.Limit < 0 || o.Limit > job.MaxBinlogsWanted || o.CommitSeq < 0 {
		return job.BinlogsAhead{}, classify(errInvalid, fmt.Errorf("[normal] limit is 1 to %d, and commit_seq not negative", job.MaxBinlogsWanted))
	}
	ctx, cancel := s.answerContext(c)
	defer cancel()
	now, err := s.jobs.progress(ctx, name)
	if err != nil {
		return job.BinlogsAhead{}, err
	}
	first := o.CommitSeq
	if first == 0 {
		first = now.Position.CommitSeq + 1
		if now.Problem != nil && now.Problem.At(now.Position.CommitSeq) || now.Pending != nil {
			first = now.tried
		}
	}
	seen, err := s.nextBinlogs(ctx, job.BinlogsWanted{Job: name, After: first - 1, Limit: max(o.Limit, 1)})
	if err == nil && seen.Error != "" && len(seen.Binlogs) == 0 {
		err = classify(errUndecided, errors.New(seen.Error))
	}
	return seen, err
}

// nextBinlogs has a worker process look at binlogs.
func (s *Server) nextBinlogs(ctx context.Context, wanted job.BinlogsWanted) (job.BinlogsAhead, error) {
	w := shortWorkflow{job.WorkflowTypeBinlogs, job.BinlogsWorkflowIDPrefix, "look at the next binlogs of job " + wanted.Job, lookTimeout}
	return look[job.BinlogsAhead](ctx, s, w, wanted)
}
