// Package adopt goes on with a job of the existing syncer: at its position, and with
// what it has left open settled.
package adopt

import "github.com/doris-ccr/ccr/replication/pair"

// Job adopts a job.
type Job struct{ *pair.Job }

// New returns what adopts j.
func New(j *pair.Job) *Job { return &Job{Job: j} }
