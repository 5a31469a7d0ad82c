package apiserver

import (
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// StartOptions are the options with which a job's workflow is started, for those
// who start one without the HTTP interface: they make it unique by its name,
// findable, and readable in the Web UI.
func StartOptions(spec job.Spec) client.StartWorkflowOptions {
	return startOptions(spec, "ccr import")
}

// NewUID makes a job's uid.
func NewUID() (string, error) { return randomHex(8) }
