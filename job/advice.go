package job

import "fmt"

// Advice says what a person can do about the job as it is now; it is never
// empty.
func (s *Status) Advice() string {
	switch p := s.Problem; {
	case s.Phase == PhaseDeleting:
		return "nothing: the job ends as soon as it has cleaned up, within half a minute"
	case !s.Running && p != nil:
		return "resume tries again what last_error tells of; delete ends the job"
	case !s.Running:
		return "resume lets it go on; before binlog.ttl_seconds of the source are over, or it needs a full sync"
	case p != nil && p.Remedy != "":
		return p.Remedy
	case p != nil && s.Phase == PhaseCheck:
		return "see that workers run and reach both clusters, or delete the job"
	case p != nil && p.At(s.Position.CommitSeq):
		return fmt.Sprintf(`it is tried again by itself; if that does not help, job_skip_binlog: {"skip_by":"silence","skip_commit_seq":%d} leaves this binlog out, "partialsync" and "fullsync" bring a snapshot instead`, p.CommitSeq)
	case p != nil:
		return "it is tried again by itself; see that both clusters are well; resume tries again at once"
	}
	return "nothing: the job is running"
}

// At tells whether the problem is with a binlog of its own, for a job at the
// given position: what is asked for between binlogs is put down to the last one.
func (p *Problem) At(position int64) bool { return p.Late || p.CommitSeq > position }

// Describe names the binlog at which a problem is, for a job at the given
// position; "" if it is at none.
func (p *Problem) Describe(position int64) string {
	if !p.At(position) {
		return ""
	}
	return fmt.Sprintf("%s at commit seq %d", p.BinlogType, p.CommitSeq)
}
