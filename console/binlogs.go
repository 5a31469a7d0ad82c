package console

import (
	"errors"
	"net/http"

	"github.com/doris-ccr/ccr/job"
)

// aheadData are the next binlogs of a job, or why they are not known.
type aheadData struct {
	Ahead        *job.BinlogsAhead
	AheadFailure string
}

// binlogsData is what the page of the next binlogs shows.
type binlogsData struct {
	Name string
	aheadData
}

// binlogsPage shows the binlogs that a job has still to handle.
func (s *Console) binlogsPage(v *visit) error {
	name := v.c.QueryParam("name")
	if _, err := s.Backend.Job(v.c, name); errors.Is(err, ErrUnknownJob) {
		return v.failPage(http.StatusNotFound, err)
	}
	return v.page(http.StatusOK, "binlogs", v.t("The next binlogs of %s", name), "jobs", 0,
		&binlogsData{Name: name, aheadData: s.lookAhead(v, name, 0, job.MaxBinlogsWanted)})
}

// lookAhead looks at binlogs from a commit seq on, 0: from the one at which the job stands. Pages work without.
func (s *Console) lookAhead(v *visit, name string, commitSeq int64, limit int) aheadData {
	seen, err := s.Backend.Binlogs(v.c, name, commitSeq, limit)
	if err != nil {
		return aheadData{AheadFailure: err.Error()}
	}
	return aheadData{Ahead: &seen}
}
