package console

import (
	"errors"

	"github.com/labstack/echo/v4"

	"github.com/doris-ccr/ccr/job"
)

// Backend is what the console shows and orders: the API server. Who asks is in the context of the request
// (Options.Enter).
type Backend interface {
	// Jobs are all jobs, sorted by name.
	Jobs(c echo.Context) ([]Job, error)
	// Job is one job. ErrUnknownJob if there is none.
	Job(c echo.Context, name string) (Job, error)
	// Progress is the whole state of a job.
	Progress(c echo.Context, name string) (job.Progress, error)
	// Samples are how jobs have been during the last hour, as far as that is known.
	Samples(c echo.Context, names []string, points int) job.SamplesKnown
	// Verification is the report of the verification that runs, or of the last one, nil if there is
	// none; schedule says when the job is verified by itself, "" if it is not.
	Verification(c echo.Context, name string) (report *job.VerifyReport, schedule string, err error)
	// EndedVerification is the report of a verification that has ended, nil if nobody knows it any more. Asking for it
	// again costs nothing.
	EndedVerification(c echo.Context, name, report string) (*job.VerifyReport, error)

	// Clusters are the clusters that jobs are between, as a worker process sees them now, and the jobs that did
	// not tell theirs.
	Clusters(c echo.Context) (clusters []Cluster, unanswered []string, err error)
	// TableSizes are the rows and bytes of tables of a job, as both clusters tell them now.
	TableSizes(c echo.Context, wanted job.TableSizesWanted) (job.TableSizes, error)
	// Binlogs are the binlogs that a job has still to handle, from a commit seq on, 0: from the one at which it stands.
	Binlogs(c echo.Context, name string, commitSeq int64, limit int) (job.BinlogsAhead, error)
	// Check checks the body of a create_ccr, and changes nothing.
	Check(c echo.Context, body []byte) (job.CheckReport, error)

	// What follows returns when the job has carried the order out. An error that is ErrPending says
	// that it has not yet, and will.

	// Create creates the job that the body of a create_ccr describes.
	Create(c echo.Context, body []byte) error
	// ChangeCredentials has a job log in otherwise; with force without trying that before.
	ChangeCredentials(c echo.Context, name string, source, destination Login, force bool) error
	// ChangeAddresses has a job reach the same clusters at other addresses; with force although they cannot be asked.
	ChangeAddresses(c echo.Context, name string, source, destination Address, force bool) error
	// UpdateOptions changes options of a job.
	UpdateOptions(c echo.Context, name string, options job.UpdateOptions) error
	// Order sends a command that has no arguments.
	Order(c echo.Context, name, signal string) error
	SkipBinlog(c echo.Context, name string, skip job.SkipBinlog) error
	MapHosts(c echo.Context, name string, mappings job.HostMappings) error
	UpdateTables(c echo.Context, name string, update job.UpdateTables) error
	Delete(c echo.Context, name string) error
	// Verify starts a verification, or changes when the job is verified by itself.
	Verify(c echo.Context, name string, order VerifyOrder) error
	// Repair copies again what the last verification has found to differ.
	Repair(c echo.Context, name string) error
	// SteerVerification sends a command to the verification that runs.
	SteerVerification(c echo.Context, name, signal string) error
}

// Login is an account of Doris. What is nil or "" stays as it is; a password of "" is that of an account without one.
type Login struct {
	User     string
	Password *string
}

// Address is where a cluster is reached. What is "" or 0 stays as it is.
type Address struct {
	Host             string
	Port, ThriftPort int
	// TLS and TLSCA are those of job.SideTLS; nil stays.
	TLS, TLSCA *string
}

// VerifyOrder is what to verify, and how.
type VerifyOrder struct {
	Tables   []string
	Method   job.VerifyMethod
	Repair   bool
	Replicas bool
	Rate     int64 // rows a second on each cluster, 0 = no bound
	// Every makes, changes ("24h") or removes ("0") the schedule, nil verifies once, now.
	Every  *string
	Window string
}

// ErrPending: an order is recorded and will be carried out, but is not yet.
var ErrPending = errors.New("recorded, but not carried out yet")

// Pending marks err as an ErrPending; its text stays.
func Pending(err error) error { return pendingError{err} }

type pendingError struct{ error }

func (pendingError) Is(target error) bool { return target == ErrPending }

// Job is a job as an overview has it. With Err nothing else is known but the name.
type Job struct {
	Name   string
	Spec   job.Spec // passwords are masked
	Status job.Status
	Err    error
}
