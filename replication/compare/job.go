// Package compare looks whether a table or a view is the same on both sides of a
// job: its definition, its partitions, and how many rows they have. It never
// changes anything.
package compare

import "github.com/doris-ccr/ccr/replication/pair"

// Job compares the tables of a job.
type Job struct{ *pair.Job }

// New returns what compares the tables of j.
func New(j *pair.Job) *Job { return &Job{Job: j} }
