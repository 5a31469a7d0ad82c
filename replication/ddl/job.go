// Package ddl applies each binlog that is no UPSERT to the destination: what its
// type does (docs/binlogs.md), how its statements have to be rewritten, and how one
// is recognised that has been carried out before.
package ddl

import "github.com/doris-ccr/ccr/replication/pair"

// Job applies the changes of a job.
type Job struct{ *pair.Job }

// New returns what applies the changes of j.
func New(j *pair.Job) *Job { return &Job{Job: j} }
