// Package snapshot brings a database, a table or some of its partitions to the
// destination by backup and restore, finds out which tables have to come that way,
// and removes what an interrupted job has left.
package snapshot

import "github.com/doris-ccr/ccr/replication/pair"

// Job takes and restores the snapshots of a job.
type Job struct{ *pair.Job }

// New returns what takes the snapshots of j.
func New(j *pair.Job) *Job { return &Job{Job: j} }
