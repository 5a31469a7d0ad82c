// Package preflight looks at two clusters before a job begins: what create_ccr has
// to refuse, and what check_ccr tells. It changes nothing.
package preflight

import "github.com/doris-ccr/ccr/replication/pair"

// Job checks a job.
type Job struct{ *pair.Job }

// New returns what checks j.
func New(j *pair.Job) *Job { return &Job{Job: j} }
