// Package stream follows the binlogs of a job's source: it applies UPSERTs exactly
// once and in order, and ends with the next binlog that asks for another step. Beside
// that it looks whether what the job follows is still there, and compares tables
// that nobody writes (architecture.md 3.2, 4).
package stream

import "github.com/doris-ccr/ccr/replication/pair"

// Job streams a job.
type Job struct {
	*pair.Job
	books *Books
}

// New returns what streams j; books are those of the process.
func New(j *pair.Job, books *Books) *Job { return &Job{Job: j, books: books} }
